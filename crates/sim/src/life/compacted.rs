//! The compacted topic of a life: keys that get one value after the other, of which the last must stay.
//!
//! Values count up, so that of two for one key the higher one is the later. What compaction may take away is for the tests
//! of `storage` to say; here is what a client sees.

use std::collections::BTreeMap;
use std::error::Error;

use ottla_client::{ClientError, NewTopic, Producer, Record};
use ottla_types::Offset;

use super::steps::{Client, timestamp};
use super::verify::Read;
use crate::scenario::Note;

/// The topic.
pub(super) const KEPT: &str = "kept";
/// Its keys.
const KEYS: u64 = 3;

/// What was written there.
#[derive(Default)]
pub(super) struct Kept {
    /// Values that were sent, from 0 on.
    sent: u64,
    /// The last value of each key that was acknowledged, or was read.
    last: BTreeMap<u64, u64>,
}

impl Client {
    pub(super) async fn create_kept(&mut self) -> Result<(), Box<dyn Error>> {
        // Every batch of another time begins a segment, and all but the last one are compacted.
        let configs = [
            ("cleanup.policy", "compact"),
            ("segment.ms", "1"),
            ("min.cleanable.dirty.ratio", "0.01"),
            ("file.delete.delay.ms", "50"),
        ];
        let configs = configs.map(|(key, value)| (key.to_owned(), value.to_owned())).to_vec();
        let topic = NewTopic { name: KEPT.to_owned(), partitions: Some(1), replication_factor: None, configs };
        self.until("make the compacted topic", async |it| {
            let _ = it.admin.create_topic(&topic).await;
            it.admin.describe_topic(KEPT).await.map(|_| ())
        })
        .await;
        Ok(())
    }

    /// Gives the keys so many values, in turn.
    pub(super) async fn keep(&mut self, producer: &Producer, count: u64) -> Result<(), Box<dyn Error>> {
        for number in self.kept.sent..self.kept.sent + count {
            let (key, value) = ((number % KEYS).to_be_bytes(), number.to_be_bytes());
            let (key, value) = (Some(&key[..]), Some(&value[..]));
            let record =
                Record { partition: Some(0), key, value, timestamp: Some(timestamp(number)), ..Record::to(KEPT) };
            self.kept.sent = number + 1;
            match producer.send(record).await?.wait().await {
                Ok(delivered) => {
                    self.shared.note(format_args!("value {number} is at {:?}", delivered.offset));
                    self.kept.last.insert(number % KEYS, number);
                }
                Err(error) => self.shared.find(format!("value {number} was never acknowledged: {error}")),
            }
        }
        self.look_if_started().await
    }

    /// Waits until no more is there than the last value of each key, and the active segment.
    pub(super) async fn until_compacted(&mut self) -> Result<(), Box<dyn Error>> {
        self.until("wait for compaction", async |it| {
            let there = it.read(KEPT, 0).await?.records.len() as u64;
            if there <= KEYS + 1 { Ok(()) } else { Err(super::steps::not_yet("more is there")) }
        })
        .await;
        self.look_if_started().await
    }

    /// Whether the last values are there, and nothing that nobody sent.
    pub(super) async fn look_at_kept(&mut self) -> Result<Vec<String>, ClientError> {
        if self.kept.sent == 0 {
            return Ok(Vec::new());
        }
        let Read { records, .. } = self.read(KEPT, 0).await?;
        let mut findings = Vec::new();
        let (mut before, mut found) = (None::<Offset>, BTreeMap::new());
        for (offset, number) in &records {
            let is_later = before.is_none_or(|before| before < *offset);
            let is_newer = found.insert(number % KEYS, *number).is_none_or(|earlier| earlier < *number);
            if !is_later || !is_newer || *number >= self.kept.sent {
                findings.push(format!("value {number} is at {offset} of the compacted topic: {records:?}"));
            }
            before = Some(*offset);
        }
        for (key, last) in &self.kept.last {
            if found.get(key).is_none_or(|found| found < last) {
                findings.push(format!("key {key} has {:?}, value {last} was acknowledged", found.get(key)));
            }
        }
        // What was read may not vanish either.
        self.kept.last.extend(found);
        Ok(findings)
    }
}
