//! An image as the records from which a new Kafka begins: its `bootstrap.checkpoint`.
//!
//! A Kafka whose metadata log is empty writes the records of that file into it first, and serves then. The file is a
//! snapshot in shape: a control batch with a header, batches of framed records, a control batch with a footer.

use ottla_metadata::{GROUP_VERSION, Image, Partition};
use ottla_record::{BatchBuilder, BatchOptions, BuildError, Compressor};
use ottla_types::{BrokerId, LeaderEpoch, Offset, PartitionIndex, Timestamp, TopicPartition, Uuid};
use ottla_wire::EncodeError;
use ottla_wire::TypedRecord;
use ottla_wire::framing::{write_framed, write_self_versioned};
use ottla_wire::records::cluster::config::ConfigRecord;
use ottla_wire::records::cluster::feature_level::FeatureLevelRecord;
use ottla_wire::records::cluster::partition::PartitionRecord;
use ottla_wire::records::cluster::producer_ids::ProducerIdsRecord;
use ottla_wire::records::cluster::topic::TopicRecord;
use ottla_wire::records::quorum::snapshot_footer::SnapshotFooterRecord;
use ottla_wire::records::quorum::snapshot_header::SnapshotHeaderRecord;
use thiserror::Error;

/// The features of a Kafka 4.3 that was formatted with its defaults, but for the eligible leader replicas of KIP-966:
/// those would want a `min.insync.replicas` of the cluster, which an Ottla need not have. What this cluster has agreed on
/// itself comes from its image.
const FEATURES: [(&str, i16); 4] =
    [("metadata.version", 30), ("share.version", 1), ("streams.version", 1), ("transaction.version", 2)];

/// Kafka's level 30 of `metadata.version` writes partitions in this version.
const PARTITION_VERSION: i16 = 2;
/// Records of one batch. Kafka's controller takes no more than 10,000 at once.
const BATCH_RECORDS: i32 = 1000;
/// The kinds of control records that a snapshot begins and ends with (Kafka's `ControlRecordType`).
const SNAPSHOT_HEADER: i16 = 3;
const SNAPSHOT_FOOTER: i16 = 4;
/// The leader's epoch of what nobody has led yet.
const EPOCH: LeaderEpoch = LeaderEpoch(0);

/// What is written, and for whom.
pub struct Export<'a> {
    /// The cluster.
    pub image: &'a Image,
    /// The node that shall start on the copy.
    pub node: BrokerId,
    /// The id of the log directory that has the partition.
    pub directory: &'a dyn Fn(&TopicPartition) -> Uuid,
    /// When the file is written.
    pub now: Timestamp,
}

/// Why the records cannot be written.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum WriteError {
    /// A record does not fit Kafka's form.
    #[error("a metadata record cannot be written: {0}")]
    Record(#[from] EncodeError),
    /// A batch cannot be built.
    #[error("a metadata batch cannot be built: {0}")]
    Batch(#[from] BuildError),
}

/// The bytes of `bootstrap.checkpoint`.
pub fn bootstrap_checkpoint(export: &Export<'_>) -> Result<Vec<u8>, WriteError> {
    let mut file = File { bytes: Vec::new(), next: Offset::ZERO, now: export.now, batch: None };
    let header = SnapshotHeaderRecord { version: 0, last_contained_log_timestamp: export.now.0 };
    file.control(SNAPSHOT_HEADER, &write_self_versioned(&header, 0)?)?;
    let group_version = export.image.feature_level(GROUP_VERSION);
    let agreed = (group_version > 0).then_some((GROUP_VERSION, group_version));
    for (name, feature_level) in FEATURES.into_iter().chain(agreed) {
        file.record(&FeatureLevelRecord { name: name.to_owned(), feature_level }, 0)?;
    }
    let next_producer_id = export.image.next_producer_id().0;
    if next_producer_id > 0 {
        file.record(&ProducerIdsRecord { broker_id: export.node.0, broker_epoch: 0, next_producer_id }, 0)?;
    }
    for topic in export.image.topics() {
        file.record(&TopicRecord { name: topic.name.to_string(), topic_id: topic.id }, 0)?;
        for (index, partition) in topic.partitions() {
            let name = TopicPartition { topic: topic.name.clone(), partition: index };
            let record = partition_record(export, topic.id, index, partition, (export.directory)(&name));
            file.record(&record, PARTITION_VERSION)?;
        }
    }
    for (resource, key, value) in export.image.all_configs() {
        // What Kafka does not know it would carry along for ever.
        if key.starts_with("ottla.") {
            continue;
        }
        let record = ConfigRecord {
            resource_type: resource.kind.raw(),
            resource_name: resource.name.to_string(),
            name: key.to_owned(),
            value: Some(value.to_owned()),
        };
        file.record(&record, 0)?;
    }
    file.control(SNAPSHOT_FOOTER, &write_self_versioned(&SnapshotFooterRecord { version: 0 }, 0)?)?;
    Ok(file.bytes)
}

/// A partition that the one node keeps and leads, in an epoch above all that were.
fn partition_record(
    export: &Export<'_>,
    topic_id: Uuid,
    index: PartitionIndex,
    partition: &Partition,
    directory: Uuid,
) -> PartitionRecord {
    PartitionRecord {
        partition_id: index.0,
        topic_id,
        replicas: vec![export.node.0],
        isr: vec![export.node.0],
        leader: export.node.0,
        leader_epoch: partition.leader_epoch.next().0,
        partition_epoch: partition.partition_epoch.next().0,
        directories: vec![directory],
        ..PartitionRecord::default()
    }
}

/// The file so far.
struct File {
    bytes: Vec<u8>,
    next: Offset,
    now: Timestamp,
    /// The batch that is being filled.
    batch: Option<BatchBuilder>,
}

impl File {
    fn record<R: TypedRecord>(&mut self, record: &R, version: i16) -> Result<(), WriteError> {
        let value = write_framed(record, version)?;
        let base_offset = self.next;
        let batch = self.batch.get_or_insert_with(|| BatchBuilder::new(options(base_offset, false)));
        batch.append(self.now, None, Some(&value), &[])?;
        if batch.record_count() >= BATCH_RECORDS { self.end_batch() } else { Ok(()) }
    }

    fn control(&mut self, kind: i16, value: &[u8]) -> Result<(), WriteError> {
        self.end_batch()?;
        // A control record's key: its version, its kind.
        let key = [[0, 0], kind.to_be_bytes()].concat();
        let mut batch = BatchBuilder::new(options(self.next, true));
        batch.append(self.now, Some(&key), Some(value), &[])?;
        self.batch = Some(batch);
        self.end_batch()
    }

    fn end_batch(&mut self) -> Result<(), WriteError> {
        let Some(batch) = self.batch.take() else { return Ok(()) };
        self.next = self.next.plus(i64::from(batch.record_count()));
        self.bytes.extend_from_slice(&batch.build(&mut Compressor::default())?);
        Ok(())
    }
}

fn options(base_offset: Offset, control: bool) -> BatchOptions {
    BatchOptions { base_offset, leader_epoch: EPOCH, control, ..BatchOptions::default() }
}
