//! A broker: listeners, connections, one handler per API, and the loops that drive the machines.
//!
//! A tour, from the socket inwards: [`listener`] accepts, [`connection`] reads frames and answers in order, [`handlers`]
//! translate, [`partition`] appends and reads, [`partitions`] keeps them as the cluster's image says. Beside the way of a
//! request stand the loops: [`controller`] drives the machine that decides, [`flusher`] makes written records durable,
//! [`checkpoints`] notes how far, for each of the [`directories`], [`retention`] lets old segments leave, [`moves`] takes
//! partitions from one directory to another; they begin in [`housekeeping`]. Nothing in here decides what can be decided
//! without the world: that is in `controller`, `replication`, `record` and `metadata`.
//!
//! [`Broker::start`] brings it all up, in the order in which one thing needs another, and [`Broker::stop`] takes it down.

mod answer;
mod buffers;
mod checkpoints;
mod cleaner;
mod client_metrics;
mod config_rules;
mod connection;
mod connection_quota;
mod connections;
mod controller;
mod conversions;
mod directories;
mod fetch_sessions;
mod flusher;
mod groups;
mod handlers;
mod housekeeping;
mod http;
mod listener;
mod log_levels;
mod memory;
mod metrics;
mod moves;
mod node;
mod offline;
mod partition;
mod partitions;
mod producer_ids;
mod request_memory;
mod retention;
mod seldom;
mod settings;
mod start;
mod sweep;
mod takeover;
mod telemetry;
mod wait;

pub use client_metrics::count_pushed;
pub use directories::DirectoriesFault;
pub use log_levels::{LogLevels, ROOT_LOGGER};
pub use offline::image_of;
pub use start::{Broker, RunFault, StartFault};
pub use takeover::TakeoverFault;
