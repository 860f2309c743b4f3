//! Records from one form into another: old formats into batches when they come in (`up`), batches into old formats when
//! old clients read (`down`), and one codec into another where a topic asks for its own (`recompress`).
//!
//! Whatever needs none of that is never copied; [`check_batch`](crate::check_batch) is all that it goes through. What
//! comes out of a conversion fits in memory by the limits that the caller gives: the records of one batch at a time. That
//! memory is the caller's as well ([`Room`]): a megabyte that is got from the system costs more than what is done in it.

mod down;
mod recompress;
mod up;

use crate::header::BatchHeader;

pub use down::{DownConverter, DownError};
pub use recompress::check_and_recompress;
pub use up::{MessageSet, convert_up};

/// Gives empty memory that has at least so many bytes, for a batch; asked once.
pub type Room<'a> = &'a mut dyn FnMut(usize) -> Vec<u8>;

/// A batch that was made anew, and checked as one that is stored as it was sent.
#[derive(Clone, Debug)]
pub struct Converted {
    /// The header as it is to be stored, but for base offset and leader epoch.
    pub header: BatchHeader,
    /// The batch, in memory that the caller gave. Its first 61 bytes are to be replaced by `header`.
    pub bytes: Vec<u8>,
}
