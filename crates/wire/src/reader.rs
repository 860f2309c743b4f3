//! Takes values off a byte slice, front to back. Borrows what it can, allocates nothing, panics on nothing.

use std::borrow::Cow;

use ottla_types::Uuid;

use crate::varint::unzigzag;
use crate::{DecodeError, DecodeErrorKind, Form, STRING_SIZE_MAX};

/// A place in a byte slice and the values that begin there.
///
/// After an error the place is unspecified: give the reader up.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    /// Everything up to the end of what may be read; the part before `position` stays, so that positions in errors
    /// and ranges count from the same byte in a reader and in the readers cut out of it.
    bytes: &'a [u8],
    /// The next byte. Invariant: `position <= bytes.len()`.
    position: usize,
    /// How many elements of arrays may still come.
    elements_left: usize,
}

macro_rules! numbers {
    ($($(#[$doc:meta])* $name:ident $type:ty;)*) => {
        $(
            $(#[$doc])*
            pub fn $name(&mut self) -> Result<$type, DecodeError> {
                Ok(<$type>::from_be_bytes(self.take()?))
            }
        )*
    };
}

impl<'a> Reader<'a> {
    /// A reader at the start of `bytes`.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, position: 0, elements_left: usize::MAX }
    }

    /// The same for bytes of which arrays may have `elements_max` elements, all of them together. A few bytes of an
    /// element may be hundreds in memory, so that a length in proportion to what was received is not bound enough.
    #[must_use]
    pub const fn with_elements_max(mut self, elements_max: usize) -> Self {
        self.elements_left = elements_max;
        self
    }

    /// Bytes read so far, that is, the index of the next one.
    #[must_use]
    pub const fn position(&self) -> usize {
        self.position
    }

    /// Bytes not read yet.
    #[must_use]
    pub const fn remaining(&self) -> usize {
        self.bytes.len() - self.position
    }

    /// The bytes not read yet.
    #[must_use]
    pub fn rest(&self) -> &'a [u8] {
        &self.bytes[self.position..]
    }

    /// Refuses bytes that nobody has read.
    pub fn finish(&self) -> Result<(), DecodeError> {
        match self.remaining() {
            0 => Ok(()),
            count => Err(self.error(DecodeErrorKind::TrailingBytes(count))),
        }
    }

    /// An error at the present position, for a caller that finds a value impossible.
    #[must_use]
    pub const fn error(&self, kind: DecodeErrorKind) -> DecodeError {
        DecodeError { position: self.position, kind }
    }

    numbers! {
        /// An 8-bit number.
        i8 i8;
        /// A 16-bit number.
        i16 i16;
        /// A 32-bit number.
        i32 i32;
        /// A 64-bit number.
        i64 i64;
        /// A 16-bit number without a sign.
        u16 u16;
        /// A 32-bit number without a sign.
        u32 u32;
        /// A double.
        f64 f64;
    }

    /// A truth value: any byte but 0 is true, as Kafka has it.
    pub fn bool(&mut self) -> Result<bool, DecodeError> {
        Ok(self.i8()? != 0)
    }

    /// A 128-bit id.
    pub fn uuid(&mut self) -> Result<Uuid, DecodeError> {
        Ok(Uuid(self.take()?))
    }

    /// The next `length` bytes.
    pub fn slice(&mut self, length: usize) -> Result<&'a [u8], DecodeError> {
        match self.rest().get(..length) {
            Some(slice) => {
                self.position += length;
                Ok(slice)
            }
            None => Err(self.truncated(length)),
        }
    }

    /// A reader of the next `length` bytes alone, which this one then has behind it. Its positions count on.
    pub fn sub_reader(&mut self, length: usize) -> Result<Self, DecodeError> {
        let start = self.position;
        self.slice(length)?;
        Ok(Self { bytes: &self.bytes[..self.position], position: start, elements_left: self.elements_left })
    }

    /// Seven bits a byte, 32 bits in all. More than five bytes, or more than 32 bits, are refused; zeros in front of
    /// the value are not, for Kafka takes them.
    pub fn unsigned_varint(&mut self) -> Result<u32, DecodeError> {
        if let Some(&byte) = self.bytes.get(self.position)
            && byte < 0x80
        {
            self.position += 1;
            return Ok(u32::from(byte));
        }
        let start = self.position;
        let value = self.unsigned_varlong_of(5)?;
        u32::try_from(value).map_err(|_| DecodeError { position: start, kind: DecodeErrorKind::VarintTooLong })
    }

    /// As [`unsigned_varint`](Self::unsigned_varint), with up to ten bytes and 64 bits.
    pub fn unsigned_varlong(&mut self) -> Result<u64, DecodeError> {
        self.unsigned_varlong_of(10)
    }

    /// A zigzag varint of 32 bits.
    pub fn varint(&mut self) -> Result<i32, DecodeError> {
        // Un-zigzagging 32 bits yields 32 bits.
        Ok(unzigzag(u64::from(self.unsigned_varint()?)) as i32)
    }

    /// A zigzag varlong of 64 bits.
    pub fn varlong(&mut self) -> Result<i64, DecodeError> {
        Ok(unzigzag(self.unsigned_varlong()?))
    }

    /// A string that must be there.
    pub fn string(&mut self, form: Form) -> Result<&'a str, DecodeError> {
        let start = self.position;
        self.nullable_string(form)?.ok_or(unexpected_null(start))
    }

    /// A string or null; any negative length is null. Longer ones than [`STRING_SIZE_MAX`] are refused, as is what is not
    /// UTF-8.
    pub fn nullable_string(&mut self, form: Form) -> Result<Option<&'a str>, DecodeError> {
        let Some(text) = self.nullable_string_bytes(form)? else { return Ok(None) };
        let not_utf8 = |_| DecodeError { position: self.position - text.len(), kind: DecodeErrorKind::NotUtf8 };
        std::str::from_utf8(text).map(Some).map_err(not_utf8)
    }

    /// A string that must be there; see [`nullable_text`](Self::nullable_text).
    pub fn text(&mut self, form: Form) -> Result<Cow<'a, str>, DecodeError> {
        let start = self.position;
        self.nullable_text(form)?.ok_or(unexpected_null(start))
    }

    /// A string or null, but what is not UTF-8 is read as U+FFFD, as Kafka does: clients in other encodings give themselves names.
    pub fn nullable_text(&mut self, form: Form) -> Result<Option<Cow<'a, str>>, DecodeError> {
        Ok(self.nullable_string_bytes(form)?.map(String::from_utf8_lossy))
    }

    /// A string as it came, whether it is UTF-8 or not, or null.
    pub fn nullable_string_bytes(&mut self, form: Form) -> Result<Option<&'a [u8]>, DecodeError> {
        let start = self.position;
        let length = match form {
            Form::Plain => self.i16().map(|length| usize::try_from(length).ok())?,
            Form::Compact => self.compact_length()?,
        };
        let Some(length) = length else { return Ok(None) };
        if length > STRING_SIZE_MAX {
            return Err(DecodeError { position: start, kind: DecodeErrorKind::InvalidLength(length as i64) });
        }
        self.slice(length).map(Some)
    }

    /// Bytes that must be there.
    pub fn bytes(&mut self, form: Form) -> Result<&'a [u8], DecodeError> {
        let start = self.position;
        self.nullable_bytes(form)?.ok_or(unexpected_null(start))
    }

    /// Bytes or null. A `records` field looks the same.
    pub fn nullable_bytes(&mut self, form: Form) -> Result<Option<&'a [u8]>, DecodeError> {
        match self.nullable_length(form)? {
            Some(length) => self.slice(length).map(Some),
            None => Ok(None),
        }
    }

    /// The number of elements of an array that must be there; see
    /// [`nullable_array_length`](Self::nullable_array_length).
    pub fn array_length(&mut self, form: Form, element_size_min: usize) -> Result<usize, DecodeError> {
        let start = self.position;
        self.nullable_array_length(form, element_size_min)?.ok_or(unexpected_null(start))
    }

    /// The number of elements of an array, or null. Refused if the rest of the bytes could not hold so many elements
    /// of `element_size_min` bytes each; so whoever allocates by it allocates in proportion to what was received.
    pub fn nullable_array_length(&mut self, form: Form, element_size_min: usize) -> Result<Option<usize>, DecodeError> {
        let start = self.position;
        let Some(count) = self.nullable_length(form)? else { return Ok(None) };
        let remaining = self.remaining();
        if count.checked_mul(element_size_min.max(1)).is_none_or(|size| size > remaining) {
            let kind = DecodeErrorKind::TooManyElements { count, remaining };
            return Err(DecodeError { position: start, kind });
        }
        let Some(elements_left) = self.elements_left.checked_sub(count) else {
            return Err(DecodeError { position: start, kind: DecodeErrorKind::TooManyInAll });
        };
        self.elements_left = elements_left;
        Ok(Some(count))
    }

    /// Any negative length is null, as Kafka reads it.
    fn nullable_length(&mut self, form: Form) -> Result<Option<usize>, DecodeError> {
        match form {
            Form::Plain => self.i32().map(|length| usize::try_from(length).ok()),
            Form::Compact => self.compact_length(),
        }
    }

    /// One less than what stands there, in 32 bits with a sign, as Kafka counts; any negative length is null.
    fn compact_length(&mut self) -> Result<Option<usize>, DecodeError> {
        let length = self.unsigned_varint()?.cast_signed().wrapping_sub(1);
        Ok(usize::try_from(length).ok())
    }

    fn unsigned_varlong_of(&mut self, bytes_max: usize) -> Result<u64, DecodeError> {
        let mut value = 0u64;
        for (i, &byte) in self.rest().iter().take(bytes_max).enumerate() {
            let bits = u64::from(byte & 0x7f);
            let shifted = bits << (7 * i);
            if shifted >> (7 * i) != bits {
                return Err(self.error(DecodeErrorKind::VarintTooLong));
            }
            value |= shifted;
            if byte < 0x80 {
                self.position += i + 1;
                return Ok(value);
            }
        }
        if self.remaining() < bytes_max {
            return Err(self.truncated(self.remaining() + 1));
        }
        Err(self.error(DecodeErrorKind::VarintTooLong))
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        match self.rest().first_chunk::<N>() {
            Some(chunk) => {
                self.position += N;
                Ok(*chunk)
            }
            None => Err(self.truncated(N)),
        }
    }

    const fn truncated(&self, needed: usize) -> DecodeError {
        self.error(DecodeErrorKind::Truncated { needed, remaining: self.remaining() })
    }
}

const fn unexpected_null(position: usize) -> DecodeError {
    DecodeError { position, kind: DecodeErrorKind::UnexpectedNull }
}
