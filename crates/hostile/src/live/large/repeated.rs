//! One request of every API that has an array, with one element as often as it fits.
//!
//! An element that is small on the wire and large in memory is what costs most, so each is as small as its schema allows
//! and still does something. Only the bytes are repeated: of a million structs there is one here.

use ottla_protocol::alter_configs::{AlterConfigsRequest, AlterConfigsResource};
use ottla_protocol::alter_partition_reassignments::{
    AlterPartitionReassignmentsRequest, ReassignablePartition, ReassignableTopic,
};
use ottla_protocol::alter_replica_log_dirs::{AlterReplicaLogDir, AlterReplicaLogDirsRequest};
use ottla_protocol::create_topics::{CreatableTopic, CreateTopicsRequest};
use ottla_protocol::delete_records::{DeleteRecordsPartition, DeleteRecordsRequest, DeleteRecordsTopic};
use ottla_protocol::delete_topics::DeleteTopicsRequest;
use ottla_protocol::describe_configs::{DescribeConfigsRequest, DescribeConfigsResource};
use ottla_protocol::describe_log_dirs::{DescribableLogDirTopic, DescribeLogDirsRequest};
use ottla_protocol::describe_producers::{DescribeProducersRequest, TopicRequest};
use ottla_protocol::describe_topic_partitions::{self, DescribeTopicPartitionsRequest};
use ottla_protocol::elect_leaders::{ElectLeadersRequest, TopicPartitions};
use ottla_protocol::fetch::{FetchPartition, FetchRequest, FetchTopic};
use ottla_protocol::frame::request_frame;
use ottla_protocol::incremental_alter_configs::{self, IncrementalAlterConfigsRequest};
use ottla_protocol::list_offsets::{ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic};
use ottla_protocol::list_partition_reassignments::{
    ListPartitionReassignmentsRequest, ListPartitionReassignmentsTopics,
};
use ottla_protocol::metadata::{MetadataRequest, MetadataRequestTopic};
use ottla_protocol::offset_for_leader_epoch::{
    OffsetForLeaderEpochRequest, OffsetForLeaderPartition, OffsetForLeaderTopic,
};
use ottla_protocol::produce::{PartitionProduceData, ProduceRequest, TopicProduceData};
use ottla_protocol::update_features::{FeatureUpdateKey, UpdateFeaturesRequest};
use ottla_protocol::{Message, Request};
use ottla_wire::{Form, Writer};

use crate::live::honest::TOPIC;
use crate::live::honest::fetch;

/// All of them, as frames of `bytes_max` at most.
pub(super) fn requests(count: usize, bytes_max: usize) -> Vec<(&'static str, Vec<u8>)> {
    let all = [topics(), partitions(), settings(), changes()].concat();
    let filled = all.into_iter().map(|(what, one, two, form)| {
        let element = two.len() - one.len();
        (what, filled(&one, element, &two, form, count.min((bytes_max - one.len() - 8) / element)))
    });
    filled.collect()
}

/// What it is, the frames of one element and of two, and how arrays look.
type Kind = (&'static str, Vec<u8>, Vec<u8>, Form);

fn of<M: Request>(what: &'static str, version: i16, make: impl Fn(usize) -> M) -> Kind {
    let frame = |count| {
        let frame = request_frame(1, None, version, &make(count));
        frame.unwrap_or_else(|error| panic!("{what}, {} v{version}: {error}", M::NAME))
    };
    (what, frame(1), frame(2), <M as Message>::KEY.form(version))
}

/// The frame of `one` element with `count` of them. Where the array's length is, `two` differs first.
fn filled(one: &[u8], element: usize, two: &[u8], form: Form, count: usize) -> Vec<u8> {
    let differs = |at: &usize| one[*at] != two[*at];
    let length_ends = (4..one.len()).find(differs).expect("the lengths differ") + 1;
    let length_begins = length_ends - if form == Form::Compact { 1 } else { 4 };
    let mut w = Writer::new();
    if form == Form::Compact {
        w.unsigned_varint(u32::try_from(count + 1).expect("some millions"));
    } else {
        w.i32(i32::try_from(count).expect("some millions"));
    }
    let mut frame = one[..length_begins].to_vec();
    frame.extend(w.into_vec());
    frame.extend(one[length_ends..length_ends + element].repeat(count));
    frame.extend(&one[length_ends + element..]);
    ottla_hostile::damage::resize(&mut frame);
    frame
}

fn name() -> String {
    TOPIC.to_owned()
}

fn topics() -> Vec<Kind> {
    let asked = MetadataRequestTopic { name: Some(name()), ..MetadataRequestTopic::default() };
    let by_name = describe_topic_partitions::TopicRequest { name: name() };
    vec![
        of("Metadata of one topic", 12, |n| MetadataRequest {
            topics: Some(vec![asked.clone(); n]),
            ..Default::default()
        }),
        of("CreateTopics without a name", 7, |n| CreateTopicsRequest {
            topics: vec![CreatableTopic::default(); n],
            ..Default::default()
        }),
        of("DeleteTopics without a name", 5, |n| DeleteTopicsRequest {
            topic_names: vec![String::new(); n],
            ..Default::default()
        }),
        of("Produce to topics without a name", 12, |n| ProduceRequest {
            acks: 1,
            topic_data: vec![TopicProduceData::default(); n],
            ..Default::default()
        }),
        of("Fetch from topics without a name", 12, |n| FetchRequest {
            topics: vec![FetchTopic::default(); n],
            ..fetch(TOPIC, 0, 0)
        }),
        of("DescribeLogDirs of topics without a name", 4, |n| DescribeLogDirsRequest {
            topics: Some(vec![DescribableLogDirTopic::default(); n]),
        }),
        of("DescribeTopicPartitions of one topic", 0, |n| DescribeTopicPartitionsRequest {
            topics: vec![by_name.clone(); n],
            ..Default::default()
        }),
        of("ListPartitionReassignments of topics without a name", 0, |n| ListPartitionReassignmentsRequest {
            topics: Some(vec![ListPartitionReassignmentsTopics::default(); n]),
            ..Default::default()
        }),
        of("DescribeProducers of topics without a name", 0, |n| DescribeProducersRequest {
            topics: vec![TopicRequest::default(); n],
        }),
        of("ElectLeaders of topics without a name", 2, |n| ElectLeadersRequest {
            topic_partitions: Some(vec![TopicPartitions::default(); n]),
            ..Default::default()
        }),
    ]
}

fn partitions() -> Vec<Kind> {
    let fetched = FetchPartition { partition_max_bytes: 1000, ..FetchPartition::default() };
    let earliest = ListOffsetsPartition { timestamp: -2, ..ListOffsetsPartition::default() };
    let produced = TopicProduceData { name: name(), ..TopicProduceData::default() };
    vec![
        of("Produce of nothing to one partition", 12, |n| ProduceRequest {
            acks: 1,
            topic_data: vec![TopicProduceData {
                partition_data: vec![PartitionProduceData::default(); n],
                ..produced.clone()
            }],
            ..Default::default()
        }),
        of("Fetch from one partition", 12, |n| FetchRequest {
            topics: vec![FetchTopic { topic: name(), partitions: vec![fetched.clone(); n], ..Default::default() }],
            ..fetch(TOPIC, 0, 0)
        }),
        of("Fetch in a session from one partition", 12, |n| FetchRequest {
            session_epoch: 0,
            topics: vec![FetchTopic { topic: name(), partitions: vec![fetched.clone(); n], ..Default::default() }],
            ..fetch(TOPIC, 0, 0)
        }),
        of("old Fetch from one partition", 2, |n| FetchRequest {
            session_epoch: -1,
            topics: vec![FetchTopic { topic: name(), partitions: vec![fetched.clone(); n], ..Default::default() }],
            max_bytes: i32::MAX,
            ..fetch(TOPIC, 0, 0)
        }),
        of("ListOffsets of one partition", 7, |n| ListOffsetsRequest {
            replica_id: -1,
            topics: vec![ListOffsetsTopic { name: name(), partitions: vec![earliest.clone(); n] }],
            ..Default::default()
        }),
        of("OffsetForLeaderEpoch of one partition", 4, |n| OffsetForLeaderEpochRequest {
            replica_id: -1,
            topics: vec![OffsetForLeaderTopic {
                topic: name(),
                partitions: vec![OffsetForLeaderPartition::default(); n],
            }],
        }),
        of("DeleteRecords of one partition", 2, |n| DeleteRecordsRequest {
            topics: vec![DeleteRecordsTopic { name: name(), partitions: vec![DeleteRecordsPartition::default(); n] }],
            ..Default::default()
        }),
        of("DescribeLogDirs of one partition", 4, |n| DescribeLogDirsRequest {
            topics: Some(vec![DescribableLogDirTopic { topic: name(), partitions: vec![0; n] }]),
        }),
        of("DescribeProducers of one partition", 0, |n| DescribeProducersRequest {
            topics: vec![TopicRequest { name: name(), partition_indexes: vec![0; n] }],
        }),
        of("ElectLeaders of one partition", 2, |n| ElectLeadersRequest {
            topic_partitions: Some(vec![TopicPartitions { topic: name(), partitions: vec![0; n] }]),
            ..Default::default()
        }),
        of("AlterPartitionReassignments of one partition", 0, |n| AlterPartitionReassignmentsRequest {
            topics: vec![ReassignableTopic { name: name(), partitions: vec![ReassignablePartition::default(); n] }],
            ..Default::default()
        }),
    ]
}

fn settings() -> Vec<Kind> {
    let resource = |resource_type, resource_name: &str| DescribeConfigsResource {
        resource_type,
        resource_name: resource_name.to_owned(),
        configuration_keys: None,
    };
    let (broker, topic) = (resource(4, "1"), resource(2, TOPIC));
    let described = |resource: &DescribeConfigsResource, n| DescribeConfigsRequest {
        resources: vec![resource.clone(); n],
        include_synonyms: true,
        include_documentation: true,
    };
    vec![
        of("DescribeConfigs of the broker", 4, |n| described(&broker, n)),
        of("DescribeConfigs of one topic", 4, |n| described(&topic, n)),
        of("DescribeConfigs of nothing", 4, |n| described(&DescribeConfigsResource::default(), n)),
        of("DescribeConfigs of one key", 4, |n| {
            let keys = Some(vec!["k".to_owned(); n]);
            described(&DescribeConfigsResource { configuration_keys: keys, ..broker.clone() }, 1)
        }),
        of("AlterConfigs of nothing", 2, |n| AlterConfigsRequest {
            resources: vec![AlterConfigsResource::default(); n],
            ..Default::default()
        }),
        of("IncrementalAlterConfigs of nothing", 1, |n| IncrementalAlterConfigsRequest {
            resources: vec![incremental_alter_configs::AlterConfigsResource::default(); n],
            ..Default::default()
        }),
    ]
}

fn changes() -> Vec<Kind> {
    vec![
        of("AlterReplicaLogDirs of directories without a name", 2, |n| AlterReplicaLogDirsRequest {
            dirs: vec![AlterReplicaLogDir::default(); n],
        }),
        of("UpdateFeatures without a name", 1, |n| UpdateFeaturesRequest {
            feature_updates: vec![FeatureUpdateKey::default(); n],
            ..Default::default()
        }),
    ]
}

#[cfg(test)]
mod tests {
    use ottla_protocol::frame::RequestHead;
    use ottla_wire::Reader;

    use super::*;

    #[test]
    fn an_array_is_filled_as_if_it_had_been_written_so() {
        for count in [3, 200] {
            for (what, frame) in requests(count, 1 << 20) {
                let head = RequestHead::parse(&frame[4..]).expect(what);
                let api = head.api().expect("a known one");
                if api == DescribeConfigsRequest::KEY {
                    let body = &mut Reader::new(&frame[4 + head.body..]);
                    let read = DescribeConfigsRequest::decode(body, head.api_version).expect(what);
                    let keys = read.resources[0].configuration_keys.as_ref().map_or(0, Vec::len);
                    assert_eq!(read.resources.len().max(keys), count, "{what}");
                    body.finish().expect(what);
                }
            }
        }
        let made = |n| FetchRequest { topics: vec![FetchTopic::default(); n], ..fetch(TOPIC, 0, 0) };
        for version in [2, 12] {
            let made = |n| FetchRequest { session_epoch: -1, max_bytes: i32::MAX, ..made(n) };
            let (_, one, two, form) = of("", version, made);
            let whole = request_frame(1, None, version, &made(500)).expect("it can be written");
            assert_eq!(filled(&one, two.len() - one.len(), &two, form, 500), whole, "v{version}");
        }
    }
}
