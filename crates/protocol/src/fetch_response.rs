//! A Fetch response as a list of parts: bytes to send as they are, and records that come from elsewhere, such as a
//! range of a file that goes out by sendfile. The whole length is known before the first byte is sent.
//!
//! The same bytes as [`FetchResponse`](crate::fetch::FetchResponse) in a frame; a test holds the two together.

use bytes::Bytes;
use ottla_types::TopicId;
use ottla_wire::{EncodeError, Form, Writer};

use crate::fetch::{AbortedTransaction, EpochEndOffset, LeaderIdAndEpoch, NodeEndpoint, SnapshotId};
use crate::frame::write_response_header;
use crate::{ApiKey, Message};
use ottla_wire::codec::{Codec, no_tags, require_default, write_array, write_nullable_array};

/// A piece of a frame.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Part<R> {
    /// Bytes at hand.
    Inline(Bytes),
    /// Records that `R` leads to.
    Records(R),
}

/// Records that are somewhere: how many bytes, and where.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RecordsAt<R> {
    /// Their length in bytes. What `R` leads to must have just that.
    pub length: usize,
    /// Where they are. Not part of the frame if `length` is 0.
    pub place: R,
}

/// What a Fetch response says. Fields that the version lacks are dropped where the schema allows that, and must have
/// their defaults where it does not, as with every message.
#[derive(Clone, PartialEq, Debug)]
pub struct FetchReply<'a, R> {
    /// How long the client should wait because of a quota, in milliseconds.
    pub throttle_time_ms: i32,
    /// An error of the whole response.
    pub error_code: i16,
    /// The session; 0 outside one.
    pub session_id: i32,
    /// The topics.
    pub topics: Vec<FetchedTopic<'a, R>>,
    /// Addresses of the leaders that partitions name.
    pub node_endpoints: Vec<NodeEndpoint>,
}

/// One topic that was read from.
#[derive(Clone, PartialEq, Debug)]
pub struct FetchedTopic<'a, R> {
    /// Its name: used up to v12.
    pub topic: &'a str,
    /// Its id: used from v13 on.
    pub topic_id: TopicId,
    /// Its partitions.
    pub partitions: Vec<FetchedPartition<R>>,
}

/// One partition that was read from.
#[derive(Clone, PartialEq, Debug)]
pub struct FetchedPartition<R> {
    /// The partition within its topic.
    pub partition_index: i32,
    /// What went wrong, or 0.
    pub error_code: i16,
    /// Everything below is on all in-sync replicas.
    pub high_watermark: i64,
    /// Everything below belongs to no open transaction; −1 if not known.
    pub last_stable_offset: i64,
    /// The first offset there is; −1 if not known.
    pub log_start_offset: i64,
    /// Where the follower's log leaves the leader's.
    pub diverging_epoch: EpochEndOffset,
    /// Whom to ask instead.
    pub current_leader: LeaderIdAndEpoch,
    /// The snapshot to fetch in place of offsets that are gone.
    pub snapshot_id: SnapshotId,
    /// Transactions whose records are to be left out by the reader.
    pub aborted_transactions: Option<Vec<AbortedTransaction>>,
    /// Where the consumer should rather read; −1 for nowhere else.
    pub preferred_read_replica: i32,
    /// The records; `None` is null.
    pub records: Option<RecordsAt<R>>,
}

/// A frame in parts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FramedParts<R> {
    /// Bytes of all parts together, the size before the frame included.
    pub length: usize,
    /// The parts in order; inline ones are never empty and share one allocation.
    pub parts: Vec<Part<R>>,
}

impl<R> Default for FetchedPartition<R> {
    fn default() -> Self {
        Self {
            partition_index: 0,
            error_code: 0,
            high_watermark: 0,
            last_stable_offset: -1,
            log_start_offset: -1,
            diverging_epoch: EpochEndOffset::default(),
            current_leader: LeaderIdAndEpoch::default(),
            snapshot_id: SnapshotId::default(),
            aborted_transactions: None,
            preferred_read_replica: -1,
            records: None,
        }
    }
}

impl<R> FetchReply<'_, R> {
    /// The frame, size and header included, that answers the request `correlation_id` in `version`.
    pub fn into_frame(self, correlation_id: i32, version: i16) -> Result<FramedParts<R>, EncodeError> {
        if !ApiKey::Fetch.supports(version) {
            return Err(EncodeError::UnsupportedVersion { message: crate::fetch::FetchResponse::NAME, version });
        }
        let form = ApiKey::Fetch.form(version);
        let partitions: usize = self.topics.iter().map(|topic| topic.partitions.len()).sum();
        // Room for the usual case, so that the bytes are not moved while they grow.
        let w = Writer::with_capacity(64 + 64 * self.topics.len() + 80 * partitions);
        let mut frame = Frame { w, form, version, cuts: Vec::with_capacity(partitions), records_length: 0 };
        let size = frame.w.reserve_i32();
        write_response_header(&mut frame.w, ApiKey::Fetch, correlation_id, version)?;
        frame.reply(self)?;
        frame.w.fill_length(size, frame.records_length)?;
        Ok(frame.into_parts())
    }
}

/// A frame in the making.
struct Frame<R> {
    w: Writer,
    form: Form,
    version: i16,
    /// Records, and how many inline bytes come before each.
    cuts: Vec<(usize, R)>,
    /// Bytes of all records so far.
    records_length: usize,
}

impl<R> Frame<R> {
    fn reply(&mut self, reply: FetchReply<'_, R>) -> Result<(), EncodeError> {
        let (form, version) = (self.form, self.version);
        if version >= 1 {
            self.w.i32(reply.throttle_time_ms);
        }
        if version >= 7 {
            self.w.i16(reply.error_code);
            self.w.i32(reply.session_id);
        } else {
            require_default(reply.session_id == 0, "FetchReply.session_id", version)?;
        }
        self.w.array_length(form, reply.topics.len())?;
        for topic in reply.topics {
            if version >= 13 {
                self.w.uuid(topic.topic_id);
            } else {
                self.w.string(form, topic.topic)?;
            }
            self.w.array_length(form, topic.partitions.len())?;
            for partition in topic.partitions {
                self.partition(partition)?;
            }
            no_tags(&mut self.w, form);
        }
        let endpoints = &reply.node_endpoints;
        require_default(version >= 16 || endpoints.is_empty(), "FetchReply.node_endpoints", version)?;
        if form.is_compact() {
            let mut tags = self.w.tagged_fields();
            if !endpoints.is_empty() {
                tags.field(0, |w| write_array(w, form, version, endpoints))?;
            }
        }
        Ok(())
    }

    fn partition(&mut self, partition: FetchedPartition<R>) -> Result<(), EncodeError> {
        let (w, form, version) = (&mut self.w, self.form, self.version);
        w.i32(partition.partition_index);
        w.i16(partition.error_code);
        w.i64(partition.high_watermark);
        if version >= 4 {
            w.i64(partition.last_stable_offset);
        }
        if version >= 5 {
            w.i64(partition.log_start_offset);
        }
        if version >= 4 {
            write_nullable_array(w, form, version, partition.aborted_transactions.as_deref())?;
        }
        if version >= 11 {
            w.i32(partition.preferred_read_replica);
        } else {
            let here = partition.preferred_read_replica == -1;
            require_default(here, "FetchedPartition.preferred_read_replica", version)?;
        }
        w.nullable_length(form, partition.records.as_ref().map(|records| records.length))?;
        if let Some(records) = partition.records.filter(|records| records.length > 0) {
            self.cuts.push((w.len(), records.place));
            self.records_length += records.length;
        }
        let (diverging, leader) = (partition.diverging_epoch, partition.current_leader);
        self.partition_tags(&diverging, &leader, &partition.snapshot_id)
    }

    fn partition_tags(
        &mut self,
        diverging_epoch: &EpochEndOffset,
        current_leader: &LeaderIdAndEpoch,
        snapshot_id: &SnapshotId,
    ) -> Result<(), EncodeError> {
        let (form, version) = (self.form, self.version);
        let diverges = *diverging_epoch != EpochEndOffset::default();
        let led_elsewhere = *current_leader != LeaderIdAndEpoch::default();
        let has_snapshot = *snapshot_id != SnapshotId::default();
        if !form.is_compact() {
            require_default(!diverges, "FetchedPartition.diverging_epoch", version)?;
            require_default(!led_elsewhere, "FetchedPartition.current_leader", version)?;
            return require_default(!has_snapshot, "FetchedPartition.snapshot_id", version);
        }
        let mut tags = self.w.tagged_fields();
        if diverges {
            tags.field(0, |w| diverging_epoch.write(w, form, version))?;
        }
        if led_elsewhere {
            tags.field(1, |w| current_leader.write(w, form, version))?;
        }
        if has_snapshot {
            tags.field(2, |w| snapshot_id.write(w, form, version))?;
        }
        Ok(())
    }

    fn into_parts(self) -> FramedParts<R> {
        let inline = Bytes::from(self.w.into_vec());
        let length = inline.len() + self.records_length;
        let mut parts = Vec::with_capacity(2 * self.cuts.len() + 1);
        let mut start = 0;
        for (end, place) in self.cuts {
            if start < end {
                parts.push(Part::Inline(inline.slice(start..end)));
            }
            parts.push(Part::Records(place));
            start = end;
        }
        if start < inline.len() {
            parts.push(Part::Inline(inline.slice(start..)));
        }
        FramedParts { length, parts }
    }
}
