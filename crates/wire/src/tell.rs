//! Persisted records told field by field, for those who print them: as [`Value`]s, by the names that Kafka's tools print.
//!
//! Told is what a version has, in the order of the schema; of tagged fields those that are not as by default. How a value
//! is written, as JSON or otherwise, is up to who prints it.

use bytes::Bytes;
use ottla_types::Uuid;

/// A value, apart from how it looks as bytes.
#[derive(Clone, PartialEq, Debug)]
pub enum Value {
    /// Null.
    Null,
    /// `bool`.
    Bool(bool),
    /// Any whole number.
    Int(i64),
    /// `float64`.
    Float(f64),
    /// `string`.
    Text(String),
    /// `bytes`.
    Bytes(Bytes),
    /// `uuid`.
    Uuid(Uuid),
    /// An array.
    List(Vec<Value>),
    /// A struct: names and values.
    Fields(Vec<(&'static str, Value)>),
}

/// What can be told. Generated for structs.
pub trait Tell {
    /// The value as `version` has it.
    fn tell(&self, version: i16) -> Value;
}

macro_rules! tell_numbers {
    ($($number:ty)*) => {
        $(impl Tell for $number {
            fn tell(&self, _version: i16) -> Value {
                Value::Int(i64::from(*self))
            }
        })*
    };
}
tell_numbers!(i8 i16 i32 i64 u16 u32);

impl Tell for bool {
    fn tell(&self, _version: i16) -> Value {
        Value::Bool(*self)
    }
}

impl Tell for f64 {
    fn tell(&self, _version: i16) -> Value {
        Value::Float(*self)
    }
}

impl Tell for String {
    fn tell(&self, _version: i16) -> Value {
        Value::Text(self.clone())
    }
}

impl Tell for Bytes {
    fn tell(&self, _version: i16) -> Value {
        Value::Bytes(self.clone())
    }
}

impl Tell for Uuid {
    fn tell(&self, _version: i16) -> Value {
        Value::Uuid(*self)
    }
}

impl<T: Tell> Tell for Option<T> {
    fn tell(&self, version: i16) -> Value {
        self.as_ref().map_or(Value::Null, |value| value.tell(version))
    }
}

impl<T: Tell> Tell for Vec<T> {
    fn tell(&self, version: i16) -> Value {
        Value::List(self.iter().map(|value| value.tell(version)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::transaction::transaction_log::TransactionLogValue;

    #[test]
    fn a_version_tells_what_it_has_and_tags_only_what_is_not_usual() {
        let record = TransactionLogValue { next_producer_id: 7, ..TransactionLogValue::default() };
        let names = |version| match record.tell(version) {
            Value::Fields(fields) => fields.into_iter().map(|(name, _)| name).collect::<Vec<_>>(),
            other => panic!("{other:?}"),
        };
        assert_eq!(names(0)[..3], ["producerId", "producerEpoch", "transactionTimeoutMs"]);
        assert_eq!(names(1)[..3], ["producerId", "nextProducerId", "producerEpoch"]);
        assert_eq!(record.transaction_partitions.tell(1), Value::Null);
    }
}
