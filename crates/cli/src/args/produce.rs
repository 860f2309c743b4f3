//! `ottla produce`, as clap reads it.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use ottla_client::{Acks, Codec};

use super::not_empty;
use crate::format::Format;

#[derive(Debug, Args)]
pub(crate) struct ProduceArgs {
    /// The topic
    pub topic: String,
    /// The file to read [default: stdin]
    pub file: Option<PathBuf>,
    /// What a line of the input is
    #[arg(long, value_name = "KIND", value_enum, default_value = "lines")]
    pub input: InputKind,
    /// Split lines into key and value at the first of these
    #[arg(long, short, value_name = "TEXT", value_parser = not_empty)]
    pub key_separator: Option<String>,
    /// The key of every record that brings none of its own
    #[arg(long, value_name = "TEXT", conflicts_with = "key_separator")]
    pub key: Option<String>,
    /// A header for every record; may be repeated
    #[arg(long = "header", short = 'H', value_name = "KEY=VALUE", value_parser = header)]
    pub headers: Vec<(String, String)>,
    /// The time of every record, in milliseconds since 1970 [default: now]
    #[arg(long, value_name = "MS", value_parser = clap::value_parser!(i64).range(0..))]
    pub timestamp: Option<i64>,
    /// How values are written in the input
    #[arg(long, value_name = "FORMAT", value_enum, default_value = "string")]
    pub value_format: Format,
    /// How keys are written in the input
    #[arg(long, value_name = "FORMAT", value_enum, default_value = "string")]
    pub key_format: Format,
    /// A value or key of exactly this text is null; a null value deletes its key from a compacted topic
    #[arg(long, value_name = "TEXT")]
    pub null: Option<String>,
    /// Who must have a record before it counts as written
    #[arg(long, value_name = "WHO", value_enum, default_value = "all", allow_negative_numbers = true)]
    pub acks: AcksArg,
    /// How to compress batches
    #[arg(long, short = 'z', value_name = "CODEC", value_enum, default_value = "none")]
    pub compression: CodecArg,
    /// How hard to compress, on the codec's own scale
    #[arg(long, value_name = "LEVEL", allow_negative_numbers = true)]
    pub compression_level: Option<i32>,
    /// Write to this partition only
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(i32).range(0..))]
    pub partition: Option<i32>,
    /// Write at most so many records a second
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub rate: Option<u64>,
    /// Do not have the broker drop what a retry sends twice
    #[arg(long)]
    pub no_idempotence: bool,
    /// Show no progress on a terminal
    #[arg(long, short)]
    pub quiet: bool,
}

/// What a line of the input stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum InputKind {
    /// A value, or a key and a value
    Lines,
    /// A record as JSON, as `ottla consume --output json` prints it
    Json,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum AcksArg {
    /// All replicas in sync
    #[value(alias = "-1")]
    All,
    /// The leader
    #[value(name = "1")]
    Leader,
    /// Nobody
    #[value(name = "0")]
    None,
}

impl From<AcksArg> for Acks {
    fn from(acks: AcksArg) -> Self {
        match acks {
            AcksArg::All => Self::All,
            AcksArg::Leader => Self::Leader,
            AcksArg::None => Self::None,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum CodecArg {
    None,
    Gzip,
    Snappy,
    Lz4,
    Zstd,
}

impl From<CodecArg> for Codec {
    fn from(codec: CodecArg) -> Self {
        match codec {
            CodecArg::None => Self::None,
            CodecArg::Gzip => Self::Gzip,
            CodecArg::Snappy => Self::Snappy,
            CodecArg::Lz4 => Self::Lz4,
            CodecArg::Zstd => Self::Zstd,
        }
    }
}

fn header(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("KEY=VALUE is needed")?;
    Ok((key.to_owned(), value.to_owned()))
}
