//! Topic names: which are legal, and which collide (`Topic.validate` and `Topic.hasCollision` of Kafka).

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use crate::PartitionIndex;

/// A legal topic name: 1 to 249 of `[a-zA-Z0-9._-]`, and neither `.` nor `..`. Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicName(Arc<str>);

/// Why a name is not a legal topic name. The text is what a user reads behind `INVALID_TOPIC_EXCEPTION`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum InvalidTopicName {
    /// The name has no character at all.
    Empty,
    /// The name is `.` or `..`, which a directory cannot be called.
    Dots(String),
    /// The name is longer than a directory with `-<partition>` behind it may be.
    TooLong(usize),
    /// The name holds a character outside `[a-zA-Z0-9._-]`.
    IllegalCharacter(String),
}

impl TopicName {
    /// The longest legal name, in bytes.
    pub const LENGTH_MAX: usize = 249;

    /// Takes `name` if it is legal.
    pub fn new(name: &str) -> Result<Self, InvalidTopicName> {
        if name.is_empty() {
            return Err(InvalidTopicName::Empty);
        }
        if name == "." || name == ".." {
            return Err(InvalidTopicName::Dots(name.to_owned()));
        }
        if name.len() > Self::LENGTH_MAX {
            return Err(InvalidTopicName::TooLong(name.len()));
        }
        if !name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-')) {
            return Err(InvalidTopicName::IllegalCharacter(name.to_owned()));
        }
        Ok(Self(name.into()))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What two names must not share: metrics replace `.` by `_`, so names that differ only there collide.
    #[must_use]
    pub fn collision_key(&self) -> String {
        self.0.replace('.', "_")
    }
}

impl Borrow<str> for TopicName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TopicName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for TopicName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &*self.0)
    }
}

impl fmt::Display for InvalidTopicName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("a topic name cannot be empty"),
            Self::Dots(name) => write!(f, "a topic cannot be named \"{name}\""),
            Self::TooLong(length) => {
                write!(f, "the topic name has {length} characters, {} are allowed", TopicName::LENGTH_MAX)
            }
            Self::IllegalCharacter(name) => {
                write!(
                    f,
                    "topic name \"{name}\" holds a character other than ASCII letters and digits, '.', '_' and '-'"
                )
            }
        }
    }
}

impl std::error::Error for InvalidTopicName {}

/// One partition of one topic, by name.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct TopicPartition {
    /// The topic.
    pub topic: TopicName,
    /// The partition within it.
    pub partition: PartitionIndex,
}

impl fmt::Display for TopicPartition {
    /// `<topic>-<partition>`: also the name of the partition's directory.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.topic, self.partition)
    }
}

impl TopicPartition {
    /// Reads a partition's directory name back; `None` if it is not one.
    #[must_use]
    pub fn from_directory(name: &str) -> Option<Self> {
        let (topic, partition) = name.rsplit_once('-')?;
        if partition.is_empty() || !partition.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        Some(Self { topic: TopicName::new(topic).ok()?, partition: PartitionIndex(partition.parse().ok()?) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn legal_and_illegal_names() {
        for good in ["a", "A.b_c-9", "...", &"x".repeat(249)] {
            assert!(TopicName::new(good).is_ok(), "{good}");
        }
        for bad in ["", ".", "..", "a b", "ä", "a/b", &"x".repeat(250)] {
            assert!(TopicName::new(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn names_that_differ_in_dot_and_underscore_collide() {
        let key = |name| TopicName::new(name).expect("legal").collision_key();
        assert_eq!(key("a.b"), key("a_b"));
        assert_ne!(key("a.b"), key("a-b"));
    }

    #[test]
    fn directories_read_back() {
        let tp = TopicPartition { topic: TopicName::new("a-1").expect("legal"), partition: PartitionIndex(12) };
        assert_eq!(TopicPartition::from_directory(&tp.to_string()), Some(tp));
        for not in ["a", "a-", "a-x", "a-+1", "-1", "a-99999999999"] {
            assert_eq!(TopicPartition::from_directory(not), None, "{not}");
        }
    }
}
