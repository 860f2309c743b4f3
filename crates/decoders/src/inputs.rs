//! Inputs that are the same in every run: seeds with damage, and bytes made from nothing.
//!
//! They are no fuzzer: nothing here looks at what an input reaches. Half of those from nothing are small numbers, which
//! most formats take for short lengths, so that readers get far.

use ottla_hostile::random::Random;

/// The seeds, and `count` inputs more, of at most `bytes_max` bytes unless a seed has more.
pub fn inputs(seeds: Vec<Vec<u8>>, count: usize, bytes_max: usize) -> impl Iterator<Item = Vec<u8>> {
    let mut random = Random::new(count as u64);
    let made = seeds.clone();
    seeds.into_iter().chain((0..count).map(move |_| match random.below(3) {
        0 if !made.is_empty() => {
            let at = random.below(made.len());
            damaged(made[at].clone(), &mut random)
        }
        1 => {
            let count = random.below(bytes_max.min(120));
            random.bytes(count, 4)
        }
        _ => {
            let count = random.below(bytes_max.min(300));
            random.bytes(count, 256)
        }
    }))
}

/// Up to four changes: a byte, a cut, an insertion, a number at its edge.
fn damaged(mut bytes: Vec<u8>, random: &mut Random) -> Vec<u8> {
    for _ in 0..=random.below(4) {
        if bytes.is_empty() {
            return bytes;
        }
        let at = random.below(bytes.len());
        match random.below(5) {
            0 => bytes[at] = random.next_number() as u8,
            1 => bytes[at] ^= 1 << random.below(8),
            2 => bytes.truncate(at),
            3 => bytes.insert(at, random.below(4) as u8),
            _ => {
                let end = bytes.len().min(at + 4);
                bytes[at..end].fill([0, 0x7f, 0x80, 0xff][random.below(4)]);
            }
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_begin_with_the_seeds_and_are_the_same_every_time() {
        let seeds = vec![b"seed".to_vec(), vec![7; 30]];
        let made: Vec<_> = inputs(seeds.clone(), 500, 200).collect();
        assert_eq!((made.len(), &made[..2]), (502, &seeds[..]));
        assert!(made.iter().eq(&inputs(seeds, 500, 200).collect::<Vec<_>>()));
        assert!(made.iter().any(|bytes| bytes.len() > 100 && bytes.iter().all(|byte| *byte < 4)));
    }
}
