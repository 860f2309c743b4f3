//! Puts values behind each other: the other half of [`Reader`](crate::Reader).
//!
//! It fills a `Vec<u8>`, not a `BytesMut`: a vector becomes a `Bytes` without a copy just the same, grows by
//! `realloc`, needs no bookkeeping for shared halves that an encoder never splits, and keeps this crate free of
//! dependencies.

use ottla_types::Uuid;

use crate::varint::zigzag;
use crate::{EncodeError, Form, STRING_SIZE_MAX};

/// Bytes in the making.
#[derive(Clone, Default, Debug)]
pub struct Writer {
    bytes: Vec<u8>,
}

/// The place of a 32-bit length that is written once it is known; see [`Writer::reserve_i32`].
#[derive(Debug)]
#[must_use = "the length stays 0 until it is filled in"]
pub struct Mark(usize);

macro_rules! numbers {
    ($($(#[$doc:meta])* $name:ident $type:ty;)*) => {
        $(
            $(#[$doc])*
            pub fn $name(&mut self, value: $type) {
                self.bytes.extend_from_slice(&value.to_be_bytes());
            }
        )*
    };
}

impl Writer {
    /// An empty writer.
    #[must_use]
    pub const fn new() -> Self {
        Self { bytes: Vec::new() }
    }

    /// An empty writer that does not allocate again for the first `capacity` bytes.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        Self { bytes: Vec::with_capacity(capacity) }
    }

    /// Bytes written so far.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether nothing is written yet.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// What is written so far.
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        &self.bytes
    }

    /// What was written.
    #[must_use]
    pub fn into_vec(self) -> Vec<u8> {
        self.bytes
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

    /// A truth value: one byte, 0 or 1.
    pub fn bool(&mut self, value: bool) {
        self.bytes.push(u8::from(value));
    }

    /// A 128-bit id.
    pub fn uuid(&mut self, value: Uuid) {
        self.bytes.extend_from_slice(&value.0);
    }

    /// Bytes as they are, without a length.
    pub fn slice(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// An unsigned varint of 32 bits.
    pub fn unsigned_varint(&mut self, value: u32) {
        self.unsigned_varlong(u64::from(value));
    }

    /// An unsigned varlong of 64 bits.
    pub fn unsigned_varlong(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.bytes.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.bytes.push(value as u8);
    }

    /// A zigzag varint of 32 bits.
    pub fn varint(&mut self, value: i32) {
        self.unsigned_varlong(zigzag(i64::from(value)));
    }

    /// A zigzag varlong of 64 bits.
    pub fn varlong(&mut self, value: i64) {
        self.unsigned_varlong(zigzag(value));
    }

    /// A string of at most [`STRING_SIZE_MAX`] bytes.
    pub fn string(&mut self, form: Form, value: &str) -> Result<(), EncodeError> {
        self.nullable_string(form, Some(value))
    }

    /// A string or null.
    pub fn nullable_string(&mut self, form: Form, value: Option<&str>) -> Result<(), EncodeError> {
        let length = value.map(str::len);
        if let Some(length) = length
            && length > STRING_SIZE_MAX
        {
            return Err(EncodeError::TooLong { length });
        }
        match form {
            Form::Plain => self.i16(length.map_or(-1, |length| length as i16)),
            Form::Compact => self.unsigned_varint(length.map_or(0, |length| length as u32 + 1)),
        }
        self.slice(value.unwrap_or_default().as_bytes());
        Ok(())
    }

    /// Bytes with their length.
    pub fn bytes(&mut self, form: Form, value: &[u8]) -> Result<(), EncodeError> {
        self.nullable_bytes(form, Some(value))
    }

    /// Bytes with their length, or null. A `records` field looks the same.
    pub fn nullable_bytes(&mut self, form: Form, value: Option<&[u8]>) -> Result<(), EncodeError> {
        self.nullable_length(form, value.map(<[u8]>::len))?;
        self.slice(value.unwrap_or_default());
        Ok(())
    }

    /// The number of an array's elements, which are to follow.
    pub fn array_length(&mut self, form: Form, count: usize) -> Result<(), EncodeError> {
        self.nullable_length(form, Some(count))
    }

    /// The number of an array's elements, or null.
    pub fn nullable_array_length(&mut self, form: Form, count: Option<usize>) -> Result<(), EncodeError> {
        self.nullable_length(form, count)
    }

    /// The length of bytes, records or an array, the content of which comes from elsewhere.
    pub fn nullable_length(&mut self, form: Form, length: Option<usize>) -> Result<(), EncodeError> {
        let length = match length {
            Some(length) => i32::try_from(length).map_err(|_| EncodeError::TooLong { length })?,
            None => -1,
        };
        match form {
            Form::Plain => self.i32(length),
            // −1 becomes 0, and i32::MAX still fits without a sign.
            Form::Compact => self.unsigned_varint(length.wrapping_add(1) as u32),
        }
        Ok(())
    }

    /// Leaves room for a 32-bit length in front of what follows.
    pub fn reserve_i32(&mut self) -> Mark {
        let mark = Mark(self.len());
        self.i32(0);
        mark
    }

    /// Fills in the length of everything written since `mark` was reserved, plus `more` bytes that follow from
    /// elsewhere.
    pub fn fill_length(&mut self, mark: Mark, more: usize) -> Result<(), EncodeError> {
        let length = (self.len() - mark.0 - 4).saturating_add(more);
        let length = i32::try_from(length).map_err(|_| EncodeError::TooLong { length })?;
        self.overwrite(mark.0, &length.to_be_bytes());
        Ok(())
    }

    /// What `content` writes, with its size before it as an unsigned varint. The content is moved if the size needs
    /// more than one byte, so this is for small things.
    pub(crate) fn sized(
        &mut self,
        content: impl FnOnce(&mut Self) -> Result<(), EncodeError>,
    ) -> Result<(), EncodeError> {
        let start = self.len();
        self.bytes.push(0);
        content(self)?;
        let length = self.len() - start - 1;
        let mut size = Self::new();
        size.unsigned_varint(u32::try_from(length).map_err(|_| EncodeError::TooLong { length })?);
        self.bytes.splice(start..=start, size.bytes);
        Ok(())
    }

    /// Replaces bytes that are already written.
    pub(crate) fn overwrite(&mut self, at: usize, bytes: &[u8]) {
        self.bytes[at..at + bytes.len()].copy_from_slice(bytes);
    }
}
