//! Persisted records as such: how each is read and written in one version. How a log tells their kind and version is
//! in `framing.rs`.

use std::ops::RangeInclusive;

use crate::codec::Codec;
use crate::{DecodeError, DecodeErrorKind, EncodeError, Form, Reader, Writer};

/// A record that Kafka persists in bytes of its own. Generated.
pub trait Record: Codec + Default {
    /// The name of the type, and Kafka's.
    const NAME: &'static str;
    /// Every version there is.
    const VERSIONS: RangeInclusive<i16>;
    /// The first version in the compact form (KIP-482); `None` if there is none.
    const FLEXIBLE_FROM: Option<i16>;

    /// The form in which `version` writes its lengths.
    #[must_use]
    fn form(version: i16) -> Form {
        Form::of(Self::FLEXIBLE_FROM.is_some_and(|from| version >= from))
    }

    /// Reads the record in `version`. Bytes behind it are left to the caller.
    ///
    /// A field that the version lacks has its default. Tagged fields that nobody here knows are passed over and
    /// forgotten.
    fn decode(r: &mut Reader<'_>, version: i16) -> Result<Self, DecodeError> {
        if !Self::VERSIONS.contains(&version) {
            return Err(r.error(DecodeErrorKind::UnsupportedVersion(version)));
        }
        Self::read(r, Self::form(version), version)
    }

    /// Writes the record in `version`. After an error the writer holds a part of it.
    ///
    /// A field that the version lacks must have its default, unless the schema calls it ignorable; a field that the
    /// version does not allow to be null must not be.
    fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        if !Self::VERSIONS.contains(&version) {
            return Err(EncodeError::UnsupportedVersion { message: Self::NAME, version });
        }
        self.write(w, Self::form(version), version)
    }
}

/// A record whose kind is told by a number beside it.
pub trait TypedRecord: Record {
    /// The number. Key and value of one kind have the same.
    const TYPE: i16;
}
