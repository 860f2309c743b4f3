//! One record taken apart: where its parts are and whether its lengths agree. Shared by the walk and by readers.
//!
//! ```text
//! length varint │ attributes i8 │ timestamp delta varlong │ offset delta varint
//!               │ key length varint, key │ value length varint, value │ header count varint, headers
//! header: key length varint, key │ value length varint, value
//! ```
//!
//! A length below 0 stands for null, as in Kafka's `DefaultRecord`; a header's key is never null. The attributes have
//! no meaning yet and may be anything.

use crate::error::FramingFault;
use crate::varint::{self, VarintError};

impl From<VarintError> for FramingFault {
    fn from(error: VarintError) -> Self {
        match error {
            VarintError::Truncated => Self::Length,
            VarintError::TooLong => Self::Number,
        }
    }
}

/// A record whose lengths agree.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame<'a> {
    pub(crate) timestamp_delta: i64,
    pub(crate) offset_delta: i32,
    pub(crate) key: Option<&'a [u8]>,
    pub(crate) value: Option<&'a [u8]>,
    pub(crate) header_count: usize,
    /// The headers' bytes, each of which [`header`] takes apart.
    pub(crate) headers: &'a [u8],
}

impl<'a> Frame<'a> {
    /// Takes apart what follows a record's length; `body` has exactly that length.
    #[inline(always)]
    pub(crate) fn parse(body: &'a [u8]) -> Result<Self, FramingFault> {
        let mut at = 1;
        let timestamp_delta = varint::read_i64(body, &mut at)?;
        let offset_delta = varint::read_i32(body, &mut at)?;
        let key = bytes(body, &mut at, FramingFault::KeyOrValue)?;
        let value = bytes(body, &mut at, FramingFault::KeyOrValue)?;
        let header_count = varint::read_i32(body, &mut at)?;
        let headers = body.get(at..).ok_or(FramingFault::Length)?;
        if header_count == 0 {
            if !headers.is_empty() {
                return Err(FramingFault::Length);
            }
        } else {
            check_headers(headers, header_count)?;
        }
        Ok(Self { timestamp_delta, offset_delta, key, value, header_count: header_count as usize, headers })
    }
}

/// Takes one header apart and moves `at` behind it.
pub(crate) fn header<'a>(headers: &'a [u8], at: &mut usize) -> Result<(&'a [u8], Option<&'a [u8]>), FramingFault> {
    let key = bytes(headers, at, FramingFault::HeaderKey)?.ok_or(FramingFault::HeaderKey)?;
    let value = bytes(headers, at, FramingFault::HeaderValue)?;
    Ok((key, value))
}

/// Reads a length and that many bytes; `None` for a negative length, `beyond` if there are not so many.
#[inline(always)]
fn bytes<'a>(body: &'a [u8], at: &mut usize, beyond: FramingFault) -> Result<Option<&'a [u8]>, FramingFault> {
    let length = varint::read_i32(body, at)?;
    let Ok(length) = usize::try_from(length) else { return Ok(None) };
    let bytes = body.get(*at..).and_then(|rest| rest.get(..length)).ok_or(beyond)?;
    *at += length;
    Ok(Some(bytes))
}

#[inline(never)]
fn check_headers(headers: &[u8], count: i32) -> Result<(), FramingFault> {
    let count = usize::try_from(count).map_err(|_| FramingFault::HeaderCount)?;
    // A header takes two bytes at least.
    if count > headers.len() / 2 {
        return Err(FramingFault::HeaderCount);
    }
    let mut at = 0;
    for _ in 0..count {
        header(headers, &mut at)?;
    }
    if at == headers.len() { Ok(()) } else { Err(FramingFault::Length) }
}
