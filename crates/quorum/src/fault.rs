//! What can go wrong beneath the quorum. Each of these stops the node, but for a full device: a broker without its metadata
//! log is none.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ottla_metadata::{ImpossibleFact, Position, UnreadableFact};
use ottla_storage::{StorageFault, remedy};
use ottla_types::BrokerId;
use parking_lot::Mutex;

use crate::UnreadableEntry;

/// Why the quorum does not start, or has stopped.
#[derive(Debug, thiserror::Error)]
pub enum QuorumFault {
    /// The disk refused.
    #[error("{}: cannot {doing}: {source}{}", path.display(), remedy(source))]
    Disk {
        /// The file or directory.
        path: PathBuf,
        /// What was tried.
        doing: &'static str,
        /// What the disk said.
        source: io::Error,
    },
    /// The log beneath refused, or is damaged.
    #[error(transparent)]
    Storage(#[from] StorageFault),
    /// The file of the vote is damaged, or does not fit the log. Going on could elect two leaders for one term.
    #[error("{}: {what}", path.display())]
    Vote {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// The snapshot is damaged, or a newer version wrote it.
    #[error("{}, byte {position}: {what}", path.display())]
    Snapshot {
        /// The file.
        path: PathBuf,
        /// Where in the file.
        position: u64,
        /// What is wrong there.
        what: String,
    },
    /// An entry of the log cannot be read.
    #[error("{}: entry {index}: {source}", directory.display())]
    Entry {
        /// The log's directory.
        directory: PathBuf,
        /// The entry's index.
        index: u64,
        /// What is wrong with it.
        source: UnreadableEntry,
    },
    /// The log breaks one of the rules that openraft relies on.
    #[error("{}: {what}", directory.display())]
    Log {
        /// The log's directory.
        directory: PathBuf,
        /// Which rule, and how.
        what: String,
    },
    /// A committed entry holds a fact that cannot be: this node and those that committed it disagree about the past.
    #[error("entry {position}, fact {number}: {source}")]
    Impossible {
        /// Where the entry is.
        position: Position,
        /// The fact's place within the entry, counted from 0.
        number: usize,
        /// Why it cannot be.
        source: ImpossibleFact,
    },
    /// The directory belongs to a quorum in which this node has no vote.
    #[error("{}: node {node} is no voter here; the voters are {voters:?}", directory.display())]
    NotAVoter {
        /// The log's directory.
        directory: PathBuf,
        /// This node.
        node: BrokerId,
        /// Who the voters are.
        voters: Vec<BrokerId>,
    },
    /// openraft has stopped by itself.
    #[error("raft has stopped: {0}")]
    Raft(String),
}

impl QuorumFault {
    /// Turns an error of the disk into a fault: for `map_err`.
    pub(crate) fn disk(path: &Path, doing: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Disk { path: path.to_owned(), doing, source }
    }

    /// Whether there is no room for what was to be written, and nothing else is wrong. A sync that says so is none of these.
    pub(crate) fn is_full(&self) -> bool {
        match self {
            Self::Storage(fault) => fault.is_full(),
            Self::Disk { doing, source, .. } => {
                let full = matches!(source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
                full && *doing != "sync"
            }
            _ => false,
        }
    }

    /// A snapshot whose facts do not read.
    pub(crate) fn unreadable_snapshot(path: &Path, position: u64, error: &UnreadableFact) -> Self {
        Self::Snapshot { path: path.to_owned(), position, what: format!("in the facts, {error}") }
    }
}

/// Remembers the first fault. openraft's storage traits speak `io::Error` and its own errors keep only text, so the
/// fault itself goes this way around.
#[derive(Clone, Debug, Default)]
pub(crate) struct FirstFault(Arc<Mutex<Option<Arc<QuorumFault>>>>);

impl FirstFault {
    /// Keeps the fault if it is the first, and words it for openraft.
    pub(crate) fn report(&self, fault: QuorumFault) -> io::Error {
        tracing::error!(%fault, "the quorum stops");
        let error = io::Error::other(fault.to_string());
        self.0.lock().get_or_insert_with(|| Arc::new(fault));
        error
    }

    /// The first fault, or what openraft says.
    pub(crate) fn or_raft(&self, error: impl ToString) -> Arc<QuorumFault> {
        self.0.lock().get_or_insert_with(|| Arc::new(QuorumFault::Raft(error.to_string()))).clone()
    }
}
