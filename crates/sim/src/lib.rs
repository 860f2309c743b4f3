//! A broker and its clients in one process, on one thread, from one seed.
//!
//! Time jumps from event to event, randomness comes from the seed, the network is a list of messages, and the disk keeps
//! in memory what was written and what of it was synced. So a run that finds something is repeated exactly by its seed:
//! `cargo xtask sim SEED`.
//!
//! [`world`] and [`network`] are the seams, [`delay`] gives the disk its time, [`scenario`] is what happens, [`history`]
//! says whether it may have. [`life`] is a longer story, in which each operation of the disk can be the one at which
//! something goes wrong. [`membership`] is a group whose members come and go while the power fails.

mod delay;
mod history;
mod life;
mod membership;
mod network;
mod scenario;
mod world;

pub use history::{Acknowledged, Finding, check};
pub use life::{Life, Lived, Trouble, live};
pub use membership::{Assignor, Membership, Shared, Unfair, share};
pub use ottla_client::GroupProtocol;
pub use scenario::{Options, Outcome, run};
