//! Who runs the broker that a script asks: an Ottla, or a real Kafka; started on a folder of its own, and started again on
//! it where a scene wants that.

use std::path::{Path, PathBuf};

use super::script::Script;
use crate::broker::Broker;
use crate::kafka::{self, Kafka};

/// Whoever runs the broker of a script.
pub(super) trait Host {
    /// Stops it in order, and starts it again on the same folder; its new address.
    fn restart(&mut self) -> Result<String, String>;
}

/// The settings of a script, for a broker whose folder is `folder`.
fn settings_of(script: &Script, folder: &Path) -> Vec<String> {
    script.settings().map(|line| line.replace("$DATA", &folder.display().to_string())).collect()
}

/// An Ottla, and what it was started with.
pub(super) struct Ottla<'a> {
    pub(super) broker: Broker,
    binary: &'a Path,
    data: PathBuf,
    settings: Vec<String>,
}

impl<'a> Ottla<'a> {
    /// Starts it on a new folder.
    pub(super) fn start(binary: &'a Path, data: PathBuf, script: &Script) -> Result<Self, String> {
        let settings = settings_of(script, &data);
        let broker = Self::begin(binary, &data, &settings)?;
        Ok(Self { broker, binary, data, settings })
    }

    fn begin(binary: &Path, data: &Path, settings: &[String]) -> Result<Broker, String> {
        let settings: Vec<_> = settings.iter().map(String::as_str).collect();
        Broker::start_with(binary, data, 0, &settings)
    }
}

impl Host for Ottla<'_> {
    fn restart(&mut self) -> Result<String, String> {
        self.broker.stop()?;
        self.broker = Self::begin(self.binary, &self.data, &self.settings)?;
        Ok(self.broker.address())
    }
}

/// A real Kafka, and what it was started with.
pub(super) struct RealKafka {
    pub(super) kafka: Kafka,
    release: &'static str,
    settings: PathBuf,
    /// Where its data is.
    pub(super) folder: String,
}

impl RealKafka {
    /// Starts it on a new folder.
    pub(super) fn start(release: &'static str, data: PathBuf, script: &Script) -> Result<Self, String> {
        let settings = settings_of(script, &data);
        let settings: Vec<_> = settings.iter().map(String::as_str).collect();
        let folder = data.display().to_string();
        let settings = kafka::format(release, &[data], &settings)?;
        Ok(Self { kafka: Kafka::start(release, &settings)?, release, settings, folder })
    }
}

impl Host for RealKafka {
    fn restart(&mut self) -> Result<String, String> {
        self.kafka.stop()?;
        self.kafka = Kafka::start(self.release, &self.settings)?;
        Ok(self.kafka.address())
    }
}
