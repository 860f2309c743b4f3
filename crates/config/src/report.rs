//! What is said about a configuration: notices, with which a broker starts, problems, with which it does not, and refusals
//! of changes while it runs.

use std::fmt;

use ottla_types::ErrorCode;

/// Where a setting comes from.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Origin {
    /// Nobody set it.
    Default,
    /// A line of the file, counted from 1.
    Line(usize),
    /// The command line.
    CommandLine,
    /// Set while the cluster runs, for all brokers (the broker resource without a name).
    ClusterDefault,
    /// Set while the cluster runs, for this broker.
    Broker,
}

/// Something that a user should hear of, though the broker starts: one line for the log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Notice {
    /// Where the setting comes from.
    pub origin: Origin,
    /// Its name.
    pub key: String,
    /// What kind of notice it is.
    pub kind: NoticeKind,
}

/// The kinds of notices.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum NoticeKind {
    /// Neither Kafka nor Ottla has a key of this name.
    Unknown,
    /// The key is known and its value is allowed, but it changes nothing, for this reason.
    NoEffect(&'static str),
    /// The setting was made while the cluster ran and is not allowed, for this reason; it does not count.
    LeftOut(String),
    /// The key stands on a later line of the file again, and that one counts.
    Repeated,
    /// The key is honoured, but the user may expect something else of it.
    Remark(String),
}

/// A change of configuration that is not made, worded for the client who asked for it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refusal {
    /// Kafka's code for it: INVALID_CONFIG or INVALID_REQUEST.
    pub code: ErrorCode,
    /// The key, its value, what is allowed.
    pub message: String,
}

impl Refusal {
    pub(crate) fn config(message: impl Into<String>) -> Self {
        Self { code: ErrorCode::InvalidConfig, message: message.into() }
    }

    pub(crate) fn request(message: impl Into<String>) -> Self {
        Self { code: ErrorCode::InvalidRequest, message: message.into() }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// One thing that keeps the broker from starting.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problem {
    /// Where the setting comes from.
    pub origin: Origin,
    /// Its name; empty where the file's text itself is wrong.
    pub key: String,
    /// Its value as it was given; `None` where it must not be shown.
    pub value: Option<String>,
    /// What is allowed, or why it is refused.
    pub reason: String,
}

/// The configuration is wrong. Holds every problem, so that a user can mend all of them at once.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConfigError {
    /// At least one problem, those of the file first and in its order.
    pub problems: Vec<Problem>,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::Line(line) => write!(f, "line {line}"),
            Self::CommandLine => f.write_str("command line"),
            Self::ClusterDefault => f.write_str("setting of all brokers"),
            Self::Broker => f.write_str("setting of this broker"),
        }
    }
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: ", self.origin, self.key)?;
        match &self.kind {
            NoticeKind::Unknown => f.write_str("not a known key, ignored"),
            NoticeKind::NoEffect(reason) => f.write_str(reason),
            NoticeKind::LeftOut(reason) => write!(f, "ignored: {reason}"),
            NoticeKind::Repeated => f.write_str("set again further down, this one is ignored"),
            NoticeKind::Remark(text) => f.write_str(text),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.origin)?;
        if !self.key.is_empty() {
            match &self.value {
                Some(value) => write!(f, "{}={value}: ", self.key)?,
                None => write!(f, "{}=(hidden): ", self.key)?,
            }
        }
        f.write_str(&self.reason)
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, problem) in self.problems.iter().enumerate() {
            if i > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}
