//! `cargo xtask fix`: repairs what a machine can repair. What is left, `check` tells.

use std::process::Command;

use crate::{EXIT_UNKNOWN, process};

/// Generated code first, since the other two look at it; the format last, since the other two change it.
pub(crate) fn run() -> Result<(), String> {
    let this = std::env::current_exe().map_err(|e| e.to_string())?;
    let out = Command::new(this).arg("codegen").output().map_err(|e| e.to_string())?;
    if !out.status.success() && out.status.code() != Some(EXIT_UNKNOWN.into()) {
        return Err(format!("codegen: {}", String::from_utf8_lossy(&out.stderr)));
    }
    let clippy = ["clippy", "--fix", "--allow-dirty", "--allow-staged", "--workspace", "--all-targets", "--quiet"];
    process::run(&mut process::cargo(&clippy))?;
    process::run(&mut process::cargo(&["fmt", "--all"]))
}
