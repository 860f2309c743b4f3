//! The project's own checks and generators. Never shipped.
//!
//! This is a library so that tests can use what commands use: those of `protocol` read the message schemas with
//! [`codegen::parse`].

pub mod codegen;
