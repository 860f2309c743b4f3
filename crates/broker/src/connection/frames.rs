//! Frames out of a byte stream: four bytes of size, then so many bytes.
//!
//! Small requests that arrive together are read together and handed out as slices of one buffer. A large one is read
//! straight into a buffer of its size, so that its bytes are copied once, by the kernel. A connection that waits for
//! its next request holds no buffer. Room for a large one is asked for, and perhaps waited for: `memory.rs`.

use std::io;
use std::sync::Arc;

use bytes::{Buf, BufMut, Bytes};
use ottla_runtime::Socket;
use ottla_types::Instant;
use thiserror::Error;
use tokio::io::AsyncReadExt;

use crate::buffers::{Buffer, Buffers, SMALLEST_BYTES, capacity_for};
use crate::connections::Peer;
use crate::memory::{Memory, Piece};

const SIZE_BYTES: usize = 4;
/// What a connection gets for its first large frame on the strength of the announced size alone; beyond that its buffer
/// doubles as bytes arrive, so that a peer that announces much and sends little holds little.
const TRUSTED_BYTES: usize = 64 * 1024;
/// What it gets at most, once it has sent a frame of that size: a client that fills its requests goes on to, and the
/// doubling would copy each of them once more. A producer for a thousand partitions fills tens of megabytes.
const TRUSTED_BYTES_MAX: usize = 32 * 1024 * 1024;

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
    memory: Arc<Memory>,
    peer: Arc<Peer>,
    /// Room for a larger buffer that was asked for.
    asked: Option<Piece>,
    /// Largest frame that is taken, in bytes.
    limit: usize,
    /// Largest frame that came so far, its size included, between [`TRUSTED_BYTES`] and [`TRUSTED_BYTES_MAX`].
    trusted: usize,
    /// When bytes last came.
    arrived: Instant,
    /// Bytes read and not handed out yet: whole frames, perhaps with the head of one more behind them.
    ready: Bytes,
    /// The frame being read: a prefix of it, its size included as far as it has come.
    partial: Option<Buffer>,
}

impl Frames {
    pub(crate) fn new(pool: Arc<Buffers>, memory: Arc<Memory>, peer: Arc<Peer>, limit: usize) -> Self {
        Self {
            pool,
            memory,
            peer,
            asked: None,
            limit,
            trusted: TRUSTED_BYTES,
            arrived: Instant::START,
            ready: Bytes::new(),
            partial: None,
        }
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
            let missing = self.make_room().await?;
            let partial = self.partial.as_mut().expect("make_room left one");
            let room = (partial.bytes().capacity() - partial.filled().len()).min(missing);
            let read = socket.read_buf(&mut partial.bytes().limit(room)).await?;
            self.arrived = self.peer.touch();
            if read == 0 {
                let clean = partial.filled().is_empty();
                return if clean { Ok(None) } else { Err(FrameFault::Cut) };
            }
            if let Some(whole) = self.wanted()?
                && self.partial.as_ref().is_some_and(|partial| partial.filled().len() >= whole)
            {
                let partial = self.partial.take().expect("it was just looked at");
                if partial.held() > 0 {
                    self.trusted = whole.clamp(self.trusted, TRUSTED_BYTES_MAX);
                    self.memory.settle(self.peer.id);
                    self.peer.set_unfinished(0);
                }
                self.ready = partial.freeze();
            }
        }
    }

    /// When the last bytes came: those of the frame handed out last are not younger.
    pub(crate) const fn arrived(&self) -> Instant {
        self.arrived
    }

    /// Whether [`Frames::next`] has a whole frame in memory and needs no socket for it.
    pub(crate) fn holds_frame(&self) -> bool {
        size_of_frame(&self.ready, self.limit)
            .is_ok_and(|size| size.is_some_and(|size| self.ready.len() >= SIZE_BYTES + size))
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
    /// is missing, so that nothing of the next one lands in its buffer. It may wait until there is memory for it.
    async fn make_room(&mut self) -> Result<usize, FrameFault> {
        let wanted = self.wanted()?;
        let partial = self.partial.get_or_insert_with(|| self.pool.take(SMALLEST_BYTES));
        let Some(wanted) = wanted.filter(|wanted| *wanted > SMALLEST_BYTES) else {
            return Ok(usize::MAX);
        };
        let target = wanted.min(self.trusted.max(2 * partial.filled().len()));
        if partial.bytes().capacity() < target {
            self.peer.set_unfinished(0);
            let room = || self.memory.ask(self.peer.id, capacity_for(target) as u64, partial.held());
            self.asked.get_or_insert_with(room).granted().await;
            let mut larger = self.pool.take(target);
            larger.bytes().extend_from_slice(partial.filled());
            self.asked.take().into_iter().for_each(|granted| larger.hold(granted));
            *partial = larger;
        }
        if partial.held() > 0 {
            self.peer.set_unfinished(partial.filled().len() as u64);
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

#[cfg(test)]
mod tests {
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
    use tokio::net::TcpStream;

    use super::*;
    use crate::connections::tests::peer as known_peer;

    /// A far end that has sent `sent`, of which each read yields at most `at_once` bytes.
    struct FarEnd {
        sent: Vec<u8>,
        read: usize,
        at_once: usize,
    }

    impl Socket for FarEnd {
        fn tcp(&self) -> Option<&TcpStream> {
            None
        }
    }

    impl AsyncRead for FarEnd {
        fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
            let end = self.sent.len().min(self.read + self.at_once.min(buf.remaining()));
            buf.put_slice(&self.sent[self.read..end]);
            self.read = end;
            Poll::Ready(Ok(()))
        }
    }

    impl AsyncWrite for FarEnd {
        fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
            Poll::Ready(Ok(bytes.len()))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    fn peer(frames: &[Vec<u8>], at_once: usize) -> FarEnd {
        let mut sent = Vec::new();
        for frame in frames {
            sent.extend(i32::try_from(frame.len()).expect("short").to_be_bytes());
            sent.extend(frame);
        }
        FarEnd { sent, read: 0, at_once }
    }

    fn frames(limit: usize) -> Frames {
        Frames::new(Arc::new(Buffers::default()), Arc::new(Memory::new(u64::MAX)), known_peer(0), limit)
    }

    #[tokio::test]
    async fn frames_come_out_as_they_went_in_however_they_arrive() {
        let sizes = [0, 1, 100, SMALLEST_BYTES - 4, SMALLEST_BYTES, 70_000, 3 * TRUSTED_BYTES, 5];
        let sent: Vec<Vec<u8>> = sizes.iter().map(|size| (0..*size).map(|i| (i % 251) as u8).collect()).collect();
        for at_once in [1, 3, 1000, 5000, usize::MAX] {
            // One byte at a time would take long for the large one.
            let sent: Vec<_> = sent.iter().filter(|frame| at_once > 3 || frame.len() < 80_000).cloned().collect();
            let mut peer = peer(&sent, at_once);
            let mut frames = frames(10 * TRUSTED_BYTES);
            for frame in &sent {
                assert_eq!(frames.next(&mut peer).await.expect("well formed").as_deref(), Some(frame.as_slice()));
            }
            assert!(frames.next(&mut peer).await.expect("a clean end").is_none());
        }
    }

    #[tokio::test]
    async fn a_size_beyond_the_limit_is_refused_before_anything_is_read_into_memory() {
        for announced in [101_i32, i32::MAX, -1, i32::MIN] {
            let mut peer = FarEnd { sent: announced.to_be_bytes().to_vec(), read: 0, at_once: 100 };
            let refused = frames(100).next(&mut peer).await;
            assert!(matches!(refused, Err(FrameFault::Size { announced: a, allowed: 100 }) if a == announced));
        }
    }

    #[tokio::test]
    async fn a_peer_that_announces_much_and_sends_little_holds_little() {
        let mut sent = (100 * 1024 * 1024_i32).to_be_bytes().to_vec();
        sent.extend([0; 5000]);
        let mut peer = FarEnd { sent, read: 0, at_once: usize::MAX };
        let mut frames = frames(200 * 1024 * 1024);
        assert!(matches!(frames.next(&mut peer).await, Err(FrameFault::Cut)));
        assert!(frames.partial.expect("the partial frame").bytes().capacity() <= TRUSTED_BYTES);
    }

    #[tokio::test]
    async fn a_peer_that_sent_a_large_frame_gets_room_for_the_next_at_once_but_not_for_any_size() {
        let large = 2 * TRUSTED_BYTES;
        let cases = [(large, large, large..=2 * large), (2 * TRUSTED_BYTES_MAX, 100 << 20, 0..=TRUSTED_BYTES_MAX)];
        for (first, announced, room) in cases {
            let mut peer = peer(&[vec![7; first]], usize::MAX);
            peer.sent.extend(i32::try_from(announced).expect("short").to_be_bytes());
            let mut frames = frames(100 << 20);
            assert_eq!(frames.next(&mut peer).await.expect("well formed").map(|frame| frame.len()), Some(first));
            assert!(matches!(frames.next(&mut peer).await, Err(FrameFault::Cut)));
            let capacity = frames.partial.expect("the partial frame").bytes().capacity();
            assert!(room.contains(&capacity), "{capacity} for {announced} after {first}");
        }
    }

    #[tokio::test]
    async fn says_whether_the_next_frame_is_in_memory() {
        let mut peer = peer(&[vec![1; 10], vec![2; 10], vec![3; 10]], 30);
        let mut frames = frames(100);
        let mut held = Vec::new();
        while frames.next(&mut peer).await.expect("well formed").is_some() {
            held.push(frames.holds_frame());
        }
        // Thirty bytes are two frames and the size of the third.
        assert_eq!(held, [true, false, false]);
    }
}
