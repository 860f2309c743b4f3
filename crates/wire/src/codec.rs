//! What the generated structs are made of: the trait that each implements, and the shapes that fields come in.
//!
//! Everything here takes the [`Form`] and the version from whoever holds the message: the `Message` trait of the
//! `protocol` crate, or [`Record`](crate::Record).

use std::borrow::Cow;

use bytes::Bytes;
use ottla_types::Uuid;

use crate::{DecodeError, DecodeErrorKind, EncodeError, Form, Reader, Writer};

/// A struct of a message, or anything else that an array can hold.
///
/// A version that a struct does not occur in is never asked for; whoever holds the message checks the version.
pub trait Codec: Sized {
    /// The fewest bytes that a value takes in any version: what bounds the length of an array.
    const SIZE_MIN: usize;

    /// Reads a value. Fields that `version` lacks get their defaults; unknown tagged fields are passed over.
    fn read(r: &mut Reader<'_>, form: Form, version: i16) -> Result<Self, DecodeError>;

    /// Writes a value. A field that `version` lacks must have its default, unless the schema calls it ignorable.
    fn write(&self, w: &mut Writer, form: Form, version: i16) -> Result<(), EncodeError>;
}

macro_rules! number_codecs {
    ($($type:ident $size:literal)*) => {
        $(
            impl Codec for $type {
                const SIZE_MIN: usize = $size;

                fn read(r: &mut Reader<'_>, _form: Form, _version: i16) -> Result<Self, DecodeError> {
                    r.$type()
                }

                fn write(&self, w: &mut Writer, _form: Form, _version: i16) -> Result<(), EncodeError> {
                    w.$type(*self);
                    Ok(())
                }
            }
        )*
    };
}

number_codecs! { i8 1 i16 2 i32 4 i64 8 u16 2 u32 4 f64 8 }

impl Codec for Uuid {
    const SIZE_MIN: usize = 16;

    fn read(r: &mut Reader<'_>, _form: Form, _version: i16) -> Result<Self, DecodeError> {
        r.uuid()
    }

    fn write(&self, w: &mut Writer, _form: Form, _version: i16) -> Result<(), EncodeError> {
        w.uuid(*self);
        Ok(())
    }
}

impl Codec for String {
    const SIZE_MIN: usize = 1;

    fn read(r: &mut Reader<'_>, form: Form, _version: i16) -> Result<Self, DecodeError> {
        read_string(r, form)
    }

    fn write(&self, w: &mut Writer, form: Form, _version: i16) -> Result<(), EncodeError> {
        w.string(form, self)
    }
}

/// A string that must be there.
pub fn read_string(r: &mut Reader<'_>, form: Form) -> Result<String, DecodeError> {
    r.text(form).map(Cow::into_owned)
}

/// A string, or null if `null_allowed`.
pub fn read_string_or_null(r: &mut Reader<'_>, form: Form, null_allowed: bool) -> Result<Option<String>, DecodeError> {
    let start = r.position();
    let value = r.nullable_text(form)?.map(Cow::into_owned);
    null_check(value, null_allowed, start)
}

/// Bytes that must be there. Copies, as [`read_bytes_or_null`] does.
pub fn read_bytes(r: &mut Reader<'_>, form: Form) -> Result<Bytes, DecodeError> {
    r.bytes(form).map(Bytes::copy_from_slice)
}

/// Bytes, or null if `null_allowed`. Copies: what must not be copied is read by the borrowed readers of this crate.
pub fn read_bytes_or_null(r: &mut Reader<'_>, form: Form, null_allowed: bool) -> Result<Option<Bytes>, DecodeError> {
    let start = r.position();
    let value = r.nullable_bytes(form)?.map(Bytes::copy_from_slice);
    null_check(value, null_allowed, start)
}

/// An array that must be there.
pub fn read_array<T: Codec>(r: &mut Reader<'_>, form: Form, version: i16) -> Result<Vec<T>, DecodeError> {
    let count = r.array_length(form, T::SIZE_MIN)?;
    read_elements(r, form, version, count)
}

/// An array, or null if `null_allowed`.
pub fn read_array_or_null<T: Codec>(
    r: &mut Reader<'_>,
    form: Form,
    version: i16,
    null_allowed: bool,
) -> Result<Option<Vec<T>>, DecodeError> {
    let start = r.position();
    let value = match r.nullable_array_length(form, T::SIZE_MIN)? {
        Some(count) => Some(read_elements(r, form, version, count)?),
        None => None,
    };
    null_check(value, null_allowed, start)
}

fn read_elements<T: Codec>(r: &mut Reader<'_>, form: Form, version: i16, count: usize) -> Result<Vec<T>, DecodeError> {
    // An element may be larger in memory than on the wire. Room is made for what the bytes at hand could fill; if
    // there turn out to be more elements than that, they have been read and not merely announced.
    let room = r.remaining() / size_of::<T>().max(1) + 1;
    let mut elements = Vec::with_capacity(count.min(room));
    for _ in 0..count {
        elements.push(T::read(r, form, version)?);
    }
    Ok(elements)
}

/// An array.
pub fn write_array<T: Codec>(w: &mut Writer, form: Form, version: i16, elements: &[T]) -> Result<(), EncodeError> {
    write_nullable_array(w, form, version, Some(elements))
}

/// An array or null.
pub fn write_nullable_array<T: Codec>(
    w: &mut Writer,
    form: Form,
    version: i16,
    elements: Option<&[T]>,
) -> Result<(), EncodeError> {
    w.nullable_array_length(form, elements.map(<[T]>::len))?;
    elements.unwrap_or_default().iter().try_for_each(|element| element.write(w, form, version))
}

/// A struct, or null if `null_allowed`: a byte, negative for null, comes before it in either form (KIP-893).
pub fn read_struct_or_null<T: Codec>(
    r: &mut Reader<'_>,
    form: Form,
    version: i16,
    null_allowed: bool,
) -> Result<Option<T>, DecodeError> {
    let start = r.position();
    let value = if r.i8()? < 0 { None } else { Some(T::read(r, form, version)?) };
    null_check(value, null_allowed, start)
}

/// A struct or null.
pub fn write_nullable_struct<T: Codec>(
    w: &mut Writer,
    form: Form,
    version: i16,
    value: Option<&T>,
) -> Result<(), EncodeError> {
    w.i8(if value.is_some() { 1 } else { -1 });
    value.map_or(Ok(()), |value| value.write(w, form, version))
}

/// As [`read_struct_or_null`], for a tagged field: there an unsigned varint comes before it, and null is 0.
pub fn read_tagged_struct_or_null<T: Codec>(
    r: &mut Reader<'_>,
    form: Form,
    version: i16,
    null_allowed: bool,
) -> Result<Option<T>, DecodeError> {
    let start = r.position();
    let value = if r.unsigned_varint()? == 0 { None } else { Some(T::read(r, form, version)?) };
    null_check(value, null_allowed, start)
}

/// As [`write_nullable_struct`], for a tagged field.
pub fn write_tagged_nullable_struct<T: Codec>(
    w: &mut Writer,
    form: Form,
    version: i16,
    value: Option<&T>,
) -> Result<(), EncodeError> {
    w.unsigned_varint(u32::from(value.is_some()));
    value.map_or(Ok(()), |value| value.write(w, form, version))
}

/// Passes over the tagged fields of a struct that knows none.
pub fn skip_tags(r: &mut Reader<'_>, form: Form) -> Result<(), DecodeError> {
    if form.is_compact() { r.skip_tagged_fields() } else { Ok(()) }
}

/// Writes the tagged fields of a struct that has none.
pub fn no_tags(w: &mut Writer, form: Form) {
    if form.is_compact() {
        w.tagged_fields();
    }
}

/// Refuses to write a field that the version lacks and that says something.
pub fn require_default(is_default: bool, field: &'static str, version: i16) -> Result<(), EncodeError> {
    if is_default { Ok(()) } else { Err(EncodeError::NotInVersion { field, version }) }
}

/// Refuses to write null where the version does not allow it.
pub fn require_value(is_value: bool, field: &'static str, version: i16) -> Result<(), EncodeError> {
    if is_value { Ok(()) } else { Err(EncodeError::NullInVersion { field, version }) }
}

fn null_check<T>(value: Option<T>, null_allowed: bool, position: usize) -> Result<Option<T>, DecodeError> {
    if value.is_none() && !null_allowed {
        return Err(DecodeError { position, kind: DecodeErrorKind::UnexpectedNull });
    }
    Ok(value)
}
