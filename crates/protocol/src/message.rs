//! Requests and responses as such: which API they belong to, and how they are read and written in one version.

use std::ops::RangeInclusive;

use ottla_wire::{DecodeError, DecodeErrorKind, EncodeError, Form, Reader, Writer};

use crate::ApiKey;
use ottla_wire::Codec;

/// The elements that all arrays of one request may have together. A cluster of a million partitions can be spoken of; who
/// sends more makes a broker hold many times what it sent.
pub const REQUEST_ELEMENTS_MAX: usize = 1_000_000;

/// A request or a response. Generated for every API.
pub trait Message: Codec + Default {
    /// The name of the type.
    const NAME: &'static str;
    /// The API.
    const KEY: ApiKey;
    /// Every version there is.
    const VERSIONS: RangeInclusive<i16> = Self::KEY.versions();
    /// The first version in the compact form (KIP-482); `None` if there is none.
    const FLEXIBLE_FROM: Option<i16> = Self::KEY.flexible_from();

    /// Reads the message in `version`.
    ///
    /// A field that the version lacks has its default. Tagged fields that nobody here knows are passed over and
    /// forgotten. Bytes behind the message are left to the caller.
    fn decode(r: &mut Reader<'_>, version: i16) -> Result<Self, DecodeError> {
        if !Self::VERSIONS.contains(&version) {
            return Err(r.error(DecodeErrorKind::UnsupportedVersion(version)));
        }
        Self::read(r, Self::KEY.form(version), version)
    }

    /// Writes the message in `version`. After an error the writer holds a part of it.
    ///
    /// A field that the version lacks must have its default, unless the schema calls it ignorable; a field that the
    /// version does not allow to be null must not be.
    fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        if !Self::VERSIONS.contains(&version) {
            return Err(EncodeError::UnsupportedVersion { message: Self::NAME, version });
        }
        self.write(w, Self::KEY.form(version), version)
    }
}

/// A request, and what answers it.
pub trait Request: Message {
    /// The response of the same API.
    type Response: Response;
}

/// A response, whose error codes can be counted.
pub trait Response: Message {
    /// Calls `visit` with every error code in it, success included; those that its version does not carry, too.
    fn visit_errors(&self, visit: &mut dyn FnMut(i16));
}

impl ApiKey {
    /// The form in which `version` of this API writes its lengths.
    #[must_use]
    pub const fn form(self, version: i16) -> Form {
        Form::of(self.is_flexible(version))
    }
}
