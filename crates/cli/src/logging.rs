//! What is logged, and how it looks: one line an event on stderr.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

use crate::failure::Failure;

/// Starts logging at `level`, else at what RUST_LOG says, else at `default`.
pub(crate) fn start(level: Option<&str>, default: &str) -> Result<(), Failure> {
    let from_environment = std::env::var("RUST_LOG").ok().filter(|filter| !filter.is_empty());
    let wanted = level.or(from_environment.as_deref()).unwrap_or(default);
    let filter =
        EnvFilter::builder().parse(wanted).map_err(|error| Failure::new(format!("log level \"{wanted}\": {error}")))?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        .init();
    Ok(())
}
