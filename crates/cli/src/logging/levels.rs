//! The loggers of this process and their levels, shown and changed as BROKER_LOGGER resources (KIP-412).
//!
//! A logger is a module by its path with dots, such as `ottla_broker.handlers`, since Kafka's tools take no colons in a
//! key; it decides for all modules below it that have no
//! level of their own. `root` decides for the rest. `FATAL` stands for nothing at all: no event is of that level.

use ottla_broker::{LogLevels, ROOT_LOGGER};
use ottla_config::LogLevel;
use parking_lot::Mutex;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::{Registry, reload};

/// The loggers that are always listed: the parts whose events an operator may want alone. Any other that was named when
/// the process started is listed too.
const LOGGERS: &[&str] = &[
    "openraft",
    "ottla",
    "ottla_broker",
    "ottla_broker.checkpoints",
    "ottla_broker.connection",
    "ottla_broker.connections",
    "ottla_broker.controller",
    "ottla_broker.directories",
    "ottla_broker.handlers",
    "ottla_broker.http",
    "ottla_broker.listener",
    "ottla_broker.partitions",
    "ottla_broker.settings",
    "ottla_broker.start",
    "ottla_client",
    "ottla_quorum",
    "ottla_storage",
    "ottla_storage.directory",
    "ottla_storage.disk",
    "ottla_storage.log",
    "ottla_storage.producers",
];

/// The levels in force, and the way to change them.
pub(crate) struct Levels {
    present: Mutex<Targets>,
    handle: reload::Handle<Targets, Registry>,
}

impl Levels {
    pub(super) fn new(targets: Targets, handle: reload::Handle<Targets, Registry>) -> Self {
        Self { present: Mutex::new(targets), handle }
    }

    /// Has the levels be what `change` makes of the loggers that have one of their own and of the root's.
    fn change(&self, change: impl FnOnce(&mut Vec<(String, LevelFilter)>, &mut LevelFilter)) {
        let mut present = self.present.lock();
        let mut own: Vec<_> = present.iter().map(|(target, level)| (target.to_owned(), level)).collect();
        let mut root = root_of(&present);
        change(&mut own, &mut root);
        *present = Targets::new().with_default(root).with_targets(own);
        if self.handle.reload(present.clone()).is_err() {
            tracing::warn!("the log's levels could not be changed");
        }
    }
}

impl LogLevels for Levels {
    fn list(&self) -> Vec<(String, LogLevel)> {
        let present = self.present.lock();
        let named = present.iter().map(|(target, _)| target.replace("::", "."));
        let mut loggers: Vec<String> = LOGGERS.iter().map(|name| (*name).to_owned()).chain(named).collect();
        loggers.push(ROOT_LOGGER.to_owned());
        loggers.sort();
        loggers.dedup();
        let with_level = |logger: String| {
            let level = level_of(level_in(&present, &target_of(&logger)));
            (logger, level)
        };
        loggers.into_iter().map(with_level).collect()
    }

    fn set(&self, logger: &str, level: LogLevel) {
        self.change(|own, root| {
            if logger == ROOT_LOGGER {
                *root = filter_of(level);
            } else {
                let logger = target_of(logger);
                own.retain(|(target, _)| *target != logger);
                own.push((logger, filter_of(level)));
            }
        });
        tracing::info!(logger, %level, "log level set");
    }

    fn unset(&self, logger: &str) {
        let gone = target_of(logger);
        self.change(|own, _| own.retain(|(target, _)| *target != gone));
        tracing::info!(logger, "log level taken back");
    }
}

/// The module that a logger stands for.
fn target_of(logger: &str) -> String {
    logger.replace('.', "::")
}

fn root_of(targets: &Targets) -> LevelFilter {
    targets.default_level().unwrap_or(LevelFilter::OFF)
}

/// The level that counts for a logger: its own, or that of the nearest one above it.
fn level_in(targets: &Targets, logger: &str) -> LevelFilter {
    let above = targets.iter().filter(|(target, _)| logger.starts_with(target));
    above.max_by_key(|(target, _)| target.len()).map_or(root_of(targets), |(_, level)| level)
}

fn filter_of(level: LogLevel) -> LevelFilter {
    match level {
        LogLevel::Fatal => LevelFilter::OFF,
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    }
}

fn level_of(filter: LevelFilter) -> LogLevel {
    match filter.into_level() {
        None => LogLevel::Fatal,
        Some(tracing::Level::ERROR) => LogLevel::Error,
        Some(tracing::Level::WARN) => LogLevel::Warn,
        Some(tracing::Level::INFO) => LogLevel::Info,
        Some(tracing::Level::DEBUG) => LogLevel::Debug,
        Some(tracing::Level::TRACE) => LogLevel::Trace,
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::path::Path;
    use std::sync::Arc;

    use tracing_subscriber::Layer as _;
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    /// What was logged.
    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn level(levels: &Levels, logger: &str) -> LogLevel {
        levels.list().into_iter().find(|(name, _)| name == logger).expect("it is listed").1
    }

    #[test]
    fn a_level_that_is_changed_counts_at_once_and_for_what_is_below() {
        let targets: Targets = "warn,ottla_storage=error".parse().unwrap();
        let (filter, handle) = reload::Layer::new(targets.clone());
        let lines = Lines::default();
        let sink = lines.clone();
        let layer = tracing_subscriber::fmt::layer().with_writer(move || sink.clone()).with_ansi(false).without_time();
        let subscriber = tracing_subscriber::registry().with(layer.with_filter(filter));
        let levels = Levels::new(targets, handle);
        tracing::subscriber::with_default(subscriber, || {
            let say = |what| tracing::info!(target: "ottla_broker::handlers::fetch", what);
            say("one");
            levels.set("ottla_broker.handlers", LogLevel::Debug);
            say("two");
            levels.unset("ottla_broker.handlers");
            say("three");
            levels.set(ROOT_LOGGER, LogLevel::Info);
            say("four");
        });
        let said = String::from_utf8(lines.0.lock().clone()).unwrap();
        let heard = |what: &str| said.contains(&format!("what=\"{what}\""));
        assert_eq!(["one", "two", "three", "four"].map(heard), [false, true, false, true], "{said}");
        assert_eq!(level(&levels, ROOT_LOGGER), LogLevel::Info);
        assert_eq!(level(&levels, "ottla_storage.log"), LogLevel::Error, "it follows the one above it");
    }

    #[test]
    fn every_logger_that_is_listed_is_a_module() {
        let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        for logger in LOGGERS.iter().filter(|logger| logger.starts_with("ottla_")) {
            let (name, path) = logger.split_once('.').unwrap_or((logger, "lib"));
            let module = crates.join(name.trim_start_matches("ottla_")).join("src").join(path.replace('.', "/"));
            assert!(module.is_dir() || module.with_extension("rs").is_file(), "{logger}: {}", module.display());
        }
        assert!(LOGGERS.is_sorted());
    }
}
