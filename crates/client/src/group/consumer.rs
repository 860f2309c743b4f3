//! A member by the consumer protocol (KIP-848): one request, ConsumerGroupHeartbeat, and the coordinator decides.
//!
//! ```text
//! Idle ──subscribe──▶ Joining ──answered──▶ Member ◀──▶ (reconciling: given up, then taken)
//!                        ▲                    │ no polls
//!                        │ fenced, unknown    ▼
//!                        └──────polls──────  Leaving ──▶ Stale, or Closed
//! ```
//!
//! An answer may bring what the member may read now. What is not in it is given up first; then what is new is taken,
//! and a heartbeat tells at once what is read. Heartbeats go on meanwhile. What has not changed since the last
//! successful heartbeat is not said; after any failure everything is said again. A member that is fenced or unknown has
//! lost what it read and joins anew, with the id that it chose for itself.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use ottla_types::{ErrorCode, Instant, TopicId};

use super::member::{Ask, Assigned, ConsumerBeat, IdPartitions, Input, Now, Output, Token, Trouble};
use super::{GroupSettings, Partitions};
use crate::coordinator::Identity;
use crate::settings::ClientSettings;

/// The epoch of who joins.
const JOINS: i32 = 0;
/// The epoch of who leaves.
const LEAVES: i32 = -1;
/// The epoch of a static member that leaves and will be back.
const LEAVES_FOR_NOW: i32 = -2;

/// The machine.
#[derive(Debug)]
pub(crate) struct ConsumerMember {
    settings: Arc<GroupSettings>,
    client: ClientSettings,
    phase: Phase,
    topics: BTreeSet<Arc<str>>,
    member: String,
    epoch: i32,
    /// What the application reads.
    owned: IdPartitions,
    /// What it may read.
    target: IdPartitions,
    names: BTreeMap<TopicId, Arc<str>>,
    /// Names are not asked for again before that.
    names_at: Option<Instant>,
    /// What the coordinator was told last; `None` if that is not sure.
    told: Option<(BTreeSet<Arc<str>>, IdPartitions)>,
    coordinator: bool,
    asked: bool,
    retry_at: Option<Instant>,
    attempts: u32,
    heartbeat_interval: Duration,
    heartbeat_at: Instant,
    polled_at: Instant,
    releasing: Option<(Token, IdPartitions)>,
    tokens: Token,
    pub(super) outputs: VecDeque<Output>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    Idle,
    Joining,
    Member,
    Leaving { closing: bool },
    Stale,
    Closed,
}

impl ConsumerMember {
    /// A member of nothing yet, under an id of its own.
    pub(crate) fn new(settings: Arc<GroupSettings>, client: ClientSettings, member: String) -> Self {
        Self {
            settings,
            client,
            phase: Phase::Idle,
            topics: BTreeSet::new(),
            member,
            epoch: JOINS,
            owned: IdPartitions::new(),
            target: IdPartitions::new(),
            names: BTreeMap::new(),
            names_at: None,
            told: None,
            coordinator: false,
            asked: false,
            retry_at: None,
            attempts: 0,
            heartbeat_interval: Duration::ZERO,
            heartbeat_at: Instant::START,
            polled_at: Instant::START,
            releasing: None,
            tokens: 0,
            outputs: VecDeque::new(),
        }
    }

    /// As whom to ask and to commit.
    pub(super) fn identity(&self) -> Identity {
        let instance = self.settings.instance.clone();
        Identity { member: self.member.clone(), generation: self.epoch, instance }
    }

    /// When time is due.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let expires = (self.phase == Phase::Member).then(|| self.polled_at + self.settings.poll_interval_max);
        let next = match self.phase {
            Phase::Idle | Phase::Stale | Phase::Closed => None,
            _ if self.asked => None,
            Phase::Member if self.coordinator => Some(self.retry_at.unwrap_or(self.heartbeat_at)),
            _ => self.retry_at,
        };
        expires.into_iter().chain(next).chain(self.names_at).min()
    }

    /// Takes an input.
    pub(super) fn handle(&mut self, now: Now, input: Input) {
        if self.phase == Phase::Closed {
            return;
        }
        match input {
            Input::Subscribe(topics) => {
                if self.phase == Phase::Idle {
                    self.phase = Phase::Joining;
                    self.polled_at = now.instant;
                }
                self.topics = topics;
            }
            Input::Polled(at) => self.polled(at),
            Input::Released(token) => self.released(token),
            Input::Close => self.leave(true),
            Input::Names(names) => {
                self.names.extend(names);
                // Whether or not all are known now, nobody asks again at once.
                self.names_at = Some(now.instant + self.client.retry_backoff_max);
            }
            Input::Found(result) => self.found(now, result),
            Input::Assigned(result) => {
                self.asked = false;
                self.assigned(now, result);
            }
            Input::Left => {
                self.asked = false;
                self.left();
            }
            _ => {}
        }
        self.reconcile(now);
        self.advance(now);
    }

    fn polled(&mut self, at: Instant) {
        if at > self.polled_at {
            self.polled_at = at;
            if self.phase == Phase::Stale {
                self.phase = Phase::Joining;
            }
        }
    }

    fn found(&mut self, now: Now, result: Result<(), Trouble>) {
        self.asked = false;
        match result {
            Ok(()) => {
                self.coordinator = true;
                self.heartbeat_at = now.instant;
            }
            // Nobody can be told.
            Err(_) if self.phase == (Phase::Leaving { closing: true }) => self.left(),
            Err(trouble) => self.trouble(now, trouble),
        }
    }

    fn assigned(&mut self, now: Now, result: Result<Assigned, Trouble>) {
        if !matches!(self.phase, Phase::Joining | Phase::Member) {
            return;
        }
        match result {
            Ok(answer) => {
                self.attempts = 0;
                if self.phase == Phase::Joining && answer.assignment.as_ref().is_none_or(BTreeSet::is_empty) {
                    // Nothing is to be had yet, and that is told.
                    self.outputs.push_back(Output::Assign(Partitions::new()));
                }
                self.phase = Phase::Member;
                self.epoch = answer.epoch;
                if let Some(member) = answer.member {
                    self.member = member;
                }
                self.heartbeat_interval = answer.heartbeat_interval;
                self.heartbeat_at = now.instant + self.heartbeat_interval;
                if let Some(assignment) = answer.assignment {
                    self.target = assignment;
                }
            }
            Err(trouble) => self.trouble(now, trouble),
        }
    }

    /// Gives up what the member may not read, then takes what it may.
    fn reconcile(&mut self, now: Now) {
        if self.phase != Phase::Member || self.releasing.is_some() {
            return;
        }
        let revoked: IdPartitions = self.owned.difference(&self.target).copied().collect();
        if !revoked.is_empty() {
            self.tokens += 1;
            self.outputs.push_back(Output::Revoke(self.tokens, self.named(&revoked)));
            self.releasing = Some((self.tokens, revoked));
            return;
        }
        let new = self.target.difference(&self.owned).copied();
        let (added, unknown): (IdPartitions, IdPartitions) = new.partition(|(id, _)| self.names.contains_key(id));
        if !added.is_empty() {
            self.outputs.push_back(Output::Assign(self.named(&added)));
            self.owned.extend(added);
        }
        if unknown.is_empty() {
            self.names_at = None;
        } else if self.names_at.is_none_or(|at| now.instant >= at) {
            self.names_at = Some(now.instant + self.client.request_timeout);
            self.outputs.push_back(Output::Names(unknown.into_iter().map(|(id, _)| id).collect()));
        }
    }

    fn named(&self, partitions: &IdPartitions) -> Partitions {
        let named = |(id, index): &(TopicId, i32)| Some((Arc::clone(self.names.get(id)?), *index));
        partitions.iter().filter_map(named).collect()
    }

    fn released(&mut self, token: Token) {
        if let Some((_, revoked)) = self.releasing.take_if(|(releasing, _)| *releasing == token) {
            self.owned.retain(|partition| !revoked.contains(partition));
        }
    }

    /// Asks what is to be asked next, if nothing is under way.
    fn advance(&mut self, now: Now) {
        if self.phase == Phase::Member && now.instant >= self.polled_at + self.settings.poll_interval_max {
            self.lose();
            self.leave(false);
        }
        let waits = self.retry_at.is_some_and(|at| now.instant < at);
        if self.asked || waits || matches!(self.phase, Phase::Idle | Phase::Stale | Phase::Closed) {
            return;
        }
        self.retry_at = None;
        if !self.coordinator {
            return self.ask(Ask::FindCoordinator);
        }
        match self.phase {
            Phase::Joining => self.beat(now),
            // While something is given up, what is read is told as it was.
            Phase::Member if now.instant >= self.heartbeat_at || self.has_news() => self.beat(now),
            Phase::Leaving { .. } => {
                let generation = if self.settings.instance.is_some() { LEAVES_FOR_NOW } else { LEAVES };
                self.ask(Ask::Leave(Identity { generation, ..self.identity() }));
            }
            _ => {}
        }
    }

    /// Whether the coordinator waits for something that it was not told.
    fn has_news(&self) -> bool {
        self.told.as_ref().is_some_and(|(topics, owned)| *topics != self.topics || *owned != self.owned)
    }

    fn beat(&mut self, now: Now) {
        self.heartbeat_at = now.instant + self.heartbeat_interval;
        let whole = self.told.is_none() || self.phase == Phase::Joining;
        let told = self.told.take().unwrap_or_default();
        let changed = (whole || told.0 != self.topics, whole || told.1 != self.owned);
        self.told = Some((self.topics.clone(), self.owned.clone()));
        self.ask(Ask::ConsumerHeartbeat(ConsumerBeat {
            identity: self.identity(),
            topics: changed.0.then(|| self.topics.clone()),
            owned: changed.1.then(|| self.owned.clone()),
            whole,
        }));
    }

    fn ask(&mut self, ask: Ask) {
        self.asked = true;
        self.outputs.push_back(Output::Ask(ask));
    }

    fn trouble(&mut self, now: Now, trouble: Trouble) {
        self.told = None;
        let refusal = match trouble {
            Trouble::Unreachable => {
                self.coordinator = false;
                return self.hold(now);
            }
            Trouble::Refused(refusal) => refusal,
        };
        match refusal.code {
            ErrorCode::NotCoordinator | ErrorCode::CoordinatorNotAvailable => {
                self.coordinator = false;
                self.hold(now);
            }
            ErrorCode::UnknownMemberId | ErrorCode::FencedMemberEpoch => {
                self.phase = Phase::Joining;
                self.lose();
            }
            _ if refusal.is_retriable() => self.hold(now),
            _ => {
                self.lose();
                self.phase = Phase::Closed;
                self.outputs.push_back(Output::Failed(refusal));
            }
        }
    }

    /// Asks nothing for a while.
    fn hold(&mut self, now: Now) {
        self.retry_at = Some(now.instant + self.client.backoff(self.attempts, now.random));
        self.attempts += 1;
    }

    /// What it read is another's, or may be.
    fn lose(&mut self) {
        self.epoch = JOINS;
        self.told = None;
        self.releasing = None;
        self.names_at = None;
        self.target.clear();
        let owned = std::mem::take(&mut self.owned);
        if !owned.is_empty() {
            self.outputs.push_back(Output::Lost(self.named(&owned)));
        }
    }

    fn leave(&mut self, closing: bool) {
        // One whose join is under way may be a member already.
        let known = self.phase == Phase::Member || matches!(self.phase, Phase::Leaving { .. }) || self.told.is_some();
        if closing {
            // Nobody reads the answer to what is under way.
            self.asked = false;
            self.retry_at = None;
        }
        self.phase = Phase::Leaving { closing };
        if !known {
            self.left();
        }
    }

    fn left(&mut self) {
        match self.phase {
            Phase::Leaving { closing: true } => {
                self.phase = Phase::Closed;
                self.outputs.push_back(Output::Closed);
            }
            Phase::Leaving { closing: false } => self.phase = Phase::Stale,
            _ => {}
        }
    }
}
