//! The machine of one partition of `__consumer_offsets`: its groups, what is appended, which answers wait.
//!
//! The protocol is told at the crate.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use ottla_metadata::Image;
use ottla_types::{ErrorCode, Instant, Uuid};

use crate::census::Census;
use crate::consumer::{Refusal, Topics};
use crate::fact::Fact;
use crate::group::{Group, Groups, Kind, apply};
use crate::request::{Joined, Left, Reply, Request, RequestId, Synced};
use crate::settings::Settings;
use crate::tally::Tally;
use crate::timers::{Timer, Timers};
use crate::turn::{Now, Turn};

/// Counts appends of a shard.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Debug)]
pub struct AppendId(pub u64);

/// What happens to a shard.
#[derive(Clone, PartialEq, Debug)]
pub enum Input {
    /// Somebody asks for something.
    Request(RequestId, Request),
    /// The topics are these now.
    Topics(TopicsChanged),
    /// These settings hold from now on. Deadlines that are set stay.
    Settings(Box<Settings>),
    /// Topics are gone, each with its id: their offsets go, too.
    TopicsDeleted(Vec<(Arc<str>, Uuid)>),
    /// Everything appended up to this one is committed.
    Committed(AppendId),
    /// Time has passed: [`Shard::deadline`] has come.
    TimePassed,
}

/// The cluster's topics, and what is new about them.
#[derive(Clone, PartialEq, Debug)]
pub struct TopicsChanged {
    /// All topics. The image's position says how new it is.
    pub image: Image,
    /// Names of topics that came, went, or have other partitions or replicas than before.
    pub changed: Arc<BTreeSet<Arc<str>>>,
    /// Whether any of them came.
    pub has_new: bool,
}

/// What shall be done.
#[derive(Clone, PartialEq, Debug)]
pub enum Output {
    /// Append these facts, as one batch. They hold already here; should that fail, this shard is given up for one that is
    /// read from the log anew, and those who wait are told by [`Shard::give_up`].
    Append(AppendId, Vec<Fact>),
    /// Answer a request. Every request gets exactly one answer.
    Reply(RequestId, Reply),
}

/// The groups of one partition.
pub struct Shard {
    settings: Settings,
    groups: Groups,
    timers: Timers,
    topics: Topics,
    tally: Tally,
    outputs: VecDeque<Output>,
    appended: AppendId,
    committed: AppendId,
    /// Answers that wait for an append to be committed, in the order of their appends.
    held: VecDeque<(AppendId, RequestId, Reply)>,
}

impl Shard {
    /// A shard of an empty partition.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            groups: Groups::new(),
            timers: Timers::default(),
            topics: Topics::default(),
            tally: Tally::default(),
            outputs: VecDeque::new(),
            appended: AppendId::default(),
            committed: AppendId::default(),
            held: VecDeque::new(),
        }
    }

    /// Folds a fact of the log in, before the shard is [started](Shard::start).
    pub fn load(&mut self, fact: &Fact) {
        apply(&mut self.groups, fact, true);
    }

    /// The log is read: from now on members have to show that they are alive.
    pub fn start(&mut self, now: Now) {
        self.turn(now, |groups, turn| {
            for group in groups.values_mut() {
                match &mut group.kind {
                    Kind::Classic(group) => group.loaded(turn),
                    Kind::Consumer(group) => group.loaded(turn),
                }
            }
            turn.set(Timer::OffsetExpiry(None), turn.settings.offsets_check_interval);
        });
    }

    /// Takes an input. What follows from it is fetched by [`Shard::poll`].
    pub fn handle(&mut self, now: Now, input: Input) {
        match input {
            Input::Request(id, request) => self.turn(now, |groups, turn| ask(groups, turn, id, request)),
            Input::Settings(settings) => self.settings = *settings,
            Input::Topics(topics) => self.look_at(topics),
            Input::TopicsDeleted(topics) => {
                self.turn(now, |groups, turn| crate::offsets::topics_deleted(groups, turn, &topics));
            }
            Input::Committed(append) => {
                self.committed = self.committed.max(append);
                while let Some((_, id, reply)) = self.held.pop_front_if(|(append, ..)| *append <= self.committed) {
                    self.outputs.push_back(Output::Reply(id, reply));
                }
            }
            Input::TimePassed => {
                while let Some(timer) = self.timers.due(now.instant) {
                    self.turn(now, |groups, turn| expire(groups, turn, timer));
                }
            }
        }
    }

    /// The next thing to do.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`Input::TimePassed`] is due.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.timers.next()
    }

    /// The partition is no longer led here, or an append failed: everybody who waits is told `error`.
    pub fn give_up(mut self, error: ErrorCode) -> Vec<(RequestId, Reply)> {
        let mut replies: Vec<_> = self.held.drain(..).map(|(_, id, reply)| (id, refused(reply, error))).collect();
        for group in self.groups.values_mut() {
            if let Kind::Classic(group) = &mut group.kind {
                group.give_up(error, &mut replies);
            }
        }
        replies
    }

    /// What was counted since this was asked last.
    pub fn take_tally(&mut self) -> Tally {
        std::mem::take(&mut self.tally)
    }

    /// The groups as those who watch the broker see them, with at most so many offsets.
    #[must_use]
    pub fn census(&self, positions_max: usize) -> Census {
        Census::of(&self.groups, positions_max)
    }

    fn look_at(&mut self, topics: TopicsChanged) {
        let TopicsChanged { image, changed, has_new } = topics;
        // What was told before the log was read may arrive behind it.
        if image.position() >= self.topics.image.position() {
            self.topics.image = image;
        }
        if has_new {
            self.topics.has_new_since = self.topics.version();
        }
        for group in self.groups.values_mut() {
            if let Kind::Consumer(group) = &mut group.kind {
                group.topics_changed(changed.iter());
            }
        }
    }

    fn turn(&mut self, now: Now, act: impl FnOnce(&mut Groups, &mut Turn<'_>)) {
        let Self { settings, timers, groups, topics, tally, .. } = self;
        let (facts, replies, held) = (Vec::new(), Vec::new(), Vec::new());
        let mut turn = Turn { now, settings, timers, topics, tally, facts, replies, held };
        act(groups, &mut turn);
        let Turn { facts, replies, held, .. } = turn;
        if !facts.is_empty() {
            facts.iter().for_each(|fact| apply(groups, fact, false));
            self.appended.0 += 1;
            self.outputs.push_back(Output::Append(self.appended, facts));
        }
        self.outputs.extend(replies.into_iter().map(|(id, reply)| Output::Reply(id, reply)));
        for (id, reply) in held {
            if self.appended <= self.committed {
                self.outputs.push_back(Output::Reply(id, reply));
            } else {
                self.held.push_back((self.appended, id, reply));
            }
        }
    }
}

fn ask(groups: &mut Groups, turn: &mut Turn<'_>, id: RequestId, request: Request) {
    match request {
        Request::JoinGroup(request) => crate::classic::join(groups, turn, id, request),
        Request::SyncGroup(request) => match groups.get_mut(&request.group).map(|group| &mut group.kind) {
            Some(Kind::Classic(group)) => group.sync(turn, id, request),
            Some(Kind::Consumer(group)) => group.sync(turn, id, request),
            None => {
                turn.reply(id, Reply::SyncGroup(Synced::refused(ErrorCode::UnknownMemberId)));
            }
        },
        Request::Heartbeat(request) => {
            let error = match groups.get_mut(&request.group).map(|group| &mut group.kind) {
                Some(Kind::Classic(group)) => group.heartbeat(turn, &request),
                Some(Kind::Consumer(group)) => group.classic_heartbeat(turn, &request),
                None => ErrorCode::UnknownMemberId,
            };
            turn.reply(id, Reply::Heartbeat(error));
        }
        Request::LeaveGroup(request) => match groups.get_mut(&request.group) {
            Some(Group { kind: Kind::Classic(group), .. }) => group.leave(turn, id, request.members),
            Some(group) => crate::consumer::classic_leave(group, turn, id, request.members),
            None => {
                let members = request.members.into_iter().map(|leaver| (leaver, ErrorCode::UnknownMemberId)).collect();
                turn.reply(id, Reply::LeaveGroup(Left { error: ErrorCode::None, members }));
            }
        },
        Request::OffsetCommit(request) => crate::offsets::commit(groups, turn, id, request),
        Request::OffsetFetch(request) => crate::offsets::fetch(groups, turn, id, request),
        Request::OffsetDelete(request) => crate::offsets::delete(groups, turn, id, &request),
        Request::ListGroups(request) => crate::groups::list(groups, turn, id, &request),
        Request::DescribeGroup(group) => crate::groups::describe(groups, turn, id, &group),
        Request::DeleteGroup(group) => crate::groups::delete(groups, turn, id, &group),
        Request::ConsumerHeartbeat(request) => crate::consumer::heartbeat(groups, turn, id, &request),
        Request::DescribeConsumerGroup(group) => crate::groups::describe_consumer(groups, turn, id, &group),
    }
}

fn expire(groups: &mut Groups, turn: &mut Turn<'_>, timer: Timer) {
    if let Timer::OffsetExpiry(from) = timer {
        return crate::offsets::expire(groups, turn, from);
    }
    let Some(group) = timer.group().and_then(|id| groups.get_mut(id)) else { return };
    match (&timer, group) {
        (Timer::ClassicSession(_, member), Group { kind: Kind::Classic(group), .. }) => {
            group.session_over(turn, member)
        }
        (Timer::ClassicJoin(_), Group { kind: Kind::Classic(group), .. }) => group.join_time_over(turn),
        (Timer::ClassicSync(_), Group { kind: Kind::Classic(group), .. }) => group.sync_time_over(turn),
        (Timer::ConsumerPatterns(_), Group { kind: Kind::Consumer(group), .. }) => group.match_patterns(turn),
        (timer, group) => crate::consumer::time_over(group, turn, timer),
    }
}

/// The same answer, as nothing but an error.
fn refused(reply: Reply, error: ErrorCode) -> Reply {
    match reply {
        Reply::JoinGroup(joined) => Reply::JoinGroup(Joined::refused(error, joined.member)),
        Reply::SyncGroup(_) => Reply::SyncGroup(Synced::refused(error)),
        Reply::Heartbeat(_) => Reply::Heartbeat(error),
        Reply::LeaveGroup(left) => Reply::LeaveGroup(Left { error, members: left.members }),
        Reply::OffsetCommit(_) => Reply::OffsetCommit(Err(error)),
        Reply::OffsetFetch(_) => Reply::OffsetFetch(Err(error)),
        Reply::OffsetDelete(_) => Reply::OffsetDelete(Err(error)),
        Reply::ListGroups(_) => Reply::ListGroups(Err(error)),
        Reply::DescribeGroup(_) => Reply::DescribeGroup(Err(error)),
        Reply::DeleteGroup(_) => Reply::DeleteGroup(error),
        Reply::ConsumerHeartbeat(_) => Reply::ConsumerHeartbeat(Err(given_up(error))),
        Reply::DescribeConsumerGroup(_) => Reply::DescribeConsumerGroup(Err(given_up(error))),
    }
}

fn given_up(error: ErrorCode) -> Refusal {
    Refusal { error, message: "the group is coordinated elsewhere, or read anew".to_owned() }
}
