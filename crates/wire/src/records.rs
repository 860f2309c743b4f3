//! What Kafka persists in bytes of its own: the records inside the batches of its internal topics, and the few that
//! clients and brokers hand each other as opaque bytes.
//!
//! | module | where the records are | how each is framed |
//! |---|---|---|
//! | [`group`] | `__consumer_offsets`: what the group coordinator knows | [`read_key`], [`read_versioned`] |
//! | [`transaction`] | `__transaction_state`, and the markers that end transactions in every log | [`read_key`], [`read_versioned`]; [`read_versioned_leniently`] for markers |
//! | [`share`] | `__share_group_state`: what the share coordinator knows | [`read_key`], [`read_versioned`] |
//! | [`cluster`] | `__cluster_metadata` and its snapshots | [`read_frame_head`] |
//! | [`quorum`] | control records of the same log | [`read_versioned_leniently`] for keys, [`read_self_versioned`] for values |
//! | [`client`] | inside requests: subscriptions, assignments, principals | [`read_versioned_leniently`]; [`read_versioned`] for principals |
//! | [`remote_log`] | `__remote_log_metadata`: what is in tiered storage | [`read_frame_head`] |
//!
//! The Rust is generated from `schemas/`: one `*.record` file per kind, in the notation that the `protocol` crate's
//! `schemas/README.md` describes.
//!
//! [`read_key`]: crate::framing::read_key
//! [`read_versioned`]: crate::framing::read_versioned
//! [`read_versioned_leniently`]: crate::framing::read_versioned_leniently
//! [`read_self_versioned`]: crate::framing::read_self_versioned
//! [`read_frame_head`]: crate::framing::read_frame_head

pub use crate::generated::{client, cluster, group, quorum, remote_log, share, transaction};
