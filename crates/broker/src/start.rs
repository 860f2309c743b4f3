//! Brings a broker up and takes it down.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use ottla_config::BrokerConfig;
use ottla_controller::{Controller, RegisterBroker, Reply, Request, Settings as Limits};
use ottla_metadata::{BrokerEpoch, Endpoint, Fact, SecurityProtocol};
use ottla_quorum::{Options, Quorum, QuorumFault};
use ottla_runtime::{Lane, ListenOptions, Listener, Runtime, system};
use ottla_storage::StorageFault;
use ottla_storage::disk::Disk;
use ottla_storage::sown::{self, Bug};
use ottla_types::{Instant, Uuid};
use thiserror::Error;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{info, warn};

use crate::buffers::Buffers;
use crate::config_rules::Rules;
use crate::connections::Connections;
use crate::controller::{ControllerHandle, ControllerLoop};
use crate::conversions::Conversions;
use crate::directories::{Directories, DirectoriesFault};
use crate::fetch_sessions::FetchSessions;
use crate::groups;
use crate::housekeeping::Housekeeping;
use crate::http::{self, Watched};
use crate::log_levels::{LogLevels, NoLoggers};
use crate::memory::Memory;
use crate::metrics::Metrics;
use crate::node::Node;
use crate::partitions::Keeper;
use crate::producer_ids::ProducerIds;
use crate::settings::Settings;
use crate::takeover::{self, TakeoverFault};
use crate::{handlers, listener, telemetry};

/// The folder of the metadata log within the log directory. Never `__cluster_metadata-0`: a Kafka that finds a folder of
/// its own with foreign content in it renames every partition to a stray.
pub(crate) const METADATA_FOLDER: &str = "ottla-metadata";

/// How long a stop waits for connections to take their answers.
const STOP_PATIENCE: Duration = Duration::from_secs(10);

/// The part of the computer's memory that requests in flight may hold, unless `queued.max.request.bytes` says.
const MEMORY_SHARE: u64 = 4;

/// Why a broker did not start.
#[derive(Debug, Error)]
pub enum StartFault {
    /// The log directories cannot be used.
    #[error(transparent)]
    Directories(#[from] DirectoriesFault),
    /// A log directory could not be closed in order.
    #[error(transparent)]
    Storage(#[from] StorageFault),
    /// The metadata log cannot be used.
    #[error(transparent)]
    Quorum(#[from] Arc<QuorumFault>),
    /// A Kafka ran here, and what it left cannot be taken over.
    #[error("the directory of a Kafka cannot be taken over: {0}")]
    Takeover(#[from] TakeoverFault),
    /// A listener cannot be bound.
    #[error("cannot listen on {listener}: {error}")]
    Listen {
        /// The listener, as configured.
        listener: String,
        /// What the system says.
        error: io::Error,
    },
    /// The controller does not take the broker.
    #[error("the controller refused the broker: {0}")]
    Registration(String),
}

/// Why a broker cannot go on.
#[derive(Debug, Error)]
pub enum RunFault {
    /// The metadata quorum has stopped.
    #[error(transparent)]
    Quorum(Arc<QuorumFault>),
    /// Every log directory has failed; the last of them so.
    #[error("all log directories have failed: {0}")]
    Directories(StorageFault),
}

/// A running broker.
pub struct Broker {
    node: Arc<Node>,
    directories: Arc<Directories>,
    addresses: Vec<(String, SocketAddr)>,
    http_address: Option<SocketAddr>,
    loops: TaskTracker,
    /// Cancelled when the last connection has its answers: until then the loops behind them go on, for a produce that
    /// was begun is answered when it is flushed.
    drained: CancellationToken,
}

impl Broker {
    /// Opens the directory, forms or resumes the metadata quorum, takes the lead of every partition, and listens. When
    /// this returns, clients are served.
    pub async fn start(config: BrokerConfig, runtime: Runtime, disk: Arc<dyn Disk>) -> Result<Self, StartFault> {
        Self::start_logging(config, runtime, disk, Arc::new(NoLoggers)).await
    }

    /// The same in a process whose log levels can be changed.
    pub async fn start_logging(
        config: BrokerConfig,
        runtime: Runtime,
        disk: Arc<dyn Disk>,
        log_levels: Arc<dyn LogLevels>,
    ) -> Result<Self, StartFault> {
        let began = runtime.clock.now();
        // Ports first: a second broker on the same ports should say so before it touches anything.
        let listeners = bind(&config, &runtime).await?;
        let addresses = addresses(&listeners)?;
        let (stop, drained) = (CancellationToken::new(), CancellationToken::new());
        let loops = TaskTracker::new();
        let watched = Watched::default();
        let http_address = serve_http(&config, &runtime, &watched, &loops, &drained).await?;
        let directories = Directories::open(&config, &runtime, &disk, METADATA_FOLDER, &drained).await?;
        let directories = Arc::new(directories);
        let folder = config.metadata_log_dir.join(METADATA_FOLDER);
        let quorum = Arc::new(Quorum::open(&runtime, disk.clone(), &folder, Options::new(config.node_id)).await?);
        directories.remember(&*disk, &folder).await;

        let settings = Arc::new(Settings::new(config.clone()));
        let (mut keeper, partitions, settled) =
            Keeper::new(settings.clone(), runtime.clone(), quorum.clone(), directories.clone());
        let founding = takeover::founding(&*disk, &config.metadata_log_dir, config.node_id, &quorum.image()).await?;
        let machine = controller(&settings, directories.cluster_id(), founding);
        let (controller_loop, controller) =
            ControllerLoop::new(machine, runtime.clone(), quorum.clone(), settled.clone(), drained.clone());
        runtime.spawn(Lane::Control, loops.track_future(controller_loop.run()));
        let broker_epoch = register(&config, &runtime, &controller, &addresses, directories.cluster_id()).await?;
        let moves = keeper.begin().await;
        runtime.spawn(Lane::Control, loops.track_future(keeper.run(drained.clone())));
        let housekeeping = Housekeeping {
            config: &config,
            settings: &settings,
            runtime: &runtime,
            directories: &directories,
            partitions: &partitions,
            moves: &moves,
            loops: &loops,
        };
        let counted = housekeeping.start(&drained);

        let groups = groups::begin(&settings, &runtime, &quorum, &partitions, &loops, &drained, settled);
        let connections = connections(&settings, &runtime);
        runtime.spawn(Lane::Control, loops.track_future(connections.clone().sweep(drained.clone())));
        let client_metrics = telemetry::Shared::default();
        let forget = telemetry::forget_silent(client_metrics.clone(), runtime.clock.clone(), drained.clone());
        runtime.spawn(Lane::Control, loops.track_future(forget));
        let buffers = Arc::new(Buffers::default());
        let trim = buffers.clone().keep_trimmed(runtime.clock.clone(), drained.clone());
        runtime.spawn(Lane::Control, loops.track_future(trim));
        let node = Arc::new(Node {
            groups,
            producer_ids: ProducerIds::new(config.node_id, broker_epoch),
            fetch_sessions: FetchSessions::new(config.fetch_sessions_max),
            settings,
            log_levels,
            runtime: runtime.clone(),
            quorum,
            controller,
            partitions,
            directories: directories.clone(),
            moves,
            buffers,
            conversions: Conversions::default(),
            stop,
            connections,
            metrics: Metrics::new(handlers::count(), counted),
            client_metrics: client_metrics.clone(),
        });
        watched.started(node.clone());
        for (name, bound) in listeners {
            runtime.spawn(Lane::Data, loops.track_future(listener::accept(node.clone(), bound, name.into())));
        }
        let started = Self { node, directories, addresses, http_address, loops, drained };
        started.tell(began);
        Ok(started)
    }

    /// Says what was started, once.
    fn tell(&self, began: Instant) {
        let listeners: Vec<_> = self.addresses.iter().map(|(name, address)| format!("{name}://{address}")).collect();
        let ms = u64::try_from(self.node.runtime.clock.now().since(began).as_millis()).unwrap_or_default();
        info!(
            version = env!("CARGO_PKG_VERSION"),
            node_id = %self.node.config().node_id,
            cluster_id = self.cluster_id(),
            listeners = listeners.join(","),
            http = self.http_address.map(tracing::field::display),
            partitions = self.node.partitions.all().len(),
            ms,
            "broker started"
        );
    }

    /// Where it listens: the listener's name and the address it got.
    #[must_use]
    pub fn addresses(&self) -> &[(String, SocketAddr)] {
        &self.addresses
    }

    /// Where it serves HTTP, if it does.
    #[must_use]
    pub const fn http_address(&self) -> Option<SocketAddr> {
        self.http_address
    }

    /// The id of the cluster.
    #[must_use]
    pub fn cluster_id(&self) -> &str {
        self.directories.cluster_id()
    }

    /// Completes when the broker cannot go on: its metadata quorum has stopped, and what the cluster decides would no
    /// longer be known here; or none of its log directories is left.
    pub async fn failed(&self) -> RunFault {
        tokio::select! {
            biased;
            fault = self.quorum_failed() => RunFault::Quorum(fault),
            fault = self.directories.all_lost() => RunFault::Directories(fault),
        }
    }

    async fn quorum_failed(&self) -> Arc<QuorumFault> {
        let mut standing = self.node.quorum.watch();
        loop {
            if let Some(fault) = standing.borrow_and_update().stopped.clone() {
                return fault;
            }
            if standing.changed().await.is_err() {
                return std::future::pending().await;
            }
        }
    }

    /// Reads no further request, answers what was begun, flushes everything and leaves the mark of a clean stop. After an
    /// error, such as that of a log whose disk failed, all else is closed as well, and only the mark is missing.
    pub async fn stop(self) -> Result<(), StartFault> {
        info!("broker stops");
        self.node.stop.cancel();
        self.node.partitions.wake_all();
        self.node.connections.tasks.close();
        // A client that does not read its answers keeps nobody from stopping.
        let patience = self.node.runtime.clock.now() + STOP_PATIENCE;
        tokio::select! {
            biased;
            () = self.node.connections.tasks.wait() => {}
            () = self.node.runtime.clock.sleep_until(patience) => warn!("connections were cut off with answers unsent"),
        }
        self.drained.cancel();
        self.loops.close();
        self.loops.wait().await;
        let directories = self.directories.close(&self.node.partitions.high_watermarks()).await;
        let quorum = self.node.quorum.shutdown().await;
        directories?;
        quorum?;
        info!("broker stopped");
        Ok(())
    }
}

/// Binds every listener.
async fn bind(config: &BrokerConfig, runtime: &Runtime) -> Result<Vec<(String, Box<dyn Listener>)>, StartFault> {
    let limits = &config.connections;
    let options = ListenOptions {
        backlog: limits.backlog,
        send_buffer_bytes: limits.send_buffer_bytes,
        receive_buffer_bytes: limits.receive_buffer_bytes,
    };
    let mut bound = Vec::new();
    for wanted in &config.listeners {
        let fault = |error| StartFault::Listen { listener: wanted.to_string(), error };
        let listener = runtime.network.listen(&wanted.host, wanted.port, options).await.map_err(fault)?;
        bound.push((wanted.name.clone(), listener));
    }
    Ok(bound)
}

/// Serves HTTP, if that is wanted; answers where.
async fn serve_http(
    config: &BrokerConfig,
    runtime: &Runtime,
    watched: &Watched,
    loops: &TaskTracker,
    stop: &CancellationToken,
) -> Result<Option<SocketAddr>, StartFault> {
    let Some((listener, address)) = listen_http(config, runtime).await? else { return Ok(None) };
    let serve = http::serve(listener, watched.clone(), runtime.clone(), stop.clone());
    runtime.spawn(Lane::Data, loops.track_future(serve));
    Ok(Some(address))
}

/// Binds the HTTP port. One that nobody asked for and that is taken is done without.
async fn listen_http(
    config: &BrokerConfig,
    runtime: &Runtime,
) -> Result<Option<(Box<dyn Listener>, SocketAddr)>, StartFault> {
    let Some(wanted) = &config.http else { return Ok(None) };
    let bound = async {
        let listener = runtime.network.listen(&wanted.host, wanted.port, ListenOptions::default()).await?;
        let address = listener.local_addr()?;
        Ok((listener, address))
    };
    match bound.await {
        Ok(bound) => Ok(Some(bound)),
        Err(error) if wanted.required => {
            Err(StartFault::Listen { listener: format!("http://{}:{}", wanted.host, wanted.port), error })
        }
        Err(error) => {
            warn!(%error, port = wanted.port, "no /metrics: set ottla.http.listener to another port, or to nothing");
            Ok(None)
        }
    }
}

fn connections(settings: &Arc<Settings>, runtime: &Runtime) -> Arc<Connections> {
    let memory_max = settings.present().connections.request_memory_max;
    let memory = Memory::new(memory_max.unwrap_or_else(|| system::memory_bytes() / MEMORY_SHARE));
    Arc::new(Connections::new(runtime.clock.clone(), settings.clone(), Arc::new(memory)))
}

fn addresses(listeners: &[(String, Box<dyn Listener>)]) -> Result<Vec<(String, SocketAddr)>, StartFault> {
    let address = |(name, listener): &(String, Box<dyn Listener>)| match listener.local_addr() {
        Ok(address) => Ok((name.clone(), address)),
        Err(error) => Err(StartFault::Listen { listener: name.clone(), error }),
    };
    listeners.iter().map(address).collect()
}

fn controller(settings: &Arc<Settings>, cluster_id: &str, founding: Vec<Fact>) -> Controller {
    let config = settings.present();
    let limits = Limits {
        cluster_id: cluster_id.to_owned(),
        partitions_default: config.default_partitions,
        replication_factor_default: config.default_replication_factor,
        topics_deletable: config.delete_topics,
        founding,
        ..Limits::default()
    };
    Controller::new(limits, Box::new(Rules { settings: settings.clone() }))
}

/// Tells the controller who this broker is, in this run. Every partition that it leads gets a new leader epoch by that.
async fn register(
    config: &BrokerConfig,
    runtime: &Runtime,
    controller: &ControllerHandle,
    addresses: &[(String, SocketAddr)],
    cluster_id: &str,
) -> Result<BrokerEpoch, StartFault> {
    let bound_port = |name: &str| addresses.iter().find(|(bound, _)| bound == name).map(|(_, address)| address.port());
    let endpoints = config.advertised_listeners.iter().map(|advertised| Endpoint {
        listener: advertised.name.clone(),
        host: advertised.host.clone(),
        // Port 0 stands for the port that the listener got.
        port: Some(advertised.port).filter(|port| *port != 0).or(bound_port(&advertised.name)).unwrap_or_default(),
        security_protocol: SecurityProtocol::Plaintext,
    });
    let request = RegisterBroker {
        cluster_id: cluster_id.to_owned(),
        id: config.node_id,
        incarnation: if sown::is(Bug::EpochNotRaised) { Uuid::from_random(1) } else { random_id(runtime) },
        rack: config.rack.clone(),
        endpoints: endpoints.collect(),
    };
    let refused = |reason: &dyn std::fmt::Display| StartFault::Registration(reason.to_string());
    match controller.ask_before_serving(Request::RegisterBroker(request)).await {
        Reply::RegisterBroker(Ok(epoch)) => Ok(epoch),
        Reply::RegisterBroker(Err(refusal)) => Err(refused(&refusal)),
        Reply::Refused(refusal) => Err(refused(&refusal)),
        other => unreachable!("the controller answers what it was asked, not {other}"),
    }
}

fn random_id(runtime: &Runtime) -> Uuid {
    Uuid::from_random(runtime.random.wide_bits())
}
