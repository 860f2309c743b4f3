//! Empty: a manifest has to have something to build. What this folder is for stands in `Cargo.toml`.
