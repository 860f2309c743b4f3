//! Runs the binary.

use std::path::Path;
use std::process::{Command, Output};

/// Runs `ottla` with these words in `directory`.
pub(crate) fn ottla(directory: &Path, words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ottla"))
        .args(words)
        .current_dir(directory)
        .env_remove("OTTLA_BOOTSTRAP")
        .output()
        .expect("the binary was built for this test")
}

/// What it printed.
pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// What it said besides.
pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
