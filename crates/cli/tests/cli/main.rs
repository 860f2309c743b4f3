//! The `ottla` binary as a user runs it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod dump;
mod start;
mod support;
mod transcripts;
