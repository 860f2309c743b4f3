//! Reads a partition of `__consumer_offsets` into its machine.

use std::collections::BTreeMap;
use std::sync::Arc;

use ottla_coordinator::{Fact, Settings, Shard};
use ottla_record::{Batches, RecordBatch, Scratch};
use ottla_types::{Offset, ProducerId};
use tokio::sync::Notify;

use crate::partition::Partition;

/// The most that one batch of the topic may hold once it is decompressed.
const RECORDS_BYTES_MAX: usize = 64 << 20;

/// The machine as the log says, and how many records that were. An error says what cannot be read, and where.
pub(super) async fn load(
    partition: &Partition,
    settings: Settings,
    bytes_at_once: usize,
) -> Result<(Shard, u64), String> {
    let mut reading = Reading { shard: Shard::new(settings), records: 0, open: BTreeMap::new() };
    let bounds = partition.bounds();
    let (mut next, end) = (bounds.log_start, bounds.log_end);
    while next < end {
        let slice = partition.read(next, bytes_at_once, true).await.map_err(|refusal| refusal.to_string())?;
        let Some(slice) = slice else {
            // What was written before a restart may still have to be flushed.
            safe_up_to(partition, next).await?;
            continue;
        };
        let bytes = slice.read().await.map_err(|fault| format!("offset {next}: {fault}"))?;
        for batch in Batches::new(&bytes) {
            // A batch that the range cuts is read with the next one.
            let Ok(batch) = batch else { break };
            if batch.header().base_offset >= next {
                reading
                    .batch(&batch)
                    .map_err(|fault| format!("the batch at {}: {fault}", batch.header().base_offset))?;
            }
            next = next.max(batch.header().next_offset());
        }
        // Others want to go on, too.
        tokio::task::yield_now().await;
    }
    Ok((reading.shard, reading.records))
}

/// Waits until the record at `offset` is safe.
async fn safe_up_to(partition: &Partition, offset: Offset) -> Result<(), String> {
    let wake = Arc::new(Notify::new());
    loop {
        let _registered = partition.watch(offset.plus(1), &wake);
        if partition.high_watermark() > offset {
            return Ok(());
        }
        if partition.is_closed() || partition.log().failed().is_some() {
            return Err(format!("offset {offset}: the log is closed"));
        }
        wake.notified().await;
    }
}

struct Reading {
    shard: Shard,
    records: u64,
    /// What transactions have committed that are not decided yet.
    open: BTreeMap<ProducerId, Vec<Fact>>,
}

impl Reading {
    fn batch(&mut self, batch: &RecordBatch<'_>) -> Result<(), String> {
        let header = *batch.header();
        let mut scratch = Scratch::default();
        let records = batch.records(&mut scratch, RECORDS_BYTES_MAX).map_err(|error| error.to_string())?;
        for record in records {
            let record = record.map_err(|error| error.to_string())?;
            self.records += 1;
            let key = record.key.unwrap_or_default();
            if header.attributes.is_control() {
                self.decided(header.producer_id, key);
            } else if let Some(fact) = Fact::from_record(key, record.value).map_err(|error| error.to_string())? {
                if header.attributes.is_transactional() {
                    self.open.entry(header.producer_id).or_default().push(fact);
                } else {
                    self.shard.load(&fact);
                }
            }
        }
        Ok(())
    }

    /// A transaction is decided, as its marker's key says: version i16, then 0 for aborted and 1 for committed.
    fn decided(&mut self, producer: ProducerId, key: &[u8]) {
        let facts = self.open.remove(&producer).unwrap_or_default();
        if key.get(2..4) == Some(&[0, 1]) {
            facts.iter().for_each(|fact| self.shard.load(fact));
        }
    }
}
