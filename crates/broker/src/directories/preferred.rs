//! In which directories clients want partitions that are not there yet (KIP-113: AlterReplicaLogDirs may come before the
//! partition does). Kept in memory only, as by Kafka.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ottla_types::TopicPartition;
use parking_lot::Mutex;

/// Wishes beyond so many are not kept: who asks names partitions that nobody made.
const WISHES_MAX: usize = 10_000;

/// The wishes.
#[derive(Default)]
pub(super) struct Preferred(Mutex<BTreeMap<TopicPartition, PathBuf>>);

impl Preferred {
    /// Notes a wish; the newest one counts. Whether there was room for it.
    pub(super) fn note(&self, name: &TopicPartition, path: &Path) -> bool {
        let mut wishes = self.0.lock();
        let has_room = wishes.len() < WISHES_MAX || wishes.contains_key(name);
        if has_room {
            wishes.insert(name.clone(), path.to_owned());
        }
        has_room
    }

    /// Takes the wish for a partition that is about to be made.
    pub(super) fn take(&self, name: &TopicPartition) -> Option<PathBuf> {
        self.0.lock().remove(name)
    }
}
