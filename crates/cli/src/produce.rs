//! `ottla produce`: lines to records. The bytes of a line are the value as they are, whatever the encoding.

use std::fs::File;
use std::io::{self, Read};
use std::time::Instant;

use memchr::{memchr, memmem};
use ottla_client::{Cluster, Producer, ProducerSettings, Record};
use tokio::sync::mpsc;

use crate::args::ProduceArgs;
use crate::failure::{Failure, say};
use crate::session::interrupted;

/// Bytes that are read at once.
const READ_BYTES: usize = 256 << 10;
/// Pieces that are read ahead.
const READ_AHEAD: usize = 4;

/// Produces until the input ends or somebody interrupts. What was read by then is written.
pub(crate) async fn run(cluster: Cluster, args: ProduceArgs) -> Result<(), Failure> {
    let input: Box<dyn Read + Send> = match &args.file {
        Some(path) => Box::new(File::open(path).map_err(|error| Failure::new(format!("{}: {error}", path.display())))?),
        None => Box::new(io::stdin()),
    };
    let settings = ProducerSettings {
        acks: args.acks.into(),
        idempotent: !args.no_idempotence,
        codec: args.compression.into(),
        ..ProducerSettings::default()
    };
    let topic = cluster.topic(&args.topic).await?;
    if let Some(partition) = args.partition {
        topic.partition(partition)?;
    }
    let producer = Producer::start(cluster, settings).await?;
    let started = Instant::now();
    let mut lines = Lines { args: &args, producer, sent: 0 };
    let result = lines.send_all(read_pieces(input)).await;
    let flushed = lines.producer.flush().await.map_err(Failure::from);
    let seconds = started.elapsed().as_secs_f64();
    let result = result.and(flushed);
    match &result {
        Ok(()) => {
            let records = if lines.sent == 1 { "record" } else { "records" };
            say(&format!("{} {records} written to {} in {seconds:.2} s", lines.sent, args.topic));
        }
        Err(_) => say(&format!("not all of the {} records read were written to {}", lines.sent, args.topic)),
    }
    result
}

/// Reads on a thread of its own, since a terminal or a pipe may keep it waiting for ever.
fn read_pieces(mut input: Box<dyn Read + Send>) -> mpsc::Receiver<io::Result<Vec<u8>>> {
    let (pieces, queue) = mpsc::channel(READ_AHEAD);
    std::thread::spawn(move || {
        loop {
            let mut piece = vec![0; READ_BYTES];
            let read = input.read(&mut piece).map(|length| {
                piece.truncate(length);
                piece
            });
            let last = match &read {
                Ok(piece) => piece.is_empty(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) => true,
            };
            if pieces.blocking_send(read).is_err() || last {
                return;
            }
        }
    });
    queue
}

struct Lines<'a> {
    args: &'a ProduceArgs,
    producer: Producer,
    /// Lines given to the producer.
    sent: u64,
}

impl Lines<'_> {
    async fn send_all(&mut self, mut pieces: mpsc::Receiver<io::Result<Vec<u8>>>) -> Result<(), Failure> {
        let mut interrupted = std::pin::pin!(interrupted());
        // The beginning of a line whose end is not read yet.
        let mut begun = Vec::new();
        loop {
            let piece = tokio::select! {
                biased;
                () = &mut interrupted => break,
                piece = pieces.recv() => piece,
            };
            let Some(piece) = piece else { break };
            let piece = piece.map_err(|error| Failure::new(format!("reading failed: {error}")))?;
            if piece.is_empty() {
                break;
            }
            let mut rest = &piece[..];
            while let Some(end) = memchr(b'\n', rest) {
                if begun.is_empty() {
                    self.send(&rest[..end]).await?;
                } else {
                    begun.extend_from_slice(&rest[..end]);
                    self.send(&begun).await?;
                    begun.clear();
                }
                rest = &rest[end + 1..];
            }
            begun.extend_from_slice(rest);
            if let Some((_, error)) = self.producer.failures() {
                return Err(error.into());
            }
        }
        // The last line may lack its line break.
        if begun.is_empty() { Ok(()) } else { self.send(&begun).await }
    }

    async fn send(&mut self, line: &[u8]) -> Result<(), Failure> {
        let (key, value) = match &self.args.key_separator {
            None => (None, line),
            Some(separator) => match split(line, separator.as_bytes()) {
                Some((key, value)) => (Some(key), value),
                None => return Err(Failure::new(format!("line {} has no \"{separator}\"", self.sent + 1))),
            },
        };
        let record = Record { partition: self.args.partition, key, value: Some(value), ..Record::to(&self.args.topic) };
        self.producer.send(record).await?;
        self.sent += 1;
        Ok(())
    }
}

/// The parts of `line` before and behind the first `separator`.
fn split<'a>(line: &'a [u8], separator: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let at = memmem::find(line, separator)?;
    Some((&line[..at], &line[at + separator.len()..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_split_at_the_first_separator() {
        assert_eq!(split(b"a:b:c", b":"), Some((&b"a"[..], &b"b:c"[..])));
        assert_eq!(split(b":v", b":"), Some((&b""[..], &b"v"[..])));
        assert_eq!(split(b"k=>", b"=>"), Some((&b"k"[..], &b""[..])));
        assert_eq!(split(b"nothing", b":"), None);
        assert_eq!(split(b"\xff\x00:\xfe", b":"), Some((&b"\xff\x00"[..], &b"\xfe"[..])));
    }
}
