//! Kafka's protocol: every message in every version, and the frames that carry them.
//!
//! Most messages are owned structs, generated from the schemas in `schemas/`: one module per API, such as
//! [`metadata`], with its request, its response and their parts. [`Message`] reads and writes them, [`ApiKey`] says
//! which versions there are and which header stands before each.
//!
//! The two messages that carry records have a second form for brokers, written by hand: [`ProduceRequestView`] and
//! [`FetchRequestView`] read a request where it lies, and [`FetchReply`] writes a response whose records may come from
//! a file. [`frame`] has what stands around a body.
//!
//! Nothing here does I/O or decides anything; which versions a broker offers, and what it answers, is its own affair.

mod api_key;
mod elements;
mod fetch_request;
mod fetch_response;
pub mod frame;
mod generated;
mod message;
mod produce_request;

pub use api_key::ApiKey;
pub use elements::{Element, Elements, TopicKey};
pub use fetch_request::{FetchPartitionView, FetchRequestView, FetchTopicView, ForgottenTopicView};
pub use fetch_response::{FetchReply, FetchedPartition, FetchedTopic, FramedParts, Part, RecordsAt};
pub use frame::RequestHead;
pub use generated::*;
pub use message::{Message, REQUEST_ELEMENTS_MAX, Request, Response};
pub use produce_request::{ProducePartition, ProduceRequestView, ProduceTopic};
