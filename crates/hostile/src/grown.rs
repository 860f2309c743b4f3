//! Messages grown byte by byte: a decoder says what it lacks, and gets it, until it has a message.
//!
//! So there is a message with something in its arrays in every version of every API, whether a client ever sent it or
//! not. Nothing is known here of any schema. Values are small, and names consist of a few letters, so that the topics
//! and partitions that they mean may exist.

use ottla_protocol::Request;
use ottla_protocol::frame::request_frame;
use ottla_wire::{DecodeError, DecodeErrorKind, Reader};

use crate::random::Random;

/// From this length on arrays stay empty, so that growing comes to an end.
const LENGTH_ENOUGH: usize = 200;
/// Longer strings and arrays, and those that come of bytes that were meant for something else, are not wanted.
const LONG_BYTES: usize = 16;
/// What is given up after so many answers of the decoder.
const STEPS_MAX: usize = 4000;
/// After so many a part is grown anew.
const STEPS_PATIENT: usize = 100;

/// Bytes that `decode` reads to the end of its message; `None` if it takes none.
pub fn grow<T>(random: &mut Random, decode: impl Fn(&mut Reader<'_>) -> Result<T, DecodeError>) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    for step in 1..STEPS_MAX {
        if step % STEPS_PATIENT == 0 {
            // Something cannot be grown from its end, such as a field inside a size that was said before it.
            bytes.truncate(random.below(bytes.len().max(1)));
        }
        let error = match decode(&mut Reader::new(&bytes)) {
            Ok(_) => return Some(bytes),
            Err(error) => error,
        };
        match error.kind {
            // What filled an array became the length of something long: another length, then.
            DecodeErrorKind::Truncated { needed, .. } if needed > LONG_BYTES => {
                bytes.truncate(error.position.saturating_sub(2 + 2 * random.below(4)));
            }
            DecodeErrorKind::Truncated { needed, remaining } => {
                feed(&mut bytes, needed.saturating_sub(remaining), random);
            }
            // The length is there, the elements are not.
            DecodeErrorKind::TooManyElements { count, .. } if count > LONG_BYTES => {
                bytes.truncate(error.position.saturating_sub(2 * random.below(4)));
            }
            DecodeErrorKind::TooManyElements { .. } => bytes.push(random.below(3) as u8),
            DecodeErrorKind::UnsupportedVersion(_) => return None,
            // Not that value, then.
            _ if error.position < bytes.len() => bytes.truncate(error.position),
            _ => return None,
        }
    }
    None
}

/// Adds a value of `count` bytes.
fn feed(bytes: &mut Vec<u8>, count: usize, random: &mut Random) {
    let small = if bytes.len() > LENGTH_ENOUGH { random.below(2) } else { random.below(4) } as u8;
    match count {
        1 => bytes.push(small),
        2 | 4 | 8 => {
            bytes.resize(bytes.len() + count - 1, 0);
            bytes.push(small);
        }
        16 => bytes.extend([small; 16]),
        _ => bytes.extend((0..count).map(|_| b'a' + small)),
    }
}

/// `count` requests of an API in each of its versions, as whole frames with their size.
pub fn requests_of<M: Request>(count: usize, random: &mut Random) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    for version in M::VERSIONS {
        for correlation_id in 0..count {
            let Some(body) = grow(random, |r| M::decode(r, version)) else { continue };
            let Ok(request) = M::decode(&mut Reader::new(&body), version) else { continue };
            let id = i32::try_from(correlation_id).unwrap_or_default();
            frames.extend(request_frame(id, Some("grown"), version, &request));
        }
    }
    frames
}

/// `count` requests of every API in every version.
#[must_use]
pub fn requests(count: usize, random: &mut Random) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    macro_rules! of {
        ($module:ident, $request:ident, $response:ident) => {
            frames.extend(requests_of::<ottla_protocol::$module::$request>(count, random));
        };
    }
    ottla_protocol::for_every_api!(of);
    frames
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use ottla_protocol::create_topics::CreateTopicsRequest;
    use ottla_protocol::{ApiKey, Message};

    use super::*;

    #[test]
    fn every_api_is_grown_in_every_version_with_something_in_it() {
        let frames = requests(3, &mut Random::new(1));
        let head =
            |frame: &Vec<u8>| (i16::from_be_bytes([frame[4], frame[5]]), i16::from_be_bytes([frame[6], frame[7]]));
        let grown: BTreeSet<_> = frames.iter().map(head).collect();
        for key in ApiKey::ALL {
            for version in key.versions() {
                assert!(grown.contains(&(key.raw(), version)), "{key} v{version}");
            }
        }
        let random = &mut Random::new(2);
        for version in CreateTopicsRequest::VERSIONS {
            let grown = (0..60).map(|_| grow(random, |r| CreateTopicsRequest::decode(r, version)).expect("it grows"));
            let read =
                grown.map(|body| CreateTopicsRequest::decode(&mut Reader::new(&body), version).expect("it read it"));
            assert!(read.into_iter().any(|request| request.topics.iter().any(|t| !t.configs.is_empty())), "v{version}");
        }
    }
}
