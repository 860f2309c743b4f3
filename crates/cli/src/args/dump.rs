//! `ottla dump`, as clap reads it.

use std::path::PathBuf;

use clap::Args;

use crate::format::Format;

#[derive(Debug, Args)]
pub(crate) struct DumpArgs {
    /// Files of a log, or a partition's directory with all of them
    #[arg(value_name = "PATH", required = true)]
    pub paths: Vec<PathBuf>,
    /// Print the records of each batch too
    #[arg(long, short)]
    pub records: bool,
    /// Print nothing but what is wrong
    #[arg(long)]
    pub verify: bool,
    /// How to print values
    #[arg(long, value_name = "FORMAT", value_enum, default_value = "string")]
    pub value_format: Format,
    /// How to print keys
    #[arg(long, value_name = "FORMAT", value_enum, default_value = "string")]
    pub key_format: Format,
    /// Stop after so many bytes of each file of batches
    #[arg(long, value_name = "N")]
    pub max_bytes: Option<u64>,
}
