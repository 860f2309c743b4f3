//! The topics of one fetch session, each held once however many of its partitions are followed, and gone with the last
//! of them.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use ottla_protocol::TopicKey;
use ottla_types::{PartitionIndex, TopicId, TopicName};

/// How the client names a topic.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum Key {
    /// Perhaps not a legal name.
    Name(Arc<str>),
    Id(TopicId),
}

/// A topic of which partitions are followed.
#[derive(Debug)]
pub(crate) struct Topic {
    key: Key,
    /// The name that was found for the id. Once found it stays, as with Kafka: a client whose topic was deleted and made
    /// anew hears that the ids differ (KIP-516).
    pub(crate) resolved: Option<TopicName>,
    /// Where each partition is in the session.
    partitions: BTreeMap<PartitionIndex, u32>,
}

/// All topics of a session. A slot stays a topic's own while any of its partitions is followed.
#[derive(Default, Debug)]
pub(super) struct Topics {
    slots: Vec<Topic>,
    free: Vec<u32>,
    by_name: HashMap<Arc<str>, u32>,
    by_id: HashMap<TopicId, u32>,
}

impl Topic {
    /// How the client names it.
    pub(crate) fn key(&self) -> TopicKey<'_> {
        match &self.key {
            Key::Name(name) => TopicKey::Name(name),
            Key::Id(id) => TopicKey::Id(*id),
        }
    }

    pub(super) fn slot(&self, index: PartitionIndex) -> Option<u32> {
        self.partitions.get(&index).copied()
    }

    pub(super) fn add(&mut self, index: PartitionIndex, slot: u32) {
        self.partitions.insert(index, slot);
    }
}

impl Topics {
    /// The slot of a topic, which is new if it is not there yet.
    pub(super) fn hold(&mut self, key: &TopicKey<'_>) -> u32 {
        if let Some(slot) = self.find(key) {
            return slot;
        }
        let slot = self.free.pop();
        let new = slot.unwrap_or_else(|| u32::try_from(self.slots.len()).expect("fewer topics than partitions"));
        let key = match key {
            TopicKey::Name(name) => {
                let name: Arc<str> = (*name).into();
                self.by_name.insert(name.clone(), new);
                Key::Name(name)
            }
            TopicKey::Id(id) => {
                self.by_id.insert(*id, new);
                Key::Id(*id)
            }
        };
        let topic = Topic { key, resolved: None, partitions: BTreeMap::new() };
        match slot {
            Some(slot) => self.slots[slot as usize] = topic,
            None => self.slots.push(topic),
        }
        new
    }

    /// Takes a partition out of its topic, and the topic out if that was its last.
    pub(super) fn release(&mut self, key: &TopicKey<'_>, index: PartitionIndex) -> Option<u32> {
        let slot = self.find(key)?;
        let topic = &mut self.slots[slot as usize];
        let partition = topic.partitions.remove(&index)?;
        if topic.partitions.is_empty() {
            match &topic.key {
                Key::Name(name) => self.by_name.remove(name),
                Key::Id(id) => self.by_id.remove(id),
            };
            self.free.push(slot);
        }
        Some(partition)
    }

    pub(super) fn get(&self, slot: u32) -> &Topic {
        &self.slots[slot as usize]
    }

    pub(super) fn get_mut(&mut self, slot: u32) -> &mut Topic {
        &mut self.slots[slot as usize]
    }

    fn find(&self, key: &TopicKey<'_>) -> Option<u32> {
        match key {
            TopicKey::Name(name) => self.by_name.get(*name).copied(),
            TopicKey::Id(id) => self.by_id.get(id).copied(),
        }
    }
}
