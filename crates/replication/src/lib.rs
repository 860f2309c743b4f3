//! One partition as its leader sees it: who is in sync, what is safe, what may be shown.
//!
//! A machine and nothing else: it is told how far each replica has come and says when the high watermark moves. It
//! touches no log; reading, writing, flushing and asking for changes of the in-sync replicas are the broker's.
//!
//! # What is kept, and what always holds
//!
//! For the replica `r` there are two offsets, each one beyond the last record: `end(r)`, how far its log goes, and
//! `flushed(r)`, how far it survives a loss of power. What counts is
//!
//! ```text
//!   safe(r) = flushed(r)  if the partition acknowledges only what is flushed,
//!             end(r)      otherwise (Kafka's own promise: the page caches of the replicas)
//! ```
//!
//! and the high watermark, below which records are acknowledged to producers and shown to consumers. After every input:
//!
//! ```text
//!   (1)  0 ≤ flushed(r) ≤ end(r)                     for every replica
//!   (2)  end(r) ≤ end(leader)                        for every follower
//!   (3)  leader ∈ isr ⊆ replicas
//!   (4)  high_watermark = max(all that it ever was, min { safe(r) : r ∈ isr })
//!   (5)  start_offset ≤ high_watermark ≤ end(leader)
//! ```
//!
//! By (4) it never goes back within a leadership. It may stand above `safe(r)` of a replica: one that joined the in-sync
//! replicas with all of its log but not all of it flushed, or when acknowledgements begin to mean flushed while some
//! records are not. Then it waits until the minimum has caught up.
//!
//! One replica is the simplest case: the high watermark is what the leader has flushed (or written).
//!
//! # Becoming the leader
//!
//! Each leadership has an epoch, higher than all before it (KIP-101). The new leader knows its own log and the high
//! watermark that it last heard of, which may be lower than the true one but never higher; of the followers it knows
//! nothing, so they count as being at the log's start until they fetch: nothing is acknowledged on a guess. Where the
//! leader's own log ends, `epoch_start`, its epoch begins.
//!
//! A follower's fetch says: "all below the offset that I ask for, I have." That is its `end`; how far it has flushed it
//! says beside. A fetch with another epoch than the leader's comes from a follower that has not heard yet, or knows
//! more than the leader; it is refused and changes nothing (KIP-320).
//!
//! A follower may join the in-sync replicas once its log reaches `max(high_watermark, epoch_start)`, as with Kafka. Who
//! asks the controller for it, and who drops a follower that falls behind, comes with followers.
//!
//! # Deviations from Kafka
//!
//! - `flushed` beside `end`: Kafka knows only the latter.
//!
//! Read in this order: `leader.rs`, then `tests/scripts/`.

mod leader;

pub use leader::{BecomeLeader, Input, Leader, OtherEpoch, Output, Progress};
