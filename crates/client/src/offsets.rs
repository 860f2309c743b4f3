//! Offsets by place or by time (ListOffsets): where a log starts and ends, where a moment is.

use std::collections::BTreeMap;

use ottla_protocol::ApiKey;
use ottla_protocol::list_offsets::{ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic};
use ottla_types::{BrokerId, ErrorCode, Offset, Timestamp};

use crate::cluster::Cluster;
use crate::error::{ClientError, Refusal};

/// Which offset is looked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OffsetSpec {
    /// The first that is there.
    Earliest,
    /// The one that the next record will get (the high watermark).
    Latest,
    /// That of the first record whose timestamp is not before this one; the end if there is none.
    Timestamp(Timestamp),
}

impl OffsetSpec {
    const fn wire(self) -> i64 {
        match self {
            Self::Earliest => -2,
            Self::Latest => -1,
            Self::Timestamp(timestamp) => timestamp.0,
        }
    }
}

impl Cluster {
    /// One offset for each of the given partitions of a topic.
    pub async fn offsets(
        &self,
        topic: &str,
        wanted: &[(i32, OffsetSpec)],
    ) -> Result<BTreeMap<i32, Offset>, ClientError> {
        let mut found = BTreeMap::new();
        self.retry("asking for offsets", async || {
            let open: Vec<_> = wanted.iter().filter(|(index, _)| !found.contains_key(index)).copied().collect();
            let mut last = None;
            for (leader, partitions) in self.by_leader(topic, &open).await? {
                match self.offsets_at(topic, leader, &partitions, &mut found).await {
                    Err(error) if error.is_retriable() => last = Some(error),
                    result => result?,
                }
            }
            match last {
                Some(error) => {
                    self.refresh(&[topic]).await?;
                    Err(error)
                }
                None => Ok(()),
            }
        })
        .await?;
        // A time after the last record has no offset; the end stands for it.
        let late: Vec<_> = found.iter().filter(|(_, offset)| offset.0 < 0).map(|(index, _)| *index).collect();
        if !late.is_empty() {
            let ends: Vec<_> = late.into_iter().map(|index| (index, OffsetSpec::Latest)).collect();
            found.extend(Box::pin(self.offsets(topic, &ends)).await?);
        }
        Ok(found)
    }

    async fn by_leader(
        &self,
        topic: &str,
        wanted: &[(i32, OffsetSpec)],
    ) -> Result<BTreeMap<BrokerId, Vec<(i32, OffsetSpec)>>, ClientError> {
        let topic = self.topic(topic).await?;
        let mut by_leader: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for &(index, spec) in wanted {
            match topic.partition(index)?.leader {
                Some(leader) => by_leader.entry(leader).or_default().push((index, spec)),
                None => {
                    self.refresh(&[&topic.name]).await?;
                    let message = Some(format!("{}-{index} has no leader", topic.name));
                    return Err(Refusal { code: ErrorCode::LeaderNotAvailable, message }.into());
                }
            }
        }
        Ok(by_leader)
    }

    async fn offsets_at(
        &self,
        topic: &str,
        leader: BrokerId,
        wanted: &[(i32, OffsetSpec)],
        found: &mut BTreeMap<i32, Offset>,
    ) -> Result<(), ClientError> {
        let connection = self.connection(leader).await?;
        let partitions = wanted.iter().map(|(index, spec)| ListOffsetsPartition {
            partition_index: *index,
            timestamp: spec.wire(),
            ..ListOffsetsPartition::default()
        });
        let request = ListOffsetsRequest {
            replica_id: BrokerId::NONE.0,
            isolation_level: 0,
            topics: vec![ListOffsetsTopic { name: topic.to_owned(), partitions: partitions.collect() }],
            timeout_ms: i32::try_from(self.settings().request_timeout.as_millis()).unwrap_or(i32::MAX),
        };
        let version = connection.version(ApiKey::ListOffsets)?;
        let response = connection.begin(version, &request).await?.answer().await?;
        let mut result = Ok(());
        for partition in response.topics.iter().flat_map(|topic| &topic.partitions) {
            let index = partition.partition_index;
            match Refusal::check(partition.error_code, Some(format!("{topic}-{index}"))) {
                Ok(()) => drop(found.insert(index, Offset(partition.offset))),
                Err(refusal) => result = Err(refusal.into()),
            }
        }
        result
    }
}
