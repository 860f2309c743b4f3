//! The loggers of this process and what they say, as BROKER_LOGGER resources show and change it (KIP-412).
//!
//! Who writes the log gives the answers; levels are not kept anywhere and end with the process.

use ottla_config::LogLevel;

/// The logger that decides for all that have no level of their own. Its level can be changed but not taken away.
pub const ROOT_LOGGER: &str = "root";

/// The levels of this process's loggers.
pub trait LogLevels: Send + Sync {
    /// Every logger with the level that it has, [`ROOT_LOGGER`] among them, by name.
    fn list(&self) -> Vec<(String, LogLevel)>;

    /// Has `logger`, one of the list, say what is at `level` and above.
    fn set(&self, logger: &str, level: LogLevel);

    /// Has `logger`, one of the list and not the root, follow the one above it again.
    fn unset(&self, logger: &str);
}

/// For a process whose log cannot be changed: there are no loggers.
pub(crate) struct NoLoggers;

impl LogLevels for NoLoggers {
    fn list(&self) -> Vec<(String, LogLevel)> {
        Vec::new()
    }

    fn set(&self, _logger: &str, _level: LogLevel) {}

    fn unset(&self, _logger: &str) {}
}
