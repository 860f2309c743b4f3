//! What a handler does with sessions, with numbers in place of logs: a record is one byte, and one offset.

use std::collections::BTreeMap;
use std::time::Duration;

use ottla_protocol::TopicKey;
use ottla_types::{ErrorCode, Instant, LeaderEpoch, Offset, PartitionIndex, Uuid};

use crate::fetch_sessions::cache::Cache;
use crate::fetch_sessions::{Claim, Found, Newcomer, Place, Session, SessionId, Wanted};

/// A partition: its bounds, or an error.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(super) struct Log {
    pub(super) start: i64,
    pub(super) high: i64,
    pub(super) fails: bool,
}

/// A partition in a request: which, and from where.
pub(super) type Asked = ((String, i32), i64);

/// One line of an answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Line {
    pub(super) partition: (String, i32),
    /// The bounds that are told, and how many records from the offset on; `None` is an error.
    pub(super) told: Option<(Log, i64)>,
}

/// A request.
#[derive(Clone, Default, Debug)]
pub(super) struct Request {
    pub(super) id: SessionId,
    pub(super) epoch: i32,
    pub(super) asked: Vec<Asked>,
    pub(super) forgotten: Vec<(String, i32)>,
    pub(super) by_id: bool,
    pub(super) follower: bool,
    /// Records that the answer has room for.
    pub(super) room: i64,
}

/// A broker.
pub(super) struct Broker {
    pub(super) now: Instant,
    pub(super) logs: BTreeMap<(String, i32), Log>,
    pub(super) cache: Cache<()>,
    /// The id that the next session gets.
    pub(super) next_id: SessionId,
}

impl Broker {
    pub(super) fn new(slots: usize) -> Self {
        Self { now: Instant::START, logs: BTreeMap::new(), cache: Cache::new(slots), next_id: 1 }
    }

    pub(super) fn wait(&mut self, ms: u64) {
        self.now = self.now + Duration::from_millis(ms);
    }

    pub(super) fn fetch(&mut self, request: &Request) -> Result<(SessionId, Vec<Line>), ErrorCode> {
        if request.epoch == 0 || request.epoch == -1 {
            return Ok(self.full(request));
        }
        let claim = Claim { id: request.id, epoch: request.epoch, by_id: request.by_id };
        let mut session = self.cache.take(claim, self.now)?;
        follow(&mut session, request);
        let forgotten: Vec<_> = request.forgotten.iter().map(|(topic, index)| (topic.clone(), *index)).collect();
        session.forget(forgotten.iter().map(|(topic, index)| (key(topic, request.by_id), PartitionIndex(*index))));
        if session.is_empty() {
            self.cache.remove(claim.id);
            return Ok((0, Vec::new()));
        }
        let found = self.read(&session, request.room);
        let told: Vec<_> = found.into_iter().filter(|(place, found)| session.must_tell(*place, found)).collect();
        told.iter().for_each(|(place, found)| session.tell(*place, found));
        session.move_to_end(told.iter().filter(|(_, found)| found.bytes > 0).map(|(place, _)| *place));
        let lines = told.iter().map(|(place, found)| line(&session, *place, found)).collect();
        self.cache.put_back(claim.id, claim.epoch, session);
        Ok((claim.id, lines))
    }

    fn full(&mut self, request: &Request) -> (SessionId, Vec<Line>) {
        self.cache.remove(request.id);
        let mut session = Session::default();
        follow(&mut session, request);
        let told = self.read(&session, request.room);
        told.iter().for_each(|(place, found)| session.tell(*place, found));
        let lines = told.iter().map(|(place, found)| line(&session, *place, found)).collect();
        if request.epoch == -1 {
            return (0, lines);
        }
        let newcomer = Newcomer { privileged: request.follower, by_id: request.by_id };
        let next = &mut self.next_id;
        let candidate = || {
            *next += 1;
            *next - 1
        };
        let id = self.cache.open(self.now, newcomer, session.len(), candidate).unwrap_or(0);
        self.cache.put_back(id, 0, Box::new(session));
        (id, lines)
    }

    fn read(&self, session: &Session<()>, mut room: i64) -> Vec<(Place, Found)> {
        let mut all = Vec::new();
        for place in session.places() {
            let log = self.logs.get(&name(session, place)).copied().unwrap_or(Log { fails: true, ..Log::default() });
            let from = session.followed(place).wanted.fetch_offset.0;
            if log.fails || from < log.start || from > log.high {
                let nothing = Offset(-1);
                let found = Found { bytes: 0, pressing: true, high_watermark: nothing, log_start: nothing };
                all.push((place, found));
                continue;
            }
            let records = room.min(log.high - from);
            room -= records;
            let bytes = usize::try_from(records).expect("not negative");
            let (high_watermark, log_start) = (Offset(log.high), Offset(log.start));
            all.push((place, Found { bytes, pressing: false, high_watermark, log_start }));
        }
        all
    }
}

fn follow(session: &mut Session<()>, request: &Request) {
    for ((topic, index), offset) in &request.asked {
        let wanted = Wanted {
            fetch_offset: Offset(*offset),
            leader_epoch: LeaderEpoch::UNKNOWN,
            last_fetched_epoch: LeaderEpoch::UNKNOWN,
            bytes_max: usize::MAX,
        };
        session.follow(&key(topic, request.by_id), PartitionIndex(*index), wanted);
    }
}

/// A topic's id is its name's first letter, sixteen times.
fn key(topic: &str, by_id: bool) -> TopicKey<'_> {
    if by_id { TopicKey::Id(Uuid([topic.as_bytes()[0]; 16])) } else { TopicKey::Name(topic) }
}

pub(super) fn name(session: &Session<()>, place: Place) -> (String, i32) {
    let topic = match session.topic(place).key() {
        TopicKey::Name(name) => name.to_owned(),
        TopicKey::Id(id) => char::from(id.0[0]).to_string(),
    };
    (topic, session.followed(place).index.0)
}

fn line(session: &Session<()>, place: Place, found: &Found) -> Line {
    let log = Log { start: found.log_start.0, high: found.high_watermark.0, fails: false };
    let records = i64::try_from(found.bytes).expect("few");
    Line { partition: name(session, place), told: (!found.pressing).then_some((log, records)) }
}
