//! Drives the controller's machine: questions in, entries to the quorum, answers out. No decision is made here.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ottla_controller::{Controller, Input, Output, Refusal, Reply, Request, RequestId};
use ottla_quorum::{Committed, ProposeRefused, Quorum, Term};
use ottla_runtime::{BoxFuture, Runtime};
use ottla_types::Instant;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::partitions::Settled;

/// Questions that may wait in the channel; the machine has a bound of its own behind it.
const QUESTIONS_MAX: usize = 256;
/// How long a question may take whose asker did not say: Kafka's `request.timeout.ms` of a broker.
const PATIENCE: Duration = Duration::from_secs(30);

struct Question {
    request: Request,
    deadline: Instant,
    answer: oneshot::Sender<Reply>,
}

/// Asks the controller.
#[derive(Clone, Debug)]
pub(crate) struct ControllerHandle {
    questions: mpsc::Sender<Question>,
    runtime: Runtime,
    settled: Settled,
}

impl ControllerHandle {
    /// Asks, and waits until this node serves what the answer speaks of.
    pub(crate) async fn ask(&self, request: Request) -> Reply {
        self.ask_until(request, self.runtime.clock.now() + PATIENCE).await
    }

    /// The same with a client's patience, in milliseconds.
    pub(crate) async fn ask_within(&self, request: Request, timeout_ms: i32) -> Reply {
        let patience = Duration::from_millis(u64::try_from(timeout_ms).unwrap_or_default());
        self.ask_until(request, self.runtime.clock.now() + patience).await
    }

    /// The same, while this node serves nothing yet: waits for the answer alone.
    pub(crate) async fn ask_before_serving(&self, request: Request) -> Reply {
        self.decide(request, self.runtime.clock.now() + PATIENCE).await
    }

    async fn ask_until(&self, request: Request, deadline: Instant) -> Reply {
        let reply = self.decide(request, deadline).await;
        self.settled.reached_now().await;
        reply
    }

    async fn decide(&self, request: Request, deadline: Instant) -> Reply {
        let (answer, answered) = oneshot::channel();
        if self.questions.send(Question { request, deadline, answer }).await.is_err() {
            return Reply::Refused(Refusal::NotController);
        }
        // The loop ends without an answer only when the broker stops.
        answered.await.unwrap_or(Reply::Refused(Refusal::NotController))
    }
}

/// The loop that owns the machine.
pub(crate) struct ControllerLoop {
    machine: Controller,
    runtime: Runtime,
    quorum: Arc<Quorum>,
    questions: mpsc::Receiver<Question>,
    stop: CancellationToken,
    answers: BTreeMap<RequestId, oneshot::Sender<Reply>>,
    next_id: u64,
    /// The entry that is proposed and not decided, and the term that it was proposed in.
    proposal: Option<(u64, BoxFuture<'static, Result<Committed, ProposeRefused>>)>,
}

impl ControllerLoop {
    /// The loop, to be spawned, and the handle to ask it by.
    pub(crate) fn new(
        machine: Controller,
        runtime: Runtime,
        quorum: Arc<Quorum>,
        settled: Settled,
        stop: CancellationToken,
    ) -> (Self, ControllerHandle) {
        let (asks, questions) = mpsc::channel(QUESTIONS_MAX);
        let handle = ControllerHandle { questions: asks, runtime: runtime.clone(), settled };
        let answers = BTreeMap::new();
        (Self { machine, runtime, quorum, questions, stop, answers, next_id: 0, proposal: None }, handle)
    }

    /// Runs until the broker stops. A bug in the machine ends the process: a broker that goes on without its controller
    /// would answer for a cluster that nobody decides for.
    pub(crate) async fn run(mut self) {
        let _abort = AbortOnPanic;
        let mut standing = self.quorum.watch();
        let mut led = None;
        loop {
            let leads = standing.borrow_and_update().leading.map(|term| term.0);
            if leads != led {
                led = leads;
                self.tell(match leads {
                    Some(term) => Input::BecameLeader { term, image: (*self.quorum.image()).clone() },
                    None => Input::LostLeadership,
                });
            }
            let deadline = self.machine.deadline();
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return,
                changed = standing.changed() => if changed.is_err() { return },
                (term, decided) = decided(&mut self.proposal) => {
                    self.proposal = None;
                    self.tell(match decided {
                        Ok(committed) => Input::Committed { position: committed.position },
                        Err(refused @ ProposeRefused::NoRoom(_)) => {
                            tracing::warn!(term, %refused, "a metadata entry was not written");
                            Input::NoRoom { term }
                        }
                        Err(refused) => {
                            tracing::warn!(term, %refused, "a metadata entry was not committed");
                            Input::ProposeFailed { term }
                        }
                    });
                }
                Some(question) = self.questions.recv() => {
                    let id = RequestId(self.next_id);
                    self.next_id += 1;
                    self.answers.insert(id, question.answer);
                    self.tell(Input::Request { id, request: question.request, deadline: question.deadline });
                }
                () = self.runtime.clock.sleep_until(deadline.unwrap_or_default()), if deadline.is_some() => {
                    self.tell(Input::TimePassed);
                }
            }
        }
    }

    /// Hands the machine an input and does what it wants done.
    fn tell(&mut self, input: Input) {
        self.machine.handle(self.runtime.clock.now(), input);
        while let Some(output) = self.machine.poll() {
            match output {
                Output::Propose { expected_term, facts } => {
                    let quorum = self.quorum.clone();
                    let proposal = Box::pin(async move { quorum.propose(Term(expected_term), facts).await });
                    self.proposal = Some((expected_term, proposal));
                }
                Output::Reply { id, reply } => {
                    if let Some(answer) = self.answers.remove(&id) {
                        // Whoever asked may be gone.
                        let _ = answer.send(reply);
                    }
                }
            }
        }
    }
}

struct AbortOnPanic;

impl Drop for AbortOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            std::process::abort();
        }
    }
}

type Proposal = (u64, BoxFuture<'static, Result<Committed, ProposeRefused>>);

async fn decided(proposal: &mut Option<Proposal>) -> (u64, Result<Committed, ProposeRefused>) {
    match proposal {
        Some((term, decision)) => (*term, decision.await),
        None => std::future::pending().await,
    }
}
