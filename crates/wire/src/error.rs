//! What goes wrong between values and bytes. Both errors are small, own no memory and print as one sentence.

use std::fmt;

/// The bytes do not hold the value that was asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DecodeError {
    /// Where the value that cannot be read begins, counted from the first byte of what the reader was made of.
    pub position: usize,
    /// What is wrong there.
    pub kind: DecodeErrorKind,
}

/// What is wrong with the bytes at a position.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DecodeErrorKind {
    /// The value is longer than what is left.
    Truncated {
        /// Bytes that the value needs.
        needed: usize,
        /// Bytes that are left.
        remaining: usize,
    },
    /// A length is negative where it must not be, or longer than Kafka allows.
    InvalidLength(i64),
    /// An array announces more elements than the rest of the bytes could hold.
    TooManyElements {
        /// Elements announced.
        count: usize,
        /// Bytes that are left for them.
        remaining: usize,
    },
    /// Its arrays have more elements together than the reader was told to take.
    TooManyInAll,
    /// A varint does not end, or has more bits than its type.
    VarintTooLong,
    /// Null, where the version does not allow it.
    UnexpectedNull,
    /// A string is not UTF-8.
    NotUtf8,
    /// A value of known size has bytes behind it that belong to nothing.
    TrailingBytes(usize),
    /// The message has no such version.
    UnsupportedVersion(i16),
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at byte {}: {}", self.position, self.kind)
    }
}

impl fmt::Display for DecodeErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated { needed, remaining } => write!(f, "{needed} bytes are needed, {remaining} are left"),
            Self::InvalidLength(length) => write!(f, "{length} is not a possible length"),
            Self::TooManyElements { count, remaining } => {
                write!(f, "an array of {count} elements cannot fit into the {remaining} bytes left")
            }
            Self::TooManyInAll => f.write_str("more elements of arrays than are taken"),
            Self::VarintTooLong => f.write_str("a varint has more bits than its type"),
            Self::UnexpectedNull => f.write_str("null where the version does not allow it"),
            Self::NotUtf8 => f.write_str("a string is not UTF-8"),
            Self::TrailingBytes(count) => write!(f, "{count} bytes follow the value, none should"),
            Self::UnsupportedVersion(version) => write!(f, "the message has no version {version}"),
        }
    }
}

impl std::error::Error for DecodeError {}

/// The value cannot be written as asked: a mistake of the caller, never of a peer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EncodeError {
    /// A string, bytes, an array or a frame is longer than its length field can say.
    TooLong {
        /// Bytes, or elements of an array.
        length: usize,
    },
    /// A field that says something is missing in the version, and the schema does not allow to drop it.
    NotInVersion {
        /// `Struct.field`.
        field: &'static str,
        /// The version asked for.
        version: i16,
    },
    /// A field is null in a version that does not allow it.
    NullInVersion {
        /// `Struct.field`.
        field: &'static str,
        /// The version asked for.
        version: i16,
    },
    /// The message has no such version.
    UnsupportedVersion {
        /// The message.
        message: &'static str,
        /// The version asked for.
        version: i16,
    },
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong { length } => write!(f, "{length} is more than a length field can say"),
            Self::NotInVersion { field, version } => write!(f, "{field} is set, but version {version} lacks it"),
            Self::NullInVersion { field, version } => write!(f, "{field} is null, version {version} forbids it"),
            Self::UnsupportedVersion { message, version } => write!(f, "{message} has no version {version}"),
        }
    }
}

impl std::error::Error for EncodeError {}
