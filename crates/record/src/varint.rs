//! The variable-length integers inside a record: zigzag, seven bits a byte, lowest first, at most 5 or 10 bytes.
//!
//! They are here and not taken from another crate because the walk over records spends most of its time in them.
//! Reading accepts longer forms of small numbers, as Kafka does (`ByteUtils.readVarint`), and refuses what does not
//! fit 32 or 64 bits, where Kafka drops the excess bits: a reader that keeps them would see another length than Kafka
//! does.

/// Why no number could be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum VarintError {
    /// The bytes end within the number.
    Truncated,
    /// The number has more bytes, or more bits, than its type allows.
    TooLong,
}

/// Reads a 32-bit number at `*at` and moves `*at` behind it.
#[inline(always)]
pub(crate) fn read_i32(bytes: &[u8], at: &mut usize) -> Result<i32, VarintError> {
    if let Some(raw) = read_short(bytes, at) {
        return Ok(unzigzag_32(raw));
    }
    let raw = read_slow(bytes, at, 5)?;
    u32::try_from(raw).map(unzigzag_32).map_err(|_| VarintError::TooLong)
}

/// Reads a 64-bit number at `*at` and moves `*at` behind it.
#[inline(always)]
pub(crate) fn read_i64(bytes: &[u8], at: &mut usize) -> Result<i64, VarintError> {
    if let Some(raw) = read_short(bytes, at) {
        return Ok(unzigzag_64(u64::from(raw)));
    }
    read_slow(bytes, at, 10).map(unzigzag_64)
}

/// A number of one to three bytes in a straight line: every length below 1 MiB, every offset delta of a batch of that
/// size, and a quarter of an hour of timestamps.
#[inline(always)]
fn read_short(bytes: &[u8], at: &mut usize) -> Option<u32> {
    let rest = bytes.get(*at..)?;
    let first = u32::from(*rest.first()?);
    if first < 0x80 {
        *at += 1;
        return Some(first);
    }
    let [_, second, third] = *rest.first_chunk::<3>()?;
    let two = (first & 0x7f) | u32::from(second & 0x7f) << 7;
    if second < 0x80 {
        *at += 2;
        return Some(two);
    }
    if third < 0x80 {
        *at += 3;
        return Some(two | u32::from(third) << 14);
    }
    None
}

/// Reads up to `bytes_max` bytes of seven bits. The position moves only when the number is whole.
#[inline(never)]
fn read_slow(bytes: &[u8], at: &mut usize, bytes_max: usize) -> Result<u64, VarintError> {
    let mut value = 0u64;
    for index in 0..bytes_max {
        let byte = *bytes.get(*at + index).ok_or(VarintError::Truncated)?;
        let bits = u64::from(byte & 0x7f);
        // The tenth byte has room for one bit only.
        if index == 9 && bits > 1 {
            return Err(VarintError::TooLong);
        }
        value |= bits << (7 * index);
        if byte < 0x80 {
            *at += index + 1;
            return Ok(value);
        }
    }
    Err(VarintError::TooLong)
}

/// Appends a 32-bit number.
pub(crate) fn write_i32(out: &mut Vec<u8>, value: i32) {
    write_i64(out, i64::from(value));
}

/// Appends a 64-bit number. For a value of 32 bits the bytes are those of [`write_i32`].
#[inline]
pub(crate) fn write_i64(out: &mut Vec<u8>, value: i64) {
    let raw = zigzag(value);
    match raw {
        0..0x80 => out.push(raw as u8),
        0x80..0x4000 => out.extend_from_slice(&[raw as u8 | 0x80, (raw >> 7) as u8]),
        _ => write_slow(out, raw),
    }
}

#[inline(never)]
fn write_slow(out: &mut Vec<u8>, mut raw: u64) {
    while raw >= 0x80 {
        out.push((raw & 0x7f) as u8 | 0x80);
        raw >>= 7;
    }
    out.push(raw as u8);
}

/// How many bytes [`write_i64`] takes for `value`.
pub(crate) const fn size_of(value: i64) -> usize {
    let bits = 64 - (zigzag(value) | 1).leading_zeros() as usize;
    bits.div_ceil(7)
}

const fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

#[inline(always)]
const fn unzigzag_32(raw: u32) -> i32 {
    (raw >> 1) as i32 ^ -((raw & 1) as i32)
}

#[inline(always)]
const fn unzigzag_64(raw: u64) -> i64 {
    (raw >> 1) as i64 ^ -((raw & 1) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn numbers_read_back_with_their_stated_size(value: i64, small: i32, shift in 0u32..64) {
            for value in [value >> shift, i64::from(small)] {
                let mut out = Vec::new();
                write_i64(&mut out, value);
                prop_assert_eq!(out.len(), size_of(value));
                let mut at = 0;
                prop_assert_eq!(read_i64(&out, &mut at), Ok(value));
                prop_assert_eq!(at, out.len());
            }
            let small = small >> (shift % 32);
            let mut out = vec![0xff];
            write_i32(&mut out, small);
            let mut at = 1;
            prop_assert_eq!(read_i32(&out, &mut at), Ok(small));
            prop_assert_eq!(at, out.len());
            for end in 1..out.len() {
                prop_assert_eq!(read_i32(&out[..end], &mut 1), Err(VarintError::Truncated));
            }
        }
    }

    #[test]
    fn known_bytes() {
        for (bytes, value) in [(&[0u8][..], 0), (&[1], -1), (&[2], 1), (&[0xac, 0x02], 150), (&[0x80, 0x00], 0)] {
            assert_eq!(read_i32(bytes, &mut 0), Ok(value), "{bytes:?}");
            assert_eq!(read_i64(bytes, &mut 0), Ok(i64::from(value)), "{bytes:?}");
        }
        assert_eq!(read_i32(&[0xff, 0xff, 0xff, 0xff, 0x0f], &mut 0), Ok(i32::MIN));
    }

    #[test]
    fn refuses_numbers_beyond_their_type() {
        assert_eq!(read_i32(&[0xff, 0xff, 0xff, 0xff, 0x1f], &mut 0), Err(VarintError::TooLong));
        assert_eq!(read_i32(&[0x80, 0x80, 0x80, 0x80, 0x80, 0], &mut 0), Err(VarintError::TooLong));
        let mut ten = [0xff; 10];
        ten[9] = 1;
        assert_eq!(read_i64(&ten, &mut 0), Ok(i64::MIN));
        ten[9] = 2;
        assert_eq!(read_i64(&ten, &mut 0), Err(VarintError::TooLong));
        assert_eq!(read_i64(&[0x80; 11], &mut 0), Err(VarintError::TooLong));
    }
}
