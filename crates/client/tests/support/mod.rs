//! Brokers that do what a test says, behind a network in memory and a clock that jumps.
//!
//! A test gives each broker a closure from what was asked to what the broker does. All that is asked is written down,
//! so that a test can tell what a client did, and that it does the same again.

use std::collections::BTreeMap;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use ottla_client::{Address, ClientSettings};
use ottla_protocol::api_versions::{ApiVersion, ApiVersionsResponse};
use ottla_protocol::frame::response_frame;
use ottla_protocol::metadata::{
    MetadataResponse, MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use ottla_protocol::{ApiKey, Message, Request, RequestHead};
use ottla_runtime::{
    BoxFuture, Lane, ListenOptions, Listener, Network, Runtime, SeededRandom, Socket, Spawn, TokioClock, WallClock,
};
use ottla_types::{Timestamp, Uuid};
use ottla_wire::Reader;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf};
use tokio::net::TcpStream;

/// A request as a broker gets it.
pub(crate) struct Asked {
    pub(crate) api: ApiKey,
    pub(crate) version: i16,
    pub(crate) correlation_id: i32,
    body: Bytes,
}

impl Asked {
    pub(crate) fn read<R: Request>(&self) -> R {
        let mut reader = Reader::new(&self.body);
        let request = R::decode(&mut reader, self.version).expect("the client writes what can be read");
        reader.finish().expect("and nothing behind it");
        request
    }

    /// The answer in the version that was asked.
    pub(crate) fn answer<M: Message>(&self, response: &M) -> Action {
        self.answer_in(self.version, response)
    }

    pub(crate) fn answer_in<M: Message>(&self, version: i16, response: &M) -> Action {
        Action::Answer(response_frame(self.correlation_id, version, response).expect("a response that can be written"))
    }
}

/// What a broker does about a request.
pub(crate) enum Action {
    Answer(Vec<u8>),
    /// Answers after a while, and what comes in between later still.
    Late(Duration, Vec<u8>),
    Ignore,
    Close,
}

impl Action {
    pub(crate) fn late(self, by: Duration) -> Self {
        match self {
            Self::Answer(frame) => Self::Late(by, frame),
            other => other,
        }
    }
}

type Script = Arc<Mutex<dyn FnMut(&Asked) -> Action + Send>>;

/// A world with brokers in it.
#[derive(Clone, Default)]
pub(crate) struct World {
    brokers: Arc<Mutex<BTreeMap<u16, (usize, Script)>>>,
    log: Arc<Mutex<Vec<(tokio::time::Instant, String)>>>,
}

impl World {
    /// Has a broker answer at `port` of the host "broker".
    pub(crate) fn broker(&self, port: u16, script: impl FnMut(&Asked) -> Action + Send + 'static) {
        self.brokers.lock().unwrap().insert(port, (0, Arc::new(Mutex::new(script))));
    }

    /// What was asked until now, one line a request: port, connection, API and version.
    pub(crate) fn log(&self) -> Vec<String> {
        self.log.lock().unwrap().iter().map(|(_, line)| line.clone()).collect()
    }

    /// The same, with the milliseconds since the first.
    pub(crate) fn trace(&self) -> Vec<(u128, String)> {
        let log = self.log.lock().unwrap();
        let start = log.first().map(|(at, _)| *at);
        log.iter().map(|(at, line)| ((*at - start.unwrap_or(*at)).as_millis(), line.clone())).collect()
    }

    /// How often this API was asked for.
    pub(crate) fn count(&self, api: ApiKey) -> usize {
        self.log().iter().filter(|line| line.contains(&format!(" {api} "))).count()
    }

    pub(crate) fn runtime(&self) -> Runtime {
        struct Wall;
        impl WallClock for Wall {
            fn wall(&self, since_start: Duration) -> Timestamp {
                Timestamp(1_700_000_000_000 + since_start.as_millis() as i64)
            }
        }
        struct Tasks;
        impl Spawn for Tasks {
            fn spawn(&self, _lane: Lane, task: BoxFuture<'static, ()>) {
                drop(tokio::spawn(task));
            }
        }
        Runtime {
            clock: Arc::new(TokioClock::start(Wall)),
            random: Arc::new(SeededRandom::new(1)),
            tasks: Arc::new(Tasks),
            network: Arc::new(self.clone()),
        }
    }

    pub(crate) async fn connect(&self, port: u16) -> Result<ottla_client::Cluster, ottla_client::ClientError> {
        let bootstrap = vec![Address { host: "broker".to_owned(), port }];
        ottla_client::Cluster::connect(self.runtime(), bootstrap, ClientSettings::default()).await
    }

    async fn serve(self, mut socket: DuplexStream, port: u16, connection: usize, script: Script) {
        let mut prefix = [0; 4];
        while socket.read_exact(&mut prefix).await.is_ok() {
            let mut frame = vec![0; u32::from_be_bytes(prefix) as usize];
            if socket.read_exact(&mut frame).await.is_err() {
                return;
            }
            let head = RequestHead::parse(&frame).unwrap();
            let api = head.api().expect("an API and a version that exist");
            let (version, correlation_id, body) = (head.api_version, head.correlation_id, head.body);
            let asked = Asked { api, version, correlation_id, body: Bytes::copy_from_slice(&frame[body..]) };
            self.log
                .lock()
                .unwrap()
                .push((tokio::time::Instant::now(), format!("{port}#{connection} {api} v{version}")));
            let action = (*script.lock().unwrap())(&asked);
            let answer = match action {
                Action::Answer(answer) => answer,
                Action::Late(by, answer) => {
                    tokio::time::sleep(by).await;
                    answer
                }
                Action::Ignore => continue,
                Action::Close => return,
            };
            if socket.write_all(&answer).await.is_err() {
                return;
            }
        }
    }
}

impl Network for World {
    fn listen<'a>(
        &'a self,
        _host: &'a str,
        _port: u16,
        _options: ListenOptions,
    ) -> BoxFuture<'a, io::Result<Box<dyn Listener>>> {
        Box::pin(async { Err(io::ErrorKind::Unsupported.into()) })
    }

    fn connect<'a>(&'a self, _host: &'a str, port: u16) -> BoxFuture<'a, io::Result<Box<dyn Socket>>> {
        Box::pin(async move {
            let (connection, script) = {
                let mut brokers = self.brokers.lock().unwrap();
                let Some((connections, script)) = brokers.get_mut(&port) else {
                    return Err(io::ErrorKind::ConnectionRefused.into());
                };
                *connections += 1;
                (*connections - 1, Arc::clone(script))
            };
            let (ours, theirs) = tokio::io::duplex(1 << 16);
            drop(tokio::spawn(self.clone().serve(theirs, port, connection, script)));
            Ok(Box::new(Pipe(ours)) as Box<dyn Socket>)
        })
    }
}

struct Pipe(DuplexStream);

impl Socket for Pipe {
    fn tcp(&self) -> Option<&TcpStream> {
        None
    }
}

impl AsyncRead for Pipe {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Pipe {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

/// What a broker of Kafka 4.3 offers, of what a client asks for.
pub(crate) fn versions() -> ApiVersionsResponse {
    let api_keys = ApiKey::ALL.iter().map(|api| {
        let versions = api.versions();
        ApiVersion { api_key: api.raw(), min_version: *versions.start(), max_version: *versions.end() }
    });
    ApiVersionsResponse { api_keys: api_keys.collect(), ..Default::default() }
}

/// The id of topic "t".
pub(crate) const TOPIC_ID: Uuid = Uuid([7; 16]);

/// Topic "t" with one partition, led by the broker at port `leader`, whose id is its port; brokers at 1 and 2.
pub(crate) fn metadata(leader: u16) -> MetadataResponse {
    let broker = |port: i32| MetadataResponseBroker { node_id: port, host: "broker".into(), port, rack: None };
    let partition = MetadataResponsePartition {
        leader_id: i32::from(leader),
        leader_epoch: i32::from(leader),
        replica_nodes: vec![1, 2],
        isr_nodes: vec![1, 2],
        ..Default::default()
    };
    let topic = MetadataResponseTopic {
        name: Some("t".into()),
        topic_id: TOPIC_ID,
        partitions: vec![partition],
        ..Default::default()
    };
    MetadataResponse {
        brokers: vec![broker(1), broker(2)],
        controller_id: 1,
        topics: vec![topic],
        ..Default::default()
    }
}
