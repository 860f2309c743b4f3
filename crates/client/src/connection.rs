//! One connection to one broker: requests go out without waiting for each other, answers come back in their order.
//!
//! It negotiates versions when it opens, bounds what is unanswered and how large an answer may be, and gives up on the
//! first thing that is wrong: a late answer too, for no answer can overtake another. Opening it again is its owner's
//! affair (`cluster`).

use std::collections::VecDeque;
use std::marker::PhantomData;
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use ottla_protocol::api_versions::{ApiVersionsRequest, ApiVersionsResponse};
use ottla_protocol::frame::{SIZE_PREFIX, frame_size, parse_response_head, request_frame};
use ottla_protocol::{ApiKey, Message, Request};
use ottla_runtime::{Lane, Runtime, Socket};
use ottla_types::{ErrorCode, Instant};
use ottla_wire::Reader;
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader, ReadHalf, WriteHalf};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use crate::address::Address;
use crate::error::{ConnectionError, io_reason};
use crate::settings::ClientSettings;
use crate::versions::{OfferedVersions, wanted_versions};

/// What is reserved for an answer before it comes. A longer one gets more room as its bytes arrive.
const ANSWER_BYTES_FIRST: usize = 1 << 20;

/// An open connection, until [`fault`](Self::fault) says otherwise. Closes when it is dropped.
#[derive(Debug)]
pub struct Connection {
    shared: Arc<Shared>,
    frames: mpsc::UnboundedSender<Outgoing>,
    versions: OfferedVersions,
}

/// What the connection, its task and the replies under way have in common.
struct Shared {
    address: Address,
    runtime: Runtime,
    settings: ClientSettings,
    correlation_id: AtomicI32,
    in_flight: Arc<Semaphore>,
    state: Mutex<State>,
    given_up: Notify,
}

#[derive(Default)]
struct State {
    /// Requests in the order in which they were sent.
    unanswered: VecDeque<Unanswered>,
    /// Why nothing more comes. Once set it stays, and `unanswered` is empty.
    fault: Option<ConnectionError>,
}

struct Unanswered {
    correlation_id: i32,
    api: ApiKey,
    version: i16,
    answer: oneshot::Sender<Result<Answer, ConnectionError>>,
    _room: OwnedSemaphorePermit,
}

/// A response's frame and where its body begins.
struct Answer {
    frame: Bytes,
    body: usize,
}

/// A frame on its way to the socket. A request without an answer gives its room back once it is written.
struct Outgoing {
    frame: Vec<u8>,
    room: Option<OwnedSemaphorePermit>,
}

/// An answer that is still to come. Dropping it forgets the answer, not the request.
#[must_use = "the answer is lost otherwise"]
pub struct Reply<R> {
    shared: Arc<Shared>,
    answer: oneshot::Receiver<Result<Answer, ConnectionError>>,
    version: i16,
    timeout: Duration,
    deadline: Instant,
    request: PhantomData<fn(R)>,
}

impl Connection {
    /// Connects and negotiates versions (KIP-35, KIP-511).
    pub async fn open(
        runtime: &Runtime,
        address: &Address,
        settings: &ClientSettings,
    ) -> Result<Self, ConnectionError> {
        let timeout = settings.connect_timeout;
        let deadline = runtime.clock.now() + timeout;
        let failed = |reason| ConnectionError::Connect { address: address.clone(), reason };
        tokio::select! {
            biased;
            opened = Self::open_now(runtime, address, settings) => opened,
            () = runtime.clock.sleep_until(deadline) => Err(failed(format!("no answer within {timeout:?}"))),
        }
    }

    async fn open_now(
        runtime: &Runtime,
        address: &Address,
        settings: &ClientSettings,
    ) -> Result<Self, ConnectionError> {
        let socket = runtime.network.connect(&address.host, address.port).await;
        let socket =
            socket.map_err(|error| ConnectionError::Connect { address: address.clone(), reason: io_reason(&error) })?;
        let shared = Arc::new(Shared {
            address: address.clone(),
            runtime: runtime.clone(),
            settings: settings.clone(),
            correlation_id: AtomicI32::new(0),
            in_flight: Arc::new(Semaphore::new(settings.in_flight_max)),
            state: Mutex::default(),
            given_up: Notify::new(),
        });
        let (frames, queue) = mpsc::unbounded_channel();
        runtime.spawn(Lane::Data, run(socket, queue, Arc::clone(&shared)));
        let mut connection = Self { shared, frames, versions: OfferedVersions::default() };
        connection.versions = connection.negotiate().await?;
        tracing::debug!(%address, "connected");
        Ok(connection)
    }

    /// Asks in the newest form. A broker that does not know it answers in the oldest and says up to where it does;
    /// before KIP-511 it says nothing, and is asked in the oldest form.
    async fn negotiate(&self) -> Result<OfferedVersions, ConnectionError> {
        let wanted = wanted_versions(ApiKey::ApiVersions);
        let first = self.ask_versions(*wanted.end()).await?;
        let unsupported = ErrorCode::UnsupportedVersion.raw();
        let response = if first.error_code == unsupported {
            let offered = OfferedVersions::new(&first.api_keys);
            self.ask_versions(offered.pick(ApiKey::ApiVersions, &wanted).unwrap_or(0)).await?
        } else {
            first
        };
        match ErrorCode::from_raw(response.error_code) {
            Some(ErrorCode::None) => Ok(OfferedVersions::new(&response.api_keys)),
            code => Err(self.shared.protocol_error(format!(
                "it refuses ApiVersions with {}",
                code.map_or_else(|| response.error_code.to_string(), |code| code.to_string())
            ))),
        }
    }

    async fn ask_versions(&self, version: i16) -> Result<ApiVersionsResponse, ConnectionError> {
        let request = ApiVersionsRequest {
            client_software_name: "ottla".to_owned(),
            client_software_version: env!("CARGO_PKG_VERSION").to_owned(),
        };
        let reply = self.begin_within(version, &request, self.shared.settings.connect_timeout).await?;
        let (shared, answer) = reply.bytes().await?;
        let body = &answer.frame[answer.body..];
        // A refused version is answered in the form of v0, whose first field is the error code.
        let refused = body.first_chunk::<2>().map(|code| i16::from_be_bytes(*code));
        let form = if refused == Some(ErrorCode::UnsupportedVersion.raw()) { 0 } else { version };
        ApiVersionsResponse::decode(&mut Reader::new(body), form)
            .map_err(|error| shared.give_up_for(format!("ApiVersions v{form}: {error}")))
    }

    /// Whom it is to.
    #[must_use]
    pub fn address(&self) -> &Address {
        &self.shared.address
    }

    /// Why it is of no more use; `None` while it is.
    #[must_use]
    pub fn fault(&self) -> Option<ConnectionError> {
        self.shared.lock().fault.clone()
    }

    /// The highest version of `api` that the broker and this client know.
    pub fn version(&self, api: ApiKey) -> Result<i16, ConnectionError> {
        self.version_within(api, wanted_versions(api))
    }

    /// The highest version of `api` within `wanted` that the broker knows.
    pub fn version_within(&self, api: ApiKey, wanted: RangeInclusive<i16>) -> Result<i16, ConnectionError> {
        self.versions.pick(api, &wanted).ok_or_else(|| ConnectionError::NoCommonVersion {
            address: self.shared.address.clone(),
            api,
            offered: self.versions.offered(api),
            wanted,
        })
    }

    /// Sends `request` in the highest common version and waits for the answer.
    pub async fn ask<R: Request>(&self, request: &R) -> Result<R::Response, ConnectionError> {
        self.begin(self.version(R::KEY)?, request).await?.answer().await
    }

    /// Puts `request` on its way. Requests are sent in the order in which this returns.
    pub async fn begin<R: Request>(&self, version: i16, request: &R) -> Result<Reply<R>, ConnectionError> {
        self.begin_within(version, request, self.shared.settings.request_timeout).await
    }

    /// As [`begin`](Self::begin), with another time for the answer: a fetch may wait at the broker.
    pub async fn begin_within<R: Request>(
        &self,
        version: i16,
        request: &R,
        timeout: Duration,
    ) -> Result<Reply<R>, ConnectionError> {
        let room = self.shared.room().await?;
        let (correlation_id, frame) = self.frame(version, request)?;
        let (sender, answer) = oneshot::channel();
        let unanswered = Unanswered { correlation_id, api: R::KEY, version, answer: sender, _room: room };
        {
            // Under one lock, so that both queues have one order.
            let mut state = self.shared.lock();
            if let Some(fault) = &state.fault {
                return Err(fault.clone());
            }
            state.unanswered.push_back(unanswered);
            let _ = self.frames.send(Outgoing { frame, room: None });
        }
        let deadline = self.shared.runtime.clock.now() + timeout;
        Ok(Reply { shared: Arc::clone(&self.shared), answer, version, timeout, deadline, request: PhantomData })
    }

    /// Puts a request on its way that the broker does not answer: Produce with acks=0.
    pub async fn tell<R: Request>(&self, version: i16, request: &R) -> Result<(), ConnectionError> {
        let room = self.shared.room().await?;
        let (_, frame) = self.frame(version, request)?;
        if let Some(fault) = self.fault() {
            return Err(fault);
        }
        let _ = self.frames.send(Outgoing { frame, room: Some(room) });
        Ok(())
    }

    fn frame<R: Request>(&self, version: i16, request: &R) -> Result<(i32, Vec<u8>), ConnectionError> {
        let shared = &self.shared;
        let correlation_id = shared.correlation_id.fetch_add(1, Ordering::Relaxed) & i32::MAX;
        let frame = request_frame(correlation_id, Some(&shared.settings.client_id), version, request)
            .map_err(|error| ConnectionError::Request { address: shared.address.clone(), reason: error.to_string() })?;
        Ok((correlation_id, frame))
    }
}

impl<R: Request> Reply<R> {
    /// Waits for the answer. One that does not come in time ends the connection.
    pub async fn answer(self) -> Result<R::Response, ConnectionError> {
        let version = self.version;
        let (shared, answer) = self.bytes().await?;
        R::Response::decode(&mut Reader::new(&answer.frame[answer.body..]), version)
            .map_err(|error| shared.give_up_for(format!("{} v{version}: {error}", R::KEY)))
    }

    async fn bytes(self) -> Result<(Arc<Shared>, Answer), ConnectionError> {
        let Self { shared, answer, timeout, deadline, .. } = self;
        let result = tokio::select! {
            biased;
            result = answer => result.unwrap_or_else(|_| Err(shared.lost("it was closed here"))),
            () = shared.runtime.clock.sleep_until(deadline) => {
                let fault = ConnectionError::TimedOut { address: shared.address.clone(), api: R::KEY, after: timeout };
                Err(shared.give_up(fault))
            }
        };
        result.map(|answer| (shared, answer))
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until one more request may be unanswered.
    async fn room(&self) -> Result<OwnedSemaphorePermit, ConnectionError> {
        match Arc::clone(&self.in_flight).acquire_owned().await {
            Ok(room) => Ok(room),
            Err(_) => Err(self.lock().fault.clone().unwrap_or_else(|| self.lost("it was closed"))),
        }
    }

    fn lost(&self, reason: &str) -> ConnectionError {
        ConnectionError::Lost { address: self.address.clone(), reason: reason.to_owned() }
    }

    fn protocol_error(&self, reason: String) -> ConnectionError {
        ConnectionError::Protocol { address: self.address.clone(), reason }
    }

    fn give_up_for(&self, reason: String) -> ConnectionError {
        self.give_up(self.protocol_error(reason))
    }

    /// Ends the connection: everyone who waits is told `fault`. Returns the fault that came first.
    fn give_up(&self, fault: ConnectionError) -> ConnectionError {
        let (fault, unanswered) = {
            let mut state = self.lock();
            let fault = state.fault.get_or_insert(fault).clone();
            (fault, std::mem::take(&mut state.unanswered))
        };
        self.in_flight.close();
        self.given_up.notify_one();
        for waiting in unanswered {
            let _ = waiting.answer.send(Err(fault.clone()));
        }
        fault
    }
}

/// The connection's task: writes and reads until either ends, or somebody gives up.
async fn run(socket: Box<dyn Socket>, queue: mpsc::UnboundedReceiver<Outgoing>, shared: Arc<Shared>) {
    let (reading, writing) = tokio::io::split(socket);
    let fault = tokio::select! {
        biased;
        () = shared.given_up.notified() => return,
        fault = read_answers(reading, &shared) => fault,
        fault = write_requests(writing, queue, &shared) => fault,
    };
    tracing::debug!(%fault, "connection ended");
    shared.give_up(fault);
}

async fn write_requests(
    mut socket: WriteHalf<Box<dyn Socket>>,
    mut queue: mpsc::UnboundedReceiver<Outgoing>,
    shared: &Shared,
) -> ConnectionError {
    while let Some(outgoing) = queue.recv().await {
        if let Err(error) = socket.write_all(&outgoing.frame).await {
            return shared.lost(&io_reason(&error));
        }
        drop(outgoing.room);
    }
    // The owner dropped the connection. What is written is on its way; say that nothing follows.
    let _ = socket.shutdown().await;
    shared.lost("it was closed here")
}

async fn read_answers(socket: ReadHalf<Box<dyn Socket>>, shared: &Shared) -> ConnectionError {
    let mut socket = BufReader::new(socket);
    loop {
        let mut prefix = [0; SIZE_PREFIX];
        if let Err(error) = socket.read_exact(&mut prefix).await {
            return shared.lost(&io_reason(&error));
        }
        let size = match frame_size(prefix, shared.settings.response_bytes_max) {
            Ok(size) => size,
            Err(error) => return shared.protocol_error(error.to_string()),
        };
        let mut frame = Vec::with_capacity(size.min(ANSWER_BYTES_FIRST));
        match (&mut socket).take(size as u64).read_to_end(&mut frame).await {
            Ok(read) if read == size => {}
            Ok(_) => return shared.lost("the broker closed it within an answer"),
            Err(error) => return shared.lost(&io_reason(&error)),
        }
        if let Err(fault) = deliver(frame.into(), shared) {
            return fault;
        }
    }
}

/// Gives an answer to the oldest request, whose it must be.
fn deliver(frame: Bytes, shared: &Shared) -> Result<(), ConnectionError> {
    let Some(oldest) = shared.lock().unanswered.pop_front() else {
        return Err(shared.protocol_error("it answers what nobody asked".to_owned()));
    };
    let read = parse_response_head(&frame, oldest.api, oldest.version).map_err(|error| error.to_string());
    let checked = read.and_then(|(correlation_id, body)| match correlation_id == oldest.correlation_id {
        true => Ok(body),
        false => Err(format!("correlation id {correlation_id} where {} is due", oldest.correlation_id)),
    });
    match checked {
        Ok(body) => {
            let _ = oldest.answer.send(Ok(Answer { frame, body }));
            Ok(())
        }
        Err(reason) => {
            let fault = shared.protocol_error(format!("{}: {reason}", oldest.api));
            let _ = oldest.answer.send(Err(fault.clone()));
            Err(fault)
        }
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.address)
    }
}
