//! Clients, a coordinator, its log and the topics in one place, and what happens there. What is promised of them stands at
//! `promises`.

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use ottla_coordinator::{
    AppendId, Fact, Input, KeyAndValue, Now, OffsetFetch, Output, Reply, Request, RequestId, Settings, Shard, SyncGroup,
};
use ottla_metadata::Image;
use ottla_types::{ErrorCode, Instant, Timestamp, Uuid};

use super::client::Client;
use super::promises::{Owners, check_offsets};
use super::reads::TOPICS;
use super::standings::Standings;
use super::steps::{CLIENTS, GROUPS, Random, Schedule, Step};
use super::topics::Topics;

/// By topic and partition, how far a group is.
pub(super) type Offsets = BTreeMap<(Arc<str>, i32), i64>;

/// Who waits for an answer.
enum Waiter {
    /// A client, and what it commits, if it does.
    Client(usize, Option<Commit>),
    /// Somebody who asked how far a group is, and what was acknowledged by then.
    Reader(Arc<str>, Offsets),
    /// Nobody any longer: the client gave up or is gone.
    Nobody(Option<Commit>),
}

/// An offset on its way.
#[derive(Clone)]
struct Commit {
    group: Arc<str>,
    partition: (Arc<str>, i32),
    offset: i64,
}

/// How things were when a client asked.
#[derive(Clone)]
pub(super) struct Asked {
    pub(super) image: Rc<Image>,
    /// How often its group had ended.
    pub(super) ends: u64,
}

pub(super) struct World {
    pub(super) settings: Settings,
    pub(super) shard: Shard,
    pub(super) clients: Vec<Client>,
    /// For each client the request that it waits for, how things were then, and the answer that it has not read.
    pending: Vec<Option<RequestId>>,
    pub(super) asked: Vec<Asked>,
    unread: Vec<Option<Reply>>,
    /// For each client its last SyncGroup.
    synced: Vec<Option<SyncGroup>>,
    waiters: BTreeMap<RequestId, Waiter>,
    /// What is committed, and what is only appended.
    pub(super) log: Vec<KeyAndValue>,
    appended: VecDeque<(AppendId, Vec<Fact>)>,
    /// What all facts say, committed or not.
    pub(super) standings: Standings,
    pub(super) owners: Owners,
    /// By group and partition, the highest offset that was acknowledged.
    acknowledged: BTreeMap<Arc<str>, Offsets>,
    topics: Topics,
    pub(super) image: Rc<Image>,
    /// Whether everybody behaves, and has for long enough that nobody is to be forgotten.
    pub(super) is_calm: bool,
    mixes: bool,
    now: Duration,
    requests: u64,
    random: Random,
}

impl World {
    pub(super) fn new(schedule: &Schedule) -> Self {
        let settings = Settings {
            new_member_join_timeout: Duration::from_secs(60),
            initial_rebalance_delay: Duration::from_millis(schedule.delay),
            migration: schedule.migration,
            ..Settings::default()
        };
        let mut topics = Topics::new();
        let of_first = TOPICS.iter().filter(|(name, count)| *count > 0 && (schedule.topics || *name == TOPICS[0].0));
        let first: Vec<_> = of_first.map(|(name, count)| (Arc::from(*name), *count)).collect();
        topics.set(&first);
        let image = Rc::new(topics.image().clone());
        let start = Now { instant: Instant::after_start(Duration::ZERO), date: Timestamp(0) };
        Self {
            shard: loaded(&settings, &[], &topics, start).expect("an empty log is read"),
            settings,
            clients: (0..CLIENTS).map(|index| Client::new(index, schedule)).collect(),
            pending: vec![None; CLIENTS],
            asked: vec![Asked { image: image.clone(), ends: 0 }; CLIENTS],
            unread: vec![None; CLIENTS],
            synced: vec![None; CLIENTS],
            waiters: BTreeMap::new(),
            log: Vec::new(),
            appended: VecDeque::new(),
            standings: Standings::default(),
            owners: Owners::default(),
            acknowledged: BTreeMap::new(),
            topics,
            image,
            is_calm: false,
            mixes: schedule.mixes,
            now: Duration::ZERO,
            requests: 0,
            random: Random(schedule.seed),
        }
    }

    pub(super) fn step(&mut self, step: Step) -> Result<(), String> {
        match step {
            Step::Come(client, choice) => self.clients[client].begin(choice),
            Step::Act(client, choice) => self.act(client, choice.is_multiple_of(2))?,
            Step::Round(choice) => self.round(choice)?,
            Step::Retry(client) => {
                self.forget_pending(client);
                self.clients[client].lost_answer();
            }
            Step::Change(client, choice) => self.clients[client].change(choice),
            Step::Late(client) => {
                if let Some(request) = self.synced[client].clone() {
                    self.send(Request::SyncGroup(request), Waiter::Nobody(None));
                }
            }
            Step::Leave(client) => self.leave(client),
            Step::Vanish(client) => {
                self.clients[client].end();
                self.forget_pending(client);
            }
            Step::Fetch(group) => self.read_offsets(GROUPS[group]),
            Step::Topic(topic, partitions) => self.change_topic(TOPICS[topic].0, partitions),
            Step::Wait(ms) => self.wait(Duration::from_millis(ms))?,
            Step::Commit => self.commit(),
            Step::Fail { is_in_log } => self.fail(is_in_log)?,
            Step::Break => return Err("broken on purpose".to_owned()),
        }
        self.drain()
    }

    pub(super) fn now(&self) -> Now {
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
            let (asked, image) = (self.asked[index].image.clone(), self.image.clone());
            let taken = self.clients[index].take(reply, &asked, &image);
            return self.check_taken(index, taken);
        }
        if self.pending[index].is_some() {
            return Ok(());
        }
        let fresh = (u128::from(self.random.next()) << 64) | u128::from(self.random.next());
        let offset = i64::try_from(self.requests).expect("few");
        let image = self.image.clone();
        let Some(request) = self.clients[index].request(commits, offset, fresh, &image) else { return Ok(()) };
        let mut commit = None;
        match &request {
            Request::OffsetCommit(asks) => {
                let topic = &asks.topics[0];
                let partition = (topic.name.clone(), topic.partitions[0].index);
                commit = Some(Commit { group: asks.group.clone(), partition, offset });
            }
            Request::SyncGroup(sync) => self.synced[index] = Some(sync.clone()),
            _ => {}
        }
        self.pending[index] = Some(self.send(request, Waiter::Client(index, commit)));
        self.drain()?;
        let ends = self.standings.ends(self.clients[index].group());
        self.asked[index] = Asked { image, ends };
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

    fn read_offsets(&mut self, group: &str) {
        let group: Arc<str> = group.into();
        let acknowledged = self.acknowledged.get(&group).cloned().unwrap_or_default();
        let fetch = OffsetFetch { group: group.clone(), member: None, epoch: -1, topics: None };
        self.send(Request::OffsetFetch(fetch), Waiter::Reader(group, acknowledged));
    }

    /// A topic has so many partitions from now on, unless it has more.
    fn change_topic(&mut self, name: &str, partitions: i32) {
        let known = self.image.topic_by_name(name).map(|topic| (topic.id, topic.partition_count()));
        let is_more = |(_, count): (Uuid, usize)| usize::try_from(partitions).is_ok_and(|wanted| wanted > count);
        if partitions > 0 && known.is_some_and(|known| !is_more(known)) || partitions == 0 && known.is_none() {
            return;
        }
        let others = self.image.topics().filter(|topic| topic.name.as_str() != name);
        let mut wanted: Vec<(Arc<str>, i32)> = others
            .map(|topic| (topic.name.as_str().into(), i32::try_from(topic.partition_count()).expect("few")))
            .collect();
        if partitions > 0 {
            wanted.push((name.into(), partitions));
        }
        let changed = self.topics.set(&wanted);
        self.image = Rc::new(self.topics.image().clone());
        self.shard.handle(self.now(), Input::Topics(changed));
        if let Some((id, _)) = known.filter(|_| partitions == 0) {
            self.shard.handle(self.now(), Input::TopicsDeleted(vec![(name.into(), id)]));
            self.forget_commits(name);
        }
    }

    /// What was committed for a topic that is gone need not be there.
    fn forget_commits(&mut self, name: &str) {
        self.acknowledged.values_mut().for_each(|offsets| offsets.retain(|(topic, _), _| **topic != *name));
        for waiter in self.waiters.values_mut() {
            match waiter {
                Waiter::Client(_, commit) | Waiter::Nobody(commit) => {
                    *commit = commit.take().filter(|commit| *commit.partition.0 != *name);
                }
                Waiter::Reader(..) => {}
            }
        }
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
        let mut standings = Standings::default();
        facts(&self.log).try_for_each(|fact| fact.map(|fact| standings.fold(&fact)))?;
        self.standings = standings.after(std::mem::take(&mut self.standings));
        // What was on its way does not come to the next one.
        self.synced.fill(None);
        let loaded = self.loaded(&self.log)?;
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
                Output::Append(id, facts) => {
                    facts.iter().for_each(|fact| self.standings.fold(fact));
                    self.standings.check()?;
                    self.appended.push_back((id, facts));
                }
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
            let of_group = self.acknowledged.entry(commit.group.clone()).or_default();
            let known = of_group.entry(commit.partition.clone()).or_default();
            *known = commit.offset.max(*known);
        }
        match waiter {
            Waiter::Client(client, _) => {
                self.pending[client] = None;
                if matches!(&reply, Reply::SyncGroup(synced) if synced.error == ErrorCode::IllegalGeneration) {
                    // Its generation was lost with the coordinator: there will be another one of the same number.
                    self.synced[client] = None;
                }
                self.unread[client] = Some(reply);
            }
            Waiter::Reader(group, acknowledged) => check_offsets(&group, &acknowledged, &reply)?,
            Waiter::Nobody(_) => {}
        }
        Ok(())
    }

    /// From here on everybody behaves, until all is at rest; and comes to rest again when others come and go.
    pub(super) fn settle(&mut self) -> Result<(), String> {
        let is_classic = |world: &Self, group: &str| !world.standings.has_members(group);
        for index in 0..CLIENTS {
            if is_classic(self, &self.clients[index].place.group) {
                self.clients[index].look_at(&self.image);
            }
        }
        self.rest(20)?;
        self.is_calm = true;
        // Longer than any deadline and the rounds behind it.
        self.rest(250)?;
        self.check_rest()?;
        if self.mixes {
            for group in &GROUPS[..2] {
                let is_new = |client: &&mut Client| {
                    &**client.group() == *group && client.is_out() && client.place.instance.is_none()
                };
                if let Some(newcomer) = self.clients.iter_mut().find(is_new) {
                    newcomer.begin_as(true, 0);
                }
            }
            self.rest(60)?;
            self.check_rest()?;
            for index in 0..CLIENTS {
                if self.clients[index].is_consumer() {
                    self.leave(index);
                    self.drain()?;
                }
            }
            self.rest(60)?;
            self.check_rest()?;
        }
        self.check_replay()?;
        GROUPS.iter().for_each(|group| self.read_offsets(group));
        self.drain()?;
        if self.waiters.is_empty() {
            Ok(())
        } else {
            Err(format!("{} requests are never answered", self.waiters.len()))
        }
    }

    /// So many seconds in which everybody behaves.
    fn rest(&mut self, seconds: u64) -> Result<(), String> {
        for _ in 0..seconds {
            (0..4).try_for_each(|_| self.round(0))?;
            self.wait(Duration::from_secs(1))?;
            self.commit();
            self.drain()?;
        }
        Ok(())
    }

    /// A coordinator that is read from a log, at work.
    pub(super) fn loaded(&self, log: &[KeyAndValue]) -> Result<Shard, String> {
        loaded(&self.settings, log, &self.topics, self.now())
    }
}

fn loaded(settings: &Settings, log: &[KeyAndValue], topics: &Topics, now: Now) -> Result<Shard, String> {
    let mut shard = Shard::new(settings.clone());
    facts(log).try_for_each(|fact| fact.map(|fact| shard.load(&fact)))?;
    shard.handle(now, Input::Topics(topics.all()));
    shard.start(now);
    Ok(shard)
}

fn facts(log: &[KeyAndValue]) -> impl Iterator<Item = Result<Fact, String>> {
    log.iter().map(|(key, value)| {
        let fact = Fact::from_record(key, value.as_deref()).map_err(|error| error.to_string())?;
        fact.ok_or_else(|| "a fact without a kind".to_owned())
    })
}
