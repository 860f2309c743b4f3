//! Kafka's protocol: every message in every version, and the frames that carry them.
//!
//! Most messages are owned structs, generated from the schemas in `schemas/`: one module per API, such as
//! [`metadata`], with its request, its response and their parts. [`Message`] reads and writes them, [`ApiKey`] says
//! which versions there are and which header stands before each.
//!
//! Nothing here does I/O or decides anything; which versions a broker offers, and what it answers, is its own affair.

mod api_key;
pub mod codec;
mod generated;
mod message;

pub use api_key::ApiKey;
pub use codec::Codec;
pub use generated::{
    api_versions, create_topics, delete_topics, fetch, header, init_producer_id, list_offsets, metadata, produce,
};
pub use message::{Message, Request};
