//! An array of structs that stays where it is: an iterator that reads one element after the other off the bytes.
//!
//! The views of Produce and Fetch are made of these. They read everything once when they are made, and refuse what is
//! malformed; walking the same bytes again cannot fail, so iteration yields plain values.

use std::marker::PhantomData;

use ottla_types::TopicId;
use ottla_wire::{DecodeError, Form, Reader};

/// A struct that borrows from the body of a request.
pub trait Element<'a>: Sized {
    /// The fewest bytes it takes in any version.
    const SIZE_MIN: usize;

    /// Reads it with everything inside it, and moves behind it.
    fn read(r: &mut Reader<'a>, form: Form, version: i16) -> Result<Self, DecodeError>;
}

/// The elements of an array that has been read once already.
#[derive(Clone, Debug)]
pub struct Elements<'a, T> {
    reader: Reader<'a>,
    form: Form,
    version: i16,
    left: usize,
    element: PhantomData<T>,
}

impl<'a, T: Element<'a>> Elements<'a, T> {
    /// Reads an array through and moves behind it.
    pub(crate) fn read(r: &mut Reader<'a>, form: Form, version: i16) -> Result<Self, DecodeError> {
        let left = r.array_length(form, T::SIZE_MIN)?;
        let elements = Self { reader: r.clone(), form, version, left, element: PhantomData };
        for _ in 0..left {
            T::read(r, form, version)?;
        }
        Ok(elements)
    }

    /// No elements.
    pub(crate) const fn none(form: Form, version: i16) -> Self {
        Self { reader: Reader::new(&[]), form, version, left: 0, element: PhantomData }
    }
}

impl<'a, T: Element<'a>> Iterator for Elements<'a, T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.left = self.left.checked_sub(1)?;
        let element = T::read(&mut self.reader, self.form, self.version);
        Some(element.expect("`Elements::read` went through the same bytes without an error"))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl<'a, T: Element<'a>> ExactSizeIterator for Elements<'a, T> {}

/// How a request or a response names a topic: old versions by name, newer ones by id (KIP-516).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum TopicKey<'a> {
    /// By name. Whether it is a legal one is not checked here.
    Name(&'a str),
    /// By id.
    Id(TopicId),
}

impl<'a> TopicKey<'a> {
    pub(crate) fn read(r: &mut Reader<'a>, form: Form, by_id: bool) -> Result<Self, DecodeError> {
        if by_id { r.uuid().map(Self::Id) } else { r.string(form).map(Self::Name) }
    }
}

impl<'a> Element<'a> for i32 {
    const SIZE_MIN: usize = 4;

    fn read(r: &mut Reader<'a>, _form: Form, _version: i16) -> Result<Self, DecodeError> {
        r.i32()
    }
}
