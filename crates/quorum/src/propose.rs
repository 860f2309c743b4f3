//! Proposals: one after another, checked before they are written, written in one term or not at all.

use std::sync::Arc;

use openraft::Raft;
use openraft::errors::ClientWriteError;
use openraft::impls::OneshotResponder;
use ottla_metadata::{Fact, ImpossibleFact, Position, encode_facts};
use ottla_types::BrokerId;
use tokio::sync::{mpsc, oneshot};

use crate::fault::FirstFault;
use crate::log_store::LogStore;
use crate::machine::{Machine, Published};
use crate::raft::{CommittedLeaderId, Facts, Types, broker_id, position};
use crate::{QuorumFault, Term};

/// The most bytes that the facts of one entry may take: a topic of two hundred thousand partitions fits.
pub const ENTRY_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Facts that every node will apply.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Committed {
    /// The entry that holds them.
    pub position: Position,
}

/// Why facts were not committed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ProposeRefused {
    /// This node does not lead in that term. Nothing was written.
    #[error("this node does not lead in term {expected}")]
    NotLeading {
        /// The term that was asked for.
        expected: Term,
        /// The node that leads now, if known.
        leader: Option<BrokerId>,
    },
    /// A fact does not fit the image. Nothing was written.
    #[error("fact {number} of the proposal: {source}")]
    Impossible {
        /// The fact's place in the proposal, counted from 0.
        number: usize,
        /// Why it cannot be.
        source: ImpossibleFact,
    },
    /// The facts are more than [`ENTRY_BYTES_MAX`]. Nothing was written.
    #[error("a proposal of {bytes} bytes; {ENTRY_BYTES_MAX} are allowed")]
    TooLarge {
        /// How many bytes they take.
        bytes: usize,
    },
    /// The device of the log is full. Nothing was written.
    #[error("no room for the metadata: {0}")]
    NoRoom(Arc<QuorumFault>),
    /// The facts were written, then another leader's log took their place. They may be committed or not.
    #[error("leadership changed while the facts were being committed; whether they are is not known")]
    Discarded,
    /// The quorum has stopped on this node. Facts that were being written may be committed or not.
    #[error("the quorum has stopped: {0}")]
    Stopped(Arc<QuorumFault>),
}

/// A proposal on its way to the task that writes it.
#[derive(Debug)]
pub(crate) struct Proposal {
    pub(crate) expected_term: Term,
    pub(crate) facts: Vec<Fact>,
    pub(crate) answer: oneshot::Sender<Result<Committed, ProposeRefused>>,
}

/// Writes proposals.
pub(crate) struct Proposer {
    raft: Raft<Types, Machine>,
    log_store: LogStore,
    published: Arc<Published>,
    faults: FirstFault,
}

impl Proposer {
    pub(crate) const fn new(
        raft: Raft<Types, Machine>,
        log_store: LogStore,
        published: Arc<Published>,
        faults: FirstFault,
    ) -> Self {
        Self { raft, log_store, published, faults }
    }

    /// Serves proposals until nobody can send any.
    pub(crate) async fn run(self, mut proposals: mpsc::Receiver<Proposal>) {
        while let Some(Proposal { expected_term, facts, answer }) = proposals.recv().await {
            // Whoever does not wait any more does not hear.
            let _ = answer.send(self.write(expected_term, facts).await);
        }
    }

    async fn write(&self, expected: Term, facts: Vec<Fact>) -> Result<Committed, ProposeRefused> {
        self.check(expected, &facts)?;
        let bytes = encode_facts(&facts).len();
        if bytes > ENTRY_BYTES_MAX {
            return Err(ProposeRefused::TooLarge { bytes });
        }
        // Before openraft has it, for what openraft has it must be able to write.
        self.log_store.set_aside(bytes).await.map_err(|fault| ProposeRefused::NoRoom(Arc::new(fault)))?;
        let (responder, written) = OneshotResponder::new_pair();
        let request = self.raft.write(Facts(facts.into())).with_leader(CommittedLeaderId::from(expected.0));
        request.responder(responder).await.map_err(|fatal| self.stopped(fatal))?;
        match written.await {
            Ok(Ok(response)) => Ok(Committed { position: position(&response.log_id) }),
            Ok(Err(ClientWriteError::ForwardToLeader(forward))) => {
                Err(ProposeRefused::NotLeading { expected, leader: forward.leader_id.map(broker_id) })
            }
            Ok(Err(ClientWriteError::LogEntryDiscarded(_))) => Err(ProposeRefused::Discarded),
            // Neither a change of members nor a condition was asked for.
            Ok(Err(error)) => Err(self.stopped(error)),
            Err(_) => Err(self.stopped("it went away while facts were being written")),
        }
    }

    /// Whether the facts can be true. As long as this node leads in `expected`, nobody else writes and the proposal
    /// before this one is applied, so the published image is the one that the facts will meet.
    fn check(&self, expected: Term, facts: &[Fact]) -> Result<(), ProposeRefused> {
        let standing = self.published.standing.borrow().clone();
        if let Some(fault) = standing.stopped {
            return Err(ProposeRefused::Stopped(fault));
        }
        if standing.leading != Some(expected) {
            return Err(ProposeRefused::NotLeading { expected, leader: standing.leader });
        }
        let mut image = (**self.published.image.load()).clone();
        for (number, fact) in facts.iter().enumerate() {
            image.apply(fact).map_err(|source| ProposeRefused::Impossible { number, source })?;
        }
        Ok(())
    }

    fn stopped(&self, error: impl ToString) -> ProposeRefused {
        ProposeRefused::Stopped(self.faults.or_raft(error))
    }
}
