//! A member of a classic group: JoinGroup, SyncGroup, Heartbeat, LeaveGroup.
//!
//! ```text
//!                      MEMBER_ID_REQUIRED, trouble
//!                         ┌────┐
//! Idle ──subscribe──▶ Joining ◀┘ ──joined──▶ Leading (the leader asks for topics, assigns) ─┐
//!                        ▲   ▲ └──joined as follower───────────────────────▶ Syncing ◀──────┘
//!            given up,   │   └────────────trouble──────────────────────────────┤
//!       a round begins   └──────────────────────────── Stable ◀─────assigned───┘
//!                                             no polls  │  ▲ polls again, by way of Joining
//!                                                       ▼  │
//!                                                    Leaving ──▶ Stale, or Closed
//! ```
//!
//! *Stable*: heartbeats go out. One that answers REBALANCE_IN_PROGRESS begins a round: an eager member gives up all, a
//! cooperative one only what it no longer wants (KIP-429), and joins again. What a member may not read any more after a
//! round it gives up then, and joins once more so that others get it. Heartbeats go on while partitions are given up.
//!
//! *Trouble*: the coordinator is looked for again when it is gone or is no coordinator any more; a member that it does
//! not know, or whose generation is over, has lost what it read and joins anew. What no retry mends ends the
//! membership. A static member (KIP-345) does not leave when it closes.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use ottla_types::{ErrorCode, Instant};

use super::assignor::{Assignor, Subscription};
use super::member::{Ask, Input, Joined, Now, Output, Token, Trouble};
use super::{GroupSettings, Partitions};
use crate::coordinator::Identity;
use crate::error::Refusal;
use crate::settings::ClientSettings;

/// The generation of who is in none.
const NO_GENERATION: i32 = -1;

/// The machine.
#[derive(Debug)]
pub(crate) struct ClassicMember {
    settings: Arc<GroupSettings>,
    client: ClientSettings,
    phase: Phase,
    topics: BTreeSet<Arc<str>>,
    member: String,
    generation: i32,
    owned: Partitions,
    /// Whether it is known who the coordinator is.
    coordinator: bool,
    /// Whether something is asked that is not answered yet.
    asked: bool,
    /// Nothing is asked before that.
    retry_at: Option<Instant>,
    /// Failures one after the other.
    attempts: u32,
    heartbeat_at: Instant,
    polled_at: Instant,
    /// A round is to begin.
    rejoin: bool,
    releasing: Option<Releasing>,
    tokens: Token,
    /// Of the leader: the group's topics, and by how many partitions of each it has assigned.
    leads: Option<BTreeMap<Arc<str>, i32>>,
    pub(super) outputs: VecDeque<Output>,
}

#[derive(Clone, PartialEq, Debug)]
enum Phase {
    Idle,
    Joining,
    Leading { protocol: Assignor, members: BTreeMap<String, Subscription>, skip_assignment: bool },
    Syncing,
    Stable,
    Leaving { closing: bool },
    Stale,
    Closed,
}

/// What the application was told to give up.
#[derive(Debug)]
struct Releasing {
    token: Token,
    partitions: Partitions,
    /// What it gets then, at the end of a round.
    then: Option<Partitions>,
}

impl ClassicMember {
    /// A member of nothing yet.
    pub(crate) fn new(settings: Arc<GroupSettings>, client: ClientSettings) -> Self {
        Self {
            settings,
            client,
            phase: Phase::Idle,
            topics: BTreeSet::new(),
            member: String::new(),
            generation: NO_GENERATION,
            owned: Partitions::new(),
            coordinator: false,
            asked: false,
            retry_at: None,
            attempts: 0,
            heartbeat_at: Instant::START,
            polled_at: Instant::START,
            rejoin: false,
            releasing: None,
            tokens: 0,
            leads: None,
            outputs: VecDeque::new(),
        }
    }

    /// As whom to ask and to commit.
    pub(super) fn identity(&self) -> Identity {
        let instance = self.settings.instance.clone();
        Identity { member: self.member.clone(), generation: self.generation, instance }
    }

    /// The topics of the group, if this member assigns them.
    pub(super) fn watched(&self) -> BTreeSet<Arc<str>> {
        self.leads.iter().flat_map(|counts| counts.keys().cloned()).collect()
    }

    /// When time is due.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let stable = self.phase == Phase::Stable;
        let expires = stable.then(|| self.polled_at + self.settings.poll_interval_max);
        let next = match &self.phase {
            Phase::Idle | Phase::Leading { .. } | Phase::Stale | Phase::Closed => None,
            _ if self.asked => None,
            Phase::Stable if self.coordinator => {
                Some(self.retry_at.unwrap_or(self.heartbeat_at).max(self.heartbeat_at))
            }
            _ => self.retry_at,
        };
        expires.into_iter().chain(next).min()
    }

    /// Takes an input.
    pub(super) fn handle(&mut self, now: Now, input: Input) {
        if self.phase == Phase::Closed {
            return;
        }
        match input {
            Input::Subscribe(topics) => self.subscribe(now, topics),
            Input::Polled(at) => self.polled(at),
            Input::Released(token) => self.released(token),
            Input::Close => self.leave(true),
            Input::Time | Input::Names(_) | Input::Assigned(_) => {}
            Input::Topics(counts) => self.count(&counts),
            answer => {
                self.asked = false;
                self.answered(now, answer);
            }
        }
        self.advance(now);
    }

    fn subscribe(&mut self, now: Now, topics: BTreeSet<Arc<str>>) {
        match self.phase {
            Phase::Idle => {
                self.phase = Phase::Joining;
                self.polled_at = now.instant;
            }
            _ => self.rejoin |= self.topics != topics,
        }
        self.topics = topics;
    }

    fn polled(&mut self, at: Instant) {
        if at > self.polled_at {
            self.polled_at = at;
            if self.phase == Phase::Stale {
                self.phase = Phase::Joining;
            }
        }
    }

    fn released(&mut self, token: Token) {
        let Some(releasing) = self.releasing.take_if(|releasing| releasing.token == token) else { return };
        self.owned.retain(|partition| !releasing.partitions.contains(partition));
        if let Some(added) = releasing.then {
            self.owned.extend(added.iter().cloned());
            self.outputs.push_back(Output::Assign(added));
        }
    }

    fn answered(&mut self, now: Now, answer: Input) {
        match answer {
            Input::Found(Ok(())) => {
                self.coordinator = true;
                self.heartbeat_at = now.instant;
            }
            // Nobody can be told.
            Input::Found(Err(_)) if self.phase == (Phase::Leaving { closing: true }) => self.left(),
            Input::Found(Err(trouble)) => self.trouble(now, trouble),
            Input::MemberId(member) => self.member = member,
            Input::Joined(Ok(joined)) => self.joined(joined),
            Input::Joined(Err(trouble)) => self.not_joined(now, trouble),
            Input::Synced(Ok(assignment)) => self.synced(now, assignment),
            Input::Synced(Err(trouble)) => self.not_synced(now, trouble),
            Input::Beat(Ok(())) => self.attempts = 0,
            Input::Beat(Err(trouble)) => self.not_well(now, trouble),
            Input::Left => self.left(),
            _ => {}
        }
    }

    /// Asks what is to be asked next, if nothing is under way.
    fn advance(&mut self, now: Now) {
        if self.phase == Phase::Stable && now.instant >= self.polled_at + self.settings.poll_interval_max {
            self.lose();
            self.leave(false);
        }
        if self.phase == Phase::Stable && self.rejoin && self.releasing.is_none() {
            self.begin_round();
        }
        let waits = self.retry_at.is_some_and(|at| now.instant < at);
        let idle = matches!(self.phase, Phase::Idle | Phase::Leading { .. } | Phase::Stale | Phase::Closed);
        if self.asked || waits || idle {
            return;
        }
        self.retry_at = None;
        if !self.coordinator {
            return self.ask(Ask::FindCoordinator);
        }
        match &self.phase {
            Phase::Joining => {
                // What counts is what it has now; a round that is asked for meanwhile is this one.
                self.rejoin = false;
                let (member, topics, owned) = (self.member.clone(), self.topics.clone(), self.owned.clone());
                self.ask(Ask::Join { member, topics, owned, generation: self.generation });
            }
            Phase::Stable if now.instant >= self.heartbeat_at => {
                self.heartbeat_at = now.instant + self.settings.heartbeat_interval;
                self.ask(Ask::Heartbeat(self.identity()));
            }
            Phase::Leaving { .. } => self.ask(Ask::Leave(self.identity())),
            _ => {}
        }
    }

    fn ask(&mut self, ask: Ask) {
        self.asked = true;
        self.outputs.push_back(Output::Ask(ask));
    }

    /// Gives up what must be before joining, or joins.
    fn begin_round(&mut self) {
        let keeps = |topic| self.settings.is_cooperative() && self.topics.contains(topic);
        let partitions: Partitions = self.owned.iter().filter(|(topic, _)| !keeps(topic)).cloned().collect();
        if partitions.is_empty() {
            self.phase = Phase::Joining;
        } else {
            self.release(partitions, None);
        }
    }

    fn release(&mut self, partitions: Partitions, then: Option<Partitions>) {
        self.tokens += 1;
        self.outputs.push_back(Output::Revoke(self.tokens, partitions.clone()));
        self.releasing = Some(Releasing { token: self.tokens, partitions, then });
    }

    fn joined(&mut self, joined: Joined) {
        if self.phase != Phase::Joining {
            return;
        }
        self.member = joined.member;
        self.generation = joined.generation;
        self.leads = None;
        let Some(protocol) = Assignor::from_name(&joined.protocol) else {
            let message = Some(format!("the group assigns by {:?}", joined.protocol));
            return self.fail(Refusal { code: ErrorCode::InconsistentGroupProtocol, message });
        };
        match joined.members {
            Some(members) => {
                let topics: BTreeSet<_> = members.values().flat_map(|said| said.topics.iter().cloned()).collect();
                self.phase = Phase::Leading { protocol, members, skip_assignment: joined.skip_assignment };
                self.ask(Ask::Topics(topics));
            }
            None => self.sync(protocol, BTreeMap::new()),
        }
    }

    fn sync(&mut self, protocol: Assignor, assignments: BTreeMap<String, Partitions>) {
        self.phase = Phase::Syncing;
        self.ask(Ask::Sync { identity: self.identity(), protocol: protocol.name().to_owned(), assignments });
    }

    /// As the leader: assigns, or sees that topics have grown since.
    fn count(&mut self, counts: &BTreeMap<Arc<str>, i32>) {
        match std::mem::replace(&mut self.phase, Phase::Idle) {
            Phase::Leading { protocol, members, skip_assignment } => {
                let topics = members.values().flat_map(|said| &said.topics);
                let count = |topic: &Arc<str>| (Arc::clone(topic), counts.get(topic).copied().unwrap_or(0));
                self.leads = Some(topics.map(count).collect());
                let nobody = BTreeMap::new();
                let assignments = if skip_assignment { nobody } else { protocol.assign(counts, &members) };
                self.sync(protocol, assignments);
            }
            phase => {
                self.phase = phase;
                let grown = |(topic, count): (&Arc<str>, &i32)| counts.get(topic).copied().unwrap_or(0) != *count;
                self.rejoin |= self.leads.iter().flatten().any(grown);
            }
        }
    }

    fn synced(&mut self, now: Now, assignment: Partitions) {
        if self.phase != Phase::Syncing {
            return;
        }
        self.attempts = 0;
        self.phase = Phase::Stable;
        self.heartbeat_at = now.instant + self.settings.heartbeat_interval;
        let added: Partitions = assignment.difference(&self.owned).cloned().collect();
        let revoked: Partitions = self.owned.difference(&assignment).cloned().collect();
        if revoked.is_empty() {
            self.owned = assignment;
            self.outputs.push_back(Output::Assign(added));
        } else {
            self.release(revoked, Some(added));
            // Whoever gets them waits for this one to join without them.
            self.rejoin = true;
        }
    }

    fn not_joined(&mut self, now: Now, trouble: Trouble) {
        if self.phase != Phase::Joining {
            return;
        }
        match &trouble {
            Trouble::Refused(refusal) if refusal.code == ErrorCode::UnknownMemberId => {
                self.member.clear();
                self.lose();
                self.hold(now);
            }
            Trouble::Refused(refusal) if refusal.code == ErrorCode::RebalanceInProgress => self.hold(now),
            _ => self.trouble(now, trouble),
        }
    }

    fn not_synced(&mut self, now: Now, trouble: Trouble) {
        if self.phase != Phase::Syncing {
            return;
        }
        self.phase = Phase::Joining;
        let code = match &trouble {
            Trouble::Refused(refusal) => Some(refusal.code),
            Trouble::Unreachable => None,
        };
        match code {
            // It does not know this generation's assignment: what it owns it owns since an older one.
            Some(ErrorCode::RebalanceInProgress) => self.generation = NO_GENERATION,
            Some(ErrorCode::IllegalGeneration) => self.lose(),
            Some(ErrorCode::UnknownMemberId) => {
                self.member.clear();
                self.lose();
            }
            _ => self.trouble(now, trouble),
        }
    }

    /// Takes a heartbeat's refusal.
    fn not_well(&mut self, now: Now, trouble: Trouble) {
        let stable = self.phase == Phase::Stable;
        match &trouble {
            Trouble::Refused(refusal) if refusal.code == ErrorCode::RebalanceInProgress => self.rejoin |= stable,
            Trouble::Refused(refusal)
                if matches!(refusal.code, ErrorCode::IllegalGeneration | ErrorCode::UnknownMemberId) =>
            {
                if stable {
                    self.phase = Phase::Joining;
                    self.lose();
                    if refusal.code == ErrorCode::UnknownMemberId {
                        self.member.clear();
                    }
                }
            }
            _ => self.trouble(now, trouble),
        }
    }

    /// What is the same whatever was asked.
    fn trouble(&mut self, now: Now, trouble: Trouble) {
        match trouble {
            Trouble::Unreachable => {
                self.coordinator = false;
                self.hold(now);
            }
            Trouble::Refused(refusal) => match refusal.code {
                ErrorCode::NotCoordinator | ErrorCode::CoordinatorNotAvailable => {
                    self.coordinator = false;
                    self.hold(now);
                }
                ErrorCode::CoordinatorLoadInProgress => self.hold(now),
                _ if refusal.is_retriable() => self.hold(now),
                _ => self.fail(refusal),
            },
        }
    }

    /// Asks nothing for a while.
    fn hold(&mut self, now: Now) {
        self.retry_at = Some(now.instant + self.client.backoff(self.attempts, now.random));
        self.attempts += 1;
    }

    /// What it read is another's, or may be.
    fn lose(&mut self) {
        self.generation = NO_GENERATION;
        self.releasing = None;
        self.rejoin = false;
        self.leads = None;
        if !self.owned.is_empty() {
            self.outputs.push_back(Output::Lost(std::mem::take(&mut self.owned)));
        }
    }

    fn leave(&mut self, closing: bool) {
        if closing {
            // Nobody reads the answer to what is under way.
            self.asked = false;
            self.retry_at = None;
        }
        self.phase = Phase::Leaving { closing };
        // A static member will be back; one without an id is not known to anybody.
        if self.settings.instance.is_some() || self.member.is_empty() {
            self.left();
        }
    }

    fn left(&mut self) {
        match self.phase {
            Phase::Leaving { closing: true } => {
                self.phase = Phase::Closed;
                self.outputs.push_back(Output::Closed);
            }
            Phase::Leaving { closing: false } => {
                self.member.clear();
                self.phase = Phase::Stale;
            }
            _ => {}
        }
    }

    fn fail(&mut self, refusal: Refusal) {
        self.lose();
        self.phase = Phase::Closed;
        self.outputs.push_back(Output::Failed(refusal));
    }
}
