//! The cluster as a client sees it: its brokers, the leaders of topics' partitions, one connection to each broker.
//!
//! What is known is kept until somebody finds that it is wrong and asks for a refresh. Reading what is known takes no
//! I/O. Retrying is the callers' affair, but for [`Cluster::retry`], which admin calls use.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ottla_protocol::Request;
use ottla_protocol::metadata::{MetadataRequest, MetadataRequestTopic, MetadataResponse, MetadataResponseTopic};
use ottla_runtime::Runtime;
use ottla_types::{BrokerId, ErrorCode, Instant, LeaderEpoch, TopicId};

use crate::address::Address;
use crate::connection::Connection;
use crate::error::{ClientError, ConnectionError, Refusal};
use crate::settings::ClientSettings;

/// How often a topic that seems not to exist is asked for again: a broker hears of a new one after the controller.
const UNKNOWN_TOPIC_ATTEMPTS: u32 = 3;

/// A cluster and the connections to it. Cheap to clone; all clones share what they know.
#[derive(Clone, Debug)]
pub struct Cluster {
    inner: Arc<Inner>,
}

struct Inner {
    runtime: Runtime,
    settings: ClientSettings,
    bootstrap: Vec<Address>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    brokers: BTreeMap<BrokerId, Address>,
    controller: Option<BrokerId>,
    topics: BTreeMap<Arc<str>, Arc<Topic>>,
    /// One place for a connection per address. Whoever holds the lock of a place is connecting.
    places: BTreeMap<Address, Arc<Place>>,
}

type Place = tokio::sync::Mutex<Option<Arc<Connection>>>;

/// What is known of a topic.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Topic {
    /// Its name.
    pub name: Arc<str>,
    /// Its id; zero from a broker before 2.8.
    pub id: TopicId,
    /// Whether it is one of Kafka's own, such as `__consumer_offsets`.
    pub is_internal: bool,
    /// Its partitions, in order from 0.
    pub partitions: Vec<Partition>,
}

/// What is known of a partition.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Partition {
    /// Its number within the topic.
    pub index: i32,
    /// Who leads it; `None` while nobody does.
    pub leader: Option<BrokerId>,
    /// The leader's epoch; unknown from a broker before 2.1.
    pub leader_epoch: LeaderEpoch,
    /// Who has a copy, the preferred leader first.
    pub replicas: Vec<BrokerId>,
    /// Who has all that the leader has.
    pub isr: Vec<BrokerId>,
}

impl Topic {
    /// The partition of that number; the error says how many there are.
    pub fn partition(&self, index: i32) -> Result<&Partition, ClientError> {
        let found = self.partitions.binary_search_by_key(&index, |partition| partition.index);
        found.map(|at| &self.partitions[at]).map_err(|_| ClientError::UnknownPartition {
            topic: self.name.to_string(),
            partition: index,
            count: self.partitions.len(),
        })
    }
}

impl Cluster {
    /// Looks for a broker that answers at one of the `bootstrap` addresses and learns from it who else there is.
    /// Fails at once if none does.
    pub async fn connect(
        runtime: Runtime,
        bootstrap: Vec<Address>,
        settings: ClientSettings,
    ) -> Result<Self, ClientError> {
        let cluster = Self { inner: Arc::new(Inner { runtime, settings, bootstrap, state: Mutex::default() }) };
        cluster.ask_metadata(Some(&[])).await?;
        Ok(cluster)
    }

    /// The seams that it was made with.
    #[must_use]
    pub fn runtime(&self) -> &Runtime {
        &self.inner.runtime
    }

    /// The settings that it was made with.
    #[must_use]
    pub fn settings(&self) -> &ClientSettings {
        &self.inner.settings
    }

    /// The topic as it is known now, without asking anybody.
    #[must_use]
    pub fn known_topic(&self, name: &str) -> Option<Arc<Topic>> {
        self.lock().topics.get(name).cloned()
    }

    /// The topic, asked for if it is not known yet.
    pub async fn topic(&self, name: &str) -> Result<Arc<Topic>, ClientError> {
        let mut attempt = 0;
        loop {
            if let Some(topic) = self.known_topic(name) {
                return Ok(topic);
            }
            let response = self.retry("asking for the topic", async || self.ask_metadata(Some(&[name])).await).await?;
            if self.known_topic(name).is_some() {
                continue;
            }
            let refusal = refusal_of(&response, name);
            attempt += 1;
            if !refusal.is_retriable() {
                return Err(refusal.into());
            }
            if attempt > UNKNOWN_TOPIC_ATTEMPTS {
                return Err(match refusal.code {
                    ErrorCode::UnknownTopicOrPartition => ClientError::UnknownTopic(name.to_owned()),
                    _ => refusal.into(),
                });
            }
            self.pause(attempt - 1).await;
        }
    }

    /// Asks again for all that is known of these topics. One that is gone is known no more.
    pub async fn refresh(&self, names: &[&str]) -> Result<(), ClientError> {
        self.ask_metadata(Some(names)).await.map(drop)
    }

    /// Asks for every topic there is.
    pub async fn all_topics(&self) -> Result<Vec<Arc<Topic>>, ClientError> {
        let response = self.ask_metadata(None).await?;
        let mut topics: Vec<_> =
            response.topics.iter().filter(|topic| topic.error_code == 0).filter_map(read_topic).map(Arc::new).collect();
        topics.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(topics)
    }

    /// The brokers that are known now, by id.
    #[must_use]
    pub fn brokers(&self) -> BTreeMap<BrokerId, Address> {
        self.lock().brokers.clone()
    }

    /// The connection to a broker, opened if need be.
    pub async fn connection(&self, broker: BrokerId) -> Result<Arc<Connection>, ClientError> {
        let address = self.lock().brokers.get(&broker).cloned();
        match address {
            Some(address) => Ok(self.connection_to(&address).await?),
            None => Err(ClientError::Unreachable(Vec::new())),
        }
    }

    /// A connection to whichever broker answers: those that are known, then those of the bootstrap list.
    pub async fn any_connection(&self) -> Result<Arc<Connection>, ClientError> {
        let mut candidates: Vec<Address> = self.lock().brokers.values().cloned().collect();
        if !candidates.is_empty() {
            // Not everybody shall ask the same broker.
            let start = self.inner.runtime.random.bits() % candidates.len() as u64;
            candidates.rotate_left(start as usize);
        }
        for address in &self.inner.bootstrap {
            if !candidates.contains(address) {
                candidates.push(address.clone());
            }
        }
        let mut attempts = Vec::new();
        for address in candidates {
            match self.connection_to(&address).await {
                Ok(connection) => return Ok(connection),
                Err(error) => attempts.push(error),
            }
        }
        Err(ClientError::Unreachable(attempts))
    }

    /// A connection to the controller, or to any broker if it is not known: brokers since 2.8 pass such requests on.
    pub async fn controller_connection(&self) -> Result<Arc<Connection>, ClientError> {
        let controller = self.lock().controller;
        if let Some(controller) = controller
            && let Ok(connection) = self.connection(controller).await
        {
            return Ok(connection);
        }
        self.any_connection().await
    }

    /// Sends a request to any broker.
    pub async fn ask_any<R: Request>(&self, request: &R) -> Result<R::Response, ClientError> {
        Ok(self.any_connection().await?.ask(request).await?)
    }

    /// Calls `attempt` until it does not fail with what a retry may mend, or until the time for a call is over.
    pub(crate) async fn retry<T>(
        &self,
        what: &'static str,
        mut attempt: impl AsyncFnMut() -> Result<T, ClientError>,
    ) -> Result<T, ClientError> {
        let mut patience = self.patience(what);
        loop {
            match attempt().await {
                Err(error) => patience.after(error).await?,
                done => return done,
            }
        }
    }

    /// As [`retry`](Self::retry), for a caller with a loop of its own.
    pub(crate) fn patience(&self, what: &'static str) -> Patience<'_> {
        let after = self.inner.settings.api_timeout;
        Patience { cluster: self, what, after, deadline: self.inner.runtime.clock.now() + after, attempts: 0 }
    }

    /// Waits before retry number `attempt`.
    pub(crate) async fn pause(&self, attempt: u32) {
        let Runtime { clock, random, .. } = &self.inner.runtime;
        clock.sleep_until(clock.now() + self.inner.settings.backoff(attempt, random.bits())).await;
    }

    /// The connection to whoever is at `address`, opened if need be.
    pub(crate) async fn connection_to(&self, address: &Address) -> Result<Arc<Connection>, ConnectionError> {
        let place = Arc::clone(self.lock().places.entry(address.clone()).or_default());
        let mut place = place.lock().await;
        if let Some(connection) = &*place
            && connection.fault().is_none()
        {
            return Ok(Arc::clone(connection));
        }
        // A dead one goes before the new one comes, so that a broker never sees two of us.
        *place = None;
        let opened = Connection::open(&self.inner.runtime, address, &self.inner.settings).await?;
        Ok(Arc::clone(place.insert(Arc::new(opened))))
    }

    /// Asks for the brokers and for topics, all of them for `None`, and remembers the answer.
    async fn ask_metadata(&self, names: Option<&[&str]>) -> Result<MetadataResponse, ClientError> {
        let topic = |name: &&str| MetadataRequestTopic { name: Some((*name).to_owned()), ..Default::default() };
        let request = MetadataRequest {
            topics: names.map(|names| names.iter().map(topic).collect()),
            allow_auto_topic_creation: false,
            ..MetadataRequest::default()
        };
        let response = self.ask_any(&request).await?;
        Refusal::check(response.error_code, None)?;
        self.lock().learn(&response, &self.inner.bootstrap);
        Ok(response)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.inner.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Attempts at one call.
pub(crate) struct Patience<'a> {
    cluster: &'a Cluster,
    what: &'static str,
    after: Duration,
    deadline: Instant,
    attempts: u32,
}

impl Patience<'_> {
    /// Waits after an attempt that failed; an error says that there shall be no other.
    pub(crate) async fn after(&mut self, error: ClientError) -> Result<(), ClientError> {
        // Brokers that are all gone count too: one answered when the cluster was connected, and may come back.
        if !error.is_retriable() {
            return Err(error);
        }
        let Self { what, after, .. } = *self;
        tracing::debug!(%error, what, "retrying");
        if self.cluster.inner.runtime.clock.now() >= self.deadline {
            return Err(ClientError::TimedOut { what, after, last: error.to_string() });
        }
        self.cluster.pause(self.attempts).await;
        self.attempts += 1;
        Ok(())
    }
}

impl State {
    fn learn(&mut self, response: &MetadataResponse, bootstrap: &[Address]) {
        let known = response.brokers.iter().filter_map(|broker| {
            let port = u16::try_from(broker.port).ok()?;
            Some((BrokerId(broker.node_id), Address { host: broker.host.clone(), port }))
        });
        self.brokers = known.collect();
        self.controller = Some(BrokerId(response.controller_id)).filter(|id| *id != BrokerId::NONE);
        let brokers = &self.brokers;
        self.places.retain(|address, _| bootstrap.contains(address) || brokers.values().any(|known| known == address));
        for answered in &response.topics {
            let Some(name) = answered.name.as_deref() else { continue };
            match read_topic(answered).filter(|_| answered.error_code == 0) {
                Some(topic) => drop(self.topics.insert(Arc::clone(&topic.name), Arc::new(topic))),
                None => drop(self.topics.remove(name)),
            }
        }
    }
}

fn read_topic(answered: &MetadataResponseTopic) -> Option<Topic> {
    let brokers = |ids: &[i32]| ids.iter().copied().map(BrokerId).collect();
    let mut partitions: Vec<_> = answered
        .partitions
        .iter()
        .map(|partition| Partition {
            index: partition.partition_index,
            leader: Some(BrokerId(partition.leader_id)).filter(|id| *id != BrokerId::NONE),
            leader_epoch: LeaderEpoch(partition.leader_epoch),
            replicas: brokers(&partition.replica_nodes),
            isr: brokers(&partition.isr_nodes),
        })
        .collect();
    partitions.sort_by_key(|partition| partition.index);
    let (id, is_internal) = (answered.topic_id, answered.is_internal);
    Some(Topic { name: answered.name.as_deref()?.into(), id, is_internal, partitions })
}

/// Why an answer does not describe the topic that was asked for.
fn refusal_of(response: &MetadataResponse, name: &str) -> Refusal {
    let answered = response.topics.iter().find(|topic| topic.name.as_deref() == Some(name));
    let code = answered.map_or(ErrorCode::UnknownTopicOrPartition.raw(), |topic| topic.error_code);
    let unknown = Refusal { code: ErrorCode::UnknownTopicOrPartition, message: None };
    Refusal::check(code, Some(format!("topic \"{name}\""))).err().unwrap_or(unknown)
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cluster").field("bootstrap", &self.bootstrap).finish_non_exhaustive()
    }
}
