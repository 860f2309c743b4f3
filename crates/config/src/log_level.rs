//! The levels that a broker's loggers can have (KIP-412).

use std::fmt;

/// How much a logger says. What is said at a level is also said at the ones before it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum LogLevel {
    /// What ends the process.
    Fatal,
    /// What went wrong.
    Error,
    /// What an operator should look at.
    Warn,
    /// What happens seldom.
    Info,
    /// What helps to find a mistake.
    Debug,
    /// Everything.
    Trace,
}

/// Every level by its name, as Kafka lists them where another is asked for.
const NAMES: [(&str, LogLevel); 6] = [
    ("DEBUG", LogLevel::Debug),
    ("ERROR", LogLevel::Error),
    ("FATAL", LogLevel::Fatal),
    ("INFO", LogLevel::Info),
    ("TRACE", LogLevel::Trace),
    ("WARN", LogLevel::Warn),
];

impl LogLevel {
    /// The level called `name`, in capitals as Kafka wants it.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        NAMES.iter().find(|(known, _)| *known == name).map(|(_, level)| *level)
    }

    /// Its name, in capitals.
    #[must_use]
    pub fn name(self) -> &'static str {
        NAMES.iter().find(|(_, level)| *level == self).expect("every level is in the list").0
    }

    /// All names, by the alphabet.
    pub fn names() -> impl Iterator<Item = &'static str> {
        NAMES.iter().map(|(name, _)| *name)
    }
}

impl fmt::Display for LogLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_level_is_found_by_its_own_name_and_by_no_other() {
        for name in LogLevel::names() {
            assert_eq!(LogLevel::from_name(name).map(LogLevel::name), Some(name));
        }
        assert_eq!(LogLevel::from_name("info"), None);
        assert!(LogLevel::Error < LogLevel::Debug);
    }
}
