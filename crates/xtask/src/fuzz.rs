//! `cargo xtask fuzz [TARGET...] [--seconds N]`: runs the targets of `fuzz/` one after the other through cargo-fuzz.

use std::fs;
use std::path::Path;

use crate::process::{self, cargo, root};

/// How long each target runs if nobody says.
const SECONDS: u32 = 60;

/// What libFuzzer is told of memory and of the size of inputs.
const LIMITS: [&str; 2] = ["-rss_limit_mb=1024", "-max_len=4096"];

/// The largest single allocation, in MiB: no decoder may need much memory for little input.
fn allocation_max(target: &str) -> u32 {
    // A zstd frame may ask for a window of 128 MiB; the `record` crate's `zstd.rs` says why it gets that.
    if target == "batches" { 160 } else { 64 }
}

/// Runs the targets named, or all.
pub(crate) fn run(arguments: &[String]) -> Result<(), String> {
    let usage = "usage: cargo xtask fuzz [TARGET...] [--seconds N]";
    let folder = root().join("fuzz");
    let known = targets(&folder)?;
    let mut seconds = SECONDS;
    let mut wanted = Vec::new();
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        if word == "--seconds" {
            seconds = words.next().and_then(|number| number.parse().ok()).ok_or(usage)?;
        } else if known.contains(word) {
            wanted.push(word.clone());
        } else {
            return Err(format!("there is no target {word}, but {}", known.join(", ")));
        }
    }
    if process::output(&mut cargo(&["fuzz", "--version"])).is_err() {
        return Err("cargo-fuzz is missing: cargo install --locked cargo-fuzz".to_owned());
    }
    for target in if wanted.is_empty() { known } else { wanted } {
        let mut fuzz = cargo(&["fuzz", "run", &target, "--"]);
        // What cargo-fuzz asks of the compiler is unstable; the pinned compiler can do it if it is told to.
        fuzz.env("RUSTC_BOOTSTRAP", "1").current_dir(&folder).args(LIMITS);
        fuzz.arg(format!("-malloc_limit_mb={}", allocation_max(&target)));
        process::run(fuzz.arg(format!("-max_total_time={seconds}")))
            .map_err(|_| format!("{target} found something; the input is in fuzz/artifacts/{target}"))?;
    }
    Ok(())
}

/// The names of the targets: those of their files.
fn targets(folder: &Path) -> Result<Vec<String>, String> {
    let folder = folder.join("fuzz_targets");
    let entries = fs::read_dir(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let paths = entries.filter_map(|entry| entry.ok().map(|entry| entry.path()));
    let mut names: Vec<String> = paths.filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned())).collect();
    names.sort();
    Ok(names)
}
