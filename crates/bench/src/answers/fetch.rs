//! Fetch: the prepared batch without end, or a range of each partition's file by sendfile.

use std::io::Write;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use ottla_protocol::{
    FetchReply, FetchRequestView, FetchedPartition, FetchedTopic, FramedParts, Part, RecordsAt, TopicKey,
};
use rustix::fs::sendfile;
use rustix::net::{SendFlags, send};

use crate::log::{Log, Range};
use crate::prepared::Prepared;
use crate::small::UNKNOWN_TOPIC_OR_PARTITION;
use crate::topics::Topic;
use crate::{Answers, Outcome};

/// Where records come from.
pub(crate) enum Source {
    /// The prepared batch, from this offset on; bytes.
    Prepared(i64, usize),
    Kept(Range),
}

/// An answer in parts.
pub(crate) struct FetchFrame(FramedParts<Source>);

pub(crate) fn answer(answers: &Answers, correlation_id: i32, version: i16, body: &[u8]) -> Outcome<FetchFrame> {
    let request = FetchRequestView::parse(body, version).map_err(|error| error.to_string())?;
    let wait = Duration::from_millis(u64::try_from(request.max_wait_ms).unwrap_or(0));
    let deadline = Instant::now() + wait;
    loop {
        let arrivals = answers.topics.arrivals();
        let (topics, bytes) = read(answers, &request)?;
        if bytes >= usize::try_from(request.min_bytes).unwrap_or(0) || Instant::now() >= deadline {
            let reply =
                FetchReply { throttle_time_ms: 0, error_code: 0, session_id: 0, topics, node_endpoints: Vec::new() };
            return reply.into_frame(correlation_id, version).map(FetchFrame).map_err(|error| error.to_string());
        }
        answers.topics.wait(arrivals, deadline);
    }
}

/// What there is for the request, and how many bytes of records.
fn read<'a>(answers: &Answers, request: &FetchRequestView<'a>) -> Outcome<(Vec<FetchedTopic<'a, Source>>, usize)> {
    let (mut topics, mut bytes) = (Vec::new(), 0);
    let bytes_max = usize::try_from(request.max_bytes).unwrap_or(0);
    for topic in request.topics() {
        let TopicKey::Name(name) = topic.topic else { return Err("a topic without a name".to_owned()) };
        let logs = answers.topics.topic(name, None)?;
        let mut partitions = Vec::new();
        for wanted in topic.partitions() {
            let left = bytes_max.saturating_sub(bytes);
            let limit = left.min(usize::try_from(wanted.partition_max_bytes).unwrap_or(0));
            let read = if left == 0 { None } else { Some(limit) };
            let partition = one(answers, &logs, wanted.partition, wanted.fetch_offset, read);
            bytes += partition.records.as_ref().map_or(0, |records| records.length);
            partitions.push(partition);
        }
        topics.push(FetchedTopic { topic: name, topic_id: Default::default(), partitions });
    }
    Ok((topics, bytes))
}

/// One partition; `limit` is none when the answer is full.
fn one(answers: &Answers, logs: &Topic, index: i32, offset: i64, limit: Option<usize>) -> FetchedPartition<Source> {
    let Some(log) = usize::try_from(index).ok().and_then(|index| logs.get(index)) else {
        let error_code = UNKNOWN_TOPIC_OR_PARTITION;
        return FetchedPartition { partition_index: index, error_code, high_watermark: -1, ..Default::default() };
    };
    let records = limit.and_then(|limit| source(answers, log, offset, limit));
    let end = if answers.topics.keep() { log.next_offset() } else { i64::MAX };
    FetchedPartition {
        partition_index: index,
        high_watermark: end,
        last_stable_offset: end,
        log_start_offset: 0,
        records: Some(records.unwrap_or(RecordsAt { length: 0, place: Source::Prepared(0, 0) })),
        ..Default::default()
    }
}

fn source(answers: &Answers, log: &Log, offset: i64, limit: usize) -> Option<RecordsAt<Source>> {
    if answers.topics.keep() {
        let range = log.read(offset, limit)?;
        return Some(RecordsAt { length: range.length, place: Source::Kept(range) });
    }
    let length = answers.prepared.length(limit);
    Some(RecordsAt { length, place: Source::Prepared(offset, length) })
}

impl FetchFrame {
    /// Sends it; `scratch` is memory that the connection keeps.
    pub(crate) fn send(self, to: &mut TcpStream, prepared: &Prepared, scratch: &mut Vec<u8>) -> std::io::Result<()> {
        let mut parts = self.0.parts.into_iter().peekable();
        while let Some(part) = parts.next() {
            match part {
                Part::Inline(bytes) if parts.peek().is_some() => {
                    // Goes out with what follows.
                    let sent = send(&*to, &bytes, SendFlags::MORE | SendFlags::NOSIGNAL)?;
                    to.write_all(&bytes[sent..])?;
                }
                Part::Inline(bytes) => to.write_all(&bytes)?,
                Part::Records(Source::Prepared(offset, length)) => prepared.send(to, offset, length, scratch)?,
                Part::Records(Source::Kept(range)) => range.send(to)?,
            }
        }
        Ok(())
    }
}

impl Range {
    fn send(self, to: &TcpStream) -> std::io::Result<()> {
        let (mut position, end) = (self.position, self.position + self.length as u64);
        while position < end {
            let left = usize::try_from(end - position).unwrap_or(usize::MAX);
            if sendfile(to, &self.file, Some(&mut position), left)? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(())
    }
}
