//! The text format of `server.properties`: what `java.util.Properties` reads, with the line of every entry kept.
//!
//! This file knows the format, not the keys; `settings.rs` gives them meaning. One difference to Java is meant: the
//! text is already decoded (UTF-8), where Java reads the bytes of a file as Latin-1.

use std::fmt;
use std::iter::Peekable;
use std::str::Chars;

/// One entry of a file, in the file's order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Property {
    /// The line on which the entry begins, counted from 1.
    pub line: usize,
    /// The key, with its escapes resolved.
    pub key: String,
    /// The value, with its escapes resolved; trailing blanks are part of it.
    pub value: String,
}

/// The text is not in the properties format: a `\u` without four hexadecimal digits, or half of a surrogate pair.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MalformedEscape {
    /// The line on which the entry with the bad escape begins, counted from 1.
    pub line: usize,
}

impl fmt::Display for MalformedEscape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: \\u must be followed by four hexadecimal digits that make a character", self.line)
    }
}

impl std::error::Error for MalformedEscape {}

/// Reads every entry of `text`. A key that occurs twice is returned twice; the later one counts.
pub fn parse(text: &str) -> Result<Vec<Property>, MalformedEscape> {
    let mut lines = LogicalLines { chars: text.chars().peekable(), line: 1 };
    let mut properties = Vec::new();
    while let Some((line, content)) = lines.next_line() {
        let (key, value) = split(&content);
        let unescape = |raw| unescape(raw).ok_or(MalformedEscape { line });
        properties.push(Property { line, key: unescape(key)?, value: unescape(value)? });
    }
    Ok(properties)
}

/// Joins continued lines and drops blank lines and comments.
struct LogicalLines<'a> {
    chars: Peekable<Chars<'a>>,
    line: usize,
}

impl LogicalLines<'_> {
    /// The next entry's text without its line breaks, and the line it begins on.
    fn next_line(&mut self) -> Option<(usize, String)> {
        let mut content = String::new();
        let mut begins = self.line;
        loop {
            self.skip_blanks();
            if content.is_empty() {
                begins = self.line;
                // Java looks for a comment as long as it has no character of the entry, so after a lone `\` as well.
                if matches!(self.chars.peek(), Some('#' | '!')) {
                    self.skip_rest();
                    continue;
                }
            }
            let continued = self.append_rest(&mut content);
            let at_end = self.chars.peek().is_none();
            if continued && !at_end {
                continue;
            }
            if !content.is_empty() || continued {
                return Some((begins, content));
            }
            if at_end {
                return None;
            }
        }
    }

    fn skip_blanks(&mut self) {
        while self.chars.next_if(|c| is_blank(*c)).is_some() {}
    }

    fn skip_rest(&mut self) {
        while let Some(c) = self.chars.next() {
            if self.ends_line(c) {
                return;
            }
        }
    }

    /// Appends what remains of the line; says whether a backslash at its end asks for the next line. That backslash
    /// is not appended.
    fn append_rest(&mut self, content: &mut String) -> bool {
        let mut escaping = false;
        while let Some(c) = self.chars.next() {
            if self.ends_line(c) {
                break;
            }
            content.push(c);
            escaping = c == '\\' && !escaping;
        }
        if escaping {
            content.pop();
        }
        escaping
    }

    /// Whether `c` ends a line; takes the second half of `\r\n` too.
    fn ends_line(&mut self, c: char) -> bool {
        match c {
            '\r' => {
                self.chars.next_if_eq(&'\n');
                self.line += 1;
                true
            }
            '\n' => {
                self.line += 1;
                true
            }
            _ => false,
        }
    }
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\u{c}')
}

/// Cuts an entry into key and value at the first `=`, `:` or blank that is not escaped; blanks around it go, and so
/// does one `=` or `:` that follows a blank.
fn split(content: &str) -> (&str, &str) {
    let mut escaping = false;
    let end = content.find(|c: char| {
        let found = !escaping && (is_blank(c) || c == '=' || c == ':');
        escaping = c == '\\' && !escaping;
        found
    });
    let (key, rest) = content.split_at(end.unwrap_or(content.len()));
    let rest = rest.trim_start_matches(is_blank);
    let rest = rest.strip_prefix(['=', ':']).unwrap_or(rest);
    (key, rest.trim_start_matches(is_blank))
}

/// Resolves `\t`, `\n`, `\r`, `\f` and `\uXXXX`; any other escaped character stands for itself.
fn unescape(raw: &str) -> Option<String> {
    let mut text = String::with_capacity(raw.len());
    let mut chars = raw.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            text.push(c);
            continue;
        }
        match chars.next() {
            Some('t') => text.push('\t'),
            Some('n') => text.push('\n'),
            Some('r') => text.push('\r'),
            Some('f') => text.push('\u{c}'),
            Some('u') => text.push(unicode(&mut chars)?),
            Some(other) => text.push(other),
            None => {}
        }
    }
    Some(text)
}

/// The character behind `\u`. Java counts in UTF-16, so a character beyond 16 bits is written as two escapes.
fn unicode(chars: &mut Chars<'_>) -> Option<char> {
    let first = four_digits(chars)?;
    if !(0xd800..0xdc00).contains(&first) {
        return char::from_u32(first);
    }
    if chars.next() != Some('\\') || chars.next() != Some('u') {
        return None;
    }
    let second = four_digits(chars)?;
    let low = second.checked_sub(0xdc00).filter(|low| *low < 0x400)?;
    char::from_u32(0x10000 + ((first - 0xd800) << 10) + low)
}

fn four_digits(chars: &mut Chars<'_>) -> Option<u32> {
    (0..4).try_fold(0, |number, _| Some(number * 16 + chars.next()?.to_digit(16)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_keep_their_order_and_the_line_they_begin_on() {
        let text = "# comment\na=1\n\nb = 2, \\\n    3\r\n! another\rc: x=y";
        let entries: Vec<_> = parse(text).unwrap().into_iter().map(|p| (p.line, p.key, p.value)).collect();
        let expected = [(2, "a", "1"), (4, "b", "2, 3"), (7, "c", "x=y")];
        assert_eq!(entries, expected.map(|(line, key, value)| (line, key.to_owned(), value.to_owned())));
    }

    #[test]
    fn a_bad_unicode_escape_names_its_line() {
        assert_eq!(parse("a=1\nb=\\u12"), Err(MalformedEscape { line: 2 }));
        assert_eq!(parse("b=\\ud83d!"), Err(MalformedEscape { line: 1 }));
        assert_eq!(parse("b=\\ud83d\\ude00").unwrap()[0].value, "\u{1f600}");
    }
}
