//! Facts as bytes: CBOR, every fact an array of its kind and a map of numbered fields, every entry of the log an array
//! of facts.
//!
//! How the single fields look is in `word`.
//!
//! Reading is strict. There is exactly one way to write a list of facts; bytes that a decoder would otherwise forgive (an
//! unknown field, a longer form of a number, something behind the end) are an error, for two nodes of different age
//! would read them differently. Nothing is allocated for a length that the input only claims.

use minicbor::decode::{self, Decoder};

use crate::Fact;

/// Bytes that are not a list of facts, or not one that this version knows. A node that meets them in its log stops.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum UnreadableFact {
    /// A kind of fact, or a value of a closed list within one, that this version does not know.
    #[error("at byte {position}: {what}; a newer version wrote this")]
    Unknown {
        /// Where, counted from the first byte.
        position: usize,
        /// What was found, in the decoder's words.
        what: String,
    },
    /// The bytes are not what they should be.
    #[error("at byte {position}: {what}")]
    Malformed {
        /// Where, counted from the first byte.
        position: usize,
        /// What was found, in the decoder's words.
        what: String,
    },
    /// The facts read, but this version would write them otherwise: an unknown field, or a number in a longer form.
    #[error("at byte {position}: not in the one form that facts are written in; perhaps a newer version wrote this")]
    NotCanonical {
        /// The first byte that differs.
        position: usize,
    },
}

/// The bytes of an entry that holds `facts`.
#[must_use]
pub fn encode_facts(facts: &[Fact]) -> Vec<u8> {
    let mut bytes = Vec::new();
    // Writing to memory does not fail, and no fact has an encoder that could.
    minicbor::encode(facts, &mut bytes).expect("encoding to memory succeeds");
    bytes
}

/// The facts of an entry.
pub fn decode_facts(bytes: &[u8]) -> Result<Vec<Fact>, UnreadableFact> {
    let mut decoder = Decoder::new(bytes);
    let facts = read_facts(&mut decoder).map_err(|error| {
        let position = error.position().unwrap_or_else(|| decoder.position());
        let what = error.to_string();
        if error.is_unknown_variant() {
            UnreadableFact::Unknown { position, what }
        } else {
            UnreadableFact::Malformed { position, what }
        }
    })?;
    let canonical = encode_facts(&facts);
    if canonical == bytes {
        return Ok(facts);
    }
    let position = canonical.iter().zip(bytes).take_while(|(a, b)| a == b).count();
    Err(UnreadableFact::NotCanonical { position })
}

/// Reads as many facts as the head claims; memory grows with what was read, not with the claim.
fn read_facts(decoder: &mut Decoder<'_>) -> Result<Vec<Fact>, decode::Error> {
    let claimed = decoder.array()?.ok_or_else(|| decode::Error::message("a list of unknown length"))?;
    let mut facts = Vec::new();
    for _ in 0..claimed {
        facts.push(decoder.decode()?);
    }
    Ok(facts)
}
