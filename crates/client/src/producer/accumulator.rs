//! All partitions of a producer: which one a record goes to, what may be sent to which broker, what failed.
//!
//! Behind one lock, which is held for a record or for a look at the queues, never over I/O or compression.

use std::collections::BTreeMap;
use std::sync::Arc;

use ottla_record::Header;
use ottla_types::{BrokerId, Instant, Timestamp};

use super::Record;
use super::outcome::{Delivery, Outcome, ProduceError};
use super::partition_queue::{Departure, Freed, PartitionQueue, QueueRules};
use crate::cluster::Topic;
use crate::murmur2::partition_for_key;

/// Names a partition of a producer.
pub(crate) type PartitionKey = (Arc<str>, i32);

/// What leaves for one broker in one request: at most one batch for each partition.
#[derive(Debug)]
pub(crate) struct Shipment {
    pub broker: BrokerId,
    pub batches: Vec<(PartitionKey, Departure)>,
}

/// Why [`Accumulator::append`] did not take a record.
#[derive(Debug)]
pub(crate) enum AppendError {
    /// The topic must be made known first ([`Accumulator::learn`]).
    TopicNotKnown,
    /// It never will.
    Refused(ProduceError),
}

#[derive(Debug)]
pub(crate) struct Accumulator {
    pub rules: QueueRules,
    topics: BTreeMap<Arc<str>, TopicQueues>,
    /// Nothing is taken any more.
    pub closed: bool,
    /// What failed since somebody asked last.
    failed: Freed,
}

#[derive(Debug)]
struct TopicQueues {
    partitions: Vec<PartitionQueue>,
    /// Where records without a key go until its batch is full (KIP-480).
    sticky: usize,
}

impl Accumulator {
    pub(crate) fn new(rules: QueueRules) -> Self {
        Self { rules, topics: BTreeMap::new(), closed: false, failed: Freed::default() }
    }

    /// Makes a topic known, or more of its partitions.
    pub(crate) fn learn(&mut self, topic: &Topic) {
        let queues = self
            .topics
            .entry(Arc::clone(&topic.name))
            .or_insert_with(|| TopicQueues { partitions: Vec::new(), sticky: 0 });
        for index in queues.partitions.len()..topic.partitions.len() {
            queues.partitions.push(PartitionQueue::new(&topic.name, index as i32));
        }
    }

    /// Appends a record, which counts as `memory` bytes. Says with the delivery whether the sender should look.
    pub(crate) fn append(
        &mut self,
        now: Instant,
        record: &Record<'_>,
        timestamp: Timestamp,
        headers: &[Header<'_>],
        memory: usize,
        random: impl FnOnce() -> u64,
    ) -> Result<(Delivery, bool), AppendError> {
        if self.closed {
            return Err(AppendError::Refused(ProduceError::Closed));
        }
        let queues = self.topics.get_mut(record.topic).filter(|queues| !queues.partitions.is_empty());
        let queues = queues.ok_or(AppendError::TopicNotKnown)?;
        let partition = match (record.partition, record.key) {
            (Some(partition), _) => partition as usize,
            (None, Some(key)) => partition_for_key(key, queues.partitions.len() as u32) as usize,
            (None, None) => queues.sticky(memory, &self.rules, random),
        };
        let queue = queues.partitions.get_mut(partition).ok_or(AppendError::TopicNotKnown)?;
        let appended = queue.append(now, record, timestamp, headers, memory, &self.rules);
        let (outcome, index, look) = appended.map_err(AppendError::Refused)?;
        Ok((Delivery { outcome, index }, look))
    }

    /// Takes what may go to brokers that have room for a request, up to `request_bytes_max` for each.
    pub(crate) fn take(
        &mut self,
        now: Instant,
        request_bytes_max: usize,
        has_room: impl Fn(BrokerId) -> bool,
        leader: impl Fn(&str, i32) -> Option<BrokerId>,
    ) -> Taken {
        let mut taken = Taken::default();
        let mut by_broker: BTreeMap<BrokerId, (usize, Vec<(PartitionKey, Departure)>)> = BTreeMap::new();
        for (topic, queues) in &mut self.topics {
            for (index, queue) in queues.partitions.iter_mut().enumerate() {
                let Some(bytes) = queue.ready_bytes(now, &self.rules) else { continue };
                let index = index as i32;
                let Some(broker) = leader(topic, index) else {
                    taken.leaderless.push((Arc::clone(topic), index));
                    continue;
                };
                if !has_room(broker) {
                    continue;
                }
                let (size, batches) = by_broker.entry(broker).or_default();
                if !batches.is_empty() && *size + bytes > request_bytes_max {
                    taken.left_over = true;
                    continue;
                }
                if let Some(departure) = queue.take(now, &self.rules) {
                    *size += bytes;
                    batches.push(((Arc::clone(topic), index), departure));
                }
            }
        }
        let shipments = by_broker.into_iter().filter(|(_, (_, batches))| !batches.is_empty());
        taken.shipments = shipments.map(|(broker, (_, batches))| Shipment { broker, batches }).collect();
        taken
    }

    /// When to look again, if nothing happens before.
    pub(crate) fn deadline(&self, now: Instant) -> Option<Instant> {
        let queues = self.topics.values().flat_map(|queues| &queues.partitions);
        queues.filter_map(|queue| queue.deadline(now, &self.rules)).min()
    }

    /// Lets the queue of a partition handle something, and counts what fails. Returns the memory that is free again.
    pub(crate) fn with_queue(
        &mut self,
        (topic, index): &PartitionKey,
        handle: impl FnOnce(&mut PartitionQueue, &QueueRules) -> Freed,
    ) -> usize {
        let queues = self.topics.get_mut(topic);
        let Some(queue) = queues.and_then(|queues| queues.partitions.get_mut(*index as usize)) else { return 0 };
        let freed = handle(queue, &self.rules);
        self.count(freed)
    }

    /// Lets every queue handle something; as [`with_queue`](Self::with_queue).
    pub(crate) fn with_all(&mut self, mut handle: impl FnMut(&mut PartitionQueue, &QueueRules) -> Freed) -> usize {
        let mut all = Freed::default();
        for queue in self.topics.values_mut().flat_map(|queues| &mut queues.partitions) {
            all.add(handle(queue, &self.rules));
        }
        self.count(all)
    }

    fn count(&mut self, mut freed: Freed) -> usize {
        let bytes = std::mem::take(&mut freed.bytes);
        self.failed.add(freed);
        bytes
    }

    /// Everything goes as soon as it can. Returns what to wait for.
    pub(crate) fn hurry(&mut self) -> Vec<Arc<Outcome>> {
        let queues = self.topics.values_mut().flat_map(|queues| &mut queues.partitions);
        queues.flat_map(PartitionQueue::hurry).collect()
    }

    /// How many records failed since this was asked last, and the first error among them.
    pub(crate) fn take_failures(&mut self) -> (u64, Option<ProduceError>) {
        let failed = std::mem::take(&mut self.failed);
        (failed.failed_records, failed.failure)
    }

    /// The topics that records were sent to.
    pub(crate) fn topics(&self) -> Vec<Arc<str>> {
        self.topics.keys().cloned().collect()
    }
}

/// What [`Accumulator::take`] found.
#[derive(Default, Debug)]
pub(crate) struct Taken {
    pub shipments: Vec<Shipment>,
    /// Partitions with something to send and nobody to send it to.
    pub leaderless: Vec<PartitionKey>,
    /// A request was full; there is more for its broker.
    pub left_over: bool,
}

impl TopicQueues {
    /// The partition for a record without a key: another one, by chance, for every batch.
    fn sticky(&mut self, memory: usize, rules: &QueueRules, random: impl FnOnce() -> u64) -> usize {
        let count = self.partitions.len();
        if count > 1 && !self.partitions[self.sticky].has_room(memory, rules) {
            // Of the others, so that a full batch is sent while the next one fills.
            self.sticky = (self.sticky + 1 + (random() % (count as u64 - 1)) as usize) % count;
        }
        self.sticky
    }
}
