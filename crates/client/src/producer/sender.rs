//! The producer's task: looks what may be sent, builds it, hands it to a lane per broker, and tells the queues what came
//! back. The queues decide; nothing is decided here but when to ask for the leaders again.
//!
//! A lane is a task of its own, so that one broker that does not answer keeps nobody else waiting. It sends its
//! requests in the order in which it gets them.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use ottla_protocol::ApiKey;
use ottla_protocol::produce::{
    PartitionProduceData, PartitionProduceResponse, ProduceRequest, ProduceResponse, TopicProduceData,
};
use ottla_record::Compressor;
use ottla_runtime::Lane;
use ottla_types::{BrokerId, ErrorCode, Instant, Offset, TopicId};
use tokio::sync::mpsc;

use super::accumulator::{PartitionKey, Shipment};
use super::partition_queue::{Content, Verdict};
use super::{Acks, IN_FLIGHT_MAX, Shared};
use crate::cluster::Cluster;
use crate::error::{ClientError, Refusal};
use crate::versions::wanted_versions;

/// From this version on topics are named by id (KIP-516).
const TOPIC_IDS: i16 = 13;

/// One batch of a request.
#[derive(Clone, Debug)]
struct SentBatch {
    partition: PartitionKey,
    topic_id: TopicId,
    id: u64,
    bytes: Bytes,
}

/// What tasks tell the sender.
enum Event {
    /// A request is answered, or will not be.
    Answered { broker: BrokerId, batches: Vec<SentBatch>, result: Result<ProduceResponse, ClientError> },
    /// The cluster was asked for the leaders again.
    Refreshed,
}

/// What the sender knows of the way to a broker.
struct Route {
    requests: mpsc::UnboundedSender<Vec<SentBatch>>,
    in_flight: usize,
}

struct Sender {
    shared: Arc<Shared>,
    routes: BTreeMap<BrokerId, Route>,
    events: mpsc::UnboundedSender<Event>,
    compressor: Compressor,
    /// What is known of leaders was found wrong.
    stale: bool,
    refreshing: bool,
    /// No refresh before that.
    refresh_at: Instant,
    refreshes: u32,
}

/// Runs until the producer is dropped.
pub(super) async fn run(shared: Arc<Shared>) {
    let (events, mut happened) = mpsc::unbounded_channel();
    let mut sender = Sender {
        shared: Arc::clone(&shared),
        routes: BTreeMap::new(),
        events,
        compressor: Compressor::default(),
        stale: false,
        refreshing: false,
        refresh_at: Instant::START,
        refreshes: 0,
    };
    let clock = Arc::clone(&shared.cluster.runtime().clock);
    loop {
        let now = clock.now();
        shared.with_all(|queue, rules| queue.expire(now, rules));
        let deadline = sender.ship(now);
        if shared.lock().closed {
            return;
        }
        let sleep = async {
            match deadline {
                Some(deadline) => clock.sleep_until(deadline).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            Some(event) = happened.recv() => {
                sender.handle(event);
                while let Ok(event) = happened.try_recv() {
                    sender.handle(event);
                }
            }
            () = shared.wake.notified() => {}
            () = sleep => {}
        }
    }
}

impl Sender {
    /// Sends what may be sent. Returns when to look again.
    fn ship(&mut self, now: Instant) -> Option<Instant> {
        let shared = Arc::clone(&self.shared);
        let cluster = &shared.cluster;
        let mut leaderless = false;
        loop {
            let has_room = |broker| self.routes.get(&broker).is_none_or(|route| route.in_flight < IN_FLIGHT_MAX);
            let leader = |topic: &str, index: i32| cluster.known_topic(topic)?.partition(index).ok()?.leader;
            let taken = shared.lock().take(now, shared.settings.request_bytes_max, has_room, leader);
            leaderless |= !taken.leaderless.is_empty();
            if taken.shipments.is_empty() {
                break;
            }
            for shipment in taken.shipments {
                self.dispatch(shipment);
            }
        }
        self.stale |= leaderless;
        self.refresh(now);
        let refresh_at = Some(self.refresh_at).filter(|_| self.stale && !self.refreshing);
        [shared.lock().deadline(now), refresh_at].into_iter().flatten().min()
    }

    /// Builds the batches and hands them to the broker's lane.
    fn dispatch(&mut self, shipment: Shipment) {
        let mut batches = Vec::with_capacity(shipment.batches.len());
        for (partition, departure) in shipment.batches {
            let bytes = match departure.content {
                Content::Records(builder) => {
                    builder.build(&mut self.compressor).expect("a batch has a record and is bounded by its request")
                }
                Content::Built(bytes) => bytes,
            };
            let topic_id = self.shared.cluster.known_topic(&partition.0).map_or(TopicId::ZERO, |topic| topic.id);
            batches.push(SentBatch { partition, topic_id, id: departure.id, bytes });
        }
        let (shared, events) = (&self.shared, &self.events);
        let route = self.routes.entry(shipment.broker).or_insert_with(|| {
            let (requests, queue) = mpsc::unbounded_channel();
            let lane = lane(Arc::clone(shared), shipment.broker, queue, events.clone());
            shared.cluster.runtime().spawn(Lane::Data, lane);
            Route { requests, in_flight: 0 }
        });
        route.in_flight += 1;
        let _ = route.requests.send(batches);
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Refreshed => {
                self.refreshing = false;
                let cluster = &self.shared.cluster;
                let known: Vec<_> = {
                    let names = self.shared.lock().topics();
                    names.iter().filter_map(|name| cluster.known_topic(name)).collect()
                };
                let mut accumulator = self.shared.lock();
                known.iter().for_each(|topic| accumulator.learn(topic));
            }
            Event::Answered { broker, batches, result } => {
                if let Some(route) = self.routes.get_mut(&broker) {
                    route.in_flight -= 1;
                }
                self.settle(batches, &result);
            }
        }
    }

    fn settle(&mut self, batches: Vec<SentBatch>, result: &Result<ProduceResponse, ClientError>) {
        let Sender { shared, .. } = self;
        let retry_at = shared.now() + shared.cluster.settings().backoff(0, shared.cluster.runtime().random.bits());
        let mut free = 0;
        let mut stale = false;
        for batch in batches {
            let verdict = verdict(&batch, result);
            match &verdict {
                Verdict::Appended(_) => {}
                Verdict::Refused(refusal) => {
                    tracing::debug!(partition = ?batch.partition, %refusal, "batch refused");
                    stale |= refusal.is_retriable();
                }
                Verdict::Lost(reason) => {
                    tracing::debug!(partition = ?batch.partition, reason, "batch unanswered");
                    stale = true;
                }
            }
            free += shared.lock().with_queue(&batch.partition, |queue, rules| {
                queue.answered(batch.id, batch.bytes, verdict, retry_at, rules)
            });
        }
        shared.memory.add_permits(free);
        if stale {
            self.stale = true;
        } else if result.is_ok() {
            self.refreshes = 0;
        }
    }

    /// Asks for the leaders again, if that is needed and the last time was long enough ago.
    fn refresh(&mut self, now: Instant) {
        if !self.stale || self.refreshing || now < self.refresh_at {
            return;
        }
        self.stale = false;
        self.refreshing = true;
        let cluster = self.shared.cluster.clone();
        self.refresh_at = now + cluster.settings().backoff(self.refreshes, cluster.runtime().random.bits());
        self.refreshes += 1;
        let (names, events) = (self.shared.lock().topics(), self.events.clone());
        cluster.clone().runtime().spawn(Lane::Data, async move {
            let names: Vec<&str> = names.iter().map(|name| &**name).collect();
            if let Err(error) = cluster.refresh(&names).await {
                tracing::debug!(%error, "no fresh metadata");
            }
            let _ = events.send(Event::Refreshed);
        });
    }
}

/// What an answer says of one of its request's batches.
fn verdict(batch: &SentBatch, result: &Result<ProduceResponse, ClientError>) -> Verdict {
    let response = match result {
        Ok(response) => response,
        Err(error) if error.is_retriable() => return Verdict::Lost(error.to_string()),
        Err(error) => {
            let message = Some(error.to_string());
            return Verdict::Refused(Refusal { code: ErrorCode::UnknownServerError, message });
        }
    };
    let (topic, index) = &batch.partition;
    let topics = response.responses.iter().filter(|answered| match answered.name.is_empty() {
        true => answered.topic_id == batch.topic_id,
        false => answered.name == **topic,
    });
    let found = topics.flat_map(|answered| &answered.partition_responses).find(|answered| answered.index == *index);
    match found {
        Some(answered) => partition_verdict(answered),
        None => Verdict::Lost("the broker's answer leaves the partition out".to_owned()),
    }
}

fn partition_verdict(answered: &PartitionProduceResponse) -> Verdict {
    let said = answered.error_message.clone();
    let first_record = answered.record_errors.first();
    let message = said.or_else(|| first_record.and_then(|record| record.batch_index_error_message.clone()));
    match Refusal::check(answered.error_code, message) {
        Ok(()) => Verdict::Appended(Some(Offset(answered.base_offset)).filter(|offset| offset.0 >= 0)),
        Err(refusal) => Verdict::Refused(refusal),
    }
}

/// Sends one broker's requests in order, and has each answer waited for by a task of its own.
async fn lane(
    shared: Arc<Shared>,
    broker: BrokerId,
    mut queue: mpsc::UnboundedReceiver<Vec<SentBatch>>,
    events: mpsc::UnboundedSender<Event>,
) {
    while let Some(batches) = queue.recv().await {
        let result = begin(&shared.cluster, broker, &batches, shared.settings.acks).await;
        let events = events.clone();
        match result {
            Ok(Some(reply)) => shared.cluster.runtime().spawn(Lane::Data, async move {
                let result = reply.answer().await.map_err(ClientError::from);
                let _ = events.send(Event::Answered { broker, batches, result });
            }),
            Ok(None) => {
                let result = Ok(written(&batches));
                let _ = events.send(Event::Answered { broker, batches, result });
            }
            Err(error) => {
                let _ = events.send(Event::Answered { broker, batches, result: Err(error) });
            }
        }
    }
}

/// Puts a request on its way. With acks=0 there is nothing to wait for.
async fn begin(
    cluster: &Cluster,
    broker: BrokerId,
    batches: &[SentBatch],
    acks: Acks,
) -> Result<Option<crate::connection::Reply<ProduceRequest>>, ClientError> {
    let connection = cluster.connection(broker).await?;
    let mut wanted = wanted_versions(ApiKey::Produce);
    if batches.iter().any(|batch| batch.topic_id.is_zero()) {
        wanted = *wanted.start()..=TOPIC_IDS - 1;
    }
    let version = connection.version_within(ApiKey::Produce, wanted)?;
    let timeout_ms = i32::try_from(cluster.settings().request_timeout.as_millis()).unwrap_or(i32::MAX);
    let request =
        ProduceRequest { transactional_id: None, acks: acks.wire(), timeout_ms, topic_data: topic_data(batches) };
    if acks == Acks::None {
        connection.tell(version, &request).await?;
        return Ok(None);
    }
    Ok(Some(connection.begin(version, &request).await?))
}

/// The batches by topic; those of one topic stand together.
fn topic_data(batches: &[SentBatch]) -> Vec<TopicProduceData> {
    let mut topics: Vec<TopicProduceData> = Vec::new();
    for batch in batches {
        let (name, index) = (&*batch.partition.0, batch.partition.1);
        let data = PartitionProduceData { index, records: Some(batch.bytes.clone()) };
        match topics.last_mut().filter(|topic| topic.name == name) {
            Some(topic) => topic.partition_data.push(data),
            None => topics.push(TopicProduceData {
                name: name.to_owned(),
                topic_id: batch.topic_id,
                partition_data: vec![data],
            }),
        }
    }
    topics
}

/// What stands for the answer that acks=0 does not have.
fn written(batches: &[SentBatch]) -> ProduceResponse {
    let topics = topic_data(batches).into_iter().map(|topic| ottla_protocol::produce::TopicProduceResponse {
        name: topic.name,
        topic_id: topic.topic_id,
        partition_responses: topic
            .partition_data
            .iter()
            .map(|data| PartitionProduceResponse { index: data.index, base_offset: -1, ..Default::default() })
            .collect(),
    });
    ProduceResponse { responses: topics.collect(), ..ProduceResponse::default() }
}
