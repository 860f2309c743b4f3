//! Numbers with a meaning, each a type of its own so that an epoch is never taken for an offset.
//!
//! All wrap the integer that Kafka's wire carries; the field is public because the wrapping is about names, not about
//! invariants. Sentinels are named constants.

use std::fmt;

macro_rules! number {
    ($(#[$doc:meta])* $name:ident($raw:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name(pub $raw);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }

        impl From<$raw> for $name {
            fn from(raw: $raw) -> Self {
                Self(raw)
            }
        }
    };
}

number! {
    /// The place of a record in its partition's log, counted from 0.
    Offset(i64)
}
number! {
    /// How often the leadership of a partition has changed hands or been renewed; rises at every restart too (KIP-101).
    LeaderEpoch(i32)
}
number! {
    /// A broker's `node.id` (once `broker.id`).
    BrokerId(i32)
}
number! {
    /// The number of a partition within its topic, counted from 0.
    PartitionIndex(i32)
}
number! {
    /// The id of an idempotent or transactional producer (KIP-98).
    ProducerId(i64)
}
number! {
    /// Fences older incarnations of one [`ProducerId`].
    ProducerEpoch(i16)
}
number! {
    /// The number of a record within one producer id and epoch and partition; after `i32::MAX` comes 0.
    Sequence(i32)
}

impl Offset {
    /// The first offset that a log can hold.
    pub const ZERO: Self = Self(0);

    /// The offset `records` places further on.
    #[must_use]
    pub const fn plus(self, records: i64) -> Self {
        Self(self.0 + records)
    }
}

impl LeaderEpoch {
    /// "I do not know the epoch": a client's way to skip the epoch check.
    pub const UNKNOWN: Self = Self(-1);

    /// The epoch that follows this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl BrokerId {
    /// "No broker": what the wire carries where a partition has no leader, or a fetch comes from a consumer.
    pub const NONE: Self = Self(-1);
}

impl ProducerId {
    /// A producer that is not idempotent.
    pub const NONE: Self = Self(-1);
}

impl ProducerEpoch {
    /// The epoch of a producer that is not idempotent.
    pub const NONE: Self = Self(-1);
}

impl Sequence {
    /// The sequence of a producer that is not idempotent.
    pub const NONE: Self = Self(-1);

    /// The sequence `records` further on, wrapping from `i32::MAX` to 0 as Kafka's `DefaultRecordBatch` does.
    #[must_use]
    pub const fn plus(self, records: i32) -> Self {
        let room = i32::MAX - self.0;
        if records > room { Self(records - room - 1) } else { Self(self.0 + records) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequences_wrap_to_zero() {
        assert_eq!(Sequence(5).plus(3), Sequence(8));
        assert_eq!(Sequence(i32::MAX).plus(0), Sequence(i32::MAX));
        assert_eq!(Sequence(i32::MAX).plus(1), Sequence(0));
        assert_eq!(Sequence(i32::MAX - 1).plus(4), Sequence(2));
    }

    #[test]
    fn numbers_print_bare_and_debug_with_their_name() {
        assert_eq!(Offset(7).to_string(), "7");
        assert_eq!(format!("{:?}", LeaderEpoch(3)), "LeaderEpoch(3)");
    }
}
