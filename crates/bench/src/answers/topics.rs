//! Every topic that anybody asked for, and who waits for records.

use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::Outcome;
use crate::log::Log;
use crate::options::Options;

/// Topics come to be when they are named.
pub(crate) struct Topics {
    options: Options,
    known: Mutex<HashMap<String, Topic>>,
    arrivals: Mutex<u64>,
    arrived: Condvar,
}

/// The logs of a topic's partitions.
pub(crate) type Topic = Arc<[Log]>;

impl Topics {
    pub(crate) fn new(options: Options) -> Outcome<Self> {
        if let Some(directory) = &options.write {
            std::fs::create_dir_all(directory).map_err(|error| format!("{}: {error}", directory.display()))?;
        }
        Ok(Self { options, known: Mutex::default(), arrivals: Mutex::default(), arrived: Condvar::new() })
    }

    /// Whether records are kept.
    pub(crate) fn keep(&self) -> bool {
        self.options.write.is_some()
    }

    /// The topic, made with `partitions`, or as many as the command line says, if there is none.
    pub(crate) fn topic(&self, name: &str, partitions: Option<usize>) -> Outcome<Topic> {
        let mut known = lock(&self.known);
        if let Some(topic) = known.get(name) {
            return Ok(topic.clone());
        }
        // The name becomes a file's: what a topic may be called is safe for that, and nothing else is made.
        if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte)) {
            return Err(format!("{name:?} is no name for a topic"));
        }
        let open = |partition| match &self.options.write {
            Some(directory) => Log::create(directory.join(format!("{name}-{partition}.log")), self.options.reserve),
            None => Ok(Log::default()),
        };
        let topic: Topic =
            (0..partitions.unwrap_or(self.options.partitions)).map(open).collect::<Outcome<Vec<_>>>()?.into();
        known.insert(name.to_owned(), topic.clone());
        Ok(topic)
    }

    /// Those who wait look again.
    pub(crate) fn arrived(&self) {
        *lock(&self.arrivals) += 1;
        self.arrived.notify_all();
    }

    /// How often something arrived until now.
    pub(crate) fn arrivals(&self) -> u64 {
        *lock(&self.arrivals)
    }

    /// Waits until something arrived after `seen` was told, or until the deadline.
    pub(crate) fn wait(&self, seen: u64, deadline: Instant) {
        let rest = deadline.saturating_duration_since(Instant::now());
        drop(self.arrived.wait_timeout_while(lock(&self.arrivals), rest, |arrivals| *arrivals == seen));
    }
}

/// Nobody leaves anything half done behind a lock here.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
