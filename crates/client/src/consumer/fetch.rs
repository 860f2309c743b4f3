//! One fetch from one leader: the request, the answer, the batches in it checked and decompressed.
//!
//! Runs as a task and reports to the consumer, which alone knows positions.

use std::sync::Arc;

use bytes::Bytes;
use ottla_protocol::ApiKey;
use ottla_protocol::fetch::{FetchPartition, FetchRequest, FetchResponse, FetchTopic, PartitionData};
use ottla_record::{BatchError, BatchHeader, Batches, Codec, RecordBatch, Scratch};
use ottla_types::{BrokerId, Instant, LeaderEpoch, Offset, TopicId};
use tokio::sync::mpsc;

use super::ConsumerSettings;
use crate::cluster::Cluster;
use crate::error::{ClientError, Refusal};
use crate::versions::wanted_versions;

/// From this version on topics are named by id (KIP-516).
const TOPIC_IDS: i16 = 13;

/// Decompressed bytes of one partition's part of an answer, beyond which the rest of it is left for the next fetch.
const DECOMPRESSED_BYTES_MAX: usize = 64 << 20;

/// A partition to fetch.
#[derive(Clone, Debug)]
pub(super) struct WantedPart {
    pub key: (Arc<str>, i32),
    pub topic_id: TopicId,
    pub offset: Offset,
    pub leader_epoch: LeaderEpoch,
}

/// What came of a fetch: for each wanted part, in the same order, what the leader said.
#[derive(Debug)]
pub(super) struct Outcome {
    pub leader: BrokerId,
    /// When it was asked.
    pub asked_at: Instant,
    pub parts: Vec<WantedPart>,
    pub result: Result<Vec<FetchedPart>, ClientError>,
}

/// What a leader said of a partition.
#[derive(Debug)]
pub(super) enum FetchedPart {
    /// Uncompressed records by batch, and where to go on.
    Records { next: Offset, high_watermark: Offset, batches: Vec<(BatchHeader, Bytes)> },
    /// The first batch cannot be read.
    Broken { offset: Offset, fault: BatchError },
    /// No.
    Refused(Refusal),
}

impl FetchedPart {
    /// Whether there is nothing new in it for a reader at `from`.
    pub(super) fn is_nothing(&self, from: Offset) -> bool {
        matches!(self, Self::Records { next, .. } if *next <= from)
    }
}

/// Fetches once.
pub(super) async fn run(
    cluster: Cluster,
    settings: ConsumerSettings,
    leader: BrokerId,
    parts: Vec<WantedPart>,
    report: mpsc::UnboundedSender<Outcome>,
) {
    let asked_at = cluster.runtime().clock.now();
    let result = match ask(&cluster, &settings, leader, &parts).await {
        Ok(response) => read(response, &parts, &settings),
        Err(error) => Err(error),
    };
    let _ = report.send(Outcome { leader, asked_at, parts, result });
}

async fn ask(
    cluster: &Cluster,
    settings: &ConsumerSettings,
    leader: BrokerId,
    parts: &[WantedPart],
) -> Result<FetchResponse, ClientError> {
    let connection = cluster.connection(leader).await?;
    let mut wanted = wanted_versions(ApiKey::Fetch);
    if parts.iter().any(|part| part.topic_id.is_zero()) {
        wanted = *wanted.start()..=TOPIC_IDS - 1;
    }
    let version = connection.version_within(ApiKey::Fetch, wanted)?;
    let request = FetchRequest {
        max_wait_ms: i32::try_from(settings.wait_max.as_millis()).unwrap_or(i32::MAX),
        min_bytes: settings.bytes_min,
        max_bytes: settings.bytes_max,
        // No session (KIP-227): every request names all that it wants.
        session_id: 0,
        session_epoch: -1,
        topics: topics(parts, settings),
        ..FetchRequest::default()
    };
    let timeout = cluster.settings().request_timeout + settings.wait_max;
    Ok(connection.begin_within(version, &request, timeout).await?.answer().await?)
}

/// The parts by topic; those of one topic stand together.
fn topics(parts: &[WantedPart], settings: &ConsumerSettings) -> Vec<FetchTopic> {
    let mut topics: Vec<FetchTopic> = Vec::new();
    for part in parts {
        let partition = FetchPartition {
            partition: part.key.1,
            current_leader_epoch: part.leader_epoch.0,
            fetch_offset: part.offset.0,
            partition_max_bytes: settings.partition_bytes_max,
            ..FetchPartition::default()
        };
        match topics.last_mut().filter(|topic| *topic.topic == *part.key.0) {
            Some(topic) => topic.partitions.push(partition),
            None => topics.push(FetchTopic {
                topic: part.key.0.to_string(),
                topic_id: part.topic_id,
                partitions: vec![partition],
            }),
        }
    }
    topics
}

/// What the answer says of each part.
fn read(
    mut response: FetchResponse,
    parts: &[WantedPart],
    settings: &ConsumerSettings,
) -> Result<Vec<FetchedPart>, ClientError> {
    Refusal::check(response.error_code, None)?;
    let mut scratch = Scratch::default();
    let read_part = |part: &WantedPart| {
        let topics = response.responses.iter_mut().filter(|topic| match topic.topic.is_empty() {
            true => topic.topic_id == part.topic_id,
            false => *topic.topic == *part.key.0,
        });
        let mut partitions = topics.flat_map(|topic| &mut topic.partitions);
        match partitions.find(|answered| answered.partition_index == part.key.1) {
            Some(answered) => read_partition(std::mem::take(answered), part.offset, settings, &mut scratch),
            // A full answer may leave partitions out.
            None => {
                let high_watermark = Offset(-1);
                FetchedPart::Records { next: part.offset, high_watermark, batches: Vec::new() }
            }
        }
    };
    Ok(parts.iter().map(read_part).collect())
}

fn read_partition(
    answered: PartitionData,
    from: Offset,
    settings: &ConsumerSettings,
    scratch: &mut Scratch,
) -> FetchedPart {
    if let Err(refusal) = Refusal::check(answered.error_code, None) {
        return FetchedPart::Refused(refusal);
    }
    let records = answered.records.unwrap_or_default();
    let mut next = from;
    let mut batches = Vec::new();
    let mut decompressed = 0;
    // A batch that the end of the answer cuts off is fetched again.
    for batch in Batches::new(&records) {
        let read = batch.and_then(|batch| read_batch(&batch, &records, from, settings, scratch));
        match read {
            Ok((header, content)) => {
                next = next.max(header.next_offset());
                if let Some(content) = content {
                    decompressed += content.len();
                    batches.push((header, content));
                }
            }
            // What comes before it is good; the next fetch begins with it.
            Err(_) if next > from => break,
            Err(fault) => return FetchedPart::Broken { offset: from, fault },
        }
        if decompressed > DECOMPRESSED_BYTES_MAX {
            break;
        }
    }
    FetchedPart::Records { next, high_watermark: Offset(answered.high_watermark), batches }
}

/// The uncompressed records of a batch; none if it holds nothing for a reader at `from`.
fn read_batch(
    batch: &RecordBatch<'_>,
    answer: &Bytes,
    from: Offset,
    settings: &ConsumerSettings,
    scratch: &mut Scratch,
) -> Result<(BatchHeader, Option<Bytes>), BatchError> {
    let header = *batch.header();
    if header.attributes.is_control() || header.next_offset() <= from {
        return Ok((header, None));
    }
    if settings.check_crcs {
        batch.check_crc()?;
    }
    let content = match header.codec()? {
        Codec::None => answer.slice_ref(batch.payload()),
        _ => {
            let mut records = Vec::new();
            batch.decompress(scratch, settings.batch_bytes_max, &mut records)?;
            records.into()
        }
    };
    Ok((header, Some(content)))
}
