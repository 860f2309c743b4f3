//! CRC-32C (Castagnoli), the checksum of batches and producer snapshots.

/// The checksum of `bytes`.
pub(crate) fn crc32c(bytes: &[u8]) -> u32 {
    crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32Iscsi, bytes) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_castagnolis() {
        // The check value of RFC 3720's polynomial.
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
    }
}
