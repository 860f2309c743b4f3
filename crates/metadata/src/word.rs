//! The words of `ottla-types` and of this crate as CBOR: numbers as integers, ids as 16 bytes, names as text.
//!
//! The modules at the end are what the fields of `Fact` name in `#[cbor(with = "…")]`. The shape of a whole entry is in
//! `codec`.

use minicbor::decode::{Decoder, Error as DecodeError};
use minicbor::encode::{Encoder, Error as EncodeError, Write};
use ottla_types::{BrokerId, LeaderEpoch, PartitionIndex, ProducerId, TopicName, Uuid};

use crate::{BrokerEpoch, PartitionEpoch};

/// A word of `ottla-types` as CBOR.
pub(crate) trait Word: Sized {
    fn write<W: Write>(&self, e: &mut Encoder<W>) -> Result<(), EncodeError<W::Error>>;
    fn read(d: &mut Decoder<'_>) -> Result<Self, DecodeError>;
}

macro_rules! number_words {
    ($($word:ident $read:ident,)*) => {$(
        impl Word for $word {
            fn write<W: Write>(&self, e: &mut Encoder<W>) -> Result<(), EncodeError<W::Error>> {
                e.$read(self.0)?.ok()
            }

            fn read(d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
                d.$read().map(Self)
            }
        }
    )*};
}

number_words! {
    BrokerId i32,
    BrokerEpoch i64,
    LeaderEpoch i32,
    PartitionEpoch i32,
    PartitionIndex i32,
    ProducerId i64,
}

impl Word for Uuid {
    fn write<W: Write>(&self, e: &mut Encoder<W>) -> Result<(), EncodeError<W::Error>> {
        e.bytes(&self.0)?.ok()
    }

    fn read(d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let position = d.position();
        let bytes = d.bytes()?;
        let bytes = bytes
            .try_into()
            .map_err(|_| DecodeError::message(format!("an id of {} bytes, not 16", bytes.len())).at(position))?;
        Ok(Self(bytes))
    }
}

impl Word for TopicName {
    fn write<W: Write>(&self, e: &mut Encoder<W>) -> Result<(), EncodeError<W::Error>> {
        e.str(self.as_str())?.ok()
    }

    fn read(d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let position = d.position();
        Self::new(d.str()?).map_err(|invalid| DecodeError::message(invalid).at(position))
    }
}

/// `#[cbor(with = "one")]`: a field that is one word.
pub(crate) mod one {
    use super::{DecodeError, Decoder, EncodeError, Encoder, Word, Write};

    pub(crate) fn encode<C, T: Word, W: Write>(
        word: &T,
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), EncodeError<W::Error>> {
        word.write(e)
    }

    pub(crate) fn decode<C, T: Word>(d: &mut Decoder<'_>, _: &mut C) -> Result<T, DecodeError> {
        T::read(d)
    }
}

/// `#[cbor(with = "list")]`: a field that is a list of words.
pub(crate) mod list {
    use super::{DecodeError, Decoder, EncodeError, Encoder, Word, Write};

    pub(crate) fn encode<C, T: Word, W: Write>(
        words: &[T],
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), EncodeError<W::Error>> {
        e.array(words.len() as u64)?;
        words.iter().try_for_each(|word| word.write(e))
    }

    pub(crate) fn decode<C, T: Word>(d: &mut Decoder<'_>, _: &mut C) -> Result<Vec<T>, DecodeError> {
        let claimed = d.array()?.ok_or_else(|| DecodeError::message("a list of unknown length"))?;
        // Not `with_capacity`: the claim may be more than there is memory, and the input ends soon enough.
        let mut words = Vec::new();
        for _ in 0..claimed {
            words.push(T::read(d)?);
        }
        Ok(words)
    }
}

/// `#[cbor(with = "optional", has_nil)]`: a field that may be absent.
pub(crate) mod optional {
    use super::{DecodeError, Decoder, EncodeError, Encoder, Word, Write};

    pub(crate) fn encode<C, T: Word, W: Write>(
        word: &Option<T>,
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), EncodeError<W::Error>> {
        word.as_ref().map_or(Ok(()), |word| word.write(e))
    }

    pub(crate) fn decode<C, T: Word>(d: &mut Decoder<'_>, _: &mut C) -> Result<Option<T>, DecodeError> {
        T::read(d).map(Some)
    }

    #[expect(clippy::unnecessary_wraps, reason = "the derive macro asks for this shape")]
    pub(crate) fn nil<T>() -> Option<Option<T>> {
        Some(None)
    }

    pub(crate) fn is_nil<T>(word: &Option<T>) -> bool {
        word.is_none()
    }
}

/// `#[cbor(with = "optional_list", has_nil)]`: a list that may be absent.
pub(crate) mod optional_list {
    pub(crate) use super::optional::{is_nil, nil};
    use super::{DecodeError, Decoder, EncodeError, Encoder, Word, Write, list};

    pub(crate) fn encode<C, T: Word, W: Write>(
        words: &Option<Vec<T>>,
        e: &mut Encoder<W>,
        ctx: &mut C,
    ) -> Result<(), EncodeError<W::Error>> {
        words.as_ref().map_or(Ok(()), |words| list::encode(words, e, ctx))
    }

    pub(crate) fn decode<C, T: Word>(d: &mut Decoder<'_>, ctx: &mut C) -> Result<Option<Vec<T>>, DecodeError> {
        list::decode(d, ctx).map(Some)
    }
}
