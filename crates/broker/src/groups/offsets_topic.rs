//! `__consumer_offsets`, made when somebody first asks for a coordinator.

use ottla_controller::{CreateTopics, NewTopic, Reply, Request as Ask};
use ottla_types::ErrorCode;

use super::OFFSETS_TOPIC;
use crate::node::Node;

/// Makes the topic if it is not there. Answers when its partitions are served here.
pub(crate) async fn make(node: &Node) -> Result<(), ErrorCode> {
    if node.image().topic_by_name(OFFSETS_TOPIC).is_some() {
        return Ok(());
    }
    let config = node.config().groups.clone();
    // As many replicas as are wanted, or as there are brokers: a single one should not have to be told.
    let brokers = i16::try_from(node.image().brokers().count()).unwrap_or(i16::MAX);
    let setting = |key: &str, value: &str| (key.to_owned(), Some(value.to_owned()));
    let topic = NewTopic {
        name: OFFSETS_TOPIC.to_owned(),
        id: node.random_id(),
        partitions: config.offsets_partitions,
        replication_factor: config.offsets_replication_factor.min(brokers.max(1)),
        assignments: Vec::new(),
        configs: vec![
            setting("cleanup.policy", "compact"),
            setting("compression.type", "producer"),
            setting("segment.bytes", &config.offsets_segment_bytes.to_string()),
        ],
    };
    let ask = Ask::CreateTopics(CreateTopics { topics: vec![topic], validate_only: false });
    match node.controller.ask(ask).await {
        Reply::CreateTopics(results) => match results.into_iter().next() {
            Some((_, Ok(_))) | None => Ok(()),
            // Somebody else was faster.
            Some((_, Err(refusal))) if refusal.code() == ErrorCode::TopicAlreadyExists => Ok(()),
            Some((_, Err(refusal))) => {
                tracing::warn!(topic = OFFSETS_TOPIC, %refusal, "the topic of groups could not be made");
                Err(ErrorCode::CoordinatorNotAvailable)
            }
        },
        _ => Err(ErrorCode::CoordinatorNotAvailable),
    }
}
