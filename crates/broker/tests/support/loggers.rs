//! Loggers that log nothing: for what clients say of their levels.

use std::collections::BTreeMap;
use std::sync::Mutex;

use ottla_broker::{LogLevels, ROOT_LOGGER};
use ottla_config::LogLevel;

/// The root, and one that a real Kafka has too.
pub(crate) struct Loggers {
    root: Mutex<LogLevel>,
    own: Mutex<BTreeMap<&'static str, Option<LogLevel>>>,
}

impl Default for Loggers {
    fn default() -> Self {
        Self { root: Mutex::new(LogLevel::Warn), own: Mutex::new([("kafka.log.LogManager", None)].into()) }
    }
}

impl LogLevels for Loggers {
    fn list(&self) -> Vec<(String, LogLevel)> {
        let root = *self.root.lock().expect("no test panics here");
        let own = self.own.lock().expect("no test panics here");
        let own = own.iter().map(|(name, level)| ((*name).to_owned(), level.unwrap_or(root)));
        own.chain([(ROOT_LOGGER.to_owned(), root)]).collect()
    }

    fn set(&self, logger: &str, level: LogLevel) {
        if logger == ROOT_LOGGER {
            *self.root.lock().expect("no test panics here") = level;
        } else {
            self.change(logger, Some(level));
        }
    }

    fn unset(&self, logger: &str) {
        self.change(logger, None);
    }
}

impl Loggers {
    fn change(&self, logger: &str, level: Option<LogLevel>) {
        *self.own.lock().expect("no test panics here").get_mut(logger).expect("one of the list") = level;
    }
}
