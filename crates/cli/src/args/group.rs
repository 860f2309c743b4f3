//! `ottla group`, as clap reads it.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::{ArgGroup, Args, Subcommand};
use ottla_types::{Offset, Timestamp};

use crate::time::parse_time;

#[derive(Debug, Subcommand)]
pub(crate) enum GroupCommand {
    /// List the groups
    List {
        /// Groups in this state only, such as Empty or Stable; may be repeated
        #[arg(long = "state", value_name = "STATE")]
        states: Vec<String>,
    },
    /// Show how far groups are behind, and who their members are
    Describe(DescribeGroupArgs),
    /// Say how far a group without members is; shows what would be done unless --execute is given
    ResetOffsets(ResetOffsetsArgs),
    /// Delete groups without members, with all that they have committed
    Delete {
        /// Groups
        #[arg(value_name = "GROUP", required = true)]
        groups: Vec<String>,
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
    },
    /// Forget how far a group is with topics that none of its members reads
    DeleteOffsets {
        /// The group
        group: String,
        /// A topic, or some of its partitions; may be repeated
        #[arg(long = "topic", short, value_name = "TOPIC[:N,…]", required = true)]
        topics: Vec<TopicPartitionsArg>,
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
    },
}

#[derive(Debug, Args)]
pub(crate) struct DescribeGroupArgs {
    /// Groups; all of them if none is named
    #[arg(value_name = "GROUP")]
    pub groups: Vec<String>,
    /// Show members and what each of them reads, instead of partitions
    #[arg(long, short)]
    pub members: bool,
    /// Show it again and again until Ctrl-C, so many seconds apart
    #[arg(long, short, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "2", value_parser = clap::value_parser!(u64).range(1..))]
    pub watch: Option<u64>,
}

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("which").required(true).multiple(false).args(["topics", "all_topics", "from_file"]))]
#[command(group = ArgGroup::new("form").required(true).multiple(false).args(["to", "ago", "shift", "from_file"]))]
pub(crate) struct ResetOffsetsArgs {
    /// The group
    pub group: String,
    /// A topic, or some of its partitions; may be repeated
    #[arg(long = "topic", short, value_name = "TOPIC[:N,…]")]
    pub topics: Vec<TopicPartitionsArg>,
    /// Every topic that the group has committed offsets of
    #[arg(long)]
    pub all_topics: bool,
    /// Where to: earliest, latest, current, an offset, @ and milliseconds since 1970, or a time such as
    /// 2026-01-31T12:00:00Z
    #[arg(long, value_name = "WHERE")]
    pub to: Option<ResetTo>,
    /// To the first record that is not older than so long, such as 90s, 30m, 2h30m or 7d
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub ago: Option<Duration>,
    /// So many records forwards, or backwards with a minus
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub shift: Option<i64>,
    /// To what stands in a file, in lines of TOPIC,PARTITION,OFFSET
    #[arg(long, value_name = "FILE")]
    pub from_file: Option<PathBuf>,
    /// Do it
    #[arg(long)]
    pub execute: bool,
}

/// Where to set a group's offsets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ResetTo {
    /// To the first record that is there.
    Earliest,
    /// Behind the last one.
    Latest,
    /// Where the group is; behind the last one where it has committed nothing.
    Current,
    /// To an offset.
    Offset(Offset),
    /// To the first record that is not older.
    Time(Timestamp),
}

impl FromStr for ResetTo {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            "earliest, latest, current, an offset, @ and milliseconds since 1970, or a time such as \
             2026-01-31T12:00:00Z is needed"
                .to_owned()
        };
        let number = |text: &str| text.parse::<i64>().ok().filter(|number| *number >= 0);
        match (text, text.strip_prefix('@')) {
            ("earliest", _) => Ok(Self::Earliest),
            ("latest", _) => Ok(Self::Latest),
            ("current", _) => Ok(Self::Current),
            (_, Some(ms)) => number(ms).map(|ms| Self::Time(Timestamp(ms))).ok_or_else(wrong),
            _ => {
                let offset = number(text).map(|offset| Self::Offset(Offset(offset)));
                offset.or_else(|| parse_time(text).map(Self::Time)).ok_or_else(wrong)
            }
        }
    }
}

/// A topic, and which of its partitions; all of them if none is named.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct TopicPartitionsArg {
    /// The topic's name.
    pub topic: String,
    /// Numbers of partitions.
    pub partitions: Vec<i32>,
}

impl FromStr for TopicPartitionsArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (topic, partitions) = text.split_once(':').unwrap_or((text, ""));
        if topic.is_empty() {
            return Err("TOPIC or TOPIC:N,… is needed".to_owned());
        }
        let wrong = |part: &str| format!("{part:?} is no number of a partition");
        let number = |part: &str| part.trim().parse::<i32>().ok().filter(|n| *n >= 0).ok_or_else(|| wrong(part));
        let partitions = match text.contains(':') {
            true => partitions.split(',').map(number).collect::<Result<_, _>>()?,
            false => Vec::new(),
        };
        Ok(Self { topic: topic.to_owned(), partitions })
    }
}

/// Reads `2h30m`: numbers, each with a unit.
fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || "numbers with units are needed, as in 90s, 30m, 2h30m or 7d".to_owned();
    let mut rest = text;
    let mut seconds: u64 = 0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
        let number: u64 = rest[..digits].parse().map_err(|_| wrong())?;
        let unit = match rest.as_bytes()[digits] {
            b's' => 1,
            b'm' => 60,
            b'h' => 60 * 60,
            b'd' => 24 * 60 * 60,
            b'w' => 7 * 24 * 60 * 60,
            _ => return Err(wrong()),
        };
        seconds = number.checked_mul(unit).and_then(|part| seconds.checked_add(part)).ok_or_else(wrong)?;
        rest = &rest[digits + 1..];
    }
    if text.is_empty() { Err(wrong()) } else { Ok(Duration::from_secs(seconds)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_numbers_with_units() {
        let seconds = |text: &str| duration(text).map(|read| read.as_secs()).ok();
        assert_eq!([seconds("90s"), seconds("2h30m"), seconds("1w1d")], [Some(90), Some(9000), Some(691_200)]);
        for wrong in ["", "5", "m", "2h30", "-1s", "1y", "99999999999999999999s", "40000000000000w"] {
            assert_eq!(seconds(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn places_are_words_offsets_or_times() {
        let read = |text: &str| text.parse::<ResetTo>().ok();
        assert_eq!(read("current"), Some(ResetTo::Current));
        assert_eq!(read("17"), Some(ResetTo::Offset(Offset(17))));
        assert_eq!(read("@17"), Some(ResetTo::Time(Timestamp(17))));
        assert_eq!(read("1970-01-02T00:00:00Z"), Some(ResetTo::Time(Timestamp(86_400_000))));
        for wrong in ["", "-1", "@", "@-1", "yesterday", "2026-13-01T00:00:00Z"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn topics_may_name_their_partitions() {
        let read = |text: &str| text.parse::<TopicPartitionsArg>().map(|read| (read.topic, read.partitions)).ok();
        assert_eq!(read("t"), Some(("t".to_owned(), vec![])));
        assert_eq!(read("t:2,0"), Some(("t".to_owned(), vec![2, 0])));
        for wrong in ["", ":1", "t:", "t:x", "t:-1"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
