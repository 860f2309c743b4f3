//! Produce: the records are counted, or kept, and the answer is their first offset.

use std::ops::Range;

use ottla_protocol::frame::response_frame;
use ottla_protocol::produce::{PartitionProduceResponse, ProduceResponse, TopicProduceResponse};
use ottla_protocol::{ProduceRequestView, TopicKey};

use crate::serve::Answer;
use crate::small::UNKNOWN_TOPIC_OR_PARTITION;
use crate::topics::Topic;
use crate::{Answers, Outcome};

/// A topic of the request: its name, its logs, and where in the body the records of each partition are.
type Found = (String, Topic, Vec<(i32, Option<Range<usize>>)>);

pub(crate) fn answer(answers: &Answers, correlation_id: i32, version: i16, body: &mut [u8]) -> Outcome<Answer> {
    let request = ProduceRequestView::parse(body, version).map_err(|error| error.to_string())?;
    let acks = request.acks;
    let found: Vec<Found> = request
        .topics()
        .map(|topic| {
            let TopicKey::Name(name) = topic.topic else { return Err("a topic without a name".to_owned()) };
            let partitions = topic.partitions().map(|partition| (partition.index, partition.records)).collect();
            Ok((name.to_owned(), answers.topics.topic(name, None)?, partitions))
        })
        .collect::<Outcome<_>>()?;
    let mut response = ProduceResponse::default();
    for (name, topic, partitions) in found {
        let mut partition_responses = Vec::with_capacity(partitions.len());
        for (index, records) in partitions {
            let log = usize::try_from(index).ok().and_then(|index| topic.get(index));
            let base_offset = match (log, records) {
                (Some(log), Some(records)) => Some(log.append(&mut body[records])?),
                _ => None,
            };
            partition_responses.push(PartitionProduceResponse {
                index,
                error_code: if base_offset.is_some() { 0 } else { UNKNOWN_TOPIC_OR_PARTITION },
                base_offset: base_offset.unwrap_or(-1),
                log_append_time_ms: -1,
                ..PartitionProduceResponse::default()
            });
        }
        response.responses.push(TopicProduceResponse { name, partition_responses, ..TopicProduceResponse::default() });
    }
    if answers.topics.keep() {
        answers.topics.arrived();
    }
    if acks == 0 {
        return Ok(Answer::None);
    }
    response_frame(correlation_id, version, &response).map(Answer::Bytes).map_err(|error| error.to_string())
}
