//! `ConsumerGroupDescribe` (key 69): groups of the consumer protocol with their members (KIP-848).
//!
//! - v1: whether a member speaks the classic protocol (KIP-1099).
//!
//! Errors by group: INVALID_GROUP_ID, GROUP_ID_NOT_FOUND, NOT_COORDINATOR, COORDINATOR_LOAD_IN_PROGRESS;
//! UNSUPPORTED_VERSION where there are no such groups (`group.version` 0).

use ottla_coordinator::{
    DescribedAssignment, DescribedConsumer, DescribedConsumerGroup, Refusal, Reply, Request as Ask,
};
use ottla_protocol::ApiKey;
use ottla_protocol::consumer_group_describe::{
    Assignment, ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse, DescribedGroup, Member, TopicPartitions,
};
use ottla_types::ErrorCode;

use super::Api;
use super::seen::{GROUP_OPERATIONS, OPERATIONS_NOT_ASKED};
use crate::node::Node;

pub(super) const API: Api = Api {
    key: ApiKey::ConsumerGroupDescribe,
    served: 0..=1,
    handle: |node, request| {
        Box::pin(async move {
            let body = request.decode()?;
            request.answer(&handle(&node, body).await)
        })
    },
};

async fn handle(node: &Node, body: ConsumerGroupDescribeRequest) -> ConsumerGroupDescribeResponse {
    let operations = if body.include_authorized_operations { GROUP_OPERATIONS } else { OPERATIONS_NOT_ASKED };
    let has_consumer_groups = node.has_consumer_groups();
    let mut groups = Vec::new();
    for group_id in body.group_ids {
        let (error, message) = if !has_consumer_groups {
            (ErrorCode::UnsupportedVersion, None)
        } else if group_id.is_empty() {
            (ErrorCode::InvalidGroupId, None)
        } else {
            match node.groups.ask(&group_id, Ask::DescribeConsumerGroup(group_id.as_str().into())).await {
                Ok(Reply::DescribeConsumerGroup(Ok(told))) => {
                    groups.push(DescribedGroup { authorized_operations: operations, ..described(group_id, told) });
                    continue;
                }
                Ok(Reply::DescribeConsumerGroup(Err(Refusal { error, message }))) => (error, Some(message)),
                Ok(other) => unreachable!("a shard answers what it was asked, not {other}"),
                Err(error) => (error, None),
            }
        };
        let (error_code, error_message) = (error.raw(), message);
        groups.push(DescribedGroup { group_id, error_code, error_message, ..DescribedGroup::default() });
    }
    ConsumerGroupDescribeResponse { groups, ..ConsumerGroupDescribeResponse::default() }
}

fn described(group_id: String, told: DescribedConsumerGroup) -> DescribedGroup {
    DescribedGroup {
        group_id,
        group_state: told.state.to_owned(),
        group_epoch: told.epoch,
        assignment_epoch: told.target_epoch,
        assignor_name: told.assignor.to_owned(),
        members: told.members.into_iter().map(member).collect(),
        ..DescribedGroup::default()
    }
}

fn member(member: DescribedConsumer) -> Member {
    Member {
        member_id: member.member.to_string(),
        instance_id: member.instance.map(|instance| instance.to_string()),
        rack_id: member.rack.map(|rack| rack.to_string()),
        member_epoch: member.epoch,
        client_id: member.client_id.to_string(),
        client_host: member.client_host.to_string(),
        subscribed_topic_names: member.topics.iter().map(ToString::to_string).collect(),
        subscribed_topic_regex: member.regex.map(|regex| regex.to_string()),
        assignment: assignment(member.assignment),
        target_assignment: assignment(member.target),
        member_type: i8::from(!member.is_classic),
    }
}

fn assignment(topics: Vec<DescribedAssignment>) -> Assignment {
    let topic = |topic: DescribedAssignment| TopicPartitions {
        topic_id: topic.id,
        topic_name: topic.name.to_string(),
        partitions: topic.partitions,
    };
    Assignment { topic_partitions: topics.into_iter().map(topic).collect() }
}
