//! How the bytes of a key or a value look to a user, in both directions.

use std::borrow::Cow;

use clap::ValueEnum;
use data_encoding::{BASE64, HEXLOWER, HEXLOWER_PERMISSIVE};
use serde_json::value::RawValue;
use serde_json::{Value, json};

/// A way to write bytes as text.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum Format {
    /// The bytes as they are
    String,
    /// JSON, which is checked
    Json,
    /// Two hexadecimal digits a byte
    Hex,
    /// Base64 with padding
    Base64,
}

impl Format {
    /// What the text stands for; an error says what is wrong with it.
    pub(crate) fn decode(self, text: &[u8]) -> Result<Cow<'_, [u8]>, String> {
        match self {
            Self::String => Ok(Cow::Borrowed(text)),
            Self::Json => match serde_json::from_slice::<&RawValue>(text) {
                Ok(_) => Ok(Cow::Borrowed(text)),
                Err(error) => Err(format!("is no JSON: {error}")),
            },
            Self::Hex => {
                HEXLOWER_PERMISSIVE.decode(text).map(Cow::Owned).map_err(|e| format!("is no hexadecimal: {e}"))
            }
            Self::Base64 => BASE64.decode(text).map(Cow::Owned).map_err(|e| format!("is no base64: {e}")),
        }
    }

    /// The bytes as text, always on one line but for [`Format::String`].
    pub(crate) fn encode(self, bytes: &[u8]) -> Result<Cow<'_, [u8]>, String> {
        match self {
            Self::String => Ok(Cow::Borrowed(bytes)),
            Self::Json => {
                // Read and written anew, since JSON may hold line breaks.
                let value: Value = serde_json::from_slice(bytes).map_err(|error| format!("is no JSON: {error}"))?;
                Ok(Cow::Owned(value.to_string().into_bytes()))
            }
            Self::Hex => Ok(Cow::Owned(HEXLOWER.encode(bytes).into_bytes())),
            Self::Base64 => Ok(Cow::Owned(BASE64.encode(bytes).into_bytes())),
        }
    }

    /// The bytes within a JSON document. Bytes that are no UTF-8 become `{"base64": "…"}` where text is asked for.
    pub(crate) fn to_json(self, bytes: Option<&[u8]>) -> Result<Value, String> {
        let Some(bytes) = bytes else { return Ok(Value::Null) };
        match self {
            Self::String => Ok(match std::str::from_utf8(bytes) {
                Ok(text) => Value::from(text),
                Err(_) => json!({ "base64": BASE64.encode(bytes) }),
            }),
            Self::Json => serde_json::from_slice(bytes).map_err(|error| format!("is no JSON: {error}")),
            Self::Hex => Ok(Value::from(HEXLOWER.encode(bytes))),
            Self::Base64 => Ok(Value::from(BASE64.encode(bytes))),
        }
    }

    /// What [`Self::to_json`] made, as bytes again.
    pub(crate) fn parse_json(self, value: &Value) -> Result<Option<Vec<u8>>, String> {
        match (self, value) {
            (Self::Json, Value::Null) => Ok(None),
            (Self::Json, value) => Ok(Some(value.to_string().into_bytes())),
            (_, Value::Null) => Ok(None),
            (Self::String, Value::Object(object)) => match object.get("base64") {
                Some(Value::String(text)) if object.len() == 1 => {
                    Self::Base64.decode(text.as_bytes()).map(|bytes| Some(bytes.into_owned()))
                }
                _ => Err("is an object other than {\"base64\": …}, which needs --value-format json".to_owned()),
            },
            (_, Value::String(text)) => self.decode(text.as_bytes()).map(|bytes| Some(bytes.into_owned())),
            _ => Err("must be a text or null; JSON values need --value-format json".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_format_brings_bytes_back() {
        for bytes in [&b""[..], b"text", b"\x00\xff\n", "ß".as_bytes()] {
            for format in [Format::String, Format::Hex, Format::Base64] {
                let text = format.encode(bytes).unwrap();
                assert_eq!(&*format.decode(&text).unwrap(), bytes, "{format:?}");
                let json = format.to_json(Some(bytes)).unwrap();
                assert_eq!(format.parse_json(&json).unwrap().as_deref(), Some(bytes), "{format:?}");
            }
        }
    }

    #[test]
    fn json_stays_on_one_line_and_keeps_its_order() {
        let text = Format::Json.encode(b"{\"b\": 1,\n \"a\": [2, null]}").unwrap();
        assert_eq!(&*text, br#"{"b":1,"a":[2,null]}"#);
        assert_eq!(Format::Json.to_json(Some(b"[1]")).unwrap(), json!([1]));
    }

    #[test]
    fn what_is_not_of_the_format_is_refused() {
        assert!(Format::Json.decode(b"{").unwrap_err().starts_with("is no JSON"));
        assert!(Format::Hex.decode(b"0g").unwrap_err().starts_with("is no hexadecimal"));
        assert!(Format::Base64.decode(b"a").unwrap_err().starts_with("is no base64"));
        assert!(Format::String.parse_json(&json!(7)).is_err());
        assert!(Format::String.parse_json(&json!({ "hex": "00" })).is_err());
    }

    #[test]
    fn null_is_null_in_both_directions() {
        for format in [Format::String, Format::Json, Format::Hex, Format::Base64] {
            assert_eq!(format.to_json(None).unwrap(), Value::Null);
            assert_eq!(format.parse_json(&Value::Null).unwrap(), None);
        }
    }
}
