//! Frames out of a byte stream: four bytes of size, then so many bytes.
//!
//! Small requests that arrive together are read together and handed out as slices of one buffer. A large one is read
//! straight into a buffer of its size, so that its bytes are copied once, by the kernel. A connection that waits for
//! its next request holds no buffer.

use std::io;
use std::sync::Arc;

use bytes::{Buf, BufMut, Bytes};
use ottla_runtime::Socket;
use thiserror::Error;
use tokio::io::AsyncReadExt;

use crate::buffers::{Buffer, Buffers, SMALLEST_BYTES};

const SIZE_BYTES: usize = 4;
/// What a connection gets for a frame on the strength of its announced size alone; beyond that its buffer doubles as
/// bytes arrive, so that a peer that announces much and sends little holds little.
const TRUSTED_BYTES: usize = 2 * 1024 * 1024;

/// Why no further frame comes.
#[derive(Debug, Error)]
pub(crate) enum FrameFault {
    /// The size is negative or above `socket.request.max.bytes`.
    #[error("the peer announced a request of {announced} bytes; socket.request.max.bytes allows 0 to {allowed}")]
    Size { announced: i32, allowed: usize },
    /// The peer went away inside a frame.
    #[error("the connection ended inside a request")]
    Cut,
    /// The socket failed.
    #[error(transparent)]
    Socket(#[from] io::Error),
}

/// Reads frames from one connection. Its state survives a cancelled [`Frames::next`].
#[derive(Debug)]
pub(crate) struct Frames {
    pool: Arc<Buffers>,
    /// Largest frame that is taken, in bytes.
    limit: usize,
    /// Bytes read and not handed out yet: whole frames, perhaps with the head of one more behind them.
    ready: Bytes,
    /// The frame being read: a prefix of it, its size included as far as it has come.
    partial: Option<Buffer>,
}

impl Frames {
    pub(crate) fn new(pool: Arc<Buffers>, limit: usize) -> Self {
        Self { pool, limit, ready: Bytes::new(), partial: None }
    }

    /// The next frame without its size; `None` when the peer closed between two frames.
    pub(crate) async fn next(&mut self, socket: &mut dyn Socket) -> Result<Option<Bytes>, FrameFault> {
        loop {
            if let Some(frame) = self.take_ready()? {
                return Ok(Some(frame));
            }
            if self.partial.is_none()
                && let Some(tcp) = socket.tcp()
            {
                tcp.readable().await?;
            }
            let missing = self.make_room()?;
            let partial = self.partial.as_mut().expect("make_room left one");
            let room = (partial.bytes().capacity() - partial.filled().len()).min(missing);
            let read = socket.read_buf(&mut partial.bytes().limit(room)).await?;
            if read == 0 {
                let clean = partial.filled().is_empty();
                return if clean { Ok(None) } else { Err(FrameFault::Cut) };
            }
            if let Some(whole) = self.wanted()?
                && self.partial.as_ref().is_some_and(|partial| partial.filled().len() >= whole)
            {
                self.ready = self.partial.take().expect("it was just looked at").freeze();
            }
        }
    }

    /// A frame that is there already.
    fn take_ready(&mut self) -> Result<Option<Bytes>, FrameFault> {
        let whole = match size_of_frame(&self.ready, self.limit)? {
            Some(size) if self.ready.len() >= SIZE_BYTES + size => size,
            _ if self.ready.is_empty() => return Ok(None),
            _ => {
                // The head of one more frame: it goes to the front of a buffer of its own.
                let mut partial = self.pool.take(self.ready.len());
                partial.bytes().extend_from_slice(&self.ready);
                self.ready = Bytes::new();
                self.partial = Some(partial);
                return Ok(None);
            }
        };
        self.ready.advance(SIZE_BYTES);
        Ok(Some(self.ready.split_to(whole)))
    }

    /// Bytes of the whole partial frame, its size field included, if that is known yet.
    fn wanted(&self) -> Result<Option<usize>, FrameFault> {
        let Some(partial) = &self.partial else { return Ok(None) };
        Ok(size_of_frame(partial.filled(), self.limit)?.map(|size| SIZE_BYTES + size))
    }

    /// Leaves a partial buffer with room, and says how many bytes may be read into it: for a large frame exactly what
    /// is missing, so that nothing of the next one lands in its buffer.
    fn make_room(&mut self) -> Result<usize, FrameFault> {
        let wanted = self.wanted()?;
        let partial = self.partial.get_or_insert_with(|| self.pool.take(SMALLEST_BYTES));
        let Some(wanted) = wanted.filter(|wanted| *wanted > SMALLEST_BYTES) else {
            return Ok(usize::MAX);
        };
        if partial.filled().len() == partial.bytes().capacity() || partial.filled().len() < SMALLEST_BYTES {
            let mut larger = self.pool.take(wanted.min(TRUSTED_BYTES.max(2 * partial.filled().len())));
            larger.bytes().extend_from_slice(partial.filled());
            *partial = larger;
        }
        Ok(wanted - partial.filled().len())
    }
}

/// The size that the first four bytes announce, checked; `None` if they are not all there.
fn size_of_frame(bytes: &[u8], limit: usize) -> Result<Option<usize>, FrameFault> {
    let Some(size) = bytes.first_chunk::<SIZE_BYTES>() else { return Ok(None) };
    let announced = i32::from_be_bytes(*size);
    match usize::try_from(announced) {
        Ok(size) if size <= limit => Ok(Some(size)),
        _ => Err(FrameFault::Size { announced, allowed: limit }),
    }
}
