//! The body of a Fetch request, read in place: no allocation, no copy. The owned form of the same is
//! [`FetchRequest`](crate::fetch::FetchRequest).
//!
//! - v3 limit for the response, v4 isolation, v5 log start offsets, v7 sessions (KIP-227), v9 leader epochs (KIP-320),
//!   v11 racks (KIP-392), v12 flexible, v13 topics by id (KIP-516), v15 replica state (KIP-903), v17 directories
//!   (KIP-853), v18 the follower's high watermark (KIP-1166).

use ottla_types::Uuid;
use ottla_wire::{DecodeError, DecodeErrorKind, Form, Reader};

use crate::elements::{Element, Elements, TopicKey};
use crate::{ApiKey, REQUEST_ELEMENTS_MAX};
use ottla_wire::codec::skip_tags;

/// The first version that names topics by id.
const TOPIC_ID: i16 = 13;
/// The first version with a replica state in place of a replica id.
const REPLICA_STATE: i16 = 15;

/// A Fetch request that borrows from its body. What a version lacks has the value that stands for "not said".
#[derive(Clone, Debug)]
pub struct FetchRequestView<'a> {
    /// The cluster that the reader believes to be in, if it says so.
    pub cluster_id: Option<&'a str>,
    /// The following broker, or −1 for a consumer; whichever field the version says it in.
    pub replica_id: i32,
    /// The following broker's epoch; −1 if not said.
    pub replica_epoch: i64,
    /// How long to wait for `min_bytes`, in milliseconds.
    pub max_wait_ms: i32,
    /// What is worth an answer before that time.
    pub min_bytes: i32,
    /// A limit for the records of the response; the first batch may exceed it.
    pub max_bytes: i32,
    /// 0: everything below the high watermark. 1: nothing of open transactions.
    pub isolation_level: i8,
    /// The session; 0 outside one.
    pub session_id: i32,
    /// −1 no session, 0 a new one, otherwise counted up.
    pub session_epoch: i32,
    /// Where the consumer is; empty if not said.
    pub rack_id: &'a str,
    topics: Elements<'a, FetchTopicView<'a>>,
    forgotten: Elements<'a, ForgottenTopicView<'a>>,
}

/// One topic to read from.
#[derive(Clone, Debug)]
pub struct FetchTopicView<'a> {
    /// Its name, or from v13 on its id.
    pub topic: TopicKey<'a>,
    partitions: Elements<'a, FetchPartitionView>,
}

/// One partition to read from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FetchPartitionView {
    /// The partition within its topic.
    pub partition: i32,
    /// The leader epoch that the reader knows; −1 if not said.
    pub current_leader_epoch: i32,
    /// Where to begin.
    pub fetch_offset: i64,
    /// The epoch of the record before that; −1 if not said.
    pub last_fetched_epoch: i32,
    /// The follower's own log start; −1 if not said.
    pub log_start_offset: i64,
    /// A limit for this partition's records; the first batch may exceed it.
    pub partition_max_bytes: i32,
    /// The follower's directory; zero if not said.
    pub replica_directory_id: Uuid,
    /// The follower's own high watermark; `i64::MAX` if not said.
    pub high_watermark: i64,
}

/// Partitions of one topic that a session shall no longer contain.
#[derive(Clone, Debug)]
pub struct ForgottenTopicView<'a> {
    /// Its name, or from v13 on its id.
    pub topic: TopicKey<'a>,
    partitions: Elements<'a, i32>,
}

impl<'a> FetchRequestView<'a> {
    /// Reads the whole structure once, and refuses what is malformed. Bytes behind it are left alone.
    pub fn parse(body: &'a [u8], version: i16) -> Result<Self, DecodeError> {
        let r = &mut Reader::new(body).with_elements_max(REQUEST_ELEMENTS_MAX);
        if !ApiKey::Fetch.supports(version) {
            return Err(r.error(DecodeErrorKind::UnsupportedVersion(version)));
        }
        let form = ApiKey::Fetch.form(version);
        let mut request = Self {
            cluster_id: None,
            replica_id: if version < REPLICA_STATE { r.i32()? } else { -1 },
            replica_epoch: -1,
            max_wait_ms: r.i32()?,
            min_bytes: r.i32()?,
            max_bytes: if version >= 3 { r.i32()? } else { i32::MAX },
            isolation_level: if version >= 4 { r.i8()? } else { 0 },
            session_id: if version >= 7 { r.i32()? } else { 0 },
            session_epoch: if version >= 7 { r.i32()? } else { -1 },
            topics: Elements::read(r, form, version)?,
            forgotten: if version >= 7 { Elements::read(r, form, version)? } else { Elements::none(form, version) },
            rack_id: if version >= 11 { r.string(form)? } else { "" },
        };
        if form.is_compact() {
            request.read_tags(r, form, version)?;
        }
        Ok(request)
    }

    fn read_tags(&mut self, r: &mut Reader<'a>, form: Form, version: i16) -> Result<(), DecodeError> {
        let mut tags = r.tagged_fields()?;
        while let Some((tag, mut field)) = tags.next_field()? {
            let r = &mut field;
            match tag {
                0 => self.cluster_id = r.nullable_string(form)?,
                1 if version >= REPLICA_STATE => {
                    self.replica_id = r.i32()?;
                    self.replica_epoch = r.i64()?;
                    r.skip_tagged_fields()?;
                }
                _ => continue,
            }
            r.finish()?;
        }
        Ok(())
    }

    /// The topics to read from, in the order of the request: partitions are served in that order.
    #[must_use]
    pub fn topics(&self) -> Elements<'a, FetchTopicView<'a>> {
        self.topics.clone()
    }

    /// What the session shall no longer contain.
    #[must_use]
    pub fn forgotten_topics(&self) -> Elements<'a, ForgottenTopicView<'a>> {
        self.forgotten.clone()
    }
}

impl<'a> FetchTopicView<'a> {
    /// The topic's partitions, in the order of the request.
    #[must_use]
    pub fn partitions(&self) -> Elements<'a, FetchPartitionView> {
        self.partitions.clone()
    }
}

impl<'a> ForgottenTopicView<'a> {
    /// The partitions' numbers.
    #[must_use]
    pub fn partitions(&self) -> Elements<'a, i32> {
        self.partitions.clone()
    }
}

impl<'a> Element<'a> for FetchTopicView<'a> {
    // Compact: a name or an id, an array, tags.
    const SIZE_MIN: usize = 3;

    fn read(r: &mut Reader<'a>, form: Form, version: i16) -> Result<Self, DecodeError> {
        let topic = Self {
            topic: TopicKey::read(r, form, version >= TOPIC_ID)?,
            partitions: Elements::read(r, form, version)?,
        };
        skip_tags(r, form)?;
        Ok(topic)
    }
}

impl<'a> Element<'a> for ForgottenTopicView<'a> {
    const SIZE_MIN: usize = 3;

    fn read(r: &mut Reader<'a>, form: Form, version: i16) -> Result<Self, DecodeError> {
        let topic = Self {
            topic: TopicKey::read(r, form, version >= TOPIC_ID)?,
            partitions: Elements::read(r, form, version)?,
        };
        skip_tags(r, form)?;
        Ok(topic)
    }
}

impl<'a> Element<'a> for FetchPartitionView {
    // In v0: partition, offset, limit.
    const SIZE_MIN: usize = 16;

    fn read(r: &mut Reader<'a>, form: Form, version: i16) -> Result<Self, DecodeError> {
        let mut partition = Self {
            partition: r.i32()?,
            current_leader_epoch: if version >= 9 { r.i32()? } else { -1 },
            fetch_offset: r.i64()?,
            last_fetched_epoch: if version >= 12 { r.i32()? } else { -1 },
            log_start_offset: if version >= 5 { r.i64()? } else { -1 },
            partition_max_bytes: r.i32()?,
            replica_directory_id: Uuid::ZERO,
            high_watermark: i64::MAX,
        };
        if !form.is_compact() {
            return Ok(partition);
        }
        let mut tags = r.tagged_fields()?;
        while let Some((tag, mut field)) = tags.next_field()? {
            match tag {
                0 if version >= 17 => partition.replica_directory_id = field.uuid()?,
                1 if version >= 18 => partition.high_watermark = field.i64()?,
                _ => continue,
            }
            field.finish()?;
        }
        Ok(partition)
    }
}
