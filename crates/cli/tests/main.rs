//! The `ottla` binary as a user runs it, where it needs no broker.

mod dump;
mod support;
