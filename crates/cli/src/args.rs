//! The command line, as clap reads it. What a user sees of `--help` is written here.

use std::ffi::OsString;
use std::path::PathBuf;
use std::str::FromStr;

use crate::start::StartArgs;
use clap::{Args, Parser, Subcommand, ValueEnum};
use ottla_client::{Acks, Address, Codec, OffsetSpec, Start};
use ottla_types::{Offset, Timestamp};

const FIRST_STEPS: &str = "\
First steps:
  ottla start                                       run a broker, its data in ./ottla-data
  ottla topic create greetings                      make a topic
  echo hello | ottla produce greetings              write to it
  ottla consume greetings --from-beginning          read it, until Ctrl-C

These work with any Kafka cluster: --bootstrap HOST:PORT, or OTTLA_BOOTSTRAP in the environment.
`ottla COMMAND --help` tells more of each.";

/// Kafka in one small binary.
#[derive(Debug, Parser)]
#[command(name = "ottla", version, after_help = FIRST_STEPS, max_term_width = 100)]
pub(crate) struct Cli {
    /// The brokers to ask first
    #[arg(
        long,
        global = true,
        env = "OTTLA_BOOTSTRAP",
        value_name = "HOST:PORT[,…]",
        default_value = "localhost:9092"
    )]
    pub bootstrap: Bootstrap,

    /// What to log on stderr: error, warn, info, debug, trace, or a filter as in RUST_LOG
    #[arg(long, global = true, value_name = "LEVEL")]
    pub log_level: Option<String>,

    #[command(subcommand)]
    pub command: Command,
}

/// Addresses to start from.
#[derive(Clone, Debug)]
pub(crate) struct Bootstrap(pub Vec<Address>);

impl FromStr for Bootstrap {
    type Err = ottla_client::InvalidAddress;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Address::parse_list(text).map(Self)
    }
}

impl Cli {
    /// Reads a command line; one without any argument asks for help. (clap's own way to say so takes a variable of the
    /// environment for an argument.)
    pub(crate) fn read(words: impl IntoIterator<Item = OsString>) -> Result<Self, clap::Error> {
        let mut words: Vec<OsString> = words.into_iter().collect();
        if words.len() <= 1 {
            words = vec!["ottla".into(), "--help".into()];
        }
        Self::try_parse_from(words)
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the broker
    Start(StartArgs),
    /// Create, list, describe and delete topics
    #[command(subcommand)]
    Topic(TopicCommand),
    /// Write lines of a file or of stdin to a topic
    Produce(ProduceArgs),
    /// Read a topic to stdout
    Consume(ConsumeArgs),
}

#[derive(Debug, Subcommand)]
pub(crate) enum TopicCommand {
    /// Create a topic
    Create(CreateArgs),
    /// List the topics
    List {
        /// List Kafka's own topics too
        #[arg(long)]
        internal: bool,
    },
    /// Show partitions, leaders, replicas and offsets
    Describe {
        /// Topics; all of them if none is named
        #[arg(value_name = "NAME")]
        names: Vec<String>,
    },
    /// Delete topics with all that is in them
    Delete {
        /// Topics
        #[arg(value_name = "NAME", required = true)]
        names: Vec<String>,
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
    },
}

#[derive(Debug, Args)]
pub(crate) struct CreateArgs {
    /// Its name
    pub name: String,
    /// How many partitions [default: the broker's num.partitions]
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(i32).range(1..))]
    pub partitions: Option<i32>,
    /// How many copies of each [default: the broker's default.replication.factor]
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(i16).range(1..))]
    pub replication_factor: Option<i16>,
    /// A setting by Kafka's name, such as max.message.bytes=2000000; may be repeated
    #[arg(long = "config", short, value_name = "KEY=VALUE", value_parser = key_value)]
    pub configs: Vec<(String, String)>,
    /// Do nothing if there is such a topic already
    #[arg(long)]
    pub if_not_exists: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ProduceArgs {
    /// The topic
    pub topic: String,
    /// The file to read [default: stdin]
    pub file: Option<PathBuf>,
    /// Split lines into key and value at the first of these
    #[arg(long, short, value_name = "TEXT", value_parser = not_empty)]
    pub key_separator: Option<String>,
    /// Who must have a record before it counts as written
    #[arg(long, value_name = "WHO", value_enum, default_value = "all", allow_negative_numbers = true)]
    pub acks: AcksArg,
    /// How to compress batches
    #[arg(long, short = 'z', value_name = "CODEC", value_enum, default_value = "none")]
    pub compression: CodecArg,
    /// Write to this partition only
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(i32).range(0..))]
    pub partition: Option<i32>,
    /// Do not have the broker drop what a retry sends twice
    #[arg(long)]
    pub no_idempotence: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ConsumeArgs {
    /// The topic
    pub topic: String,
    /// Read everything that is there: the same as --offset earliest
    #[arg(long, short = 'b', conflicts_with = "offset")]
    pub from_beginning: bool,
    /// Read this partition only
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(i32).range(0..))]
    pub partition: Option<i32>,
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

/// Both ends of a partition.
pub(crate) const ENDS: [OffsetSpec; 2] = [OffsetSpec::Earliest, OffsetSpec::Latest];

fn key_value(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("KEY=VALUE is needed")?;
    let key = key.trim();
    if key.is_empty() { Err("KEY=VALUE is needed".to_owned()) } else { Ok((key.to_owned(), value.trim().to_owned())) }
}

fn not_empty(text: &str) -> Result<String, String> {
    if text.is_empty() { Err("it cannot be empty".to_owned()) } else { Ok(text.to_owned()) }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;
    use clap::error::ErrorKind;

    use super::*;

    fn parse(line: &str) -> Result<Cli, clap::Error> {
        Cli::read(std::iter::once("ottla").chain(line.split_whitespace()).map(OsString::from))
    }

    fn refusal(line: &str) -> ErrorKind {
        parse(line).expect_err(line).kind()
    }

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn without_arguments_help_with_first_steps_is_shown() {
        let error = parse("").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::DisplayHelp);
        assert!(error.to_string().contains("ottla topic create greetings"));
    }

    #[test]
    fn produce_has_the_defaults_of_a_kafka_producer() {
        let Command::Produce(args) = parse("produce t").unwrap().command else { panic!() };
        assert_eq!((args.acks, args.compression, args.no_idempotence), (AcksArg::All, CodecArg::None, false));
        let line = "produce t f.txt --acks -1 -z zstd -p 3 -k : --bootstrap a:1,b:2";
        let cli = parse(line).unwrap();
        assert_eq!(cli.bootstrap.0.len(), 2);
        let Command::Produce(args) = cli.command else { panic!() };
        assert_eq!((args.acks, args.compression, args.partition), (AcksArg::All, CodecArg::Zstd, Some(3)));
        assert_eq!((args.key_separator.as_deref(), args.file), (Some(":"), Some(PathBuf::from("f.txt"))));
    }

    #[test]
    fn consume_starts_where_it_is_told() {
        let start = |line: &str| match parse(line).unwrap().command {
            Command::Consume(args) => (args.from_beginning, args.offset.0),
            _ => panic!(),
        };
        assert_eq!(start("consume t"), (false, Start::Latest));
        assert_eq!(start("consume t -b"), (true, Start::Latest));
        assert_eq!(start("consume t --offset 17"), (false, Start::Offset(Offset(17))));
        assert_eq!(start("consume t -o earliest"), (false, Start::Earliest));
        assert_eq!(start("consume t -o @1700000000000"), (false, Start::Timestamp(Timestamp(1_700_000_000_000))));
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for line in [
            "produce t --acks 2",
            "produce t --compression brotli",
            "produce t -p -1",
            "consume t --offset -5",
            "consume t --offset soon",
            "consume t --print value",
            "topic create t --partitions 0",
            "topic create t --config retention.ms",
            "topic list --bootstrap host:port",
        ] {
            let kind = refusal(line);
            assert!(
                matches!(kind, ErrorKind::ValueValidation | ErrorKind::InvalidValue | ErrorKind::UnknownArgument),
                "{line}: {kind}"
            );
        }
        assert_eq!(refusal("consume t -b --offset 1"), ErrorKind::ArgumentConflict);
        assert_eq!(refusal("topic delete"), ErrorKind::MissingRequiredArgument);
        assert_eq!(refusal("topics list"), ErrorKind::InvalidSubcommand);
    }
}
