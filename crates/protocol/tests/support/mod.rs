//! What several tests of this crate and of `wire` share: the schemas, and samples made from them.
//!
//! A sample is the bytes of a message with random content, written straight from the schema by [`sample::bytes`]: a
//! second way from schema to bytes, which shares with the generated code nothing but the notation and the words of
//! the `wire` crate.

#![allow(dead_code, reason = "each test binary uses a part of this")]

pub(crate) mod facts;
pub(crate) mod random;
pub(crate) mod sample;

use std::path::Path;
use std::sync::OnceLock;

use xtask::codegen::model::{Message, SchemaFile};

/// Every schema file of the crate that the test belongs to.
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

/// Calls `$run!(Message)` for every request and response.
#[macro_export]
macro_rules! for_every_message {
    ($run:ident) => {{
        macro_rules! run_both {
            ($module:ident, $request:ident, $response:ident) => {
                $run!(ottla_protocol::$module::$request);
                $run!(ottla_protocol::$module::$response);
            };
        }
        ottla_protocol::for_every_api!(run_both);
    }};
}
