//! The command line, as clap reads it. What a user sees of `--help` is written here: what is common on this page, each
//! command's own in the file of its name.

mod config;
mod consume;
mod dump;
mod export;
mod group;
mod produce;
mod topic;

use std::ffi::OsString;
use std::path::PathBuf;
use std::str::FromStr;

use clap::{Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use ottla_client::{Address, OffsetSpec};

pub(crate) use config::ConfigCommand;
pub(crate) use consume::{ConsumeArgs, Field, ProtocolArg, StartArg};
pub(crate) use dump::DumpArgs;
pub(crate) use export::ExportArgs;
pub(crate) use group::{DescribeGroupArgs, GroupCommand, ResetOffsetsArgs, ResetTo, TopicPartitionsArg};
pub(crate) use produce::{InputKind, ProduceArgs};
pub(crate) use topic::{AlterArgs, CreateArgs, TopicCommand, TruncateArgs};

use crate::logging::LogFormat;
use crate::start::StartArgs;

const FIRST_STEPS: &str = "\
First steps:
  ottla start                                       run a broker, its data in ./ottla-data
  ottla topic create greetings                      make a topic
  echo hello | ottla produce greetings              write to it
  ottla consume greetings --from-beginning          read it, until Ctrl-C
  ottla consume greetings --group readers           share it with others, go on where they were
  ottla group describe readers                      see how far they are

These work with any Kafka cluster: --bootstrap HOST:PORT, or OTTLA_BOOTSTRAP in the environment.
`ottla COMMAND --help` tells more of each.
Exit codes: 0 done, 1 failed, 2 the command line was not understood.";

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

    /// What to log on stderr: error, warn, info, debug, trace, or levels by module as in warn,ottla_broker=debug. Without
    /// it RUST_LOG says; without that the broker logs at info, other commands at warn
    #[arg(long, global = true, value_name = "LEVEL")]
    pub log_level: Option<String>,

    /// How log lines look
    #[arg(long, global = true, value_name = "FORM", value_enum, default_value = "text")]
    pub log_format: LogFormat,

    /// How results are printed
    #[arg(long, global = true, value_name = "FORM", value_enum, default_value = "table")]
    pub output: OutputForm,

    #[command(subcommand)]
    pub command: Command,
}

/// How results are printed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum OutputForm {
    /// For people
    Table,
    /// For programs: one JSON document, or one a line where the end is not known
    Json,
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
    /// Create, list, describe, alter and delete topics
    #[command(subcommand)]
    Topic(TopicCommand),
    /// Show and change settings of topics, brokers, loggers and clients' metrics
    #[command(subcommand)]
    Config(ConfigCommand),
    /// List, describe, reset and delete groups
    #[command(subcommand)]
    Group(GroupCommand),
    /// Write lines of a file or of stdin to a topic
    Produce(ProduceArgs),
    /// Read a topic to stdout
    Consume(ConsumeArgs),
    /// Show what is in the files of a log, without a broker
    Dump(DumpArgs),
    /// Copy a stopped broker's data for a Kafka to start on
    Export(ExportArgs),
    /// Print the completions for a shell, to be put where it looks for them
    Completions {
        /// Which
        shell: Shell,
    },
    /// Write the manual pages, one for each command
    Man {
        /// The directory
        #[arg(value_name = "DIR")]
        directory: PathBuf,
    },
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

    use ottla_client::Start;
    use ottla_types::{Offset, Timestamp};

    use super::produce::{AcksArg, CodecArg};
    use super::*;
    use crate::format::Format;

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
        assert_eq!((args.input, args.value_format, args.rate), (InputKind::Lines, Format::String, None));
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
            "topic list --output xml",
            "produce t --rate 0",
            "produce t --header x",
            "config set topic:t retention.ms",
            "config describe user:u",
            "group reset-offsets g --topic t --to nowhere",
            "group reset-offsets g --topic t: --to latest",
            "group reset-offsets g --topic t --ago 5",
            "group describe --watch 0",
        ] {
            let kind = refusal(line);
            assert!(
                matches!(kind, ErrorKind::ValueValidation | ErrorKind::InvalidValue | ErrorKind::UnknownArgument),
                "{line}: {kind}"
            );
        }
        assert_eq!(refusal("consume t -b --offset 1"), ErrorKind::ArgumentConflict);
        assert_eq!(refusal("group reset-offsets g --topic t"), ErrorKind::MissingRequiredArgument);
        assert_eq!(refusal("group reset-offsets g --to latest"), ErrorKind::MissingRequiredArgument);
        assert_eq!(refusal("group reset-offsets g --topic t --to latest --shift -1"), ErrorKind::ArgumentConflict);
        assert_eq!(refusal("group reset-offsets g --topic t --from-file f"), ErrorKind::ArgumentConflict);
        assert_eq!(refusal("consume t --group g --offset 1"), ErrorKind::ArgumentConflict);
        assert_eq!(refusal("consume t --group g --partition 1"), ErrorKind::ArgumentConflict);
        assert_eq!(refusal("consume t --instance i"), ErrorKind::MissingRequiredArgument);
        assert_eq!(refusal("topic delete"), ErrorKind::MissingRequiredArgument);
        assert_eq!(refusal("topic alter t"), ErrorKind::MissingRequiredArgument);
        assert_eq!(refusal("produce t --key a -k :"), ErrorKind::ArgumentConflict);
        assert_eq!(refusal("topics list"), ErrorKind::InvalidSubcommand);
    }
}
