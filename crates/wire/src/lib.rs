//! How values look as bytes: what Kafka's protocol and its persisted records are spelled with.
//!
//! [`Reader`] takes values off a byte slice and [`Writer`] puts them behind each other; both speak the same words.
//! Numbers are big-endian. Strings, bytes and arrays come in two [`Form`]s: plain (a fixed-width length) and compact
//! (a varint of the length plus one, KIP-482). Tagged fields follow the compact form only.
//!
//! A reader never panics, never allocates, and checks every length against the bytes that are left.
//!
//! Of these words two things are built here: [`codec`], what generated structs are made of, and with it [`records`],
//! everything that Kafka persists in bytes of its own; [`framing`] is how each is told from the others, and [`Tell`] what it
//! says, for those who print it. Requests and
//! responses are in the `protocol` crate; what a batch is, is in the `record` crate.

pub mod codec;
mod error;
mod form;
pub mod framing;
mod generated;
mod reader;
mod record;
pub mod records;
mod tagged;
mod tell;
mod varint;
mod writer;

pub use codec::Codec;
pub use error::{DecodeError, DecodeErrorKind, EncodeError};
pub use form::Form;
pub use reader::Reader;
pub use record::{Record, TypedRecord};
pub use tagged::{TaggedFields, TaggedFieldsWriter};
pub use tell::{Tell, Value};
pub use varint::{unsigned_varint_size, unsigned_varlong_size, varint_size, varlong_size};
pub use writer::{Mark, Writer};

/// The longest string that Kafka reads or writes, in bytes of UTF-8, whichever the form.
pub const STRING_SIZE_MAX: usize = i16::MAX as usize;
