//! Reads an expression in RE2's syntax and writes it in that of Rust's expressions.
//!
//! Everything that a name can match is written as a [`Class`]; what remains are groups, alternatives, repetitions and a few
//! places. Reading goes from left to right once, with the open groups on a stack of our own, so that no expression is too
//! deep for this. What a backslash or a bracket begins is read in `escape`.

use std::collections::BTreeSet;
use std::fmt;

use super::NESTING_MAX;
use super::class::Class;

/// How often something may be repeated.
const REPEATS_MAX: u32 = 1000;

/// What is wrong with an expression.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Wrong {
    GroupNotClosed,
    GroupNotOpen,
    GroupUnknown,
    GroupName,
    GroupNameTwice,
    GroupDepth,
    ClassNotClosed,
    ClassUnknown,
    ClassBounds,
    NothingRepeated,
    RepeatedTwice,
    RepeatBounds,
    Escape,
    EscapeMissing,
}

/// What is wrong, and at which byte.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Error(pub(super) Wrong, pub(super) usize);

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.0 {
            Wrong::GroupNotClosed => "a group is not closed",
            Wrong::GroupNotOpen => "no group is open that could be closed",
            Wrong::GroupUnknown => "there is no such kind of group",
            Wrong::GroupName => "a group's name is not made of letters, digits and _",
            Wrong::GroupNameTwice => "two groups have the same name",
            Wrong::GroupDepth => return write!(f, "groups are nested deeper than {NESTING_MAX} at {}", self.1),
            Wrong::ClassNotClosed => "a class is not closed",
            Wrong::ClassUnknown => "there is no such class of characters",
            Wrong::ClassBounds => "a range ends before it begins",
            Wrong::NothingRepeated => "there is nothing to repeat",
            Wrong::RepeatedTwice => "a repetition is repeated",
            Wrong::RepeatBounds => "a repetition is out of bounds (0 to 1000, the smaller first)",
            Wrong::Escape => "there is no such escape",
            Wrong::EscapeMissing => "nothing follows a backslash",
        };
        write!(f, "{what} at {}", self.1)
    }
}

/// A group that is not closed, or the whole.
#[derive(Default)]
struct Group {
    /// Alternatives that are complete.
    alternatives: Vec<String>,
    /// The alternative that is being read, in pieces that can be repeated.
    atoms: Vec<String>,
    /// Whether case was of no account before it.
    folded_outside: bool,
}

impl Group {
    fn end_alternative(&mut self) {
        let alternative = std::mem::take(&mut self.atoms).concat();
        self.alternatives.push(alternative);
    }

    fn closed(mut self) -> String {
        self.end_alternative();
        format!("(?:{})", self.alternatives.join("|"))
    }
}

/// An expression that is being read.
pub(super) struct Reader<'a> {
    pub(super) pattern: &'a str,
    /// The byte that is read next.
    pub(super) at: usize,
    /// The groups around what is read; the first is the whole.
    groups: Vec<Group>,
    names: BTreeSet<&'a str>,
    /// Whether case is of no account.
    pub(super) folds: bool,
}

/// The expression in Rust's syntax, for names in ASCII.
pub(super) fn rewritten(pattern: &str) -> Result<String, Error> {
    let groups = vec![Group::default()];
    let mut reader = Reader { pattern, at: 0, groups, names: BTreeSet::new(), folds: false };
    let mut was_repeated = false;
    while let Some(character) = reader.peek() {
        let at = reader.at;
        let is_repeat = matches!(character, '*' | '+' | '?' | '{');
        if is_repeat {
            reader.repeat(was_repeated)?;
        } else {
            reader.item(character)?;
        }
        was_repeated = is_repeat;
        debug_assert!(reader.at > at, "every step reads something");
    }
    match reader.groups.pop() {
        Some(whole) if reader.groups.is_empty() => Ok(whole.closed()),
        _ => Err(Error(Wrong::GroupNotClosed, pattern.len())),
    }
}

impl<'a> Reader<'a> {
    pub(super) fn rest(&self) -> &'a str {
        &self.pattern[self.at..]
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    pub(super) fn next(&mut self) -> Option<char> {
        let character = self.peek()?;
        self.at += character.len_utf8();
        Some(character)
    }

    /// Reads this text, if it is there.
    pub(super) fn eat(&mut self, text: &str) -> bool {
        let is_there = self.rest().starts_with(text);
        self.at += if is_there { text.len() } else { 0 };
        is_there
    }

    /// Reads up to this text and the text, if it is there.
    pub(super) fn up_to(&mut self, text: &str) -> Option<&'a str> {
        let before = &self.rest()[..self.rest().find(text)?];
        self.at += before.len() + text.len();
        Some(before)
    }

    fn group(&mut self) -> &mut Group {
        self.groups.last_mut().expect("the whole is never closed")
    }

    pub(super) fn push(&mut self, text: impl fmt::Display) {
        self.group().atoms.push(text.to_string());
    }

    pub(super) fn push_literal(&mut self, character: char) {
        self.push(Class::range(character, character, self.folds));
    }

    /// Anything but a repetition.
    fn item(&mut self, character: char) -> Result<(), Error> {
        let at = self.at;
        match character {
            '(' => return self.open(),
            '[' => {
                let class = self.class()?;
                self.push(class);
                return Ok(());
            }
            '\\' => return self.escaped(),
            _ => self.next(),
        };
        match character {
            '|' => self.group().end_alternative(),
            ')' => {
                if self.groups.len() == 1 {
                    return Err(Error(Wrong::GroupNotOpen, at));
                }
                let group = self.groups.pop().expect("there are two at least");
                self.folds = group.folded_outside;
                let atom = group.closed();
                self.group().atoms.push(atom);
            }
            // Names have one line, so lines and texts begin and end in the same places.
            '^' => self.push(r"\A"),
            '$' => self.push(r"\z"),
            '.' => self.push(Class::ALL),
            _ => self.push_literal(character),
        }
        Ok(())
    }

    fn open_group(&mut self, at: usize, folded_outside: bool) -> Result<(), Error> {
        if self.groups.len() > NESTING_MAX as usize {
            return Err(Error(Wrong::GroupDepth, at));
        }
        self.groups.push(Group { folded_outside, ..Group::default() });
        Ok(())
    }

    /// `(`, `(?P<NAME>`, `(?<NAME>`, `(?FLAGS)` or `(?FLAGS:`.
    fn open(&mut self) -> Result<(), Error> {
        let at = self.at;
        if !self.eat("(?") {
            self.next();
            return self.open_group(at, self.folds);
        }
        if self.eat("P<") || self.eat("<") {
            let name = self.up_to(">").ok_or(Error(Wrong::GroupName, at))?;
            if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
                return Err(Error(Wrong::GroupName, at));
            }
            if !self.names.insert(name) {
                return Err(Error(Wrong::GroupNameTwice, at));
            }
            return self.open_group(at, self.folds);
        }
        let mut folds = self.folds;
        // Whether flags are taken away, and whether one was since that began.
        let (mut is_negated, mut has_flag) = (false, false);
        loop {
            match self.next() {
                Some('i') => (folds, has_flag) = (!is_negated, true),
                // They change nothing for a name of one line that has to match as a whole.
                Some('m' | 's' | 'U') => has_flag = true,
                Some('-') if !is_negated => (is_negated, has_flag) = (true, false),
                Some(end @ (':' | ')')) if has_flag || !is_negated => {
                    let folded_outside = std::mem::replace(&mut self.folds, folds);
                    return if end == ':' { self.open_group(at, folded_outside) } else { Ok(()) };
                }
                _ => return Err(Error(Wrong::GroupUnknown, at)),
            }
        }
    }

    /// `*`, `+`, `?`, `{N}`, `{N,}`, `{N,M}`, each lazy or not; or a `{` that begins nothing of this.
    fn repeat(&mut self, was_repeated: bool) -> Result<(), Error> {
        let at = self.at;
        let (min, max) = match self.next() {
            Some('*') => (0, None),
            Some('+') => (1, None),
            Some('?') => (0, Some(1)),
            _ => {
                let Some(bounds) = self.bounds() else {
                    self.push_literal('{');
                    return Ok(());
                };
                bounds
            }
        };
        if min.max(max.unwrap_or(min)) > REPEATS_MAX || max.is_some_and(|max| max < min) {
            return Err(Error(Wrong::RepeatBounds, at));
        }
        // Whether it is lazy is of no account when the whole name has to match.
        self.eat("?");
        if was_repeated {
            return Err(Error(Wrong::RepeatedTwice, at));
        }
        let Some(atom) = self.group().atoms.pop() else {
            return Err(Error(Wrong::NothingRepeated, at));
        };
        let max = max.map(|max| max.to_string()).unwrap_or_default();
        self.group().atoms.push(format!("(?:{atom}){{{min},{max}}}"));
        Ok(())
    }

    /// What follows a `{`, if it is a repetition's.
    fn bounds(&mut self) -> Option<(u32, Option<u32>)> {
        let text = &self.rest()[..self.rest().find('}')?];
        let (min, max) = text.split_once(',').map_or((text, None), |(min, max)| (min, Some(max)));
        let bounds = match max {
            None => (number(min)?, Some(number(min)?)),
            Some("") => (number(min)?, None),
            Some(max) => (number(min)?, Some(number(max)?)),
        };
        self.at += text.len() + 1;
        Some(bounds)
    }
}

/// A number of a repetition, which has no leading zeros.
fn number(text: &str) -> Option<u32> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let has_zeros = text.len() > 1 && text.starts_with('0');
    (is_number && !has_zeros).then(|| text.parse().unwrap_or(u32::MAX))
}
