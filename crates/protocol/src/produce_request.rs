//! The body of a Produce request, read in place: no allocation, no copy. The owned form of the same is
//! [`ProduceRequest`](crate::produce::ProduceRequest); what is in the records is the `record` crate's business.
//!
//! - v0–2 have no transactional id, v9 is the first flexible version, v13 names topics by id (KIP-516).

use std::ops::Range;

use ottla_wire::{DecodeError, DecodeErrorKind, Form, Reader};

use crate::elements::{Element, Elements, TopicKey};
use crate::{ApiKey, REQUEST_ELEMENTS_MAX};
use ottla_wire::codec::skip_tags;

/// The first version with a transactional id (KIP-98).
const TRANSACTIONAL_ID: i16 = 3;
/// The first version that names topics by id.
const TOPIC_ID: i16 = 13;

/// A Produce request that borrows from its body.
#[derive(Clone, Debug)]
pub struct ProduceRequestView<'a> {
    /// Null unless the producer is transactional.
    pub transactional_id: Option<&'a str>,
    /// Who must have the records before the answer: 0 nobody (and no answer comes), 1 the leader, −1 all in sync.
    pub acks: i16,
    /// How long the broker may wait for that, in milliseconds.
    pub timeout_ms: i32,
    topics: Elements<'a, ProduceTopic<'a>>,
}

/// One topic of the request.
#[derive(Clone, Debug)]
pub struct ProduceTopic<'a> {
    /// Its name, or from v13 on its id.
    pub topic: TopicKey<'a>,
    partitions: Elements<'a, ProducePartition>,
}

/// One partition of a topic.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ProducePartition {
    /// The partition within its topic.
    pub index: i32,
    /// Where its records are in the body: a range for slicing the frame. `None` if the client sent null.
    pub records: Option<Range<usize>>,
}

impl<'a> ProduceRequestView<'a> {
    /// Reads the whole structure once, and refuses what is malformed. Bytes behind it are left alone.
    pub fn parse(body: &'a [u8], version: i16) -> Result<Self, DecodeError> {
        let r = &mut Reader::new(body).with_elements_max(REQUEST_ELEMENTS_MAX);
        if !ApiKey::Produce.supports(version) {
            return Err(r.error(DecodeErrorKind::UnsupportedVersion(version)));
        }
        let form = ApiKey::Produce.form(version);
        let request = Self {
            transactional_id: if version >= TRANSACTIONAL_ID { r.nullable_string(form)? } else { None },
            acks: r.i16()?,
            timeout_ms: r.i32()?,
            topics: Elements::read(r, form, version)?,
        };
        skip_tags(r, form)?;
        Ok(request)
    }

    /// The topics, in the order of the request.
    #[must_use]
    pub fn topics(&self) -> Elements<'a, ProduceTopic<'a>> {
        self.topics.clone()
    }
}

impl<'a> ProduceTopic<'a> {
    /// The topic's partitions, in the order of the request.
    #[must_use]
    pub fn partitions(&self) -> Elements<'a, ProducePartition> {
        self.partitions.clone()
    }
}

impl<'a> Element<'a> for ProduceTopic<'a> {
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

impl<'a> Element<'a> for ProducePartition {
    // Compact: a number, the length of the records, tags.
    const SIZE_MIN: usize = 6;

    fn read(r: &mut Reader<'a>, form: Form, _version: i16) -> Result<Self, DecodeError> {
        let index = r.i32()?;
        let records = r.nullable_bytes(form)?.map(|records| r.position() - records.len()..r.position());
        skip_tags(r, form)?;
        Ok(Self { index, records })
    }
}
