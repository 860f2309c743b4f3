//! What a backslash or a bracket begins in an expression: characters, classes, places, quoted text.

use super::class::Class;
use super::names;
use super::syntax::{Error, Reader, Wrong};

impl Reader<'_> {
    /// What a backslash begins outside of a class.
    pub(super) fn escaped(&mut self) -> Result<(), Error> {
        let after = self.rest()[1..].chars().next();
        let place = match after {
            Some('A') => r"\A",
            Some('z') => r"\z",
            Some('b') => r"(?-u:\b)",
            Some('B') => r"(?-u:\B)",
            Some('Q') => {
                self.at += 2;
                let quoted = self.up_to(r"\E").unwrap_or_else(|| {
                    let rest = self.rest();
                    self.at = self.pattern.len();
                    rest
                });
                quoted.chars().for_each(|character| self.push_literal(character));
                return Ok(());
            }
            _ => {
                let class = match self.escaped_class()? {
                    Some(class) => class,
                    None => {
                        let character = self.escaped_character()?;
                        Class::range(character, character, self.folds)
                    }
                };
                self.push(class);
                return Ok(());
            }
        };
        self.at += 2;
        self.push(place);
        Ok(())
    }

    /// `[…]`.
    pub(super) fn class(&mut self) -> Result<Class, Error> {
        let at = self.at;
        self.eat("[");
        let is_negated = self.eat("^");
        let mut class = Class::EMPTY;
        let mut is_first = true;
        while is_first || !self.eat("]") {
            is_first = false;
            class = class.or(self.class_item(at)?);
        }
        Ok(class.negated_if(is_negated))
    }

    /// A class in a class, a range or a character.
    fn class_item(&mut self, class_at: usize) -> Result<Class, Error> {
        let at = self.at;
        if let Some(name) = self.rest().strip_prefix("[:").and_then(|rest| Some(&rest[..rest.find(":]")?])) {
            self.at += name.len() + 4;
            let class = names::posix(name).ok_or(Error(Wrong::ClassUnknown, at))?;
            return Ok(self.folded(class, name.starts_with('^')));
        }
        if let Some(class) = self.escaped_class()? {
            return Ok(class);
        }
        let from = self.class_character(class_at)?;
        let mut to = from;
        if self.rest().starts_with('-') && !self.rest().starts_with("-]") {
            self.eat("-");
            to = self.class_character(class_at)?;
            if to < from {
                return Err(Error(Wrong::ClassBounds, at));
            }
        }
        Ok(Class::range(from, to, self.folds))
    }

    fn class_character(&mut self, class_at: usize) -> Result<char, Error> {
        if self.rest().starts_with('\\') {
            return self.escaped_character();
        }
        self.next().ok_or(Error(Wrong::ClassNotClosed, class_at))
    }

    /// A class without regard to case, if that is asked for. What is negated is so afterwards.
    fn folded(&self, class: Class, is_negated: bool) -> Class {
        if self.folds { class.negated_if(is_negated).folded().negated_if(is_negated) } else { class }
    }

    /// `\d`, `\pL`, `\P{Latin}` and their like, if that is what follows.
    fn escaped_class(&mut self) -> Result<Option<Class>, Error> {
        let at = self.at;
        let mut rest = self.rest().chars();
        let (Some('\\'), Some(letter)) = (rest.next(), rest.next()) else { return Ok(None) };
        if let Some(class) = names::perl(letter) {
            self.at += 2;
            return Ok(Some(self.folded(class, letter.is_ascii_uppercase())));
        }
        if !letter.eq_ignore_ascii_case(&'p') {
            return Ok(None);
        }
        let unknown = Error(Wrong::ClassUnknown, at);
        self.at += 2;
        let from = self.at;
        let name = match self.next() {
            Some('{') => self.up_to("}").ok_or(unknown)?,
            Some(_) => &self.pattern[from..self.at],
            None => return Err(unknown),
        };
        let (name, inner) = name.strip_prefix('^').map_or((name, false), |name| (name, true));
        let class = names::unicode(name).ok_or(unknown)?;
        Ok(Some(self.folded(class, false).negated_if(inner != (letter == 'P'))))
    }

    /// The character that an escape means.
    fn escaped_character(&mut self) -> Result<char, Error> {
        let at = self.at;
        self.next();
        let wrong = Error(Wrong::Escape, at);
        let character = self.next().ok_or(Error(Wrong::EscapeMissing, at))?;
        let is_octal = |next: Option<char>| next.and_then(|next| next.to_digit(8));
        Ok(match character {
            '1'..='7' if is_octal(self.peek()).is_none() => return Err(wrong),
            '0'..='7' => {
                let mut value = character.to_digit(8).unwrap_or_default();
                for _ in 1..3 {
                    let Some(digit) = is_octal(self.peek()) else { break };
                    value = value * 8 + digit;
                    self.next();
                }
                char::from_u32(value).ok_or(wrong)?
            }
            'x' => {
                let digits = if self.eat("{") {
                    self.up_to("}").ok_or(wrong)?
                } else {
                    let from = self.at;
                    self.next();
                    self.next();
                    let digits = &self.pattern[from..self.at];
                    if digits.len() == 2 { digits } else { return Err(wrong) }
                };
                let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
                let value = u32::from_str_radix(digits.trim_start_matches('0'), 16).unwrap_or_default();
                let is_in_bounds = is_number && digits.trim_start_matches('0').len() <= 6 && value <= 0x10_ffff;
                // A surrogate is no character and in no name.
                if is_in_bounds { char::from_u32(value).unwrap_or('\u{fffd}') } else { return Err(wrong) }
            }
            'a' => '\x07',
            'f' => '\x0c',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'v' => '\x0b',
            character if character.is_ascii_alphanumeric() => return Err(wrong),
            character => character,
        })
    }
}
