//! What stands before a persisted record and tells its kind and its version. There are four ways:
//!
//! - a **key** of a coordinator's record: the number of its kind (16 bits), then the key, which has one version only;
//! - a **versioned** record: its version (16 bits), then the record;
//! - a **framed** record of the metadata log: three unsigned varints (the frame's version, 1; the number of the kind;
//!   the record's version), then the record;
//! - a **self-versioned** control record of the quorum: nothing before it, but its first field is its version.
//!
//! All of these take exactly the bytes that they are given: what is left over is an error, where not said otherwise.

use crate::record::{Record, TypedRecord};
use crate::{DecodeError, DecodeErrorKind, EncodeError, Reader, Writer};

/// The only version of a frame; 0 was that of a preview that nobody can read any more.
const FRAME_VERSION: u32 = 1;

/// The number of a key's kind: what tells which record it is.
pub fn key_type(key: &[u8]) -> Result<i16, DecodeError> {
    Reader::new(key).i16()
}

/// Reads a key. One of another kind is refused as an unsupported version, which is what its number once meant.
pub fn read_key<K: TypedRecord>(key: &[u8]) -> Result<K, DecodeError> {
    let mut r = Reader::new(key);
    let record_type = r.i16()?;
    if record_type != K::TYPE {
        return Err(DecodeError { position: 0, kind: DecodeErrorKind::UnsupportedVersion(record_type) });
    }
    let key = K::decode(&mut r, *K::VERSIONS.end())?;
    r.finish()?;
    Ok(key)
}

/// Writes a key.
pub fn write_key<K: TypedRecord>(key: &K) -> Result<Vec<u8>, EncodeError> {
    let mut w = Writer::new();
    w.i16(K::TYPE);
    key.encode(&mut w, *K::VERSIONS.end())?;
    Ok(w.into_vec())
}

/// Reads a record behind its version. Gives the version too, for whoever writes the record again.
pub fn read_versioned<R: Record>(bytes: &[u8]) -> Result<(R, i16), DecodeError> {
    let mut r = Reader::new(bytes);
    let version = r.i16()?;
    let record = R::decode(&mut r, version)?;
    r.finish()?;
    Ok((record, version))
}

/// As [`read_versioned`], for kinds of which Kafka promises that new versions only add fields at the end: one from
/// the future is read as the newest version known, and what is behind that is left alone.
pub fn read_versioned_leniently<R: Record>(bytes: &[u8]) -> Result<R, DecodeError> {
    let mut r = Reader::new(bytes);
    let version = r.i16()?;
    R::decode(&mut r, version.min(*R::VERSIONS.end()))
}

/// Writes a record behind its version.
pub fn write_versioned<R: Record>(record: &R, version: i16) -> Result<Vec<u8>, EncodeError> {
    let mut w = Writer::new();
    w.i16(version);
    record.encode(&mut w, version)?;
    Ok(w.into_vec())
}

/// Reads a record whose first field is its version.
pub fn read_self_versioned<R: Record>(bytes: &[u8]) -> Result<R, DecodeError> {
    let version = Reader::new(bytes).i16()?;
    let mut r = Reader::new(bytes);
    let record = R::decode(&mut r, version)?;
    r.finish()?;
    Ok(record)
}

/// Writes a record whose first field is its version: that field must be the one given.
pub fn write_self_versioned<R: Record>(record: &R, version: i16) -> Result<Vec<u8>, EncodeError> {
    let mut w = Writer::new();
    record.encode(&mut w, version)?;
    let first = w.as_slice().first_chunk().map(|bytes| i16::from_be_bytes(*bytes));
    if first != Some(version) {
        return Err(EncodeError::NotInVersion { field: "version", version });
    }
    Ok(w.into_vec())
}

/// What stands before a framed record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FrameHead {
    /// The number of the record's kind; compare [`TypedRecord::TYPE`].
    pub record_type: i16,
    /// The record's version; for [`Record::decode`].
    pub version: i16,
}

/// Reads what stands before a framed record. The record follows; then [`Reader::finish`] is due.
pub fn read_frame_head(r: &mut Reader<'_>) -> Result<FrameHead, DecodeError> {
    let at = r.position();
    let frame_version = r.unsigned_varint()?;
    if frame_version != FRAME_VERSION {
        let kind = DecodeErrorKind::UnsupportedVersion(i16::try_from(frame_version).unwrap_or(i16::MAX));
        return Err(DecodeError { position: at, kind });
    }
    Ok(FrameHead { record_type: short(r)?, version: short(r)? })
}

/// A varint that must fit into 15 bits.
fn short(r: &mut Reader<'_>) -> Result<i16, DecodeError> {
    let at = r.position();
    let number = r.unsigned_varint()?;
    i16::try_from(number).map_err(|_| DecodeError { position: at, kind: DecodeErrorKind::VarintTooLong })
}

/// Writes a framed record.
pub fn write_framed<R: TypedRecord>(record: &R, version: i16) -> Result<Vec<u8>, EncodeError> {
    let mut w = Writer::new();
    w.unsigned_varint(FRAME_VERSION);
    w.unsigned_varint(u32::from(R::TYPE.unsigned_abs()));
    w.unsigned_varint(u32::from(version.unsigned_abs()));
    record.encode(&mut w, version)?;
    Ok(w.into_vec())
}
