//! What was appended and is not yet in the file: parts, gathered so that one positioned write takes many batches.
//!
//! A large batch is two parts: 61 bytes of header that the leader wrote, and the producer's bytes behind its own header,
//! which are not copied. Small batches, and those headers, go into one staging buffer, so that a thousand tiny batches
//! are one part.
//!
//! A write that finds no room fails with all that waits behind it, so each chunk knows how its segment was before it, and
//! the queue what each batch changed in the producers.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};
use ottla_record::BATCH_HEADER_BYTES;
use ottla_types::Offset;

use crate::index::IndexMark;
use crate::producers::Undo;
use crate::segment::SegmentMark;
use crate::time_index::TimeEntry;

/// Batches up to this size, in bytes, are copied; larger ones are referred to.
const COPY_MAX: usize = 1024;
/// A chunk that has this many bytes takes no more: one write is a few milliseconds at most.
const CHUNK_BYTES: usize = 8 << 20;

/// What must be done before a segment's first write.
#[derive(Clone, Debug)]
pub(crate) struct Roll {
    /// The segment that is closed.
    pub(crate) closes: Offset,
    /// The producers as of the new segment's base: the content of its `.snapshot`.
    pub(crate) snapshot: Bytes,
    /// The closed segment's time index before it got its last entry.
    pub(crate) times: IndexMark<TimeEntry>,
}

/// One positioned write.
#[derive(Debug)]
pub(crate) struct Chunk {
    /// The segment it goes to.
    pub(crate) segment: Offset,
    /// Where in the segment's file, in bytes.
    pub(crate) position: u64,
    pub(crate) parts: Vec<Bytes>,
    pub(crate) bytes: usize,
    /// The first offset behind its batches.
    pub(crate) end: Offset,
    /// Set if the segment begins here and its files are not there.
    pub(crate) roll: Option<Roll>,
    /// The segment before the first batch.
    pub(crate) mark: SegmentMark,
    /// How many of its batches have an [`Undo`].
    undos: usize,
    /// Nothing more is added: it is being written, or full.
    sealed: bool,
}

/// A batch on its way into the queue.
#[derive(Debug)]
pub(crate) struct Queued {
    pub(crate) segment: Offset,
    pub(crate) position: u64,
    /// Takes the place of the first 61 of `bytes`, if given.
    pub(crate) header: Option<[u8; BATCH_HEADER_BYTES]>,
    pub(crate) bytes: Bytes,
    /// The offset behind the batch.
    pub(crate) end: Offset,
    pub(crate) roll: Option<Roll>,
    /// The segment before the batch.
    pub(crate) mark: SegmentMark,
    /// How to take it back from the producers.
    pub(crate) undo: Option<Undo>,
}

/// The chunks that wait, in order of offsets.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    chunks: VecDeque<Chunk>,
    /// Copied bytes of the last chunk that are not a part yet.
    staging: BytesMut,
    bytes: usize,
    /// Of all batches in the chunks, oldest first.
    undos: VecDeque<Undo>,
}

impl Queue {
    /// Bytes that wait.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Adds a batch behind the others.
    pub(crate) fn push(&mut self, batch: Queued) {
        let Queued { segment, position, header, bytes, end, roll, mark, undo } = batch;
        let size = bytes.len();
        if self.starts_chunk(segment) {
            self.seal_last();
            let (parts, bytes, undos, sealed) = (Vec::new(), 0, 0, false);
            let chunk = Chunk { segment, position, parts, bytes, end, roll, mark, undos, sealed };
            self.chunks.push_back(chunk);
        }
        let chunk = self.chunks.back_mut().expect("a chunk was there or was made");
        chunk.end = end;
        chunk.bytes += size;
        chunk.undos += usize::from(undo.is_some());
        self.bytes += size;
        self.undos.extend(undo);
        let rest = match header {
            Some(header) => {
                self.staging.extend_from_slice(&header);
                bytes.slice(BATCH_HEADER_BYTES..)
            }
            None => bytes,
        };
        if size <= COPY_MAX {
            self.staging.extend_from_slice(&rest);
        } else {
            if !self.staging.is_empty() {
                chunk.parts.push(self.staging.split().freeze());
            }
            chunk.parts.push(rest);
        }
    }

    fn starts_chunk(&self, segment: Offset) -> bool {
        self.chunks.back().is_none_or(|last| last.sealed || last.segment != segment || last.bytes >= CHUNK_BYTES)
    }

    fn seal_last(&mut self) {
        let Some(chunk) = self.chunks.back_mut() else { return };
        if !self.staging.is_empty() {
            chunk.parts.push(self.staging.split().freeze());
        }
        chunk.sealed = true;
    }

    /// The chunk to write next; it stays here until [`written`](Self::written), and does not change any more.
    pub(crate) fn next(&mut self) -> Option<&Chunk> {
        if self.chunks.len() == 1 {
            self.seal_last();
        }
        self.chunks.front()
    }

    /// The next chunk's segment has been made.
    pub(crate) fn rolled(&mut self) {
        if let Some(chunk) = self.chunks.front_mut() {
            chunk.roll = None;
        }
    }

    /// Takes the chunk away that has been written.
    pub(crate) fn written(&mut self) -> Option<Chunk> {
        let chunk = self.chunks.pop_front()?;
        self.bytes -= chunk.bytes;
        self.undos.drain(..chunk.undos);
        Some(chunk)
    }

    /// Takes everything away: the first chunk, which says how its segment was, and how to take all batches back, oldest
    /// first.
    pub(crate) fn take_back(&mut self) -> Option<(Chunk, VecDeque<Undo>)> {
        let mut taken = std::mem::take(self);
        taken.chunks.pop_front().map(|first| (first, taken.undos))
    }

    /// Whether nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    /// Drops everything.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn push(queue: &mut Queue, segment: i64, position: u64, size: usize) {
        queue.push(Queued {
            segment: Offset(segment),
            position,
            header: Some([1; BATCH_HEADER_BYTES]),
            bytes: Bytes::from(vec![7; size]),
            end: Offset(position as i64),
            roll: None,
            mark: crate::testing::segment(segment).mark(),
            undo: None,
        });
    }

    #[test]
    fn small_batches_become_one_part_and_large_ones_are_not_copied() {
        let mut queue = Queue::default();
        for i in 0..3 {
            push(&mut queue, 0, 100 * i, 100);
        }
        push(&mut queue, 0, 300, 5000);
        push(&mut queue, 0, 5300, 100);
        let chunk = queue.next().expect("one chunk");
        let sizes: Vec<usize> = chunk.parts.iter().map(Bytes::len).collect();
        assert_eq!(sizes, [361, 4939, 100]);
        assert_eq!((chunk.bytes, chunk.end), (5400, Offset(5300)));
        assert_eq!(chunk.parts[0][..62], [[1; 61].as_slice(), &[7]].concat());
    }

    #[test]
    fn a_chunk_that_is_being_written_takes_no_more() {
        let mut queue = Queue::default();
        push(&mut queue, 0, 0, 100);
        assert!(queue.next().is_some());
        push(&mut queue, 0, 100, 100);
        push(&mut queue, 9, 0, 100);
        assert_eq!(queue.bytes(), 300);
        assert_eq!(queue.written().map(|c| c.bytes), Some(100));
        assert_eq!(queue.next().map(|c| (c.position, c.segment, c.parts.len())), Some((100, Offset(0), 1)));
        queue.written();
        assert_eq!(queue.next().map(|c| (c.position, c.segment)), Some((0, Offset(9))));
        queue.written();
        assert!(queue.next().is_none() && queue.bytes() == 0);
    }
}
