//! What compaction may use, and how eager it is.

use std::time::Duration;

use crate::settings::Settings;
use crate::value::Value;

/// The settings of the log cleaner. All but the first can change while the broker runs.
#[derive(Clone, PartialEq, Debug)]
pub struct CleanerConfig {
    /// `log.cleaner.enable`: whether there is one.
    pub enable: bool,
    /// `log.cleaner.threads`: logs that are cleaned at once.
    pub threads: usize,
    /// `log.cleaner.backoff.ms`: how long one rests that has found nothing to clean.
    pub backoff: Duration,
    /// `log.cleaner.dedupe.buffer.size`: bytes for the maps of keys, over all of them.
    pub map_bytes: usize,
    /// `log.cleaner.io.buffer.load.factor`: how full a map may get, of 1.
    pub load_factor: f64,
    /// `log.cleaner.io.buffer.size`: bytes that are read and written at a time, over all of them.
    pub io_bytes: usize,
    /// `log.cleaner.io.max.bytes.per.second`: what all of them may read and write; `None` for no bound.
    pub io_bytes_per_second: Option<f64>,
}

impl CleanerConfig {
    pub(crate) fn resolve(settings: &Settings) -> Self {
        let count = |name| usize::try_from(settings.number(name)).unwrap_or_default();
        let double = |name| match settings.value(name) {
            Some(Value::Double(number)) => number,
            _ => 0.0,
        };
        // Kafka's default is the largest of all numbers; no disk comes near a tenth of it.
        let rate = double("log.cleaner.io.max.bytes.per.second");
        Self {
            enable: settings.boolean("log.cleaner.enable"),
            threads: count("log.cleaner.threads").max(1),
            backoff: Duration::from_millis(settings.number("log.cleaner.backoff.ms").unsigned_abs()),
            map_bytes: count("log.cleaner.dedupe.buffer.size"),
            load_factor: double("log.cleaner.io.buffer.load.factor"),
            io_bytes: count("log.cleaner.io.buffer.size"),
            io_bytes_per_second: Some(rate).filter(|rate| *rate < 1e18),
        }
    }
}
