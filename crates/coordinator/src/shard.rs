//! The machine of one partition of `__consumer_offsets`: its groups, what is appended, which answers wait.
//!
//! The protocol is told at the crate.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use ottla_types::{ErrorCode, Instant};

use crate::classic::ClassicGroup;
use crate::fact::Fact;
use crate::request::{Joined, Left, Reply, Request, RequestId, Synced};
use crate::settings::Settings;
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
    /// Everything appended up to this one is committed.
    Committed(AppendId),
    /// Time has passed: [`Shard::deadline`] has come.
    TimePassed,
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
    groups: BTreeMap<Arc<str>, ClassicGroup>,
    timers: Timers,
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
            groups: BTreeMap::new(),
            timers: Timers::default(),
            outputs: VecDeque::new(),
            appended: AppendId::default(),
            committed: AppendId::default(),
            held: VecDeque::new(),
        }
    }

    /// Folds a fact of the log in, before the shard is [started](Shard::start).
    pub fn load(&mut self, fact: Fact) {
        match fact {
            Fact::ClassicGroup { group, value: Some(value) } => {
                self.groups.insert(group.clone(), ClassicGroup::from_fact(group, value));
            }
            Fact::ClassicGroup { group, value: None } => {
                self.groups.remove(&group);
            }
        }
    }

    /// The log is read: from now on members have to show that they are alive.
    pub fn start(&mut self, now: Now) {
        self.turn(now, |groups, turn| groups.values_mut().for_each(|group| group.loaded(turn)));
    }

    /// Takes an input. What follows from it is fetched by [`Shard::poll`].
    pub fn handle(&mut self, now: Now, input: Input) {
        match input {
            Input::Request(id, request) => self.turn(now, |groups, turn| ask(groups, turn, id, request)),
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
        self.groups.values_mut().for_each(|group| group.give_up(error, &mut replies));
        replies
    }

    fn turn(&mut self, now: Now, act: impl FnOnce(&mut BTreeMap<Arc<str>, ClassicGroup>, &mut Turn<'_>)) {
        let Self { settings, timers, groups, .. } = self;
        let (facts, replies, held) = (Vec::new(), Vec::new(), Vec::new());
        let mut turn = Turn { now, settings, timers, facts, replies, held };
        act(groups, &mut turn);
        let Turn { facts, replies, held, .. } = turn;
        if !facts.is_empty() {
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

fn ask(groups: &mut BTreeMap<Arc<str>, ClassicGroup>, turn: &mut Turn<'_>, id: RequestId, request: Request) {
    match request {
        Request::JoinGroup(request) => crate::classic::join(groups, turn, id, request),
        Request::SyncGroup(request) => match groups.get_mut(&request.group).filter(|group| !group.is_empty()) {
            Some(group) => group.sync(turn, id, request),
            None => turn.reply(id, Reply::SyncGroup(Synced::refused(ErrorCode::UnknownMemberId))),
        },
        Request::Heartbeat(request) => {
            let error = match groups.get_mut(&request.group) {
                Some(group) => group.heartbeat(turn, &request),
                None => ErrorCode::UnknownMemberId,
            };
            turn.reply(id, Reply::Heartbeat(error));
        }
        Request::LeaveGroup(request) => match groups.get_mut(&request.group) {
            Some(group) => group.leave(turn, id, request.members),
            None => {
                let members = request.members.into_iter().map(|leaver| (leaver, ErrorCode::UnknownMemberId)).collect();
                turn.reply(id, Reply::LeaveGroup(Left { error: ErrorCode::None, members }));
            }
        },
    }
}

fn expire(groups: &mut BTreeMap<Arc<str>, ClassicGroup>, turn: &mut Turn<'_>, timer: Timer) {
    match timer {
        Timer::ClassicSession(group, member) => {
            if let Some(group) = groups.get_mut(&group) {
                group.session_over(turn, &member);
            }
        }
        Timer::ClassicJoin(group) => {
            if let Some(group) = groups.get_mut(&group) {
                group.join_time_over(turn);
            }
        }
        Timer::ClassicSync(group) => {
            if let Some(group) = groups.get_mut(&group) {
                group.sync_time_over(turn);
            }
        }
    }
}

/// The same answer, as nothing but an error.
fn refused(reply: Reply, error: ErrorCode) -> Reply {
    match reply {
        Reply::JoinGroup(joined) => Reply::JoinGroup(Joined::refused(error, joined.member)),
        Reply::SyncGroup(_) => Reply::SyncGroup(Synced::refused(error)),
        Reply::Heartbeat(_) => Reply::Heartbeat(error),
        Reply::LeaveGroup(left) => Reply::LeaveGroup(Left { error, members: left.members }),
    }
}
