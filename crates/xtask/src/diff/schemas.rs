//! The schemas of all APIs by name, as the codecs here need them.

use std::collections::BTreeMap;

use crate::process;
use xtask::codegen::model::{Field, Message, SchemaFile, Struct};

/// Every API's schema by the API's name.
pub(super) struct Schemas(BTreeMap<String, Schema>);

/// One API: its request, its response, and their structs.
pub(super) struct Schema {
    file: SchemaFile,
}

/// A field, and whether its value is in the compact form.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) field: &'a Field,
    pub(super) is_flexible: bool,
}

impl Schemas {
    /// Reads those of `crates/protocol`.
    pub(super) fn read() -> Result<Self, String> {
        let files = xtask::codegen::read_schemas(&process::root().join("crates/protocol/schemas"))?;
        let named = |file: SchemaFile| Some((file.api.as_ref()?.name.clone(), Schema { file }));
        Ok(Self(files.into_iter().filter_map(named).collect()))
    }

    /// The schema of an API.
    pub(super) fn of(&self, api: &str) -> Result<&Schema, String> {
        self.0.get(api).ok_or_else(|| format!("no API is called {api}"))
    }

    /// The name of the API with a key.
    pub(super) fn name_of(&self, key: i64) -> Option<&str> {
        self.0.iter().find(|(_, schema)| i64::from(schema.key()) == key).map(|(name, _)| name.as_str())
    }
}

impl Schema {
    /// The number in a request's header.
    pub(super) fn key(&self) -> i16 {
        self.file.api.as_ref().map_or(-1, |api| api.key)
    }

    /// The request's fields.
    pub(super) fn request(&self) -> &Message {
        &self.file.messages[0]
    }

    /// The response's fields.
    pub(super) fn response(&self) -> &Message {
        &self.file.messages[1]
    }

    /// Whether a version is in the compact form.
    pub(super) fn is_flexible(&self, version: i16) -> bool {
        self.request().is_flexible(version)
    }

    /// A struct of the request or the response.
    pub(super) fn structure(&self, name: &str) -> Result<&Struct, String> {
        self.file.structs.iter().find(|known| known.name == name).ok_or_else(|| format!("no struct is called {name}"))
    }
}
