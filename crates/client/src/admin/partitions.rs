//! Partitions added, and records deleted from them.

use ottla_protocol::create_partitions::{CreatePartitionsRequest, CreatePartitionsTopic};
use ottla_protocol::delete_records::{DeleteRecordsPartition, DeleteRecordsRequest, DeleteRecordsTopic};
use ottla_types::{ErrorCode, Offset};

use super::{Admin, unanswered};
use crate::error::{ClientError, Refusal};

/// What stands for the end of the log in DeleteRecords.
const HIGH_WATERMARK: Offset = Offset(-1);

impl Admin {
    /// Adds partitions to a topic until it has `count`.
    pub async fn create_partitions(&self, topic: &str, count: i32) -> Result<(), ClientError> {
        let request = CreatePartitionsRequest {
            topics: vec![CreatePartitionsTopic { name: topic.to_owned(), count, assignments: None }],
            timeout_ms: self.timeout_ms(),
            validate_only: false,
        };
        self.cluster
            .retry("adding partitions", async || {
                let connection = self.cluster.controller_connection().await?;
                let response = connection.ask(&request).await?;
                let result = response.results.into_iter().next().ok_or_else(unanswered)?;
                if result.error_code == ErrorCode::UnknownTopicOrPartition.raw() {
                    return Err(ClientError::UnknownTopic(topic.to_owned()));
                }
                self.settle(result.error_code, result.error_message).await
            })
            .await
    }

    /// Deletes the records of a partition before `offset`, or all of them. Answers where the log starts then.
    pub async fn delete_records(
        &self,
        topic: &str,
        partition: i32,
        before: Option<Offset>,
    ) -> Result<Offset, ClientError> {
        let wanted = DeleteRecordsPartition { partition_index: partition, offset: before.unwrap_or(HIGH_WATERMARK).0 };
        let topics = vec![DeleteRecordsTopic { name: topic.to_owned(), partitions: vec![wanted] }];
        let request = DeleteRecordsRequest { topics, timeout_ms: self.timeout_ms() };
        self.cluster
            .retry("deleting records", async || {
                let known = self.cluster.topic(topic).await?;
                let leader = known
                    .partition(partition)?
                    .leader
                    .ok_or(Refusal { code: ErrorCode::LeaderNotAvailable, message: None })?;
                let connection = self.cluster.connection(leader).await?;
                let response = connection.ask(&request).await?;
                let mut results = response.topics.into_iter().flat_map(|topic| topic.partitions);
                let result = results.next().ok_or_else(unanswered)?;
                if let Err(refusal) = Refusal::check(result.error_code, None) {
                    if refusal.is_retriable() {
                        self.cluster.refresh(&[topic]).await?;
                    }
                    return Err(refusal.into());
                }
                Ok(Offset(result.low_watermark))
            })
            .await
    }
}
