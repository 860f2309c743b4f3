//! The requests of a flood, each built once.

use std::time::{SystemTime, UNIX_EPOCH};

use ottla_protocol::Request;
use ottla_protocol::create_topics::{CreatableTopic, CreateTopicsRequest};
use ottla_protocol::frame::request_frame;
use ottla_protocol::produce::{PartitionProduceData, ProduceRequest, TopicProduceData};
use ottla_record::{BatchBuilder, BatchOptions, Compressor};
use ottla_types::Timestamp;

use crate::Outcome;

/// The version of Produce that is sent: topics by name, as every broker since 2.1 reads it.
pub(crate) const PRODUCE: i16 = 7;
const CREATE_TOPICS: i16 = 4;
/// Into how many requests a round over all partitions is divided.
pub(crate) const REQUESTS: usize = 10;
/// Rounds in a second: each partition gets a batch in each.
pub(crate) const ROUNDS: usize = 10;

/// What is sent.
pub(crate) struct Flood<'a> {
    pub(crate) topic: &'a str,
    pub(crate) partitions: usize,
    /// Records a second.
    pub(crate) rate: usize,
    /// Bytes of a value.
    pub(crate) size: usize,
}

impl Flood<'_> {
    /// Has the topic made; that it is there already is fine.
    pub(crate) fn create(&self) -> Outcome<Vec<u8>> {
        let num_partitions = i32::try_from(self.partitions).map_err(|_| "too many partitions")?;
        let topic = CreatableTopic {
            name: self.topic.into(),
            num_partitions,
            replication_factor: 1,
            ..CreatableTopic::default()
        };
        frame(CREATE_TOPICS, &CreateTopicsRequest { topics: vec![topic], timeout_ms: 60_000, validate_only: false })
    }

    fn records_a_batch(&self) -> usize {
        (self.rate / ROUNDS / self.partitions).max(1)
    }

    fn partitions_a_request(&self) -> usize {
        self.partitions / REQUESTS
    }

    /// Records in each of the requests.
    pub(crate) fn records_a_request(&self) -> usize {
        self.records_a_batch() * self.partitions_a_request()
    }

    /// The requests of a round: each has its share of the partitions.
    pub(crate) fn requests(&self) -> Outcome<Vec<Vec<u8>>> {
        if self.partitions == 0 || !self.partitions.is_multiple_of(REQUESTS) {
            return Err(format!("PARTITIONS is {}, and must be a multiple of {REQUESTS}", self.partitions));
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_err(|error| error.to_string())?.as_millis();
        let now = Timestamp(i64::try_from(now).map_err(|error| error.to_string())?);
        let mut builder = BatchBuilder::new(BatchOptions::default());
        let value = vec![b'v'; self.size];
        for _ in 0..self.records_a_batch() {
            builder.append(now, None, Some(&value), &[]).map_err(|error| error.to_string())?;
        }
        let batch = builder.build(&mut Compressor::default()).map_err(|error| error.to_string())?;
        let each = self.partitions_a_request();
        let request = |number: usize| {
            let partition = |index: usize| {
                let index = i32::try_from(index).expect("a topic has fewer partitions");
                PartitionProduceData { index, records: Some(batch.clone()) }
            };
            let partition_data = (number * each..(number + 1) * each).map(partition).collect();
            let topic = TopicProduceData { name: self.topic.into(), partition_data, ..TopicProduceData::default() };
            let acks = -1;
            frame(PRODUCE, &ProduceRequest { acks, timeout_ms: 60_000, topic_data: vec![topic], ..Default::default() })
        };
        (0..REQUESTS).map(request).collect()
    }
}

fn frame<R: Request>(version: i16, request: &R) -> Outcome<Vec<u8>> {
    request_frame(1, Some("flood"), version, request).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use ottla_protocol::{ProduceRequestView, RequestHead};
    use ottla_record::BatchHeader;

    use super::*;

    #[test]
    fn a_round_has_a_tenth_of_a_second_s_records_for_each_partition_once() {
        let flood = Flood { topic: "topic", partitions: 20, rate: 10_000, size: 100 };
        let (mut seen, mut records) = (Vec::new(), 0);
        for frame in flood.requests().unwrap() {
            let head = RequestHead::parse(&frame[4..]).unwrap();
            let body = &frame[4 + head.body..];
            let request = ProduceRequestView::parse(body, PRODUCE).unwrap();
            for partition in request.topics().next().unwrap().partitions() {
                seen.push(partition.index);
                records += BatchHeader::parse(&body[partition.records.unwrap()]).unwrap().record_count;
            }
        }
        assert_eq!(seen, (0..20).collect::<Vec<_>>());
        assert_eq!((records, flood.records_a_request() * REQUESTS), (1000, 1000));
    }

    #[test]
    fn partitions_that_cannot_be_shared_out_are_refused() {
        let flood = Flood { topic: "topic", partitions: 15, rate: 10_000, size: 100 };
        assert!(flood.requests().is_err_and(|why| why.contains("PARTITIONS is 15")));
    }
}
