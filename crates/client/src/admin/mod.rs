//! Administration: topics made, listed, described and deleted on this page; `partitions`, `configs` and
//! `groups` are the rest.

mod configs;
mod groups;
mod partitions;

use std::sync::Arc;

use ottla_protocol::create_topics::{CreatableTopic, CreatableTopicConfig, CreateTopicsRequest};
use ottla_protocol::delete_topics::{DeleteTopicState, DeleteTopicsRequest};
use ottla_types::{ErrorCode, TopicId};

pub use configs::{ConfigChange, ConfigEntry, ConfigOperation, ConfigResource, ConfigSource};
pub use groups::{DescribedGroup, GroupKind, GroupMember, ListedGroup};

use crate::cluster::{Cluster, Topic};
use crate::error::{ClientError, Refusal};

/// From this version on DeleteTopics takes names and ids in one list (KIP-516).
const DELETE_BY_NAME_OR_ID: i16 = 6;
/// From this version on CreateTopics can leave numbers to the broker (KIP-464).
const CREATE_WITH_DEFAULTS: i16 = 4;

/// Administrates a cluster.
#[derive(Clone, Debug)]
pub struct Admin {
    cluster: Cluster,
}

/// A topic that shall be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewTopic {
    /// Its name.
    pub name: String,
    /// How many partitions; `None` for the broker's `num.partitions`.
    pub partitions: Option<i32>,
    /// How many copies of each; `None` for the broker's `default.replication.factor`.
    pub replication_factor: Option<i16>,
    /// Overrides by Kafka's names, such as `retention.ms`.
    pub configs: Vec<(String, String)>,
}

/// What a broker says of the topic it made. Brokers before 2.4 and 2.8 say less.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CreatedTopic {
    /// Its id; zero if the broker does not say.
    pub id: TopicId,
    /// How many partitions it has.
    pub partitions: Option<i32>,
    /// How many copies of each.
    pub replication_factor: Option<i16>,
}

impl Admin {
    /// An administrator of `cluster`.
    #[must_use]
    pub fn new(cluster: Cluster) -> Self {
        Self { cluster }
    }

    /// Makes a topic.
    pub async fn create_topic(&self, topic: &NewTopic) -> Result<CreatedTopic, ClientError> {
        let configs = topic.configs.iter();
        let configs =
            configs.map(|(name, value)| CreatableTopicConfig { name: name.clone(), value: Some(value.clone()) });
        let mut request = CreateTopicsRequest {
            topics: vec![CreatableTopic {
                name: topic.name.clone(),
                num_partitions: topic.partitions.unwrap_or(-1),
                replication_factor: topic.replication_factor.unwrap_or(-1),
                assignments: Vec::new(),
                configs: configs.collect(),
            }],
            timeout_ms: self.timeout_ms(),
            validate_only: false,
        };
        self.cluster
            .retry("creating the topic", async || {
                let connection = self.cluster.controller_connection().await?;
                let version = connection.version(ottla_protocol::ApiKey::CreateTopics)?;
                if version < CREATE_WITH_DEFAULTS {
                    // Brokers before 2.4 must be told; Kafka's own defaults are 1 and 1.
                    request.topics[0].num_partitions = topic.partitions.unwrap_or(1);
                    request.topics[0].replication_factor = topic.replication_factor.unwrap_or(1);
                }
                let response = connection.begin(version, &request).await?.answer().await?;
                let Some(result) = response.topics.into_iter().next() else { return Err(unanswered()) };
                self.settle(result.error_code, result.error_message).await?;
                Ok(CreatedTopic {
                    id: result.topic_id,
                    partitions: Some(result.num_partitions).filter(|count| *count > 0),
                    replication_factor: Some(result.replication_factor).filter(|count| *count > 0),
                })
            })
            .await
    }

    /// Every topic, by name, with Kafka's own if `internal`.
    pub async fn list_topics(&self, internal: bool) -> Result<Vec<Arc<Topic>>, ClientError> {
        let mut topics = self.cluster.retry("listing the topics", async || self.cluster.all_topics().await).await?;
        topics.retain(|topic| internal || !topic.is_internal);
        Ok(topics)
    }

    /// One topic, as it is now.
    pub async fn describe_topic(&self, name: &str) -> Result<Arc<Topic>, ClientError> {
        self.cluster
            .retry("describing the topic", async || {
                self.cluster.refresh(&[name]).await?;
                self.cluster.topic(name).await
            })
            .await
    }

    /// Deletes a topic.
    pub async fn delete_topic(&self, name: &str) -> Result<(), ClientError> {
        self.cluster
            .retry("deleting the topic", async || {
                let connection = self.cluster.controller_connection().await?;
                let version = connection.version(ottla_protocol::ApiKey::DeleteTopics)?;
                let mut request = DeleteTopicsRequest { timeout_ms: self.timeout_ms(), ..Default::default() };
                if version >= DELETE_BY_NAME_OR_ID {
                    request.topics = vec![DeleteTopicState { name: Some(name.to_owned()), topic_id: TopicId::ZERO }];
                } else {
                    request.topic_names = vec![name.to_owned()];
                }
                let response = connection.begin(version, &request).await?.answer().await?;
                let Some(result) = response.responses.into_iter().next() else { return Err(unanswered()) };
                if result.error_code == ErrorCode::UnknownTopicOrPartition.raw() {
                    return Err(ClientError::UnknownTopic(name.to_owned()));
                }
                self.settle(result.error_code, result.error_message).await
            })
            .await
    }

    /// Takes a result's code; one that says that the controller is elsewhere has the cluster asked again.
    async fn settle(&self, code: i16, message: Option<String>) -> Result<(), ClientError> {
        let result = Refusal::check(code, message);
        if result.as_ref().is_err_and(|refusal| refusal.code == ErrorCode::NotController) {
            self.cluster.refresh(&[]).await?;
        }
        Ok(result?)
    }

    fn timeout_ms(&self) -> i32 {
        i32::try_from(self.cluster.settings().request_timeout.as_millis()).unwrap_or(i32::MAX)
    }
}

/// A response without the one result that was asked for.
fn unanswered() -> ClientError {
    let message = Some("the broker's answer does not mention what was asked for".to_owned());
    Refusal { code: ErrorCode::UnknownServerError, message }.into()
}
