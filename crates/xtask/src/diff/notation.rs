//! Values as text: what a script says of a request, and what an answer looks like.
//!
//! `null`, `true`, numbers, `"text"` with `\"`, `\\`, `\n`, `\xHH`; `[a, b]`; `{field=value field=value}`; words such as
//! `NONE` or `pid#1`; and functions, `name(arguments)`, `name{fields}` or `name"text"`. Commas count as spaces. What words
//! and functions mean is said by [`super::meaning`]; this module reads and writes them.

use std::fmt::Write as _;

/// The width that a line of an answer should not exceed.
const WIDTH: usize = 112;

/// Named values in order.
pub(super) type Fields = Vec<(String, Value)>;

/// A value, of a request before and after it is worked out, or of an answer.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Value {
    /// Nothing where something may be.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// Any integer.
    Int(i64),
    /// A number with a point.
    Float(f64),
    /// Text. Bytes that are not UTF-8 are never text.
    Text(String),
    /// Plain bytes, written as `hex"…"`.
    Bytes(Vec<u8>),
    /// A sequence.
    List(Vec<Value>),
    /// A struct.
    Fields(Fields),
    /// A name for something: of an error, of what a mask hides, of a number given out before.
    Word(String),
    /// A function and its arguments.
    Call(String, Vec<Value>),
}

/// Reads `field=value …` to the end of `text`.
pub(super) fn fields(text: &str) -> Result<Fields, String> {
    let mut reader = Reader { text, at: 0 };
    let fields = reader.fields()?;
    if reader.at < text.len() {
        return Err(format!("a field is expected at \"{}\"", reader.next_few()));
    }
    Ok(fields)
}

/// Reads one value that is all of `text`.
pub(super) fn value(text: &str) -> Result<Value, String> {
    let mut reader = Reader { text, at: 0 };
    let value = reader.value()?;
    reader.space();
    if reader.at < text.len() {
        return Err(format!("nothing more is expected at \"{}\"", reader.next_few()));
    }
    Ok(value)
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl Reader<'_> {
    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn next_few(&self) -> String {
        self.rest().chars().take(24).collect()
    }

    fn space(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start_matches([' ', ',', '\n']).len();
    }

    fn takes(&mut self, mark: char) -> bool {
        let is = self.rest().starts_with(mark);
        if is {
            self.at += mark.len_utf8();
        }
        is
    }

    fn word(&mut self) -> String {
        let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '#' | '*' | '-' | '+' | '@' | '$');
        let rest = self.rest();
        let word = rest[..rest.find(|c| !is_part(c)).unwrap_or(rest.len())].to_owned();
        self.at += word.len();
        word
    }

    fn fields(&mut self) -> Result<Fields, String> {
        let mut fields = Fields::new();
        loop {
            self.space();
            let before = self.at;
            let name = self.word();
            if name.is_empty() || !self.takes('=') {
                self.at = before;
                return Ok(fields);
            }
            let value = self.value()?;
            fields.push((name, value));
        }
    }

    fn list(&mut self, end: char) -> Result<Vec<Value>, String> {
        let mut list = Vec::new();
        loop {
            self.space();
            if self.takes(end) {
                return Ok(list);
            }
            list.push(self.value()?);
        }
    }

    fn braces(&mut self) -> Result<Value, String> {
        let fields = self.fields()?;
        self.space();
        if self.takes('}') {
            Ok(Value::Fields(fields))
        } else {
            Err(format!("a field or }} is expected at \"{}\"", self.next_few()))
        }
    }

    fn value(&mut self) -> Result<Value, String> {
        self.space();
        match self.rest().chars().next() {
            Some('[') => {
                self.at += 1;
                return Ok(Value::List(self.list(']')?));
            }
            Some('{') => {
                self.at += 1;
                return self.braces();
            }
            Some('"') => return self.text(),
            _ => {}
        }
        let word = self.word();
        if word.is_empty() {
            return Err(format!("a value is expected at \"{}\"", self.next_few()));
        }
        if self.takes('(') {
            return Ok(Value::Call(word, self.list(')')?));
        }
        if self.takes('{') {
            return Ok(Value::Call(word, vec![self.braces()?]));
        }
        if self.rest().starts_with('"') {
            return match (word.as_str(), self.text()?) {
                ("hex", Value::Text(text)) => Ok(Value::Bytes(bytes_of_hex(&text)?)),
                (_, text) => Ok(Value::Call(word, vec![text])),
            };
        }
        Ok(match word.as_str() {
            "null" => Value::Null,
            "true" => Value::Bool(true),
            "false" => Value::Bool(false),
            _ => match word.parse() {
                Ok(number) => Value::Int(number),
                Err(_) if word.starts_with(|c: char| c.is_ascii_digit() || c == '-') => {
                    Value::Float(word.parse().map_err(|_| format!("\"{word}\" is not a number"))?)
                }
                Err(_) => Value::Word(word),
            },
        })
    }

    fn text(&mut self) -> Result<Value, String> {
        let (mut text, mut chars) = (String::new(), self.rest().char_indices().skip(1));
        while let Some((at, c)) = chars.next() {
            match c {
                '"' => {
                    self.at += at + 1;
                    return Ok(Value::Text(text));
                }
                '\\' => match chars.next().map(|(_, c)| c) {
                    Some('n') => text.push('\n'),
                    Some('x') => {
                        let digits: String = chars.by_ref().take(2).map(|(_, c)| c).collect();
                        let code = u8::from_str_radix(&digits, 16).map_err(|_| format!("\\x{digits} is no byte"))?;
                        text.push(char::from(code));
                    }
                    Some(c @ ('"' | '\\')) => text.push(c),
                    _ => return Err("behind \\ in a text stands n, x, \" or \\".to_owned()),
                },
                c => text.push(c),
            }
        }
        Err(format!("a text has no end: {}", self.next_few()))
    }
}

fn bytes_of_hex(text: &str) -> Result<Vec<u8>, String> {
    let digits: Vec<u8> = text.bytes().filter(|byte| *byte != b' ').collect();
    let pair = |pair: &[u8]| {
        let text = std::str::from_utf8(pair).unwrap_or_default();
        u8::from_str_radix(text, 16).map_err(|_| format!("hex\"{text}\" is no byte"))
    };
    if digits.len() % 2 == 1 {
        return Err(format!("hex\"{text}\" has half a byte"));
    }
    digits.chunks(2).map(pair).collect()
}

/// A value in one line.
pub(super) fn line(value: &Value) -> String {
    let joined = |values: &[Value]| values.iter().map(line).collect::<Vec<_>>().join(", ");
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Int(value) => value.to_string(),
        Value::Float(value) => format!("{value:?}"),
        Value::Text(text) => quoted(text),
        Value::Bytes(bytes) => {
            let digits = bytes.iter().fold(String::new(), |mut digits, byte| {
                write!(digits, "{byte:02x}").expect("text takes what is written");
                digits
            });
            format!("hex\"{digits}\"")
        }
        Value::List(values) => format!("[{}]", joined(values)),
        Value::Fields(fields) => format!("{{{}}}", field_line(fields)),
        Value::Word(word) => word.clone(),
        Value::Call(name, arguments) => match &arguments[..] {
            [Value::Fields(fields)] => format!("{name}{{{}}}", field_line(fields)),
            arguments => format!("{name}({})", joined(arguments)),
        },
    }
}

fn field_line(fields: &[(String, Value)]) -> String {
    fields.iter().map(|(name, value)| format!("{name}={}", line(value))).collect::<Vec<_>>().join(" ")
}

fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out += "\\\"",
            '\\' => out += "\\\\",
            '\n' => out += "\\n",
            c if u32::from(c) < 0x20 || c == '\x7f' => {
                write!(out, "\\x{:02x}", u32::from(c)).expect("text takes what is written");
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// The fields of an answer: in one line if they fit, or each on a line of its own.
pub(super) fn lines(fields: &[(String, Value)]) -> Vec<String> {
    let one = field_line(fields);
    if one.len() <= WIDTH {
        return vec![one];
    }
    let mut lines = Vec::new();
    fields.iter().for_each(|(name, value)| block(&mut lines, 0, &format!("{name}="), value));
    lines
}

fn block(lines: &mut Vec<String>, indent: usize, before: &str, value: &Value) {
    let one = format!("{:indent$}{before}{}", "", line(value));
    let mut wrap = |open: &str, inner: &mut dyn FnMut(&mut Vec<String>), close: &str| {
        lines.push(format!("{:indent$}{before}{open}", ""));
        inner(lines);
        lines.push(format!("{:indent$}{close}", ""));
    };
    let each = |fields: &Fields, lines: &mut Vec<String>| {
        fields.iter().for_each(|(name, value)| block(lines, indent + 2, &format!("{name}="), value));
    };
    match value {
        _ if one.len() <= WIDTH => lines.push(one),
        Value::Fields(fields) => wrap("{", &mut |lines| each(fields, lines), "}"),
        Value::Call(name, arguments) => match &arguments[..] {
            [Value::Fields(fields)] => wrap(&format!("{name}{{"), &mut |lines| each(fields, lines), "}"),
            _ => lines.push(one),
        },
        Value::List(values) => {
            wrap("[", &mut |lines| values.iter().for_each(|value| block(lines, indent + 2, "", value)), "]");
        }
        _ => lines.push(one),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        for text in [
            "null",
            "-9223372036854775808",
            "1.5",
            r#""a\"b\\c\n\x01é""#,
            r#"hex"00ff""#,
            r#"[1, {a=[] b="x"}, NONE, pid#1]"#,
            r#"batch{records=[{key=null}] crc=*}"#,
            r#"patch(batch{codec=gzip}, 16, hex"05")"#,
        ] {
            assert_eq!(line(&value(text).expect("legal")), text);
        }
        assert_eq!(value("id\"t\""), Ok(Value::Call("id".to_owned(), vec![Value::Text("t".to_owned())])));
    }

    #[test]
    fn what_is_no_value_is_refused() {
        for text in ["", "[1", "{a}", "{a=1", "\"x", "hex\"0\"", "hex\"0g\"", "1 2", "1x", "\"\\q\""] {
            assert!(value(text).is_err(), "{text}");
        }
        assert!(fields("a=1 b").is_err());
    }

    #[test]
    fn a_long_answer_is_broken_where_its_structs_begin() {
        let long = "x".repeat(90);
        let fields = fields(&format!("a=1 b=[{{c=\"{long}\" d=\"{long}\"}}, 2]")).expect("legal");
        let lines = lines(&fields);
        assert_eq!(lines[0], "a=1");
        assert_eq!(lines[1], "b=[");
        assert_eq!(lines[2], "  {");
        assert!(lines[3].starts_with("    c=\"xx"));
        assert_eq!(lines[5..], ["  }", "  2", "]"]);
    }
}
