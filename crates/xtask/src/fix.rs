//! `cargo xtask fix`: repairs what a machine can repair. What is left, `check` tells.

use crate::process;

/// Generated code first, since the other two look at it; the format last, since the other two change it.
pub(crate) fn run() -> Result<(), String> {
    xtask::codegen::run(&[])?;
    crate::docs::run(&[])?;
    let clippy = ["clippy", "--fix", "--allow-dirty", "--allow-staged", "--workspace", "--all-targets", "--quiet"];
    process::run(&mut process::cargo(&clippy))?;
    process::run(&mut process::cargo(&["fmt", "--all"]))
}
