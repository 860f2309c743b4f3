//! `cargo xtask check`: everything a machine can find without running the tests. Writes nothing; `fix` does.

use std::time::Instant;

use crate::{process, tidy};

/// One thing that is checked: its name, and the check.
type Step = (&'static str, fn() -> Result<Verdict, String>);

/// How a check that found nothing wrong ended.
enum Verdict {
    Clean,
    /// It could not be made here, and why.
    Skipped(&'static str),
}

const STEPS: [Step; 6] = [
    ("format", format),
    ("clippy", clippy),
    ("codegen", codegen),
    ("docs", docs),
    ("tidy", rules),
    ("licences", licences),
];

/// Runs every check, even after one failed, and sums up.
pub(crate) fn run() -> Result<(), String> {
    let mut failed = Vec::new();
    let mut summary = String::new();
    for (name, step) in STEPS {
        let began = Instant::now();
        let verdict = match step() {
            Ok(Verdict::Clean) => "clean".to_owned(),
            Ok(Verdict::Skipped(why)) => format!("skipped: {why}"),
            Err(why) => {
                eprintln!("{name}: {why}");
                failed.push(name);
                "FAILED".to_owned()
            }
        };
        summary += &format!("  {name:<10} {:>6.1} s  {verdict}\n", began.elapsed().as_secs_f32());
    }
    print!("{summary}");
    if failed.is_empty() { Ok(()) } else { Err(format!("{} failed; cargo xtask fix repairs some", failed.join(", "))) }
}

fn format() -> Result<Verdict, String> {
    process::run(&mut process::cargo(&["fmt", "--all", "--check"]))?;
    Ok(Verdict::Clean)
}

fn clippy() -> Result<Verdict, String> {
    process::run(&mut process::cargo(&["clippy", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"]))?;
    Ok(Verdict::Clean)
}

fn codegen() -> Result<Verdict, String> {
    xtask::codegen::run(&["--check".to_owned()])?;
    Ok(Verdict::Clean)
}

fn docs() -> Result<Verdict, String> {
    crate::docs::run(&["--check".to_owned()])?;
    Ok(Verdict::Clean)
}

fn rules() -> Result<Verdict, String> {
    tidy::run()?;
    Ok(Verdict::Clean)
}

fn licences() -> Result<Verdict, String> {
    if process::output(&mut process::cargo(&["deny", "--version"])).is_err() {
        return Ok(Verdict::Skipped("cargo install --locked cargo-deny"));
    }
    process::run(&mut process::cargo(&["deny", "--log-level", "error", "check", "licenses", "bans", "sources"]))?;
    Ok(Verdict::Clean)
}
