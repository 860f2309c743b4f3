//! Answers onto a socket: bytes from memory, records straight from the page cache where that is cheaper.
//!
//! Large record ranges on plain TCP go by sendfile, behind a header that the kernel holds back until the records join
//! it. Small ones are read and go out with their header in one write: below [`SEND_FILE_BYTES_MIN`] a second system call
//! costs more than the copy. Sockets without a descriptor take the copying path for everything. Answers that are ready
//! together leave together: with small requests most of the work is a packet's way through the kernel.

use std::io;
use std::os::fd::AsRawFd as _;

use ottla_runtime::{Socket, send_all, send_file_all};
use ottla_storage::disk::FileHandle;
use ottla_storage::{Slice, remedy};
use thiserror::Error;

use crate::answer::{Part, Response};

/// A device that fails, as the system numbers it.
const EIO: i32 = 5;
/// Shortest range that goes by sendfile.
const SEND_FILE_BYTES_MIN: usize = 64 * 1024;
/// How much is sent so at a time: a peer that reads no more for long is noticed.
const SEND_FILE_BYTES_MAX: usize = 512 * 1024;
/// How much is gathered before it is written, and read at a time on the copying path.
const GATHER_BYTES: usize = 256 * 1024;

/// Why an answer was not sent.
#[derive(Debug, Error)]
pub(super) enum SendFault {
    /// The peer is gone, or the way to it.
    #[error("the answer could not be sent: {0}")]
    Socket(#[from] io::Error),
    /// The device does not give what was promised.
    #[error("cannot read {file}: {error}{}", remedy(error))]
    Records {
        /// The segment, where the system tells its name.
        file: String,
        /// What the system says.
        error: io::Error,
    },
}

impl SendFault {
    fn records(file: &FileHandle, error: io::Error) -> Self {
        let link = file.descriptor().map(|descriptor| format!("/proc/self/fd/{}", descriptor.as_raw_fd()));
        let name = link.and_then(|link| std::fs::read_link(link).ok());
        Self::Records { file: name.map_or_else(|| "a segment".to_owned(), |name| name.display().to_string()), error }
    }
}

/// Notes that bytes went.
pub(super) type Progress<'a> = &'a (dyn Fn() + Send + Sync);

/// Sends an answer, but for what is small at its end: that stays in `gathered` for the next answer to join it. Whoever has
/// no next answer sends it with [`finish`].
/// `progress` is called whenever some of it has gone.
pub(super) async fn send(
    response: Response,
    socket: &mut dyn Socket,
    gathered: &mut Vec<u8>,
    progress: Progress<'_>,
) -> Result<(), SendFault> {
    for part in response.into_parts() {
        progress();
        match part {
            Part::Bytes(bytes) => gather(socket, gathered, &bytes).await?,
            Part::Records(slice) => send_records(socket, gathered, slice, progress).await?,
        }
    }
    Ok(())
}

/// Sends what is gathered; nothing follows for now.
pub(super) async fn finish(socket: &mut dyn Socket, gathered: &[u8]) -> io::Result<()> {
    send_all(socket, gathered, false).await
}

async fn gather(socket: &mut dyn Socket, gathered: &mut Vec<u8>, bytes: &[u8]) -> io::Result<()> {
    if gathered.len() + bytes.len() > GATHER_BYTES {
        send_all(socket, gathered, true).await?;
        gathered.clear();
    }
    if bytes.len() > GATHER_BYTES {
        // Perhaps the last of its answer: held back it would wait for company in vain.
        return send_all(socket, bytes, false).await;
    }
    gathered.extend_from_slice(bytes);
    Ok(())
}

async fn send_records(
    socket: &mut dyn Socket,
    gathered: &mut Vec<u8>,
    slice: Slice,
    progress: Progress<'_>,
) -> Result<(), SendFault> {
    let Slice { file, position, bytes, .. } = slice;
    if bytes >= SEND_FILE_BYTES_MIN && socket.tcp().is_some() && file.descriptor().is_some() {
        send_all(socket, gathered, true).await?;
        gathered.clear();
        // Cold pages would stall this thread inside sendfile; they are fetched elsewhere first.
        file.prepare(position, bytes).await.map_err(|error| SendFault::records(&file, error))?;
        let (Some(tcp), Some(descriptor)) = (socket.tcp(), file.descriptor()) else {
            return Err(io::Error::other("a socket or a file lost its descriptor").into());
        };
        let mut sent = 0;
        while sent < bytes {
            let piece = (bytes - sent).min(SEND_FILE_BYTES_MAX);
            let went = send_file_all(tcp, descriptor, position + sent as u64, piece).await;
            went.map_err(|error| match error.raw_os_error() {
                // No socket says so.
                Some(EIO) => SendFault::records(&file, error),
                _ => SendFault::Socket(error),
            })?;
            sent += piece;
            progress();
        }
        return Ok(());
    }
    let mut sent = 0;
    while sent < bytes {
        let piece = file.read(position + sent as u64, (bytes - sent).min(GATHER_BYTES)).await;
        let piece = piece.map_err(|error| SendFault::records(&file, error))?;
        if piece.is_empty() {
            let ended = io::Error::new(io::ErrorKind::UnexpectedEof, "a segment ends before what was promised");
            return Err(SendFault::records(&file, ended));
        }
        sent += piece.len();
        gather(socket, gathered, &piece).await?;
        progress();
    }
    Ok(())
}
