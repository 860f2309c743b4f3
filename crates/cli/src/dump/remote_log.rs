//! Records of `__remote_log_metadata`, as the text that Kafka's classes make of themselves (KIP-405).

use std::collections::BTreeMap;

use bytes::Bytes;
use ottla_wire::framing::{self, FrameHead};
use ottla_wire::records::remote_log::partition_delete::{self, RemotePartitionDeleteMetadataRecord};
use ottla_wire::records::remote_log::segment_metadata::{self, RemoteLogSegmentMetadataRecord};
use ottla_wire::records::remote_log::segment_metadata_snapshot::RemoteLogSegmentMetadataSnapshotRecord;
use ottla_wire::records::remote_log::segment_metadata_update::{self, RemoteLogSegmentMetadataUpdateRecord};
use ottla_wire::{DecodeError, Reader, Record, TypedRecord};

/// What a value says.
pub(super) fn text(value: &[u8]) -> Result<String, String> {
    let mut reader = Reader::new(value);
    let head = framing::read_frame_head(&mut reader).map_err(|error| error.to_string())?;
    match told(&mut reader, head) {
        Ok(Some(text)) => Ok(text),
        Ok(None) => Err(format!("no record has the number {}", head.record_type)),
        Err(error) => Err(error.to_string()),
    }
}

/// `None` if no record has that number.
fn told(reader: &mut Reader<'_>, head: FrameHead) -> Result<Option<String>, DecodeError> {
    let (r, version) = (&mut *reader, head.version);
    let text = match head.record_type {
        RemoteLogSegmentMetadataRecord::TYPE => segment(&Record::decode(r, version)?),
        RemoteLogSegmentMetadataUpdateRecord::TYPE => update(&Record::decode(r, version)?),
        RemotePartitionDeleteMetadataRecord::TYPE => delete(&Record::decode(r, version)?),
        RemoteLogSegmentMetadataSnapshotRecord::TYPE => snapshot(&Record::decode(r, version)?),
        _ => return Ok(None),
    };
    reader.finish()?;
    Ok(Some(text))
}

fn segment(it: &RemoteLogSegmentMetadataRecord) -> String {
    let segment_metadata::RemoteLogSegmentIdEntry { topic_id_partition, id } = &it.remote_log_segment_id;
    let segment_metadata::TopicIdPartitionEntry { name, id: topic_id, partition } = topic_id_partition;
    format!(
        "RemoteLogSegmentMetadata{{remoteLogSegmentId={}, startOffset={}, endOffset={}, brokerId={}, maxTimestampMs={}, \
         eventTimestampMs={}, segmentLeaderEpochs={}, segmentSizeInBytes={}, customMetadata={}, state={}, \
         txnIdxEmpty={}}}",
        segment_id(&format!("{topic_id}:{name}-{partition}"), &id.to_string()),
        it.start_offset,
        it.end_offset,
        it.broker_id,
        it.max_timestamp_ms,
        it.event_timestamp_ms,
        epochs(it.segment_leader_epochs.iter().map(|entry| (entry.leader_epoch, entry.offset))),
        it.segment_size_in_bytes,
        custom(it.custom_metadata.as_ref()),
        segment_state(it.remote_log_segment_state),
        it.txn_index_empty,
    )
}

fn update(it: &RemoteLogSegmentMetadataUpdateRecord) -> String {
    let segment_metadata_update::RemoteLogSegmentIdEntry { topic_id_partition, id } = &it.remote_log_segment_id;
    let segment_metadata_update::TopicIdPartitionEntry { name, id: topic_id, partition } = topic_id_partition;
    format!(
        "RemoteLogSegmentMetadataUpdate{{remoteLogSegmentId={}, customMetadata={}, state={}, eventTimestampMs={}, \
         brokerId={}}}",
        segment_id(&format!("{topic_id}:{name}-{partition}"), &id.to_string()),
        custom(it.custom_metadata.as_ref()),
        segment_state(it.remote_log_segment_state),
        it.event_timestamp_ms,
        it.broker_id,
    )
}

fn delete(it: &RemotePartitionDeleteMetadataRecord) -> String {
    let partition_delete::TopicIdPartitionEntry { name, id, partition } = &it.topic_id_partition;
    let state = match it.remote_partition_delete_state {
        0 => "DELETE_PARTITION_MARKED".to_owned(),
        1 => "DELETE_PARTITION_STARTED".to_owned(),
        2 => "DELETE_PARTITION_FINISHED".to_owned(),
        other => other.to_string(),
    };
    format!(
        "RemotePartitionDeleteMetadata{{topicPartition={id}:{name}-{partition}, state={state}, eventTimestampMs={}, \
         brokerId={}}}",
        it.event_timestamp_ms, it.broker_id,
    )
}

fn snapshot(it: &RemoteLogSegmentMetadataSnapshotRecord) -> String {
    format!(
        "RemoteLogSegmentMetadataSnapshot{{segmentId={}, startOffset={}, endOffset={}, maxTimestampMs={}, \
         segmentLeaderEpochs={}, segmentSizeInBytes={}, customMetadata={}, state={}, txnIdxEmpty={}}}",
        it.segment_id,
        it.start_offset,
        it.end_offset,
        it.max_timestamp_ms,
        epochs(it.segment_leader_epochs.iter().map(|entry| (entry.leader_epoch, entry.offset))),
        it.segment_size_in_bytes,
        custom(it.custom_metadata.as_ref()),
        segment_state(it.remote_log_segment_state),
        it.txn_index_empty,
    )
}

fn segment_id(topic_partition: &str, id: &str) -> String {
    format!("RemoteLogSegmentId{{topicIdPartition={topic_partition}, id={id}}}")
}

/// A sorted map, as Java prints it.
fn epochs(entries: impl Iterator<Item = (i32, i64)>) -> String {
    let sorted: BTreeMap<i32, i64> = entries.collect();
    let entries: Vec<String> = sorted.iter().map(|(epoch, offset)| format!("{epoch}={offset}")).collect();
    format!("{{{}}}", entries.join(", "))
}

fn custom(metadata: Option<&Bytes>) -> String {
    metadata.map_or_else(
        || "Optional.empty".to_owned(),
        |bytes| format!("Optional[CustomMetadata{{{} bytes}}]", bytes.len()),
    )
}

fn segment_state(state: i8) -> String {
    match state {
        0 => "COPY_SEGMENT_STARTED".to_owned(),
        1 => "COPY_SEGMENT_FINISHED".to_owned(),
        2 => "DELETE_SEGMENT_STARTED".to_owned(),
        3 => "DELETE_SEGMENT_FINISHED".to_owned(),
        other => other.to_string(),
    }
}
