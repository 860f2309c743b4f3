//! The way to a group's offsets: a connection of its own, since the membership's may wait for others to join, and those
//! of records for records. One commit goes after the other, so that none is overtaken by an older one.

use std::sync::Arc;

use ottla_types::{ErrorCode, LeaderEpoch, Offset};
use tokio::sync::Mutex;

use super::PartitionKey;
use super::task::Shared;
use crate::cluster::Cluster;
use crate::connection::Connection;
use crate::coordinator::{CommittedOffset, GroupOffsets, commit_offsets, fetch_offsets};
use crate::error::{ClientError, Refusal};

/// The way. Clones share one connection.
#[derive(Clone, Debug)]
pub(super) struct OffsetsLink {
    cluster: Cluster,
    group: String,
    shared: Arc<Shared>,
    connection: Arc<Mutex<Option<Connection>>>,
}

impl OffsetsLink {
    pub(super) fn new(cluster: Cluster, group: String, shared: Arc<Shared>) -> Self {
        Self { cluster, group, shared, connection: Arc::default() }
    }

    pub(super) fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// What a commit of `offset` says.
    pub(super) fn committed(&self, (topic, index): &PartitionKey, offset: Offset) -> CommittedOffset {
        let topic = self.cluster.known_topic(topic);
        let epoch = topic.and_then(|topic| topic.partition(*index).ok().map(|partition| partition.leader_epoch));
        CommittedOffset { leader_epoch: epoch.unwrap_or(LeaderEpoch::UNKNOWN), ..CommittedOffset::at(offset) }
    }

    /// What the group has committed of these partitions.
    pub(super) async fn fetch(&self, wanted: &[PartitionKey]) -> Result<GroupOffsets, ClientError> {
        let mut place = self.connection.lock().await;
        let mut patience = self.cluster.patience("asking for committed offsets");
        loop {
            let asked = match self.open(&mut place).await {
                Ok(connection) => fetch_offsets(connection, &self.group, &self.shared.identity(), Some(wanted)).await,
                Err(error) => Err(error),
            };
            match asked {
                Err(error) => patience.after(judged(error, &mut place)).await?,
                done => return done,
            }
        }
    }

    /// Commits, as whom the member is at each attempt.
    pub(super) async fn commit(&self, offsets: &GroupOffsets) -> Result<(), ClientError> {
        let mut place = self.connection.lock().await;
        let mut patience = self.cluster.patience("committing");
        loop {
            let asked = match self.open(&mut place).await {
                Ok(connection) => commit_offsets(connection, &self.group, &self.shared.identity(), offsets).await,
                Err(error) => Err(error),
            };
            match asked {
                Err(error) => patience.after(judged(error, &mut place)).await?,
                done => return done,
            }
        }
    }

    /// The connection to whoever keeps the group now.
    async fn open<'a>(&self, place: &'a mut Option<Connection>) -> Result<&'a Connection, ClientError> {
        let open = place.take().filter(|connection| connection.fault().is_none());
        let connection = match open {
            Some(connection) => connection,
            None => {
                let coordinator = self.cluster.find_coordinator(&self.group).await?;
                let (runtime, settings) = (self.cluster.runtime(), self.cluster.settings());
                Connection::open(runtime, &coordinator.address, settings).await?
            }
        };
        Ok(place.insert(connection))
    }
}

/// Forgets a coordinator that is none any more, and tells what may be tried again.
fn judged(error: ClientError, place: &mut Option<Connection>) -> ClientError {
    let ClientError::Refused(refusal) = error else { return error };
    match refusal.code {
        ErrorCode::NotCoordinator | ErrorCode::CoordinatorNotAvailable => *place = None,
        // The next heartbeat brings another epoch (KIP-848).
        ErrorCode::StaleMemberEpoch => {
            return Refusal { code: ErrorCode::CoordinatorLoadInProgress, ..refusal }.into();
        }
        _ => {}
    }
    refusal.into()
}
