//! The two ways to write a length.

/// How the length of a string, of bytes or of an array is written. One message uses one form throughout: the compact
/// one from its first flexible version on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    /// A fixed-width signed length: 16 bits before strings, 32 bits before bytes and arrays. Null is −1.
    Plain,
    /// An unsigned varint of the length plus one (KIP-482). Null is 0. Structs end with tagged fields.
    Compact,
}

impl Form {
    /// The form of a flexible or not flexible version.
    #[must_use]
    pub const fn of(flexible: bool) -> Self {
        if flexible { Self::Compact } else { Self::Plain }
    }

    /// Whether structs end with tagged fields and lengths are varints.
    #[must_use]
    pub const fn is_compact(self) -> bool {
        matches!(self, Self::Compact)
    }
}
