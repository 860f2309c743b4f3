//! The quorum as the broker sees it: open, propose, look, watch, shut down.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use openraft::async_runtime::WatchReceiver;
use openraft::{Raft, ServerState, SnapshotPolicy};
use ottla_metadata::{Fact, Image, Position};
use ottla_runtime::{Lane, Runtime};
use ottla_storage::disk::Disk;
use ottla_types::BrokerId;
use tokio::sync::{mpsc, oneshot, watch};

use crate::fault::FirstFault;
use crate::journal::Journal;
use crate::log_store::LogStore;
use crate::machine::{Machine, Published};
use crate::peers::Peers;
use crate::propose::{Committed, Proposal, ProposeRefused, Proposer};
use crate::raft::{Types, broker_id, raft_id, seeded};
use crate::snapshot::SnapshotFile;
use crate::vote::VoteFile;
use crate::{QuorumFault, Standing, Term, Voter, spare};

/// Proposals that may wait for their turn; further callers wait to be let in.
const PROPOSALS_MAX: usize = 16;

/// Who hears that the quorum has stopped.
type Stopped = oneshot::Sender<Result<(), QuorumFault>>;
type Stopping = mpsc::Receiver<Stopped>;

/// How a node takes part.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Options {
    /// This node: its `node.id`, 0 or more.
    pub node: BrokerId,
    /// Entries after which a new snapshot is written. Default: 10,000.
    pub snapshot_entries: u64,
    /// Entries that stay in the log although the snapshot holds them, for a follower that is a little behind. Whole
    /// segments are removed, so more may stay. Default: 1,000.
    pub keep_entries: u64,
    /// The most bytes of a segment of the log, and so the unit in which it forgets. At least twice
    /// [`ENTRY_BYTES_MAX`](crate::ENTRY_BYTES_MAX), or large entries do not fit. Default: 64 MiB.
    pub segment_bytes: u32,
    /// How long a follower goes without hearing of its leader before it stands for election; at random up to twice as
    /// long. At least a second. A quorum of one holds its election at once. Default: 2 s.
    pub election_timeout: Duration,
}

impl Options {
    /// The defaults for `node`.
    #[must_use]
    pub const fn new(node: BrokerId) -> Self {
        Self {
            node,
            snapshot_entries: 10_000,
            keep_entries: 1_000,
            segment_bytes: 64 * 1024 * 1024,
            election_timeout: Duration::from_secs(2),
        }
    }

    /// As openraft has it.
    fn raft_config(&self) -> Arc<openraft::Config> {
        let election_ms = u64::try_from(self.election_timeout.as_millis()).unwrap_or(u64::MAX / 4).max(1000);
        let config = openraft::Config {
            cluster_name: "ottla-metadata".to_owned(),
            election_timeout_min: election_ms,
            election_timeout_max: election_ms * 2,
            heartbeat_interval: election_ms / 4,
            snapshot_policy: SnapshotPolicy::LogsSinceLast(self.snapshot_entries.max(1)),
            max_in_snapshot_log_to_keep: self.keep_entries,
            // The clock of elections and heartbeats stands still until there is somebody else: an idle quorum of one
            // wakes nobody.
            enable_tick: false,
            enable_pre_vote: Some(true),
            // A leader that comes back in its old term could write a second entry where a power loss took the first.
            enable_leader_restore: Some(false),
            ..openraft::Config::default()
        };
        Arc::new(config.validate().expect("the timeouts are in order: a quarter, one, two"))
    }
}

/// A node's part in the metadata quorum. Dropped, it stops as [`Quorum::shutdown`] would, but nobody waits for it.
#[derive(Debug)]
pub struct Quorum {
    published: Arc<Published>,
    proposals: mpsc::Sender<Proposal>,
    stop: mpsc::Sender<Stopped>,
    faults: FirstFault,
}

impl Quorum {
    /// Opens the log in `directory`. An empty or missing directory becomes a new quorum with this node as its one voter;
    /// the directory above it must be there for good.
    ///
    /// Where this node is the one voter, it leads when this returns, in a term that it never led in before, and
    /// [`Quorum::image`] holds all that was ever committed. All tasks run on the control lane.
    pub async fn open(
        runtime: &Runtime,
        disk: Arc<dyn Disk>,
        directory: &Path,
        options: Options,
    ) -> Result<Self, Arc<QuorumFault>> {
        let (answer, answered) = oneshot::channel();
        let faults = FirstFault::default();
        let opening = Opening {
            runtime: runtime.clone(),
            disk,
            directory: directory.to_owned(),
            options,
            faults: faults.clone(),
        };
        let seed = runtime.random.bits();
        // openraft spawns on the executor that it finds itself on, so that must be the control lane's.
        runtime.spawn(
            Lane::Control,
            seeded(seed, async move {
                // If nobody waits any more, the quorum is dropped and stops.
                let _ = answer.send(opening.run().await);
            }),
        );
        answered.await.unwrap_or_else(|_| Err(faults.or_raft("the control lane has stopped")))
    }

    /// The cluster as this node knows it. One atomic load; what comes later does not change it.
    #[must_use]
    pub fn image(&self) -> Arc<Image> {
        self.published.image.load_full()
    }

    /// Who leads and how far the image has come, now and at every change.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<Standing> {
        self.published.standing.subscribe()
    }

    /// Commits `facts` as one entry, all or none of them, in `expected_term` and in no other. Returns once
    /// [`Quorum::image`] holds them.
    ///
    /// Proposals are written one after another, and checked against the image that the entries before them left, so
    /// that nothing impossible gets into the log. A caller that stops waiting has proposed all the same.
    pub async fn propose(&self, expected_term: Term, facts: Vec<Fact>) -> Result<Committed, ProposeRefused> {
        let (answer, answered) = oneshot::channel();
        let stopped = |()| ProposeRefused::Stopped(self.faults.or_raft("it was shut down"));
        self.proposals.send(Proposal { expected_term, facts, answer }).await.map_err(|_| stopped(()))?;
        answered.await.unwrap_or_else(|_| Err(stopped(())))
    }

    /// Stops taking part, once what is being written is on disk.
    pub async fn shutdown(&self) -> Result<(), Arc<QuorumFault>> {
        let (answer, answered) = oneshot::channel();
        let sent = self.stop.send(answer).await;
        match (sent, answered.await) {
            (Ok(()), Ok(closed)) => closed.map_err(Arc::new),
            _ => Err(self.faults.or_raft("it was shut down before")),
        }
    }
}

/// All that opening needs, in the task that does it.
struct Opening {
    runtime: Runtime,
    disk: Arc<dyn Disk>,
    directory: PathBuf,
    options: Options,
    faults: FirstFault,
}

impl Opening {
    async fn run(self) -> Result<Quorum, Arc<QuorumFault>> {
        let opened = self.start().await;
        opened.map_err(|fault| {
            self.faults.report(fault);
            self.faults.or_raft("")
        })
    }

    async fn start(&self) -> Result<Quorum, QuorumFault> {
        self.make_directory().await?;
        spare::give_back(&*self.disk, &self.directory).await;
        let snapshots = SnapshotFile::new(self.disk.clone(), &self.directory);
        let log_store = self.open_log(&snapshots).await?;
        let published = Published::new();
        let machine = Machine::new(published.clone(), snapshots, self.faults.clone());
        let node = raft_id(self.options.node);
        let config = self.options.raft_config();
        let raft = Raft::new(node, config, Peers, log_store.clone(), machine).await.map_err(raft_fault)?;
        let alone = self.take_part(&raft).await?;
        let mut standing = published.standing.subscribe();
        let (proposals, proposed) = mpsc::channel(PROPOSALS_MAX);
        let (stop, stopping) = mpsc::channel(1);
        let proposer = Proposer::new(raft.clone(), log_store.clone(), published.clone(), self.faults.clone());
        tokio::spawn(proposer.run(proposed));
        let place = (self.disk.clone(), self.directory.clone());
        tokio::spawn(follow(raft, log_store, place, published.clone(), self.faults.clone(), stopping));
        if alone {
            let settled = standing.wait_for(|now| now.leading.is_some() || now.stopped.is_some()).await;
            let stopped =
                settled.map(|now| now.stopped.clone()).map_err(|error| QuorumFault::Raft(error.to_string()))?;
            if let Some(fault) = stopped {
                return Err(QuorumFault::Raft(fault.to_string()));
            }
        }
        spare::keep(&*self.disk, &self.directory).await;
        Ok(Quorum { published, proposals, stop, faults: self.faults.clone() })
    }

    async fn make_directory(&self) -> Result<(), QuorumFault> {
        let (disk, directory) = (&self.disk, &self.directory);
        disk.create_directory(directory).await.map_err(QuorumFault::disk(directory, "make the directory"))?;
        if let Some(above) = directory.parent() {
            disk.sync_directory(above).await.map_err(QuorumFault::disk(above, "sync the directory"))?;
        }
        Ok(())
    }

    async fn open_log(&self, snapshots: &SnapshotFile) -> Result<LogStore, QuorumFault> {
        let (disk, directory) = (self.disk.clone(), &self.directory);
        // What is in a snapshot was committed, and so it was durable.
        let last = snapshots.read().await?.and_then(|(meta, _)| meta.last_log_id);
        let durable = last.map_or(0, |last| last.index() + 1);
        let clock = self.runtime.clock.clone();
        let journal = Journal::open(disk.clone(), directory, self.options.segment_bytes, durable, clock).await?;
        LogStore::open(journal, VoteFile::new(disk, directory), directory, self.faults.clone()).await
    }

    /// Forms the quorum if there is none, and stands for election if nobody else could. Whether nobody could.
    async fn take_part(&self, raft: &Raft<Types, Machine>) -> Result<bool, QuorumFault> {
        let node = raft_id(self.options.node);
        if !raft.is_initialized().await.map_err(raft_fault)? {
            raft.initialize(std::collections::BTreeSet::from([node])).await.map_err(raft_fault)?;
        }
        let voters: Vec<u64> = raft
            .with_raft_state(|state| state.membership_state.effective().voter_ids().collect())
            .await
            .map_err(raft_fault)?;
        if voters.is_empty() {
            let what = "the log is empty, but a vote was cast: the log was lost".to_owned();
            return Err(QuorumFault::Log { directory: self.directory.clone(), what });
        }
        if !voters.contains(&node) {
            let voters = voters.into_iter().map(broker_id).collect();
            let (directory, node) = (self.directory.clone(), self.options.node);
            return Err(QuorumFault::NotAVoter { directory, node, voters });
        }
        let alone = voters.len() == 1;
        if alone {
            raft.trigger().elect(false).await.map_err(raft_fault)?;
        } else {
            raft.runtime_config().tick(true);
        }
        Ok(alone)
    }
}

fn raft_fault(error: impl ToString) -> QuorumFault {
    QuorumFault::Raft(error.to_string())
}

/// Tells what openraft says of itself to those who watch, until it stops or is to stop.
async fn follow(
    raft: Raft<Types, Machine>,
    log_store: LogStore,
    (disk, directory): (Arc<dyn Disk>, PathBuf),
    published: Arc<Published>,
    faults: FirstFault,
    mut stopping: Stopping,
) {
    let mut metrics = raft.metrics();
    let answer = loop {
        let now = rank(&metrics.borrow_watched(), &faults);
        published.standing.send_if_modified(|standing| {
            let changed = !standing.same_rank(&now);
            *standing = Standing { applied: standing.applied, ..now };
            changed
        });
        tokio::select! {
            biased;
            // None: the handle was dropped, and nobody waits for an answer.
            stop = stopping.recv() => break stop,
            changed = metrics.changed() => if changed.is_err() { break gone(&published, &faults, &mut stopping).await },
        }
    };
    log_store.stop_waiting();
    let stopped = raft.shutdown().await.map_err(raft_fault);
    let closed = log_store.close().await;
    // What the log held back is free now.
    spare::keep(&*disk, &directory).await;
    if let Some(answer) = answer {
        let _ = answer.send(stopped.and(closed));
    }
}

/// openraft's core has ended without being asked to. Says so, and waits to be stopped.
async fn gone(published: &Published, faults: &FirstFault, stopping: &mut Stopping) -> Option<Stopped> {
    published.standing.send_modify(|standing| {
        (standing.leading, standing.leader) = (None, None);
        standing.stopped.get_or_insert_with(|| faults.or_raft("its core has ended"));
    });
    stopping.recv().await
}

/// What openraft says of itself, without the position.
fn rank(metrics: &openraft::RaftMetrics<Types>, faults: &FirstFault) -> Standing {
    let applied_term = metrics.last_applied.as_ref().map(|id| crate::raft::position(id).term);
    let term = metrics.vote.leader_id.term;
    // The blank entry that begins a term is applied after all that earlier terms committed.
    let leads = metrics.state == ServerState::Leader && metrics.vote.committed && applied_term == Some(term);
    let stopped = metrics.running_state.as_ref().err().map(|fatal| faults.or_raft(fatal));
    let node = metrics.id;
    let log_end = |voter: u64| match &metrics.replication {
        _ if voter == node => Some(metrics.last_log_index.map_or(0, |index| index + 1)),
        Some(logs) => logs.get(&voter).and_then(|last| last.as_ref()).map(|last| last.index() + 1),
        None => None,
    };
    let voters = metrics.membership_config.membership().voter_ids();
    Standing {
        term: Term(term),
        voters: voters.map(|voter| Voter { id: broker_id(voter), log_end: log_end(voter) }).collect(),
        leading: (leads && stopped.is_none()).then_some(Term(term)),
        leader: metrics.current_leader.map(broker_id),
        applied: Position::default(),
        stopped,
    }
}
