//! After a start: what is there, held against what clients were told.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::sync::atomic::Ordering;
use std::time::Duration;

use ottla_client::{ClientError, ConfigResource, Consumer, ConsumerSettings, OffsetSpec, Start};
use ottla_types::Offset;

use super::steps::{Client, GONE, TOPIC, timestamp};
use crate::history::{Acknowledged, check};
use crate::scenario::Note;

/// Records that stay whatever leaves by size.
const STAY_MIN: i64 = 2;

/// What was read of a partition.
pub(super) struct Read {
    start: Offset,
    high_watermark: Offset,
    pub(super) records: Vec<(Offset, u64)>,
}

impl Client {
    /// Reads and compares everything. Begins anew if the broker ends meanwhile.
    pub(super) async fn look(&mut self) -> Result<(), Box<dyn Error>> {
        loop {
            let start = self.starts();
            let looked = self.look_once().await;
            if self.starts() != start {
                continue;
            }
            if let Err(error) = looked {
                self.shared.note(format_args!("cannot look: {error}"));
                tokio::time::sleep(Duration::from_millis(20)).await;
                continue;
            }
            self.looked_at = start;
            self.shared.looks.fetch_add(1, Ordering::SeqCst);
            return Ok(());
        }
    }

    async fn look_once(&mut self) -> Result<(), ClientError> {
        let mut findings = self.look_at_topics().await?;
        findings.extend(self.look_at_kept().await?);
        let mut logs = BTreeMap::new();
        for partition in 0..self.partitions {
            let read = self.read(TOPIC, partition).await?;
            findings.extend(self.judge(partition, &read));
            findings.extend(self.search(partition, &read).await?);
            logs.insert(partition, read.records);
        }
        let is_there = |known: &&Acknowledged| match (known.offset, logs.get(&known.partition)) {
            (Some(offset), Some(log)) => log.first().is_none_or(|(start, _)| offset >= *start),
            _ => true,
        };
        let expected: Vec<Acknowledged> = self.known.iter().filter(is_there).copied().collect();
        // A partition that has nothing left was judged by its start.
        findings.extend(check(&expected, &logs).into_iter().map(|finding| finding.to_string()));
        let mut known: BTreeSet<(i32, Offset)> =
            self.known.iter().filter_map(|known| Some((known.partition, known.offset?))).collect();
        for (partition, records) in logs {
            let fresh = records.into_iter().filter(|(offset, _)| known.insert((partition, *offset)));
            let seen = fresh.map(|(offset, number)| Acknowledged { number, partition, offset: Some(offset) });
            self.known.extend(seen.collect::<Vec<_>>());
        }
        for finding in findings {
            self.shared.find(finding);
        }
        Ok(())
    }

    /// Ids, epochs, settings, and who must not be there.
    async fn look_at_topics(&mut self) -> Result<Vec<String>, ClientError> {
        let mut findings = Vec::new();
        let start = self.starts();
        let topic = self.admin.describe_topic(TOPIC).await?;
        if self.starts() != start {
            // Nobody knows which of them answered. All is looked at again.
            return Ok(findings);
        }
        if self.id.is_some_and(|id| id != topic.id) {
            findings.push(format!("the topic's id is {}, was {:?}", topic.id, self.id));
        }
        self.id = Some(topic.id);
        for partition in &topic.partitions {
            let epoch = partition.leader_epoch.0;
            if let Some((seen_at, seen)) = self.epochs.insert(partition.index, (start, epoch))
                && (epoch < seen || (start > seen_at && epoch == seen))
            {
                findings.push(format!("partition {} has epoch {epoch}, was {seen} before a start", partition.index));
            }
        }
        if self.is_gone && self.admin.list_topics(false).await?.iter().any(|topic| &*topic.name == GONE) {
            findings.push("a deleted topic is back".to_owned());
        }
        if let Some(expected) = self.retention {
            let topic = ConfigResource::Topic(TOPIC.to_owned());
            let entries = self.admin.describe_configs(&topic, Some(&["retention.bytes".to_owned()])).await?;
            let found = entries.first().and_then(|entry| entry.value.clone());
            if found.as_deref() != Some(expected) {
                findings.push(format!("retention.bytes is {found:?}, was set to {expected}"));
            }
        }
        Ok(findings)
    }

    pub(super) async fn read(&mut self, topic: &str, partition: i32) -> Result<Read, ClientError> {
        let wanted = [(partition, OffsetSpec::Earliest)];
        let start = self.cluster.offsets(topic, &wanted).await?[&partition];
        let latest = self.cluster.offsets(topic, &[(partition, OffsetSpec::Latest)]).await?[&partition];
        let mut read = Read { start, high_watermark: latest, records: Vec::new() };
        let mut consumer = Consumer::new(self.cluster.clone(), settings());
        consumer.assign(topic, partition, Start::Offset(start)).await?;
        let mut next = start;
        while next < latest {
            let Some(fetched) = consumer.poll(Duration::from_secs(1)).await? else { break };
            for record in fetched.records().flatten() {
                let number =
                    record.value.and_then(|value| value.first_chunk()).map_or(u64::MAX, |n| u64::from_be_bytes(*n));
                read.records.push((record.offset, number));
            }
            next = fetched.next;
        }
        Ok(read)
    }

    /// Whether a log may begin and end where it does.
    fn judge(&self, partition: i32, read: &Read) -> Vec<String> {
        let Read { start, high_watermark, records } = read;
        let mut findings = Vec::new();
        let expected: Vec<Offset> = (start.0..high_watermark.0).map(Offset).collect();
        if !records.iter().map(|(offset, _)| *offset).eq(expected) {
            findings.push(format!("partition {partition} has {records:?} from {start} to {high_watermark}"));
        }
        let deleted = self.deleted.get(&partition).copied().unwrap_or(Offset::ZERO);
        if *start < deleted {
            findings.push(format!("partition {partition} begins at {start}; up to {deleted} was deleted"));
        }
        let asked = self.delete_asked.get(&partition).copied().unwrap_or(Offset::ZERO);
        let by_size = if self.retention_asked { Offset(high_watermark.0 - STAY_MIN) } else { Offset::ZERO };
        if *start > asked.max(by_size) {
            findings.push(format!("partition {partition} begins at {start}; nobody deleted so much"));
        }
        findings
    }

    /// Whether the indexes lead to the records: from an offset, and from a time.
    async fn search(&mut self, partition: i32, read: &Read) -> Result<Vec<String>, ClientError> {
        let mut findings = Vec::new();
        let middle = read.records.len() / 2;
        for (offset, number) in read.records.iter().skip(middle).take(1) {
            let wanted = [(partition, OffsetSpec::Timestamp(timestamp(*number)))];
            let found = self.cluster.offsets(TOPIC, &wanted).await?[&partition];
            if found != *offset {
                findings.push(format!("the time of record {number} leads to {found}, it is at {offset}"));
            }
            let mut consumer = Consumer::new(self.cluster.clone(), settings());
            consumer.assign(TOPIC, partition, Start::Offset(*offset)).await?;
            let first = consumer.poll(Duration::from_secs(1)).await?;
            let first = first.and_then(|fetched| fetched.records().flatten().map(|record| record.offset).next());
            if first != Some(*offset) {
                findings.push(format!("a fetch from {offset} of partition {partition} begins with {first:?}"));
            }
        }
        Ok(findings)
    }
}

/// A consumer that does not wait where there is nothing.
fn settings() -> ConsumerSettings {
    ConsumerSettings { wait_max: Duration::from_millis(10), ..ConsumerSettings::default() }
}
