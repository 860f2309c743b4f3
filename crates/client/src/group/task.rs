//! The task behind a member: performs what its machine wants, one request at a time, and brings back what came of it.
//! No decision is made here.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ottla_runtime::BoxFuture;
use ottla_types::Instant;
use tokio::sync::{mpsc, oneshot};

use super::Partitions;
use super::exchange::Exchange;
use super::member::{Ask, Input, Member, Now, Output, Token};
use crate::coordinator::Identity;
use crate::error::ClientError;

/// What the application asks of its membership.
#[derive(Debug)]
pub(super) enum Order {
    /// To read these topics.
    Subscribe(BTreeSet<Arc<str>>),
    /// To know that something is no longer read.
    Released(Token),
    /// To leave, and to say when that is done.
    Close(oneshot::Sender<()>),
}

/// What the membership asks of the application. A member that does not poll is out of the group after a while, and
/// hears no more: that bounds what waits to be taken.
#[derive(Debug)]
pub(super) enum Event {
    Revoke(Token, Partitions),
    Lost(Partitions),
    Assign(Partitions),
    Failed(ClientError),
}

/// What both sides look at.
#[derive(Debug)]
pub(super) struct Shared {
    identity: Mutex<Identity>,
    polled_at: Mutex<Instant>,
    polling: AtomicBool,
}

impl Shared {
    pub(super) fn new(now: Instant) -> Self {
        Self { identity: Mutex::new(Identity::OUTSIDER), polled_at: Mutex::new(now), polling: AtomicBool::new(false) }
    }

    /// As whom to commit now.
    pub(super) fn identity(&self) -> Identity {
        lock(&self.identity).clone()
    }

    /// Says whether the application asks for records at this moment.
    pub(super) fn polls(&self, now: Instant, polling: bool) {
        *lock(&self.polled_at) = now;
        self.polling.store(polling, Ordering::Relaxed);
    }

    fn polled_at(&self, now: Instant) -> Instant {
        if self.polling.load(Ordering::Relaxed) { now } else { *lock(&self.polled_at) }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a request brings: the way that it went, and what the machine shall hear.
type Answer = (Exchange, Result<Input, ClientError>);

/// The task.
pub(super) struct MemberTask {
    member: Member,
    exchange: Exchange,
    /// The request under way.
    asking: Option<BoxFuture<'static, Answer>>,
    /// What is looked up beside it, about topics.
    looking: Option<BoxFuture<'static, Result<Input, ClientError>>>,
    look_at: Instant,
    subscribed: BTreeSet<Arc<str>>,
    shared: Arc<Shared>,
    orders: mpsc::UnboundedReceiver<Order>,
    events: mpsc::UnboundedSender<Event>,
    closing: Option<oneshot::Sender<()>>,
}

impl MemberTask {
    pub(super) fn new(
        member: Member,
        exchange: Exchange,
        shared: Arc<Shared>,
        orders: mpsc::UnboundedReceiver<Order>,
        events: mpsc::UnboundedSender<Event>,
    ) -> Self {
        let look_at = exchange.cluster.runtime().clock.now() + exchange.settings.metadata_age_max;
        Self {
            member,
            exchange,
            asking: None,
            looking: None,
            look_at,
            subscribed: BTreeSet::new(),
            shared,
            orders,
            events,
            closing: None,
        }
    }

    /// Runs until the group is left or the membership fails.
    pub(super) async fn run(mut self) {
        let clock = Arc::clone(&self.exchange.cluster.runtime().clock);
        let mut open = true;
        loop {
            let ended = self.perform();
            *lock(&self.shared.identity) = self.member.identity();
            if ended {
                break;
            }
            let deadline = self.member.deadline().map_or(self.look_at, |at| at.min(self.look_at));
            let input = tokio::select! {
                biased;
                order = self.orders.recv(), if open => match order {
                    Some(Order::Subscribe(topics)) => {
                        self.subscribed.clone_from(&topics);
                        Ok(Input::Subscribe(topics))
                    }
                    Some(Order::Released(token)) => Ok(Input::Released(token)),
                    Some(Order::Close(done)) => {
                        self.closing = Some(done);
                        Ok(self.close())
                    }
                    // Dropped without a word: it leaves all the same.
                    None => {
                        open = false;
                        Ok(self.close())
                    }
                },
                (exchange, input) = pending(&mut self.asking) => {
                    self.asking = None;
                    self.exchange = exchange;
                    input
                }
                input = pending(&mut self.looking) => {
                    self.looking = None;
                    input
                }
                () = clock.sleep_until(deadline) => Ok(Input::Time),
            };
            match input {
                Ok(input) => self.hear(clock.now(), input),
                Err(error) => {
                    let _ = self.events.send(Event::Failed(error));
                    break;
                }
            }
        }
        if let Some(done) = self.closing {
            let _ = done.send(());
        }
    }

    fn hear(&mut self, instant: Instant, input: Input) {
        let now = Now { instant, random: self.exchange.cluster.runtime().random.bits() };
        // Before time is, so that who polls is not taken for one who does not.
        self.member.handle(now, Input::Polled(self.shared.polled_at(instant)));
        self.member.handle(now, input);
        if instant >= self.look_at {
            self.look_at = instant + self.exchange.settings.metadata_age_max;
            let watched = self.member.watched();
            if !watched.is_empty() && self.looking.is_none() {
                let exchange = self.beside();
                self.looking = Some(Box::pin(async move { exchange.topics(&watched).await.map(Input::Topics) }));
            }
        }
    }

    /// What is under way is dropped, and what is asked from now on is asked on a connection of its own: a join may keep
    /// this one waiting for minutes.
    fn close(&mut self) -> Input {
        if self.asking.take().is_some() {
            self.exchange.connection = None;
        }
        Input::Close
    }

    /// Performs what the machine wants; whether that was the last.
    fn perform(&mut self) -> bool {
        while let Some(output) = self.member.poll() {
            tracing::debug!(group = self.exchange.settings.group, %output);
            let event = match output {
                Output::Ask(ask) => {
                    self.ask(ask);
                    continue;
                }
                Output::Names(ids) => {
                    let (exchange, subscribed) = (self.beside(), self.subscribed.clone());
                    self.looking =
                        Some(Box::pin(async move { exchange.names(&ids, &subscribed).await.map(Input::Names) }));
                    continue;
                }
                Output::Closed => return true,
                Output::Revoke(token, partitions) => Event::Revoke(token, partitions),
                Output::Lost(partitions) => Event::Lost(partitions),
                Output::Assign(partitions) => Event::Assign(partitions),
                Output::Failed(refusal) => {
                    let _ = self.events.send(Event::Failed(refusal.into()));
                    return true;
                }
            };
            let _ = self.events.send(event);
        }
        false
    }

    fn ask(&mut self, ask: Ask) {
        let mut exchange = self.beside();
        self.asking = Some(Box::pin(async move {
            if matches!(ask, Ask::Leave(_)) && exchange.connection.is_none() {
                // The join that was under way holds the other connection.
                let _ = exchange.ask(Ask::FindCoordinator).await;
            }
            let answer = exchange.ask(ask).await;
            (exchange, answer)
        }));
    }

    fn beside(&self) -> Exchange {
        let Exchange { cluster, settings, connection } = &self.exchange;
        Exchange { cluster: cluster.clone(), settings: Arc::clone(settings), connection: connection.clone() }
    }
}

/// Waits for what may not be there; for ever then.
async fn pending<T>(future: &mut Option<BoxFuture<'static, T>>) -> T {
    match future {
        Some(future) => future.as_mut().await,
        None => std::future::pending().await,
    }
}
