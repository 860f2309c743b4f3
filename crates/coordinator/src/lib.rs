//! Consumer groups and their offsets: who reads what, and how far they are.
//!
//! A machine and nothing else: requests, time and news from its log in; facts to append and answers out. It does no I/O,
//! reads no clock and draws no random number. Each partition of `__consumer_offsets` is one [`Shard`], led by the broker
//! that leads the partition; the loop that drives it is the broker's.
//!
//! # The protocol
//!
//! - A request is decided at once, against the shard as it is. What has to be remembered becomes facts, which are handed
//!   out as one [`Output::Append`] and hold here from then on.
//! - An answer that rests on a fact, of this request or an earlier one, leaves when [`Input::Committed`] says that the fact
//!   is safe. Others leave at once.
//! - If an append fails, nobody knows what holds. The shard is given up ([`Shard::give_up`] tells those who wait), and
//!   another one is read from the log: [`Shard::load`] for each record, then [`Shard::start`].
//! - Which topics there are is told by [`Input::Topics`], before [`Shard::start`] and whenever it changes.
//! - Nothing happens by itself: [`Shard::deadline`] says when [`Input::TimePassed`] is due.
//!
//! Read in this order: `shard`, `turn`, then `classic`, `consumer` and `offsets`.

mod assignors;
mod census;
mod classic;
mod consumer;
mod fact;
mod group;
mod groups;
mod offsets;
mod printed;
mod record;
mod request;
mod settings;
mod shard;
mod sown;
mod subscription;
mod tally;
mod timers;
mod turn;

pub use assignors::{Assignment, Assignor, GroupSpec, MemberSpec, Targets, TopicsView, UnknownTopic};
pub use census::{Census, Position};
pub use classic::State;
pub use consumer::{
    ClassicMember, ConsumerBeat, ConsumerFact, ConsumerHeartbeat, DescribedAssignment, DescribedConsumer,
    DescribedConsumerGroup, GroupEpoch, Held, MemberState, Refusal, Resolved, Standing, Subscription, TargetEpoch,
};
pub use fact::Fact;
pub use offsets::CommittedOffset;
pub use record::KeyAndValue;
pub use request::{
    CommitPartition, CommitTopic, DescribedGroup, DescribedMember, FetchedOffset, FetchedTopic, Heartbeat, JoinGroup,
    Joined, JoinedMember, LeaveGroup, Leaver, Left, ListGroups, ListedGroup, OffsetCommit, OffsetDelete, OffsetFetch,
    Protocol, Reply, Request, RequestId, SyncGroup, Synced, WantedTopic,
};
pub use settings::{ConsumerSettings, MigrationPolicy, Settings};
pub use shard::{AppendId, Input, Output, Shard, TopicsChanged};
pub use subscription::{InvalidPattern, check as check_pattern, matching};
pub use tally::Tally;
pub use turn::Now;
