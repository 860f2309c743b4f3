//! A broker to be tested, the client that speaks to it, and the records that they exchange.

mod batch;
mod client;
mod gate;
mod http;
mod loggers;
mod message_set;
mod otlp;
mod panics;
mod requests;
mod running;

pub(crate) use batch::{Recipe, built, corrupted};
pub(crate) use client::{Client, PATIENCE};
pub(crate) use gate::Gate;
pub(crate) use http::http_get;
pub(crate) use loggers::Loggers;
pub(crate) use message_set::message_set;
pub(crate) use otlp::otlp_gauge;
pub(crate) use requests::{ListOffsetsOf, create, fetch_of, list_offsets_of, produce_of};
pub(crate) use running::{Running, WALL};
