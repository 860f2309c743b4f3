//! Checks a text against a key: its type first (`ConfigDef.parseType`), then what the key allows.

use std::collections::BTreeSet;
use std::fmt;

use crate::key::{Allowed, Key, Kind};
use crate::listener::read_host;

/// A value that its key allows.
#[derive(Clone, PartialEq, Debug)]
pub enum Value {
    /// Of [`Kind::Boolean`].
    Boolean(bool),
    /// Of [`Kind::Short`], [`Kind::Int`] and [`Kind::Long`], within the bounds of that kind.
    Number(i64),
    /// Of [`Kind::Double`].
    Double(f64),
    /// Of [`Kind::String`], [`Kind::Password`] and [`Kind::Class`], without blanks around it.
    Text(String),
    /// Of [`Kind::List`], the elements without blanks around them.
    List(Vec<String>),
}

impl fmt::Display for Value {
    /// The text that clients are told, as Kafka writes it (`ConfigDef.convertToString`): what was meant, not how it was
    /// typed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Boolean(on) => on.fmt(f),
            Self::Number(number) => number.fmt(f),
            Self::Double(number) => write_double(*number, f),
            Self::Text(text) => f.write_str(text),
            Self::List(elements) => f.write_str(&elements.join(",")),
        }
    }
}

/// A fraction as Java prints it: with an exponent below a thousandth and from ten million on.
fn write_double(number: f64, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    if number == 0.0 || (1e-3..1e7).contains(&number.abs()) || !number.is_finite() {
        return write!(f, "{number:?}");
    }
    let text = format!("{number:e}");
    let (digits, exponent) = text.split_once('e').expect("the format has an exponent");
    write!(f, "{digits}{}E{exponent}", if digits.contains('.') { "" } else { ".0" })
}

/// What `text` means for `key`, or what is allowed instead, worded to stand behind `key=value: `.
pub fn parse(key: &Key, text: &str) -> Result<Value, String> {
    let mut value = read(key.kind, text.trim())?;
    if let (Allowed::List { .. }, Value::List(elements)) = (key.allowed, &mut value) {
        // Kafka takes what stands there twice for once.
        let mut seen = BTreeSet::new();
        elements.retain(|element| seen.insert(element.clone()));
    }
    match refusal(key.allowed, &value) {
        None => Ok(value),
        Some(reason) => Err(reason),
    }
}

fn read(kind: Kind, text: &str) -> Result<Value, String> {
    let number = |min: i64, max: i64| match text.parse() {
        Ok(number) if (min..=max).contains(&number) => Ok(Value::Number(number)),
        _ => Err(format!("must be a whole number from {min} to {max}, without a unit")),
    };
    match kind {
        Kind::Boolean if text.eq_ignore_ascii_case("true") => Ok(Value::Boolean(true)),
        Kind::Boolean if text.eq_ignore_ascii_case("false") => Ok(Value::Boolean(false)),
        Kind::Boolean => Err("must be true or false".to_owned()),
        Kind::Short => number(i16::MIN.into(), i16::MAX.into()),
        Kind::Int => number(i32::MIN.into(), i32::MAX.into()),
        Kind::Long => number(i64::MIN, i64::MAX),
        Kind::Double => {
            text.parse().map(Value::Double).map_err(|_| "must be a number, such as 0.5, without a unit".to_owned())
        }
        Kind::String | Kind::Password | Kind::Class => Ok(Value::Text(text.to_owned())),
        Kind::List if text.is_empty() => Ok(Value::List(Vec::new())),
        Kind::List => Ok(Value::List(text.split(',').map(|element| element.trim().to_owned()).collect())),
    }
}

/// Why `value` is not allowed; `None` if it is.
fn refusal(allowed: Allowed, value: &Value) -> Option<String> {
    match (allowed, value) {
        (Allowed::Range { min, max, or }, Value::Number(number)) => {
            let inside = *number >= min && max.is_none_or(|max| *number <= max);
            (!inside && or != Some(*number)).then(|| out_of_range(min, max, or))
        }
        (Allowed::Range { min, max, or }, Value::Double(number)) => {
            let inside = *number >= min as f64 && max.is_none_or(|max| *number <= max as f64);
            (!inside).then(|| out_of_range(min, max, or))
        }
        (Allowed::OneOf(texts), Value::Text(text)) => {
            (!texts.contains(&text.as_str())).then(|| format!("must be one of {}", texts.join(", ")))
        }
        (Allowed::OneOfAnyCase(texts), Value::Text(text)) => {
            let known = texts.iter().any(|known| known.eq_ignore_ascii_case(text));
            (!known).then(|| format!("must be one of {}", texts.join(", ")))
        }
        (Allowed::NotEmpty, Value::Text(text)) => text.is_empty().then(|| "must not be empty".to_owned()),
        (Allowed::List { of, empty }, Value::List(elements)) => list_refusal(of, empty, elements),
        (Allowed::Voters, Value::List(elements)) => elements_refusal(elements, is_voter, "id@host:port"),
        (Allowed::Servers, Value::List(elements)) => elements_refusal(elements, is_server, "host:port"),
        (Allowed::ThrottledReplicas, Value::List(elements)) => {
            let fine = elements.concat() == "*" || elements.iter().all(|pair| pair.is_empty() || is_number_pair(pair));
            (!fine).then(|| "must be * or a list of partition:broker".to_owned())
        }
        _ => None,
    }
}

fn out_of_range(min: i64, max: Option<i64>, or: Option<i64>) -> String {
    let or = or.map(|or| format!(", or {or}")).unwrap_or_default();
    match max {
        None => format!("must be at least {min}{or}"),
        Some(max) => format!("must be from {min} to {max}{or}"),
    }
}

fn list_refusal(of: &[&str], empty: bool, elements: &[String]) -> Option<String> {
    if elements.is_empty() && !empty {
        return Some("must not be empty".to_owned());
    }
    for element in elements {
        if element.is_empty() {
            return Some("must not hold an empty element".to_owned());
        }
        if !of.is_empty() && !of.contains(&element.as_str()) {
            return Some(format!("{element} must be one of {}", of.join(", ")));
        }
    }
    None
}

fn elements_refusal(elements: &[String], fits: fn(&str) -> bool, form: &str) -> Option<String> {
    let bad = elements.iter().find(|element| !fits(element))?;
    Some(format!("{bad} must have the form {form}"))
}

fn is_voter(text: &str) -> bool {
    text.split_once('@').is_some_and(|(id, server)| id.parse::<u32>().is_ok() && is_server(server))
}

fn is_server(text: &str) -> bool {
    text.rsplit_once(':')
        .is_some_and(|(host, port)| !host.is_empty() && read_host(host).is_some() && port.parse::<u16>().is_ok())
}

fn is_number_pair(text: &str) -> bool {
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    text.split_once(':').is_some_and(|(partition, broker)| digits(partition) && digits(broker))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_written_as_java_writes_them() {
        let doubles =
            [0.5, 1.0, 0.0, 1e7, 1.5e-4, f64::MAX, 9_999_999.0].map(|number| Value::Double(number).to_string());
        assert_eq!(doubles, ["0.5", "1.0", "0.0", "1.0E7", "1.5E-4", "1.7976931348623157E308", "9999999.0"]);
        assert_eq!(Value::List(vec!["a".to_owned(), "b".to_owned()]).to_string(), "a,b");
        assert_eq!(Value::Boolean(true).to_string(), "true");
    }
}
