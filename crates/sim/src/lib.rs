//! A broker and its clients in one process, on one thread, from one seed.
//!
//! Time jumps from event to event, randomness comes from the seed, the network is a list of messages, and the disk keeps
//! in memory what was written and what of it was synced. So a run that finds something is repeated exactly by its seed:
//! `cargo xtask sim SEED`.
//!
//! [`world`] and [`network`] are the seams, [`delay`] gives the disk its time, [`scenario`] is what happens, [`history`]
//! says whether it may have.

mod delay;
mod history;
mod network;
mod scenario;
mod world;

pub use history::{Acknowledged, Finding, check};
pub use scenario::{Options, Outcome, run};
