//! What became of a batch, and how those who sent its records hear of it.

use std::sync::{Arc, OnceLock};

use ottla_types::{ErrorCode, Offset};
use thiserror::Error;
use tokio::sync::Notify;

use crate::error::{ClientError, Refusal};

/// Why a record was not written, or is not known to be.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum ProduceError {
    /// The broker refused its batch.
    #[error("{partition}: {refusal}")]
    Refused {
        /// `topic-partition`.
        partition: Arc<str>,
        /// The broker's words.
        refusal: Refusal,
    },
    /// `delivery.timeout.ms` is over.
    #[error("{partition}: not delivered in time; the last error was: {last}")]
    TimedOut {
        /// `topic-partition`.
        partition: Arc<str>,
        /// What went wrong last.
        last: String,
    },
    /// An earlier batch of the partition failed, and an idempotent producer leaves no gap in its sequences (KIP-98).
    #[error("{partition}: an earlier batch failed, so nothing more is written there")]
    EarlierFailed {
        /// `topic-partition`.
        partition: Arc<str>,
    },
    /// The record is larger than `max.request.size`.
    #[error("a record of {bytes} bytes is larger than the {bytes_max} that a request may have")]
    RecordTooLarge {
        /// Its size.
        bytes: usize,
        /// The limit.
        bytes_max: usize,
    },
    /// The producer was closed.
    #[error("the producer is closed")]
    Closed,
    /// The topic cannot be written to at all.
    #[error(transparent)]
    Client(#[from] ClientError),
}

impl ProduceError {
    /// The broker's code, if a broker refused.
    #[must_use]
    pub const fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::Refused { refusal, .. } => Some(refusal.code),
            _ => None,
        }
    }
}

/// Where a record was written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Delivered {
    /// The partition.
    pub partition: i32,
    /// The offset. `None` with acks=0, and where the broker only says that it has the batch already.
    pub offset: Option<Offset>,
}

/// What became of a whole batch: the offset of its first record, if the broker says it.
pub(crate) type BatchResult = Result<Option<Offset>, ProduceError>;

/// Shared by a batch and the deliveries of its records. Set once.
#[derive(Debug)]
pub(crate) struct Outcome {
    partition: i32,
    pub(super) result: OnceLock<BatchResult>,
    settled: Notify,
}

impl Outcome {
    pub(crate) fn new(partition: i32) -> Arc<Self> {
        Arc::new(Self { partition, result: OnceLock::new(), settled: Notify::new() })
    }

    pub(crate) fn settle(&self, result: BatchResult) {
        if self.result.set(result).is_ok() {
            self.settled.notify_waiters();
        }
    }

    pub(crate) async fn wait(&self) -> &BatchResult {
        loop {
            // Asked for before the look, so that what is settled in between is noticed.
            let mut settled = std::pin::pin!(self.settled.notified());
            settled.as_mut().enable();
            if let Some(result) = self.result.get() {
                return result;
            }
            settled.await;
        }
    }
}

/// A record on its way. Dropping it forgets what becomes of the record, not the record.
#[derive(Debug)]
pub struct Delivery {
    pub(crate) outcome: Arc<Outcome>,
    /// The record's place in its batch.
    pub(crate) index: i32,
}

impl Delivery {
    /// The partition that the record goes to.
    #[must_use]
    pub fn partition(&self) -> i32 {
        self.outcome.partition
    }

    /// Waits until the broker has the record, as `acks` says, or until it is certain that it will not.
    pub async fn wait(self) -> Result<Delivered, ProduceError> {
        let base = self.outcome.wait().await.clone()?;
        let offset = base.map(|base| base.plus(i64::from(self.index)));
        Ok(Delivered { partition: self.outcome.partition, offset })
    }
}
