//! The loggers of this process and what they say, as BROKER_LOGGER resources show and change it (KIP-412).
//!
//! Who writes the log gives the answers; levels are not kept anywhere and end with the process. The checks and their order
//! are those of Kafka's `RuntimeLoggerManager`.

use std::collections::BTreeSet;

use ottla_config::{LogLevel, Refusal};
use ottla_controller::ConfigOperation;
use ottla_types::{BrokerId, ErrorCode};
use tracing::warn;

/// Kafka's number for this kind of resource (`ConfigResource.Type`).
pub(crate) const BROKER_LOGGER: i8 = 8;

/// The logger that decides for all that have no level of their own. Its level can be changed but not taken away.
pub const ROOT_LOGGER: &str = "root";

const SET: i8 = 0;
const DELETE: i8 = 1;

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

/// Changes the loggers of the broker called `name`, if all of `operations` are fine. `once` is whether the request names
/// that broker once.
pub(crate) fn alter(
    levels: &dyn LogLevels,
    here: BrokerId,
    name: &str,
    once: bool,
    operations: &[ConfigOperation],
    validate_only: bool,
) -> Result<(), Refusal> {
    if !once {
        return Err(request("the request names this resource more than once".to_owned()));
    }
    let mut keys = BTreeSet::new();
    if let Some(twice) = operations.iter().find(|operation| !keys.insert(&operation.key)) {
        return Err(request(format!("the request names the key {} more than once", twice.key)));
    }
    if let Some(without) = operations.iter().find(|one| one.operation != DELETE && one.value.is_none()) {
        return Err(request(format!("no value is given for {}", without.key)));
    }
    match name.parse::<i32>() {
        Ok(id) if id == here.0 => {}
        Ok(id) => return Err(request(format!("broker {id} is to be asked itself, and this is broker {here}"))),
        Err(_) => return Err(request(format!("brokers are named by their id, which is a number; {name:?} is none"))),
    }
    let loggers = levels.list();
    let changes: Vec<_> = operations.iter().map(|one| check(one, &loggers)).collect::<Result<_, _>>()?;
    for (logger, level) in changes.into_iter().filter(|_| !validate_only) {
        match level {
            Some(level) => levels.set(logger, level),
            None => levels.unset(logger),
        }
        // With the warnings, as a change of what is said should be seen whatever is said.
        warn!(logger, level = level.map(LogLevel::name), "the level of a logger was changed");
    }
    Ok(())
}

/// Which logger gets which level; none for the one above it.
fn check<'a>(
    operation: &'a ConfigOperation,
    loggers: &[(String, LogLevel)],
) -> Result<(&'a str, Option<LogLevel>), Refusal> {
    let logger = operation.key.as_str();
    if !matches!(operation.operation, SET | DELETE) {
        let message =
            format!("{logger}: a level can be set (0) and deleted (1), operation {} cannot", operation.operation);
        return Err(request(message));
    }
    if !loggers.iter().any(|(known, _)| known == logger) {
        return Err(config(format!("there is no logger called {logger}")));
    }
    let value = operation.value.as_deref().unwrap_or_default();
    match LogLevel::from_name(value) {
        _ if operation.operation == DELETE && logger == ROOT_LOGGER => {
            Err(request(format!("the level of {ROOT_LOGGER} can be changed, but not deleted")))
        }
        _ if operation.operation == DELETE => Ok((logger, None)),
        Some(level) => Ok((logger, Some(level))),
        None => {
            let names: Vec<_> = LogLevel::names().collect();
            Err(config(format!("{logger}={value}: must be one of {}", names.join(", "))))
        }
    }
}

fn request(message: String) -> Refusal {
    Refusal { code: ErrorCode::InvalidRequest, message }
}

fn config(message: String) -> Refusal {
    Refusal { code: ErrorCode::InvalidConfig, message }
}
