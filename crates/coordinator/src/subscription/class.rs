//! Sets of ASCII characters, which is all that names of topics are made of.

use std::fmt::{self, Write as _};

/// A set of ASCII characters, one bit for each. Others are in no set: no name has them.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(super) struct Class(u128);

impl Class {
    pub(super) const EMPTY: Self = Self(0);
    pub(super) const ALL: Self = Self(u128::MAX);

    pub(super) fn of(is_in: impl Fn(u8) -> bool) -> Self {
        Self((0..128).filter(|byte| is_in(*byte)).fold(0, |bits, byte| bits | 1 << byte))
    }

    /// The characters from one to another. In any case, if `folds`: the Kelvin sign is a K then, and the long s an S.
    pub(super) fn range(from: char, to: char, folds: bool) -> Self {
        let is_in = |character: char| (from..=to).contains(&character);
        let class = Self::of(|byte| is_in(char::from(byte)));
        if !folds {
            return class;
        }
        let also = |other: char, letter: u8| if is_in(other) { Self::of(|byte| byte == letter) } else { Self::EMPTY };
        class.or(also('\u{212a}', b'k')).or(also('\u{17f}', b's')).folded()
    }

    /// With each letter in both cases.
    pub(super) fn folded(self) -> Self {
        Self::of(|byte| self.has(byte.to_ascii_lowercase()) || self.has(byte.to_ascii_uppercase()))
    }

    pub(super) const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(super) const fn negated_if(self, is_negated: bool) -> Self {
        if is_negated { Self(!self.0) } else { self }
    }

    const fn has(self, byte: u8) -> bool {
        self.0 >> byte & 1 == 1
    }
}

/// As Rust's expressions write it. One that no name can match stands for the empty set.
impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::EMPTY {
            return f.write_str(r"\x{80}");
        }
        f.write_char('[')?;
        let mut byte = 0;
        while byte < 128 {
            let end = (byte..128).find(|byte| !self.has(*byte)).unwrap_or(128);
            if end > byte {
                write!(f, r"\x{byte:02x}-\x{:02x}", end - 1)?;
            }
            byte = end.max(byte + 1);
        }
        f.write_char(']')
    }
}
