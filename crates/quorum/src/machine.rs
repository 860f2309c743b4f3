//! The state machine that openraft drives: committed entries in, images out.
//!
//! It holds the image, the membership and how far both have come, and publishes a new image after each entry that
//! somebody waits for. Nothing of it is on disk but the snapshot; after a restart openraft loads that and applies the
//! log behind it again.
//!
//! A fact that is impossible stops the node. The image that was published last stays whole: entries are published as a
//! whole or not at all.

use std::io;
use std::sync::Arc;

use arc_swap::ArcSwap;
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use openraft::storage::{EntryResponder, RaftSnapshotBuilder, RaftStateMachine, Snapshot};
use openraft::{EntryPayload, OptionalSend};
use ottla_metadata::Image;
use tokio::sync::watch;

use crate::fault::FirstFault;
use crate::raft::{CommittedLeaderId, Entry, LogId, SnapshotMeta, StoredMembership, Types, position};
use crate::snapshot::{self, SnapshotFile};
use crate::{QuorumFault, Standing};

/// What the quorum shows to the rest of the broker.
#[derive(Debug)]
pub(crate) struct Published {
    /// The image as of the last entry that was applied and published.
    pub(crate) image: ArcSwap<Image>,
    /// Who leads, and how far this node has come.
    pub(crate) standing: watch::Sender<Standing>,
}

impl Published {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { image: ArcSwap::default(), standing: watch::Sender::new(Standing::default()) })
    }

    /// Shows `image` to everybody, then says so.
    fn publish(&self, image: &Image) {
        self.image.store(Arc::new(image.clone()));
        self.standing.send_modify(|standing| standing.applied = image.position());
    }
}

/// The fold, with what openraft needs to know of it.
pub(crate) struct Machine {
    image: Image,
    applied: Option<LogId>,
    membership: StoredMembership,
    published: Arc<Published>,
    snapshots: SnapshotFile,
    faults: FirstFault,
}

impl Machine {
    /// An empty machine; openraft fills it.
    pub(crate) fn new(published: Arc<Published>, snapshots: SnapshotFile, faults: FirstFault) -> Self {
        Self {
            image: Image::default(),
            applied: None,
            membership: StoredMembership::default(),
            published,
            snapshots,
            faults,
        }
    }

    fn apply_entry(&mut self, entry: &Entry) -> Result<(), QuorumFault> {
        let at = position(&entry.log_id);
        match &entry.payload {
            EntryPayload::Blank => {}
            EntryPayload::Membership(membership) => {
                self.membership = StoredMembership::new(Some(entry.log_id), membership.clone());
            }
            EntryPayload::Normal(facts) => {
                for (number, fact) in facts.0.iter().enumerate() {
                    self.image.apply(fact).map_err(|source| QuorumFault::Impossible {
                        position: at,
                        number,
                        source,
                    })?;
                }
            }
        }
        self.image.set_position(at);
        self.applied = Some(entry.log_id);
        Ok(())
    }

    fn meta(&self) -> SnapshotMeta {
        SnapshotMeta { last_log_id: self.applied, last_membership: self.membership.clone() }
    }
}

impl RaftStateMachine<Types> for Machine {
    type SnapshotData = Bytes;
    type SnapshotBuilder = SnapshotBuilder;

    async fn applied_state(&mut self) -> Result<(Option<LogId>, StoredMembership), io::Error> {
        Ok((self.applied, self.membership.clone()))
    }

    async fn apply<S>(&mut self, mut entries: S) -> Result<(), io::Error>
    where
        S: Stream<Item = Result<EntryResponder<Types>, io::Error>> + Unpin + OptionalSend,
    {
        while let Some(next) = entries.next().await {
            let (entry, responder) = next?;
            self.apply_entry(&entry).map_err(|fault| self.faults.report(fault))?;
            if let Some(responder) = responder {
                self.published.publish(&self.image);
                responder.send(());
            }
        }
        self.published.publish(&self.image);
        Ok(())
    }

    async fn get_snapshot_builder(&mut self) -> SnapshotBuilder {
        SnapshotBuilder {
            image: self.image.clone(),
            meta: self.meta(),
            snapshots: self.snapshots.clone(),
            faults: self.faults.clone(),
        }
    }

    async fn install_snapshot(&mut self, meta: &SnapshotMeta, snapshot: Bytes) -> Result<(), io::Error> {
        let path = self.snapshots.path();
        let read = snapshot::decode(&path, snapshot.clone()).await;
        let (image, _) = read.map_err(|fault| self.faults.report(fault))?;
        self.snapshots.save(meta, snapshot).await.map_err(|fault| self.faults.report(fault))?;
        self.image = image;
        self.applied = meta.last_log_id;
        self.membership = meta.last_membership.clone();
        self.published.publish(&self.image);
        Ok(())
    }

    async fn get_current_snapshot(&mut self) -> Result<Option<SnapshotOf>, io::Error> {
        let read = self.snapshots.read().await.map_err(|fault| self.faults.report(fault))?;
        Ok(read.map(|(meta, snapshot)| Snapshot { meta, snapshot }))
    }
}

/// A snapshot in openraft's terms.
type SnapshotOf = Snapshot<CommittedLeaderId, u64, openraft::impls::EmptyNode, Bytes>;

/// The image at one moment, to be written while the machine goes on.
pub(crate) struct SnapshotBuilder {
    image: Image,
    meta: SnapshotMeta,
    snapshots: SnapshotFile,
    faults: FirstFault,
}

impl RaftSnapshotBuilder<Types> for SnapshotBuilder {
    type SnapshotData = Bytes;

    async fn build_snapshot(&mut self) -> Result<SnapshotOf, io::Error> {
        let bytes = snapshot::encode(&self.image, &self.meta).await;
        match self.snapshots.save(&self.meta, bytes.clone()).await {
            Ok(()) => Ok(Snapshot { meta: self.meta.clone(), snapshot: bytes }),
            // The one that is there stays, and the log is kept as far back as it reaches: openraft takes an older snapshot
            // for no news, and asks again with the next entry.
            Err(fault) if fault.is_full() => {
                tracing::warn!(%fault, "no room for a snapshot of the metadata; the log is kept");
                let read = self.snapshots.read().await.map_err(|fault| self.faults.report(fault))?;
                let (meta, snapshot) = read.unwrap_or_default();
                Ok(Snapshot { meta, snapshot })
            }
            Err(fault) => Err(self.faults.report(fault)),
        }
    }
}
