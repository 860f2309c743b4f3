//! `ottla produce`: lines to records. Unless a format is asked for, the bytes of a line are the value as they are,
//! whatever the encoding.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, IsTerminal as _, Read};
use std::time::{Duration, Instant};

use memchr::{memchr, memmem};
use ottla_client::{Cluster, Header, Producer, ProducerSettings, Record};
use ottla_types::Timestamp;
use tokio::sync::mpsc;

use crate::args::{InputKind, ProduceArgs};
use crate::failure::{Failure, say};
use crate::json_record::{Formats, ReadRecord, from_json};
use crate::progress::Progress;
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
        compression_level: args.compression_level,
        ..ProducerSettings::default()
    };
    let topic = cluster.topic(&args.topic).await?;
    if let Some(partition) = args.partition {
        topic.partition(partition)?;
    }
    let producer = Producer::start(cluster, settings).await?;
    let started = Instant::now();
    let headers = args.headers.iter().map(|(key, value)| Header { key: key.as_bytes(), value: Some(value.as_bytes()) });
    let headers: Vec<Header<'_>> = headers.collect();
    let typed = args.file.is_none() && io::stdin().is_terminal();
    let progress = Progress::start("written", args.quiet, typed);
    let mut lines = Lines { args: &args, headers, producer, pace: args.rate.map(Pace::new), progress, sent: 0 };
    let result = lines.send_all(read_pieces(input)).await;
    let flushed = lines.producer.flush().await.map_err(Failure::from);
    lines.progress.finish();
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
    /// What the command line gives every record.
    headers: Vec<Header<'a>>,
    producer: Producer,
    pace: Option<Pace>,
    progress: Progress,
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
                if let Some(pace) = &mut self.pace
                    && !pace.turn(&mut interrupted).await
                {
                    return Ok(());
                }
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
        match self.args.input {
            InputKind::Lines => self.send_line(line).await?,
            InputKind::Json => {
                let formats = Formats { key: self.args.key_format, value: self.args.value_format };
                let record = from_json(line, formats).map_err(|reason| self.wrong_line(&reason))?;
                self.send_read(&record).await?;
            }
        }
        self.sent += 1;
        self.progress.add(1, line.len() as u64);
        Ok(())
    }

    async fn send_line(&mut self, line: &[u8]) -> Result<(), Failure> {
        let args = self.args;
        let (key, value) = match &args.key_separator {
            None => (args.key.as_deref().map(str::as_bytes), line),
            Some(separator) => match split(line, separator.as_bytes()) {
                Some((key, value)) => (Some(key), value),
                None => return Err(self.wrong_line(&format!("has no \"{separator}\""))),
            },
        };
        let null = args.null.as_deref().map(str::as_bytes);
        let key = match key.filter(|key| Some(*key) != null) {
            Some(key) => Some(
                args.key_format.decode(key).map_err(|reason| self.wrong_line(&format!("has a key that {reason}")))?,
            ),
            None => None,
        };
        let value = match Some(value).filter(|value| Some(*value) != null) {
            Some(value) => Some(args.value_format.decode(value).map_err(|reason| self.wrong_line(&reason))?),
            None => None,
        };
        let record = Record {
            partition: args.partition,
            key: key.as_deref(),
            value: value.as_deref(),
            headers: &self.headers,
            timestamp: args.timestamp.map(Timestamp),
            ..Record::to(&args.topic)
        };
        self.producer.send(record).await?;
        Ok(())
    }

    /// Sends a record that came as JSON; what it leaves open is as the command line says.
    async fn send_read(&mut self, record: &ReadRecord) -> Result<(), Failure> {
        let own = record.headers.iter().map(|(key, value)| Header { key: key.as_bytes(), value: value.as_deref() });
        let headers: Cow<'_, [Header<'_>]> = match record.headers.is_empty() {
            true => Cow::Borrowed(&self.headers),
            false => Cow::Owned(self.headers.iter().copied().chain(own).collect()),
        };
        let record = Record {
            partition: self.args.partition.or(record.partition),
            key: record.key.as_deref().or(self.args.key.as_deref().map(str::as_bytes)),
            value: record.value.as_deref(),
            headers: &headers,
            timestamp: record.timestamp.or(self.args.timestamp).map(Timestamp),
            ..Record::to(&self.args.topic)
        };
        self.producer.send(record).await?;
        Ok(())
    }

    fn wrong_line(&self, reason: &str) -> Failure {
        Failure::new(format!("line {} {reason}", self.sent + 1))
    }
}

/// Lets through a number of records a second, evenly.
struct Pace {
    a_second: u64,
    began: tokio::time::Instant,
    passed: u64,
}

impl Pace {
    fn new(a_second: u64) -> Self {
        Self { a_second, began: tokio::time::Instant::now(), passed: 0 }
    }

    /// Waits for the next record's turn; `false` if `interrupted` comes first.
    async fn turn(&mut self, interrupted: impl Future<Output = ()>) -> bool {
        let due = self.began + Duration::from_secs_f64(self.passed as f64 / self.a_second as f64);
        self.passed += 1;
        if due <= tokio::time::Instant::now() {
            return true;
        }
        tokio::select! {
            biased;
            () = interrupted => false,
            () = tokio::time::sleep_until(due) => true,
        }
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

    #[tokio::test(start_paused = true)]
    async fn a_pace_spreads_records_over_the_second() {
        let mut pace = Pace::new(100);
        let began = tokio::time::Instant::now();
        for _ in 0..=50 {
            assert!(pace.turn(std::future::pending()).await);
        }
        assert_eq!(began.elapsed().as_millis() / 10, 50);
        assert!(!pace.turn(std::future::ready(())).await);
    }

    #[test]
    fn lines_split_at_the_first_separator() {
        assert_eq!(split(b"a:b:c", b":"), Some((&b"a"[..], &b"b:c"[..])));
        assert_eq!(split(b":v", b":"), Some((&b""[..], &b"v"[..])));
        assert_eq!(split(b"k=>", b"=>"), Some((&b"k"[..], &b""[..])));
        assert_eq!(split(b"nothing", b":"), None);
        assert_eq!(split(b"\xff\x00:\xfe", b":"), Some((&b"\xff\x00"[..], &b"\xfe"[..])));
    }
}
