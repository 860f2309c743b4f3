//! Tagged fields (KIP-482): what a flexible struct ends with. A count, then for each field its tag, its size and its
//! bytes. A reader that does not know a tag passes over it.

use crate::{DecodeError, EncodeError, Reader, Writer};

/// The tagged fields of one struct, one after the other.
#[derive(Debug)]
pub struct TaggedFields<'r, 'a> {
    reader: &'r mut Reader<'a>,
    left: u32,
}

impl<'a> Reader<'a> {
    /// Begins the tagged fields of a struct. They must be asked for until [`TaggedFields::next_field`] says `None`,
    /// or else the reader stands between two of them.
    pub fn tagged_fields(&mut self) -> Result<TaggedFields<'_, 'a>, DecodeError> {
        let left = self.unsigned_varint()?;
        Ok(TaggedFields { reader: self, left })
    }

    /// Passes over the tagged fields of a struct of which none is known.
    pub fn skip_tagged_fields(&mut self) -> Result<(), DecodeError> {
        let mut fields = self.tagged_fields()?;
        while fields.next_field()?.is_some() {}
        Ok(())
    }
}

impl<'a> TaggedFields<'_, 'a> {
    /// The next field's tag and a reader of exactly its bytes; `None` behind the last.
    pub fn next_field(&mut self) -> Result<Option<(u32, Reader<'a>)>, DecodeError> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        let tag = self.reader.unsigned_varint()?;
        // A size above 32 bits' worth of memory fails as truncated.
        let size = self.reader.unsigned_varint()? as usize;
        Ok(Some((tag, self.reader.sub_reader(size)?)))
    }
}

/// Writes the tagged fields of one struct; an absent field is simply not written.
#[derive(Debug)]
pub struct TaggedFieldsWriter<'w> {
    writer: &'w mut Writer,
    count_at: usize,
}

impl Writer {
    /// Begins the tagged fields of a struct, none so far. Write them in the order of their tags.
    pub fn tagged_fields(&mut self) -> TaggedFieldsWriter<'_> {
        let count_at = self.len();
        self.unsigned_varint(0);
        TaggedFieldsWriter { writer: self, count_at }
    }
}

impl TaggedFieldsWriter<'_> {
    /// Writes one field: `content` writes its bytes, tag and size come from here. At most 127 fields fit.
    pub fn field(
        &mut self,
        tag: u32,
        content: impl FnOnce(&mut Writer) -> Result<(), EncodeError>,
    ) -> Result<(), EncodeError> {
        let count = self.writer.as_slice()[self.count_at] + 1;
        if count > 0x7f {
            return Err(EncodeError::TooLong { length: usize::from(count) });
        }
        self.writer.unsigned_varint(tag);
        self.writer.sized(content)?;
        self.writer.overwrite(self.count_at, &[count]);
        Ok(())
    }
}
