//! Kafka's 128-bit ids (topics, directories, clusters) and their URL-safe Base64 text of 22 characters (KIP-516).

use std::fmt;
use std::str::FromStr;

/// A 128-bit id. All zeros means "none" wherever the wire carries one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Uuid(pub [u8; 16]);

/// The id of a topic: survives nothing but the topic itself, so a topic made anew under an old name has another.
pub type TopicId = Uuid;

/// The text is not the Base64 form of an id.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct InvalidUuid(pub String);

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

impl Uuid {
    /// "No id".
    pub const ZERO: Self = Self([0; 16]);

    /// A random id (RFC 9562 version 4) from 128 random bits. Kafka avoids ids whose text starts with `-`, because
    /// tools would read them as options; so such bits are turned into another id.
    #[must_use]
    pub const fn from_random(bits: u128) -> Self {
        let mut bytes = bits.to_be_bytes();
        bytes[6] = (bytes[6] & 0x0f) | 0x40;
        bytes[8] = (bytes[8] & 0x3f) | 0x80;
        if bytes[0] >> 2 == 62 {
            bytes[0] ^= 0x80;
        }
        Self(bytes)
    }

    /// Whether this is [`Uuid::ZERO`].
    #[must_use]
    pub fn is_zero(self) -> bool {
        self == Self::ZERO
    }
}

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bits = u128::from_be_bytes(self.0);
        let mut text = [0u8; 22];
        for (i, slot) in text.iter_mut().enumerate() {
            // 21 groups of six bits from the top, then two bits padded with four zeros.
            let group = if i < 21 { bits >> (122 - 6 * i) } else { bits << 4 };
            *slot = ALPHABET[(group & 63) as usize];
        }
        f.write_str(std::str::from_utf8(&text).expect("the alphabet is ASCII"))
    }
}

impl fmt::Debug for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl FromStr for Uuid {
    type Err = InvalidUuid;

    fn from_str(text: &str) -> Result<Self, InvalidUuid> {
        let invalid = || InvalidUuid(text.to_owned());
        if text.len() != 22 {
            return Err(invalid());
        }
        let mut bits: u128 = 0;
        for (i, c) in text.bytes().enumerate() {
            let group = ALPHABET.iter().position(|a| *a == c).ok_or_else(invalid)? as u128;
            if i < 21 {
                bits = (bits << 6) | group;
            } else if group & 15 == 0 {
                bits = (bits << 2) | (group >> 4);
            } else {
                return Err(invalid());
            }
        }
        Ok(Self(bits.to_be_bytes()))
    }
}

impl fmt::Display for InvalidUuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\" is not an id: 22 characters of URL-safe Base64 are expected", self.0)
    }
}

impl std::error::Error for InvalidUuid {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_form_is_kafkas() {
        // Printed by Kafka's Uuid class for the same 16 bytes.
        assert_eq!(Uuid::ZERO.to_string(), "AAAAAAAAAAAAAAAAAAAAAA");
        let one = Uuid(1u128.to_be_bytes());
        assert_eq!(one.to_string(), "AAAAAAAAAAAAAAAAAAAAAQ");
    }

    #[test]
    fn text_reads_back_and_bad_text_does_not() {
        for bits in [0, 1, u128::MAX, 0x0123_4567_89ab_cdef_0123_4567_89ab_cdef] {
            let id = Uuid(bits.to_be_bytes());
            assert_eq!(id.to_string().parse(), Ok(id));
        }
        for bad in ["", "AAAAAAAAAAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAAAAAAAA=", "AAAAAAAAAAAAAAAAAAAAAB"] {
            assert!(bad.parse::<Uuid>().is_err(), "{bad}");
        }
    }

    #[test]
    fn random_ids_never_start_with_a_dash() {
        for high in 0..=255u128 {
            assert!(!Uuid::from_random(high << 120).to_string().starts_with('-'));
        }
    }
}
