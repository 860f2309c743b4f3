//! Runs the scenario of one seed and prints its trace: `sim SEED [CRASHES]`. Exit code 1 if something was found.

use std::io::Write;
use std::process::ExitCode;

use ottla_sim::{Options, run};
use ottla_storage::disk::simulated::Faults;

fn main() -> ExitCode {
    // What the broker and the client log goes to stderr if RUST_LOG asks for it. Its times are the computer's, not the run's.
    let filter = tracing_subscriber::EnvFilter::from_default_env();
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let mut arguments = std::env::args().skip(1);
    let mut number = |default| arguments.next().map_or(Some(default), |text| text.parse().ok());
    let (Some(seed), Some(crashes)) = (number(0), number(20)) else {
        return say("usage: sim [SEED [CRASHES]]: both are whole numbers", ExitCode::from(2));
    };
    let crashes = u32::try_from(crashes).unwrap_or(u32::MAX);
    let options = Options { seed, crashes, partitions: 3, faults: Faults::adverse() };
    let outcome = run(&options);
    let good = outcome.findings.is_empty() && outcome.failure.is_none();
    let summary = format!(
        "seed {seed}: {crashes} power failures, {} records acknowledged, {} findings{}",
        outcome.acknowledged,
        outcome.findings.len(),
        outcome.failure.map(|failure| format!(", stopped short: {failure}")).unwrap_or_default(),
    );
    let code = if good { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    say(&format!("{}\n{summary}", outcome.trace.join("\n")), code)
}

fn say(text: &str, code: ExitCode) -> ExitCode {
    // A reader that has seen enough is no failure.
    let _ = writeln!(std::io::stdout(), "{text}");
    code
}
