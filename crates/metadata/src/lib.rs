//! The cluster as every node knows it, and the facts that change it.
//!
//! Each node folds the same log of [`Fact`]s into an [`Image`]. The fold is pure: the same facts in the same order give
//! the same image, live, on replay and inside the controller's private next image. What a fact does not touch, the image
//! before and the image after share, so that a clone costs nothing and a fact costs the same on ten partitions and on a
//! million.
//!
//! ```text
//!   controller decides ──► [Fact, Fact, …] ──► replicated log ──► Image::apply on every node
//!                                                                     │
//!                            brokers open, close, lead  ◄── Difference::between(before, after)
//! ```
//!
//! Facts, not commands: a fact says what is, with every number in it (epochs, ids, placements). Nothing is decided here.
//!
//! Versions are kept together by a level, the feature [`FACTS_VERSION`]. A fact of a kind that a level introduced is
//! possible only at that level or above, a node refuses a level that it does not know, and bytes of an unknown kind or
//! with an unknown field are an error instead of being skipped. All three stop the node: a cluster whose nodes disagree
//! about the past is worse than one node less.
//!
//! Read in this order: [`Fact`], [`Image`], [`ImpossibleFact`], [`Difference`].

mod apply;
mod broker;
mod codec;
mod difference;
mod epoch;
mod fact;
mod feature;
mod image;
mod resource;
mod snapshot;
mod topic;
mod word;

pub use apply::ImpossibleFact;
pub use broker::{Broker, Endpoint, SecurityProtocol};
pub use codec::{UnreadableFact, decode_facts, encode_facts};
pub use difference::{Difference, PartitionChange};
pub use epoch::{BrokerEpoch, PartitionEpoch, Position};
pub use fact::Fact;
pub use feature::{
    FACTS_VERSION, FEATURES, Feature, GROUP_VERSION, LEVEL_NEWEST, METADATA_VERSION, METADATA_VERSION_LEVEL,
};
pub use image::Image;
pub use resource::{Resource, ResourceKind};
pub use topic::{Partition, Topic};
