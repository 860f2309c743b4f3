//! What is done to a frame: bits, cuts, splices, numbers at their edges, sizes that lie.
//!
//! A frame here is what goes over the wire: four bytes of size, then so many bytes.

use crate::random::Random;

/// Bytes of the size before a frame.
const SIZE: usize = 4;
/// Numbers that lengths, counts and sizes are set to, and those a little below the largest.
const EDGES: [i32; 10] = [0, 1, -1, -2, i32::MIN, i32::MAX, i32::MAX - 1, i32::MAX - 7, 0x7fff, 1 << 20];
/// Varints of the same kind: the most that fits 32 bits, one more, one without an end, and lengths of 2 GiB and less.
const VARINT_EDGES: [&[u8]; 6] = [
    &[0xff, 0xff, 0xff, 0xff, 0x0f],
    &[0xff, 0xff, 0xff, 0xff, 0x1f],
    &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
    &[0xff, 0xff, 0xff, 0xff, 0x07],
    &[0x80, 0x80, 0x80, 0x80, 0x08],
    &[0x80, 0x80, 0x40],
];
/// Where the API's key and version are.
const HEAD: std::ops::Range<usize> = SIZE..SIZE + 4;

/// `frame` with up to four kinds of damage, some of it taken from `others`. As a rule its size is right again.
#[must_use]
pub fn damaged(frame: &[u8], others: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let mut bytes = frame.to_vec();
    for _ in 0..=random.below(3) {
        hurt(&mut bytes, others, random);
    }
    if random.below(8) > 0 {
        resize(&mut bytes);
    } else if bytes.len() >= SIZE {
        let lie = *random.one_of(&EDGES);
        bytes[..SIZE].copy_from_slice(&lie.to_be_bytes());
    }
    bytes
}

/// Makes the size what it is.
pub fn resize(bytes: &mut [u8]) {
    if let Some(size) = bytes.len().checked_sub(SIZE) {
        let size = i32::try_from(size).unwrap_or(i32::MAX);
        bytes[..SIZE].copy_from_slice(&size.to_be_bytes());
    }
}

/// One kind of damage, behind the size.
fn hurt(bytes: &mut Vec<u8>, others: &[Vec<u8>], random: &mut Random) {
    if bytes.len() <= SIZE {
        bytes.extend(random.bytes(9, 4));
        return;
    }
    let at = SIZE + random.below(bytes.len() - SIZE);
    match random.below(10) {
        0 => bytes[at] ^= 1 << random.below(8),
        1 => bytes[at] = random.next_number() as u8,
        2 => bytes.truncate(at),
        3 => {
            let other = random.one_of(others);
            let from = random.below(other.len().max(1)).min(other.len());
            bytes.truncate(at);
            bytes.extend_from_slice(&other[from..]);
        }
        4 => overwrite(bytes, at, &random.one_of(&EDGES).to_be_bytes()),
        5 => overwrite(bytes, at, &random.one_of(&EDGES).to_be_bytes()[2..]),
        6 => overwrite(bytes, at, VARINT_EDGES[random.below(VARINT_EDGES.len())]),
        7 => {
            let count = 1 + random.below(8);
            let new = random.bytes(count, 256);
            bytes.splice(at..at, new);
        }
        8 => {
            // A stretch of itself once more.
            let end = bytes.len().min(at + 1 + random.below(40));
            let stretch = bytes[at..end].to_vec();
            bytes.splice(at..at, stretch);
        }
        _ => {
            let at = HEAD.start + random.below(HEAD.len());
            if at < bytes.len() {
                bytes[at] = random.below(100) as u8;
            }
        }
    }
}

fn overwrite(bytes: &mut [u8], at: usize, with: &[u8]) {
    let room = bytes.len() - at;
    let count = with.len().min(room);
    bytes[at..at + count].copy_from_slice(&with[..count]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damage_is_the_same_every_time_and_mostly_leaves_a_frame_of_its_size() {
        let frame = [&[0, 0, 0, 20][..], &[0, 3, 0, 1], &[7; 16]].concat();
        let others = vec![vec![0, 0, 0, 3, 1, 2, 3], vec![0, 0, 0, 0]];
        let run = || {
            let mut random = Random::new(3);
            (0..2000).map(|_| damaged(&frame, &others, &mut random)).collect::<Vec<_>>()
        };
        let made = run();
        assert_eq!(made, run());
        let is_whole = |bytes: &&Vec<u8>| bytes.len() >= 4 && bytes[..4] == ((bytes.len() - 4) as u32).to_be_bytes();
        let whole = made.iter().filter(is_whole).count();
        assert!((1500..1950).contains(&whole), "{whole}");
        assert!(made.iter().filter(|bytes| **bytes == frame).count() < 20);
    }
}
