//! What is logged, and how it looks: one event a line on stderr, as text or as JSON. Levels can be changed while the
//! process runs: [`levels`].

mod levels;

use std::io::IsTerminal as _;
use std::sync::Arc;

use clap::ValueEnum;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer, Registry, fmt, reload};

use crate::failure::Failure;
pub(crate) use levels::Levels;

/// How an event looks.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people: time, level, message, fields
    Text,
    /// For programs: one JSON object a line
    Json,
}

/// Starts logging at `level`, else at what RUST_LOG says, else at `default`.
pub(crate) fn start(level: Option<&str>, default: &str, format: LogFormat) -> Result<Arc<Levels>, Failure> {
    let from_environment = std::env::var("RUST_LOG").ok().filter(|filter| !filter.is_empty());
    let wanted = level.or(from_environment.as_deref()).unwrap_or(default);
    let targets: Targets = wanted.parse().map_err(|error| Failure::new(format!("log level \"{wanted}\": {error}")))?;
    let (filter, handle) = reload::Layer::new(targets.clone());
    tracing_subscriber::registry().with(lines(format).with_filter(filter)).init();
    Ok(Arc::new(Levels::new(targets, handle)))
}

fn lines(format: LogFormat) -> Box<dyn Layer<Registry> + Send + Sync> {
    let lines = fmt::layer().with_writer(std::io::stderr);
    match format {
        LogFormat::Text => lines.with_ansi(std::io::stderr().is_terminal()).with_target(false).boxed(),
        // Every field stands beside the message, so that it can be asked for by its name alone.
        LogFormat::Json => lines.json().flatten_event(true).with_current_span(false).with_span_list(false).boxed(),
    }
}
