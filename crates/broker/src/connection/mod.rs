//! One connection: read a request, hand it to its handler, answer in order.
//!
//! The next request is read while the answers to earlier ones still wait, for a flush or for replicas: so the produce
//! requests that a client pipelines overlap, and only their answers are ordered. Everything before that wait (decoding,
//! checking, appending) is done for one request after another, so that batches are appended in the order sent.
//!
//! Requests that arrived together are all begun before the first of them is answered, and answers that are ready
//! together are sent together.

mod frames;
mod send;

use std::collections::VecDeque;
use std::future::{pending, ready};
use std::pin::pin;
use std::sync::Arc;

use ottla_runtime::{BoxFuture, Socket};
use ottla_types::Instant;
use smallvec::SmallVec;
use thiserror::Error;
use tracing::debug;

pub(crate) use frames::FrameFault;
use frames::Frames;
use send::{SendFault, finish, send};

use crate::answer::{Answer, Hangup, Response};
use crate::connections::{Peer, Place};
use crate::handlers;
use crate::metrics::Times;
use crate::node::Node;

/// Requests of one connection whose answers may wait at a time; the next one stays in the socket.
const IN_FLIGHT_MAX: usize = 64;

/// While answers that are ready hold more than this in memory, no further request is begun: the peer may never read them.
const READY_BYTES_MAX: usize = 64 * 1024;

#[derive(Debug, Error)]
enum Ended {
    #[error(transparent)]
    Frame(#[from] FrameFault),
    #[error(transparent)]
    Hangup(#[from] Hangup),
    #[error(transparent)]
    Send(#[from] SendFault),
}

/// Serves `socket` until either side ends it, or the broker stops and everything begun is answered.
pub(crate) async fn serve(node: Arc<Node>, socket: Box<dyn Socket>, place: Place) {
    let request_bytes_max = usize::try_from(node.config().request_bytes_max).unwrap_or_default();
    let peer = place.peer.clone();
    let memory = node.connections.memory.clone();
    let frames = Frames::new(node.buffers.clone(), memory, peer.clone(), request_bytes_max);
    let mut connection = Connection { node, socket, frames, peer, current: None, waiting: Answers::default() };
    tokio::select! {
        biased;
        // Whatever it is at: a peer that does not read its answers is no reason to keep it.
        () = place.peer.closed() => {}
        () = connection.run_to_end() => {}
    }
    connection.node.client_metrics.lock().disconnected(place.peer.id);
}

struct Connection {
    node: Arc<Node>,
    socket: Box<dyn Socket>,
    frames: Frames,
    /// What others know of it.
    peer: Arc<Peer>,
    /// The request at work.
    current: Option<Current>,
    /// Answers in the order of their requests.
    waiting: Answers,
}

/// Answers that wait to be sent.
#[derive(Default)]
struct Answers {
    queue: VecDeque<(Times, Waiting)>,
    /// What those that are ready hold in memory.
    ready_bytes: usize,
}

struct Current {
    times: Times,
    work: BoxFuture<'static, Result<Answer, Hangup>>,
}

enum Waiting {
    Ready(Response),
    Later(BoxFuture<'static, Result<Response, Hangup>>),
}

impl Connection {
    async fn run_to_end(&mut self) {
        let ended = self.run().await;
        if !matches!(ended, Err(Ended::Send(_))) {
            // Whatever ended it: what was answered before is told.
            let _ = self.send(None).await;
        }
        let peer = self.peer.address;
        match ended {
            Ok(()) => debug!(%peer, "connection closed"),
            Err(Ended::Send(fault @ SendFault::Records { .. })) => self.node.connections.tell_unread(&fault),
            Err(reason) => debug!(%peer, %reason, "connection ended"),
        }
    }

    async fn run(&mut self) -> Result<(), Ended> {
        let stop = self.node.stop.clone();
        // Asked for once: each time it takes a lock that all connections share.
        let mut stopped = pin!(stop.cancelled());
        let mut stopping = false;
        loop {
            if stopping && self.current.is_none() && self.waiting.queue.is_empty() {
                return Ok(());
            }
            self.peer.set_at_work(self.current.is_some() || !self.waiting.queue.is_empty());
            let reads = !stopping && self.current.is_none() && self.waiting.has_room();
            tokio::select! {
                biased;
                (times, answer) = at_work(&mut self.current) => {
                    self.current = None;
                    self.take(times, answer?);
                }
                (times, response) = self.waiting.next(), if !(reads && self.frames.holds_frame()) => {
                    self.send(Some((times, response?))).await?;
                }
                () = &mut stopped, if !stopping => stopping = true,
                frame = self.frames.next(&mut *self.socket), if reads => {
                    let Some(frame) = frame? else { return Ok(()) };
                    let begun = handlers::dispatch(&self.node, frame, &self.peer)?;
                    let times = Times::begin(begun.place, begun.version, self.frames.arrived(), self.now());
                    self.current = Some(Current { times, work: begun.work });
                }
            }
        }
    }

    fn now(&self) -> Instant {
        self.node.runtime.clock.now()
    }

    /// The work on a request is done.
    fn take(&mut self, mut times: Times, answer: Answer) {
        times.worked = self.now();
        match answer {
            Answer::Now(response) => self.waiting.add(times, Waiting::Ready(response)),
            Answer::Later(response) => self.waiting.add(times, Waiting::Later(response)),
            Answer::None => {
                times.answered_at(times.worked);
                self.node.metrics.requests.add(&times, times.worked);
            }
        }
    }

    /// Sends `first` and whatever else is ready behind it.
    async fn send(&mut self, first: Option<(Times, Response)>) -> Result<(), Ended> {
        let mut gathered = Vec::new();
        let mut sent: SmallVec<[Times; 4]> = SmallVec::new();
        let mut next = first.map(|(times, response)| (times, Ok(response)));
        // From here on it is the peer's turn: if it reads nothing, nothing happens.
        self.peer.set_at_work(false);
        let peer = self.peer.clone();
        let progress = move || {
            peer.touch();
        };
        let ended = loop {
            let response = match next.take() {
                Some(response) => Some(response),
                None => tokio::select! {
                    biased;
                    response = self.waiting.next() => Some(response),
                    () = ready(()) => None,
                },
            };
            match response {
                Some((mut times, Ok(response))) => {
                    times.answered_at(self.now());
                    self.node.metrics.requests.add_errors(times.api, &response.errors);
                    sent.push(times);
                    send(response, &mut *self.socket, &mut gathered, &progress).await?;
                }
                Some((_, Err(hangup))) => break Err(hangup.into()),
                None => break Ok(()),
            }
        };
        finish(&mut *self.socket, &gathered).await.map_err(SendFault::from)?;
        let now = self.now();
        sent.iter().for_each(|times| self.node.metrics.requests.add(times, now));
        ended
    }
}

impl Answers {
    /// Whether there may be one more.
    fn has_room(&self) -> bool {
        self.queue.len() < IN_FLIGHT_MAX && self.ready_bytes <= READY_BYTES_MAX
    }

    fn add(&mut self, times: Times, answer: Waiting) {
        if let Waiting::Ready(response) = &answer {
            self.ready_bytes += response.memory_bytes();
        }
        self.queue.push_back((times, answer));
    }

    /// The first in line, once it is there; never while there is none in line. Cancelling it loses nothing.
    async fn next(&mut self) -> (Times, Result<Response, Hangup>) {
        if let Some((times, Waiting::Later(response))) = self.queue.front_mut() {
            let (times, response) = (*times, response.await);
            self.queue.pop_front();
            return (times.waited(), response);
        }
        match self.queue.pop_front() {
            Some((times, Waiting::Ready(response))) => {
                self.ready_bytes -= response.memory_bytes();
                (times, Ok(response))
            }
            _ => pending().await,
        }
    }
}

async fn at_work(current: &mut Option<Current>) -> (Times, Result<Answer, Hangup>) {
    match current {
        Some(current) => (current.times, (&mut current.work).await),
        None => pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::ErrorCounts;

    #[tokio::test]
    async fn answers_that_wait_in_memory_leave_room_for_others_only_while_they_are_small() {
        let mut answers = Answers::default();
        let add = |answers: &mut Answers, bytes: usize| {
            let response = Response::bytes(vec![0; bytes].into(), ErrorCounts::default());
            answers.add(Times::begin(0, 0, Instant::START, Instant::START), Waiting::Ready(response));
        };
        add(&mut answers, READY_BYTES_MAX);
        assert!(answers.has_room());
        add(&mut answers, 1);
        assert!(!answers.has_room());
        answers.next().await.1.expect("an answer");
        assert!(answers.has_room());
        (0..IN_FLIGHT_MAX).for_each(|_| add(&mut answers, 0));
        assert!(!answers.has_room());
    }
}
