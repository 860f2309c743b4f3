//! The machine: who waits, what is in flight, when an answer may leave.
//!
//! What is decided stands in the file of each request. The protocol is told at the crate.

use std::collections::VecDeque;
use std::fmt;

use ottla_metadata::{FEATURES, Fact, Feature, Image, Position};
use ottla_types::Instant;

use crate::config_rules::ConfigRules;
use crate::draft::Draft;
use crate::request::{Refusal, Reply, Request, RequestId};
use crate::settings::Settings;
use crate::{
    allocate_producer_ids, alter_configs, alter_partition_reassignments, create_partitions, create_topics,
    delete_topics, elect_leaders, register_broker, unregister_broker, update_features,
};

/// An entry takes no further request once it holds this many facts.
const FACTS_PER_ENTRY: usize = 10_000;

/// Decides what becomes of the cluster, while this node leads its metadata.
pub struct Controller {
    settings: Settings,
    rules: Box<dyn ConfigRules + Send + Sync>,
    /// The highest term seen: `leading.term ≤ term`.
    term: u64,
    /// What the node has while it leads; all of it dies with the term.
    leading: Option<Leading>,
    /// Requests that nobody looked at yet, oldest first. Empty unless something is in flight.
    waiting: VecDeque<Waiting>,
    /// What [`Controller::poll`] has not handed out yet.
    outputs: VecDeque<Output>,
}

/// What happens to a controller.
#[derive(Clone, Debug)]
pub enum Input {
    /// This node leads from now on.
    BecameLeader {
        /// The term that it leads in. One that was seen before is ignored.
        term: u64,
        /// The cluster with every entry that was committed before this term's first.
        image: Image,
    },
    /// This node no longer leads, or no longer knows whether it does.
    LostLeadership,
    /// Somebody asks for something.
    Request {
        /// Comes back with the answer.
        id: RequestId,
        /// What is asked for.
        request: Request,
        /// Until when it is of use; one that still waits then is refused.
        deadline: Instant,
    },
    /// The entry that was proposed last is committed.
    Committed {
        /// Where.
        position: Position,
    },
    /// The entry that was proposed last could not be written, or nobody knows whether it was.
    ProposeFailed {
        /// The term that it was proposed in.
        term: u64,
    },
    /// There was no room for the entry that was proposed last, and nothing was written.
    NoRoom {
        /// The term that it was proposed in.
        term: u64,
    },
    /// Time has passed: [`Controller::deadline`] has come.
    TimePassed,
}

/// What shall be done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Output {
    /// Append one entry to the replicated log, provided that this node still leads in that very term.
    Propose {
        /// The term.
        expected_term: u64,
        /// The entry, never empty.
        facts: Vec<Fact>,
    },
    /// Answer a request. Every request gets exactly one answer.
    Reply {
        /// The request.
        id: RequestId,
        /// The answer.
        reply: Reply,
    },
}

/// What a leader has.
struct Leading {
    term: u64,
    committed: Image,
    /// The one entry that is proposed and not committed.
    in_flight: Option<InFlight>,
}

struct InFlight {
    /// `committed` with the entry folded in.
    next: Image,
    /// The answers that depend on it.
    replies: Vec<(RequestId, Reply)>,
}

struct Waiting {
    id: RequestId,
    request: Request,
    deadline: Instant,
}

impl Controller {
    /// A controller that does not lead yet.
    #[must_use]
    pub fn new(settings: Settings, rules: Box<dyn ConfigRules + Send + Sync>) -> Self {
        let (waiting, outputs) = (VecDeque::new(), VecDeque::new());
        Self { settings, rules, term: 0, leading: None, waiting, outputs }
    }

    /// Takes in what happened; afterwards [`Controller::poll`] tells what shall be done, in order.
    pub fn handle(&mut self, now: Instant, input: Input) {
        self.expire(now);
        match input {
            Input::BecameLeader { term, image } => self.lead(term, image),
            Input::LostLeadership => self.stand_by(),
            Input::Request { id, request, deadline } => self.take(now, Waiting { id, request, deadline }),
            Input::Committed { position } => self.commit(position),
            Input::ProposeFailed { term } => {
                if self.leading.as_ref().is_some_and(|leading| leading.term == term) {
                    self.stand_by();
                }
            }
            Input::NoRoom { term } => self.refuse_in_flight(term),
            Input::TimePassed => {}
        }
        self.decide_waiting();
    }

    /// The next thing to do.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When the machine wants [`Input::TimePassed`], if nothing else happens.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.waiting.iter().map(|waiting| waiting.deadline).min()
    }

    /// Whether this node leads, as far as it knows.
    #[must_use]
    pub const fn is_active(&self) -> bool {
        self.leading.is_some()
    }

    fn lead(&mut self, term: u64, image: Image) {
        if term <= self.term {
            return;
        }
        self.stand_by();
        self.term = term;
        let mut draft = Draft::on(image.clone());
        if draft.image().level() == 0 {
            founding_features().into_iter().for_each(|fact| draft.write(fact));
        }
        if draft.image().cluster_id().is_none() {
            draft.write(Fact::ClusterNamed { cluster_id: self.settings.cluster_id.clone() });
            self.settings.founding.iter().cloned().for_each(|fact| draft.write(fact));
        }
        self.leading = Some(Leading { term, committed: image, in_flight: None });
        self.propose(draft, Vec::new());
    }

    /// Forgets all that was decided and not committed, and refuses all who wait for it.
    fn stand_by(&mut self) {
        let in_flight = self.leading.take().and_then(|leading| leading.in_flight);
        let decided = in_flight.into_iter().flat_map(|in_flight| in_flight.replies).map(|(id, _)| id);
        let waiting = self.waiting.drain(..).map(|waiting| waiting.id);
        let refused = |id| Output::Reply { id, reply: Reply::Refused(Refusal::NotController) };
        self.outputs.extend(decided.chain(waiting).map(refused));
    }

    fn take(&mut self, now: Instant, asked: Waiting) {
        let refusal = if self.leading.is_none() {
            Refusal::NotController
        } else if asked.deadline <= now {
            Refusal::TimedOut
        } else if self.waiting.len() >= self.settings.queue_max {
            Refusal::Overloaded(self.waiting.len())
        } else {
            self.waiting.push_back(asked);
            return;
        };
        self.outputs.push_back(Output::Reply { id: asked.id, reply: Reply::Refused(refusal) });
    }

    fn commit(&mut self, position: Position) {
        let Some(leading) = self.leading.as_mut().filter(|leading| leading.term == position.term) else { return };
        let Some(InFlight { next, replies }) = leading.in_flight.take() else { return };
        // Whatever is committed comes behind the cluster's id.
        self.settings.founding.clear();
        leading.committed = next;
        leading.committed.set_position(position);
        self.outputs.extend(replies.into_iter().map(|(id, reply)| Output::Reply { id, reply }));
    }

    /// Refuses those whose entry found no room, and goes on with what is committed. A cluster that has not begun cannot go
    /// on without its first entry.
    fn refuse_in_flight(&mut self, term: u64) {
        let Some(leading) = self.leading.as_mut().filter(|leading| leading.term == term) else { return };
        if leading.committed.cluster_id().is_none() {
            return self.stand_by();
        }
        let Some(InFlight { replies, .. }) = leading.in_flight.take() else { return };
        let refused = |(id, _)| Output::Reply { id, reply: Reply::Refused(Refusal::NoRoom) };
        self.outputs.extend(replies.into_iter().map(refused));
    }

    /// Refuses those who waited too long. What is in flight is answered however long it takes, for it may take effect.
    fn expire(&mut self, now: Instant) {
        let outputs = &mut self.outputs;
        self.waiting.retain(|waiting| {
            let in_time = now < waiting.deadline;
            if !in_time {
                let reply = Reply::Refused(Refusal::TimedOut);
                outputs.push_back(Output::Reply { id: waiting.id, reply });
            }
            in_time
        });
    }

    /// Decides those who wait, one after another, unless an entry is in flight.
    fn decide_waiting(&mut self) {
        let Some(leading) = self.leading.as_ref().filter(|leading| leading.in_flight.is_none()) else { return };
        let mut draft = Draft::on(leading.committed.clone());
        let mut replies = Vec::new();
        while draft.facts().len() < FACTS_PER_ENTRY {
            let Some(Waiting { id, request, .. }) = self.waiting.pop_front() else { break };
            let reply = self.decide(&request, &mut draft);
            replies.push((id, reply));
        }
        self.propose(draft, replies);
    }

    fn decide(&self, request: &Request, draft: &mut Draft) -> Reply {
        match request {
            Request::RegisterBroker(request) => Reply::RegisterBroker(register_broker::decide(request, draft)),
            Request::CreateTopics(request) => create_topics::decide(request, draft, &self.settings, &*self.rules)
                .map_or_else(Reply::Refused, Reply::CreateTopics),
            Request::DeleteTopics(request) => {
                delete_topics::decide(request, draft, &self.settings).map_or_else(Reply::Refused, Reply::DeleteTopics)
            }
            Request::CreatePartitions(request) => {
                create_partitions::decide(request, draft).map_or_else(Reply::Refused, Reply::CreatePartitions)
            }
            Request::ElectLeaders(request) => {
                elect_leaders::decide(request, draft).map_or_else(Reply::Refused, Reply::ElectLeaders)
            }
            Request::AlterPartitionReassignments(request) => alter_partition_reassignments::decide(request, draft)
                .map_or_else(Reply::Refused, Reply::AlterPartitionReassignments),
            Request::UpdateFeatures(request) => Reply::UpdateFeatures(update_features::decide(request, draft)),
            Request::UnregisterBroker(request) => Reply::UnregisterBroker(unregister_broker::decide(request, draft)),
            Request::AlterConfigs(request) => {
                alter_configs::decide(request, draft, &*self.rules).map_or_else(Reply::Refused, Reply::AlterConfigs)
            }
            Request::AllocateProducerIds(request) => {
                Reply::AllocateProducerIds(allocate_producer_ids::decide(request, draft))
            }
        }
    }

    /// Proposes what was decided. Answers wait for it, the refusals too: one may say that a topic exists which only this
    /// entry creates. Where nothing was decided, they rest on what is committed and leave at once.
    fn propose(&mut self, draft: Draft, replies: Vec<(RequestId, Reply)>) {
        let Some(leading) = &mut self.leading else { return };
        let (next, facts) = draft.into_parts();
        if facts.is_empty() {
            self.outputs.extend(replies.into_iter().map(|(id, reply)| Output::Reply { id, reply }));
            return;
        }
        leading.in_flight = Some(InFlight { next, replies });
        self.outputs.push_back(Output::Propose { expected_term: leading.term, facts });
    }
}

/// The features of a new cluster, at their highest levels: the first facts of any.
#[must_use]
pub fn founding_features() -> Vec<Fact> {
    let highest = |feature: &Feature| Fact::FeatureLevelSet { name: feature.name.to_owned(), level: feature.max };
    FEATURES.iter().map(highest).collect()
}

impl fmt::Display for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BecameLeader { term, image } => write!(f, "became-leader term={term} at={}", image.position()),
            Self::LostLeadership => f.write_str("lost-leadership"),
            Self::Request { id, request, deadline } => write!(f, "request {id} until {deadline}: {request}"),
            Self::Committed { position } => write!(f, "committed {position}"),
            Self::ProposeFailed { term } => write!(f, "propose-failed term={term}"),
            Self::NoRoom { term } => write!(f, "no-room term={term}"),
            Self::TimePassed => f.write_str("time-passed"),
        }
    }
}

impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Propose { expected_term, facts } => {
                write!(f, "propose term={expected_term}")?;
                facts.iter().try_for_each(|fact| write!(f, "\n  {fact}"))
            }
            Self::Reply { id, reply } => write!(f, "reply {id} {reply}"),
        }
    }
}
