//! `ottla consume`, as clap reads it.

use std::str::FromStr;

use clap::{Args, ValueEnum};
use ottla_client::{GroupProtocol, Start};
use ottla_types::{Offset, Timestamp};

use super::not_empty;
use crate::format::Format;

#[derive(Debug, Args)]
pub(crate) struct ConsumeArgs {
    /// The topic
    pub topic: String,
    /// Read everything that is there: the same as --offset earliest
    #[arg(long, short = 'b', conflicts_with = "offset")]
    pub from_beginning: bool,
    /// Read as a member of this group: share the topic with the others of it, go on where the group was, and commit
    /// what was printed. --from-beginning then counts where the group has committed nothing
    #[arg(long, short, value_name = "GROUP", value_parser = not_empty, conflicts_with_all = ["partitions", "offset"])]
    pub group: Option<String>,
    /// How to speak with the group's coordinator
    #[arg(long, value_name = "PROTOCOL", value_enum, default_value = "classic", requires = "group")]
    pub protocol: ProtocolArg,
    /// An id that outlives this process: whoever starts with it soon again gets the same partitions
    #[arg(long, value_name = "ID", requires = "group", value_parser = not_empty)]
    pub instance: Option<String>,
    /// Commit nothing
    #[arg(long, requires = "group")]
    pub no_commit: bool,
    /// Read these partitions only; may be repeated [default: all]
    #[arg(long = "partition", short, value_name = "N", value_delimiter = ',', value_parser = clap::value_parser!(i32).range(0..))]
    pub partitions: Vec<i32>,
    /// Where to start: a number, earliest, latest, or @ and milliseconds since 1970
    #[arg(long, short, value_name = "WHERE", default_value = "latest", allow_negative_numbers = true)]
    pub offset: StartArg,
    /// Stop after so many records
    #[arg(long, short = 'n', value_name = "N")]
    pub max_messages: Option<u64>,
    /// Stop at the end, as it is when the command starts
    #[arg(long, short)]
    pub exit: bool,
    /// What to print before each value, in this order, tabs between
    #[arg(long, value_name = "FIELD,…", value_enum, value_delimiter = ',')]
    pub print: Vec<Field>,
    /// Print the key before the value with this between them
    #[arg(long, short, value_name = "TEXT")]
    pub key_separator: Option<String>,
    /// How to print values
    #[arg(long, value_name = "FORMAT", value_enum, default_value = "string")]
    pub value_format: Format,
    /// How to print keys
    #[arg(long, value_name = "FORMAT", value_enum, default_value = "string")]
    pub key_format: Format,
    /// What to print for a value or key that is null
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    pub null: String,
    /// Show no progress on a terminal
    #[arg(long, short)]
    pub quiet: bool,
}

/// How to speak with a coordinator.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum ProtocolArg {
    /// The members agree among themselves
    Classic,
    /// The coordinator decides; brokers from 4.0 on
    Consumer,
}

impl From<ProtocolArg> for GroupProtocol {
    fn from(protocol: ProtocolArg) -> Self {
        match protocol {
            ProtocolArg::Classic => Self::Classic,
            ProtocolArg::Consumer => Self::Consumer,
        }
    }
}

/// What can be printed of a record beside its value.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum Field {
    Key,
    Offset,
    Partition,
    Timestamp,
    Headers,
}

/// Where to start reading.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct StartArg(pub Start);

impl FromStr for StartArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "a number from 0, earliest, latest, or @ and milliseconds since 1970 is needed".to_owned();
        let number = |text: &str| text.parse::<i64>().ok().filter(|number| *number >= 0).ok_or_else(wrong);
        Ok(Self(match (text, text.strip_prefix('@')) {
            ("earliest", _) => Start::Earliest,
            ("latest", _) => Start::Latest,
            (_, Some(time)) => Start::Timestamp(Timestamp(number(time)?)),
            _ => Start::Offset(Offset(number(text)?)),
        }))
    }
}
