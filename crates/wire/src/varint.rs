//! How many bytes a varint takes: seven bits a byte, the lowest first. Zigzag puts small negative numbers among the
//! small ones. Reading and writing them is the business of [`Reader`](crate::Reader) and [`Writer`](crate::Writer).

/// Bytes of `value` as an unsigned varint: 1 to 5.
#[must_use]
pub const fn unsigned_varint_size(value: u32) -> usize {
    unsigned_varlong_size(value as u64)
}

/// Bytes of `value` as an unsigned varlong: 1 to 10.
#[must_use]
pub const fn unsigned_varlong_size(value: u64) -> usize {
    let bits = 64 - (value | 1).leading_zeros() as usize;
    bits.div_ceil(7)
}

/// Bytes of `value` as a zigzag varint: 1 to 5.
#[must_use]
pub const fn varint_size(value: i32) -> usize {
    unsigned_varint_size(zigzag(value as i64) as u32)
}

/// Bytes of `value` as a zigzag varlong: 1 to 10.
#[must_use]
pub const fn varlong_size(value: i64) -> usize {
    unsigned_varlong_size(zigzag(value))
}

/// 0, −1, 1, −2, … become 0, 1, 2, 3, …; a 32-bit value yields 32 bits.
pub(crate) const fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

/// The inverse of [`zigzag`].
pub(crate) const fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}
