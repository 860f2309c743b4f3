//! Frames: a 32-bit size, a header, a body. Reading the size with a limit, reading a request's header in place, and
//! writing whole frames for any message.

use std::fmt;

use ottla_wire::{DecodeError, EncodeError, Form, Reader, Writer};

use crate::header::{RequestHeader, ResponseHeader};
use crate::{ApiKey, Message, Request};
use ottla_wire::Codec;

/// Bytes of the size before a frame.
pub const SIZE_PREFIX: usize = 4;

/// The size before a frame is not acceptable; the connection cannot go on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FrameSizeError {
    /// The size is negative.
    Negative(i32),
    /// The size is beyond the limit (`socket.request.max.bytes`).
    TooLarge {
        /// The size announced.
        size: usize,
        /// The limit.
        limit: usize,
    },
}

impl fmt::Display for FrameSizeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Negative(size) => write!(f, "a frame announces {size} bytes"),
            Self::TooLarge { size, limit } => write!(f, "a frame announces {size} bytes, the limit is {limit}"),
        }
    }
}

impl std::error::Error for FrameSizeError {}

/// The bytes that follow the size: header and body. Ask before making room for them.
pub fn frame_size(prefix: [u8; SIZE_PREFIX], limit: usize) -> Result<usize, FrameSizeError> {
    let announced = i32::from_be_bytes(prefix);
    let size = usize::try_from(announced).map_err(|_| FrameSizeError::Negative(announced))?;
    if size > limit { Err(FrameSizeError::TooLarge { size, limit }) } else { Ok(size) }
}

/// A request's header, borrowed from its frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RequestHead<'a> {
    /// The API's number as sent; perhaps of none that is known.
    pub api_key: i16,
    /// The version as sent; perhaps one that is not known.
    pub api_version: i16,
    /// Comes back in the response.
    pub correlation_id: i32,
    /// What the client calls itself; not always UTF-8.
    pub client_id: Option<&'a [u8]>,
    /// Where the body begins in the frame. Means something only if [`api`](Self::api) does.
    pub body: usize,
}

impl<'a> RequestHead<'a> {
    /// Reads the header at the start of a frame (the size before it already taken off).
    ///
    /// A version that is not known has the header of its API's newest or oldest: so ApiVersions of any version can be
    /// answered (KIP-511), and a log can say who sent what. That of a key that is not known is read as v1, with which
    /// newer ones begin.
    pub fn parse(frame: &'a [u8]) -> Result<Self, DecodeError> {
        let r = &mut Reader::new(frame);
        let (api_key, api_version, correlation_id) = (r.i16()?, r.i16()?, r.i32()?);
        let header_version = ApiKey::from_raw(api_key).map_or(1, |api| api.request_header_version(api_version));
        let client_id = if header_version >= 1 { r.nullable_string_bytes(Form::Plain)? } else { None };
        if header_version >= 2 {
            r.skip_tagged_fields()?;
        }
        Ok(Self { api_key, api_version, correlation_id, client_id, body: r.position() })
    }

    /// The API, if key and version are known.
    #[must_use]
    pub fn api(&self) -> Option<ApiKey> {
        ApiKey::from_raw(self.api_key).filter(|api| api.supports(self.api_version))
    }
}

/// A whole frame with a response: size, header, body.
pub fn response_frame<M: Message>(correlation_id: i32, version: i16, response: &M) -> Result<Vec<u8>, EncodeError> {
    let mut w = Writer::with_capacity(128);
    let size = w.reserve_i32();
    write_response_header(&mut w, M::KEY, correlation_id, version)?;
    response.encode(&mut w, version)?;
    w.fill_length(size, 0)?;
    Ok(w.into_vec())
}

/// A whole frame with a request: size, header, body. What a client sends.
pub fn request_frame<M: Request>(
    correlation_id: i32,
    client_id: Option<&str>,
    version: i16,
    request: &M,
) -> Result<Vec<u8>, EncodeError> {
    let mut w = Writer::with_capacity(128);
    let size = w.reserve_i32();
    let header_version = M::KEY.request_header_version(version);
    let header = RequestHeader {
        request_api_key: M::KEY.raw(),
        request_api_version: version,
        correlation_id,
        client_id: client_id.map(str::to_owned),
    };
    header.write(&mut w, Form::of(header_version >= 2), header_version)?;
    request.encode(&mut w, version)?;
    w.fill_length(size, 0)?;
    Ok(w.into_vec())
}

/// The header before the response to `version` of `api`.
pub(crate) fn write_response_header(
    w: &mut Writer,
    api: ApiKey,
    correlation_id: i32,
    version: i16,
) -> Result<(), EncodeError> {
    let header_version = api.response_header_version(version);
    ResponseHeader { correlation_id }.write(w, Form::of(header_version >= 1), header_version)
}

/// Reads the header of a response at the start of a frame, and says where the body begins. What a client does.
pub fn parse_response_head(frame: &[u8], api: ApiKey, version: i16) -> Result<(i32, usize), DecodeError> {
    let r = &mut Reader::new(frame);
    let header_version = api.response_header_version(version);
    let header = ResponseHeader::read(r, Form::of(header_version >= 1), header_version)?;
    Ok((header.correlation_id, r.position()))
}
