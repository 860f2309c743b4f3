//! Clients, a coordinator and its log in one place, and what is promised of them:
//!
//! - within one generation no partition has two owners;
//! - every request gets exactly one answer, also when the coordinator is given up;
//! - what a commit was acknowledged for is there, whatever happens to the coordinator;
//! - a coordinator that is read from its log, as records and as compaction leaves them, is what the one before it was;
//! - once members behave, every group comes to rest: all are in one generation and have every partition once.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use ottla_coordinator::{
    AppendId, Fact, Input, KeyAndValue, Now, OffsetFetch, Output, Reply, Request, RequestId, Settings, Shard,
};
use ottla_types::{ErrorCode, Instant, Timestamp};

use super::classic::{PARTITIONS, TOPIC};
use super::client::Client;
use super::steps::{CLASSIC_CLIENTS, CLIENTS, GROUPS, Random, Schedule, Step};
use super::{classic, consumer};

fn client(index: usize) -> Client {
    match index.checked_sub(CLASSIC_CLIENTS) {
        None => Client::Classic(classic::Client::new(index, GROUPS[index % 2].into())),
        Some(number) => Client::Consumer(consumer::Client::new(number, GROUPS[2].into(), number == 0)),
    }
}

/// Who waits for an answer.
enum Waiter {
    /// A client, and what it commits, if it does.
    Client(usize, Option<Commit>),
    /// Somebody who asked how far a group is, and what was acknowledged by then.
    Reader(Arc<str>, BTreeMap<u8, i64>),
    /// Nobody any longer: the client gave up or is gone.
    Nobody(Option<Commit>),
}

/// An offset on its way.
#[derive(Clone)]
struct Commit {
    group: Arc<str>,
    partition: u8,
    offset: i64,
}

pub(super) struct World {
    settings: Settings,
    shard: Shard,
    clients: Vec<Client>,
    /// For each client the request that it waits for, and the answer that it has not read.
    pending: Vec<Option<RequestId>>,
    unread: Vec<Option<Reply>>,
    waiters: BTreeMap<RequestId, Waiter>,
    /// What is committed, and what is only appended.
    log: Vec<KeyAndValue>,
    appended: VecDeque<(AppendId, Vec<Fact>)>,
    /// By group and generation, who has which partition.
    owners: BTreeMap<(Arc<str>, i32), BTreeMap<u8, Arc<str>>>,
    /// By group and partition, the highest offset that was acknowledged.
    acknowledged: BTreeMap<(Arc<str>, u8), i64>,
    now: Duration,
    requests: u64,
    random: Random,
}

impl World {
    pub(super) fn new(schedule: &Schedule) -> Self {
        let settings = Settings {
            new_member_join_timeout: Duration::from_secs(60),
            initial_rebalance_delay: Duration::from_millis(schedule.delay),
            ..Settings::default()
        };
        Self {
            shard: loaded(&settings, &[], Now { instant: Instant::after_start(Duration::ZERO), date: Timestamp(0) })
                .expect("an empty log is read"),
            settings,
            clients: (0..CLIENTS).map(client).collect(),
            pending: vec![None; CLIENTS],
            unread: (0..CLIENTS).map(|_| None).collect(),
            waiters: BTreeMap::new(),
            log: Vec::new(),
            appended: VecDeque::new(),
            owners: BTreeMap::new(),
            acknowledged: BTreeMap::new(),
            now: Duration::ZERO,
            requests: 0,
            random: Random(schedule.seed),
        }
    }

    pub(super) fn step(&mut self, step: Step) -> Result<(), String> {
        match step {
            Step::Come(client) if self.clients[client].is_out() => self.clients[client].begin(),
            Step::Act(client, choice) => self.act(client, choice.is_multiple_of(2))?,
            Step::Round(choice) => self.round(choice)?,
            Step::Retry(client) => {
                self.forget_pending(client);
                self.clients[client].lost_answer();
            }
            Step::Change(client) => self.clients[client].change(),
            Step::Leave(client) => self.leave(client),
            Step::Vanish(client) => {
                self.clients[client].end();
                self.forget_pending(client);
            }
            Step::Fetch(group) => self.read_offsets(&GROUPS[group].into()),
            Step::Wait(ms) => self.wait(Duration::from_millis(ms))?,
            Step::Commit => self.commit(),
            Step::Fail { is_in_log } => self.fail(is_in_log)?,
            Step::Break => return Err("broken on purpose".to_owned()),
            Step::Come(_) => {}
        }
        self.drain()
    }

    fn now(&self) -> Now {
        let date = i64::try_from(self.now.as_millis()).expect("not that long");
        Now { instant: Instant::after_start(self.now), date: Timestamp(date) }
    }

    fn send(&mut self, request: Request, waiter: Waiter) -> RequestId {
        self.requests += 1;
        let id = RequestId(self.requests);
        self.waiters.insert(id, waiter);
        self.shard.handle(self.now(), Input::Request(id, request));
        id
    }

    /// A client reads what it was answered, or asks for what it needs next.
    fn act(&mut self, index: usize, commits: bool) -> Result<(), String> {
        if let Some(reply) = self.unread[index].take() {
            if self.clients[index].take(reply) {
                return self.claim(index);
            }
            return Ok(());
        }
        if self.pending[index].is_some() {
            return Ok(());
        }
        let fresh = (u128::from(self.random.next()) << 64) | u128::from(self.random.next());
        let offset = i64::try_from(self.requests).expect("few");
        let Some(request) = self.clients[index].request(commits, offset, fresh) else { return Ok(()) };
        let commit = match &request {
            Request::OffsetCommit(commit) => {
                let partition = u8::try_from(commit.topics[0].partitions[0].index).expect("few");
                Some(Commit { group: commit.group.clone(), partition, offset })
            }
            _ => None,
        };
        self.pending[index] = Some(self.send(request, Waiter::Client(index, commit)));
        Ok(())
    }

    /// Everybody acts, and what is appended is committed. A bit of `choice` is a client that commits instead of sending a
    /// heartbeat.
    fn round(&mut self, choice: u64) -> Result<(), String> {
        for client in 0..CLIENTS {
            self.act(client, choice >> client & 1 == 1)?;
            self.drain()?;
            self.commit();
            self.drain()?;
        }
        Ok(())
    }

    fn forget_pending(&mut self, client: usize) {
        self.unread[client] = None;
        if let Some(waiter) = self.pending[client].take().and_then(|id| self.waiters.get_mut(&id)) {
            let commit = if let Waiter::Client(_, commit) = waiter { commit.take() } else { None };
            *waiter = Waiter::Nobody(commit);
        }
    }

    fn leave(&mut self, client: usize) {
        self.forget_pending(client);
        if let Some(request) = self.clients[client].leave() {
            self.send(request, Waiter::Nobody(None));
        }
        self.clients[client].end();
    }

    /// A client has partitions of a generation: nobody else has them in the same.
    fn claim(&mut self, index: usize) -> Result<(), String> {
        let client = &self.clients[index];
        let Some((generation, partitions)) = client.works() else { return Ok(()) };
        let owners = self.owners.entry((client.group().clone(), generation)).or_default();
        for partition in partitions {
            let before = owners.entry(*partition).or_insert_with(|| client.name().clone());
            if before != client.name() {
                let (group, who) = (client.group(), client.name());
                return Err(format!("{group}/{partition} belongs to {before} and {who} in generation {generation}"));
            }
        }
        Ok(())
    }

    fn read_offsets(&mut self, group: &Arc<str>) {
        let is_of = |(known, _): &&(Arc<str>, u8)| known == group;
        let known = self.acknowledged.iter().filter(|(key, _)| is_of(key));
        let acknowledged = known.map(|((_, partition), offset)| (*partition, *offset)).collect();
        let fetch = OffsetFetch { group: group.clone(), member: None, epoch: -1, topics: None };
        self.send(Request::OffsetFetch(fetch), Waiter::Reader(group.clone(), acknowledged));
    }

    fn wait(&mut self, duration: Duration) -> Result<(), String> {
        let end = self.now + duration;
        while let Some(at) = self.shard.deadline().map(Instant::since_start).filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.shard.handle(self.now(), Input::TimePassed);
            self.drain()?;
        }
        self.now = end;
        Ok(())
    }

    fn write(&mut self) -> Option<AppendId> {
        let last = self.appended.back().map(|(id, _)| *id);
        let facts = self.appended.drain(..).flat_map(|(_, facts)| facts);
        self.log.extend(facts.map(|fact| fact.to_record().expect("texts are short")));
        last
    }

    fn commit(&mut self) {
        if let Some(last) = self.write() {
            self.shard.handle(self.now(), Input::Committed(last));
        }
    }

    /// The coordinator is given up: everybody is told, and it is read from its log.
    fn fail(&mut self, is_in_log: bool) -> Result<(), String> {
        if is_in_log {
            self.write();
        }
        self.appended.clear();
        let loaded = loaded(&self.settings, &self.log, self.now())?;
        let old = std::mem::replace(&mut self.shard, loaded);
        for (id, reply) in old.give_up(ErrorCode::NotCoordinator) {
            self.deliver(id, reply)?;
        }
        match self.waiters.keys().next() {
            Some(id) => Err(format!("request {} was not answered when the coordinator was given up", id.0)),
            None => Ok(()),
        }
    }

    fn drain(&mut self) -> Result<(), String> {
        while let Some(output) = self.shard.poll() {
            match output {
                Output::Append(id, facts) => self.appended.push_back((id, facts)),
                Output::Reply(id, reply) => self.deliver(id, reply)?,
            }
        }
        Ok(())
    }

    fn deliver(&mut self, id: RequestId, reply: Reply) -> Result<(), String> {
        let waiter = self.waiters.remove(&id).ok_or_else(|| format!("request {} was answered twice: {reply}", id.0))?;
        let is_done = matches!(&reply, Reply::OffsetCommit(Ok(errors)) if errors[..] == [ErrorCode::None]);
        if let Waiter::Client(_, Some(commit)) | Waiter::Nobody(Some(commit)) = &waiter
            && is_done
        {
            let known = self.acknowledged.entry((commit.group.clone(), commit.partition)).or_default();
            *known = commit.offset.max(*known);
        }
        match waiter {
            Waiter::Client(client, _) => {
                self.pending[client] = None;
                self.unread[client] = Some(reply);
            }
            Waiter::Reader(group, acknowledged) => check_offsets(&group, &acknowledged, &reply)?,
            Waiter::Nobody(_) => {}
        }
        Ok(())
    }

    /// From here on everybody behaves, until all is at rest.
    pub(super) fn settle(&mut self) -> Result<(), String> {
        // Longer than any deadline and the rounds behind it.
        for _ in 0..300 {
            (0..4).try_for_each(|_| self.round(0))?;
            self.wait(Duration::from_secs(1))?;
            self.commit();
            self.drain()?;
        }
        GROUPS.iter().try_for_each(|group| self.check_rest(group))?;
        self.check_replay()?;
        GROUPS.iter().for_each(|group| self.read_offsets(&(*group).into()));
        self.drain()?;
        if self.waiters.is_empty() {
            Ok(())
        } else {
            Err(format!("{} requests are never answered", self.waiters.len()))
        }
    }

    /// All members of a group work in one generation, and have all partitions.
    fn check_rest(&self, group: &str) -> Result<(), String> {
        let at_work = self.clients.iter().filter(|client| &**client.group() == group && !client.is_out());
        let (mut generation, mut owned) = (None, Vec::new());
        for client in at_work {
            let Some((known, partitions)) = client.works() else {
                return Err(format!("{} of {group} finds no rest", client.name()));
            };
            if *generation.get_or_insert(known) != known {
                return Err(format!("members of {group} are in different generations"));
            }
            owned.extend(partitions.iter().copied());
        }
        owned.sort_unstable();
        if generation.is_some() && !owned.iter().copied().eq(0..PARTITIONS) {
            return Err(format!("members of {group} have {owned:?}"));
        }
        Ok(())
    }

    /// What is read from the log is what is here.
    fn check_replay(&mut self) -> Result<(), String> {
        let now = self.now();
        let mut pictures = Vec::new();
        let compacted: BTreeMap<_, _> = self.log.iter().cloned().collect();
        let compacted: Vec<_> = compacted.into_iter().filter(|(_, value)| value.is_some()).collect();
        for log in [&self.log, &compacted] {
            let mut shard = loaded(&self.settings, log, now)?;
            pictures.push(picture(&mut shard, now, &self.clients));
        }
        let here = picture(&mut self.shard, now, &self.clients);
        for (picture, what) in pictures.iter().zip(["log", "compacted log"]) {
            if *picture != here {
                return Err(format!("what is read from the {what} differs:\n{picture}\nhere:\n{here}"));
            }
        }
        Ok(())
    }
}

/// A shard that is read from a log, at work.
fn loaded(settings: &Settings, log: &[KeyAndValue], now: Now) -> Result<Shard, String> {
    let mut shard = Shard::new(settings.clone());
    for (key, value) in log {
        let fact = Fact::from_record(key, value.as_deref()).map_err(|error| error.to_string())?;
        shard.load(&fact.ok_or("a fact without a kind")?);
    }
    shard.handle(now, Input::Topics(consumer::topics()));
    shard.start(now);
    Ok(shard)
}

/// Every group, its offsets, and what its members are told, as text.
fn picture(shard: &mut Shard, now: Now, clients: &[Client]) -> String {
    let mut requests = Vec::new();
    for group in GROUPS.map(Arc::<str>::from) {
        let fetch = Request::OffsetFetch(OffsetFetch { group: group.clone(), member: None, epoch: -1, topics: None });
        let consumers = Request::DescribeConsumerGroup(group.clone());
        requests.extend([Request::DescribeGroup(group), consumers, fetch]);
    }
    requests.extend(clients.iter().filter_map(|client| client.request(false, 0, 0)));
    let mut text = Vec::new();
    for request in requests {
        shard.handle(now, Input::Request(RequestId(0), request));
        while let Some(output) = shard.poll() {
            if let Output::Reply(_, reply) = output {
                text.push(reply.to_string());
            }
        }
    }
    text.join("\n")
}

/// What was acknowledged before somebody asked is what they are told, or something later is.
fn check_offsets(group: &str, acknowledged: &BTreeMap<u8, i64>, reply: &Reply) -> Result<(), String> {
    let Reply::OffsetFetch(Ok(topics)) = reply else { return Ok(()) };
    let told = topics.iter().filter(|topic| &*topic.name == TOPIC).flat_map(|topic| &topic.partitions);
    let told: BTreeMap<_, _> = told.map(|partition| (partition.index, partition.offset)).collect();
    for (partition, offset) in acknowledged {
        if told.get(&i32::from(*partition)).is_none_or(|told| told < offset) {
            return Err(format!("{group}/{partition} was committed at {offset}, and is told as {told:?}"));
        }
    }
    Ok(())
}
