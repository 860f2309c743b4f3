//! What several tests of this crate share: the schemas, and samples made from them.
//!
//! A sample is the bytes of a message with random content, written straight from the schema by [`sample::bytes`]: a
//! second way from schema to bytes, which shares with the generated code nothing but the notation and the words of
//! the `wire` crate.

#![allow(dead_code, reason = "each test binary uses a part of this")]

pub(crate) mod random;
pub(crate) mod sample;

use std::path::Path;
use std::sync::OnceLock;

use xtask::codegen::model::{Message, SchemaFile};

/// Every schema file.
pub(crate) fn schemas() -> &'static [SchemaFile] {
    static SCHEMAS: OnceLock<Vec<SchemaFile>> = OnceLock::new();
    SCHEMAS.get_or_init(|| {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas");
        xtask::codegen::read_schemas(&directory).expect("the schemas can be read")
    })
}

/// The schema of one message by its Rust name, and the file it is in.
pub(crate) fn schema_of(name: &str) -> (&'static SchemaFile, &'static Message) {
    let find = |file: &'static SchemaFile| {
        file.messages.iter().find(|message| message.body.name == name).map(|message| (file, message))
    };
    schemas().iter().find_map(find).expect("every generated message has a schema")
}

/// Calls `$run!(Message, second opinion's message)` for every request and response.
#[macro_export]
macro_rules! for_every_message {
    ($run:ident) => {{
        $run!(ottla_protocol::api_versions::ApiVersionsRequest, kafka_protocol::messages::ApiVersionsRequest);
        $run!(ottla_protocol::api_versions::ApiVersionsResponse, kafka_protocol::messages::ApiVersionsResponse);
        $run!(ottla_protocol::create_topics::CreateTopicsRequest, kafka_protocol::messages::CreateTopicsRequest);
        $run!(ottla_protocol::create_topics::CreateTopicsResponse, kafka_protocol::messages::CreateTopicsResponse);
        $run!(ottla_protocol::delete_topics::DeleteTopicsRequest, kafka_protocol::messages::DeleteTopicsRequest);
        $run!(ottla_protocol::delete_topics::DeleteTopicsResponse, kafka_protocol::messages::DeleteTopicsResponse);
        $run!(ottla_protocol::fetch::FetchRequest, kafka_protocol::messages::FetchRequest);
        $run!(ottla_protocol::fetch::FetchResponse, kafka_protocol::messages::FetchResponse);
        $run!(ottla_protocol::init_producer_id::InitProducerIdRequest, kafka_protocol::messages::InitProducerIdRequest);
        $run!(
            ottla_protocol::init_producer_id::InitProducerIdResponse,
            kafka_protocol::messages::InitProducerIdResponse
        );
        $run!(ottla_protocol::list_offsets::ListOffsetsRequest, kafka_protocol::messages::ListOffsetsRequest);
        $run!(ottla_protocol::list_offsets::ListOffsetsResponse, kafka_protocol::messages::ListOffsetsResponse);
        $run!(ottla_protocol::metadata::MetadataRequest, kafka_protocol::messages::MetadataRequest);
        $run!(ottla_protocol::metadata::MetadataResponse, kafka_protocol::messages::MetadataResponse);
        $run!(ottla_protocol::produce::ProduceRequest, kafka_protocol::messages::ProduceRequest);
        $run!(ottla_protocol::produce::ProduceResponse, kafka_protocol::messages::ProduceResponse);
    }};
}
