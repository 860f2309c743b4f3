//! Kafka's own metadata log (KRaft, KIP-500): read into facts when Ottla takes a directory of Kafka's over, and written
//! from an image when a copy is made for a Kafka to start on.
//!
//! Pure: bytes in, facts out, and back. Who opens the files is in `broker` (`takeover.rs`, `export.rs`).
//!
//! - [`Cluster`] is what such a log says: topics, settings, producer ids. `cluster` folds one record into it.
//! - `read` finds the records in batches, of a snapshot and of the log behind it, transactions included (KIP-868).
//! - `facts` says the same in Ottla's words, for the one node that takes over.
//! - `write` is the way back: an image as the records of a `bootstrap.checkpoint`, from which a new Kafka begins.

mod cluster;
mod facts;
mod read;
mod write;

pub use cluster::{Cluster, Partition, Topic};
pub use facts::NotAlone;
pub use read::{Reading, Unreadable};
pub use write::{Export, WriteError, bootstrap_checkpoint};
