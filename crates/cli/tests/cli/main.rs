//! The `ottla` binary as a user runs it, where it needs no broker.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod dump;
mod support;
