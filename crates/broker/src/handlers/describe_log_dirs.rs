//! `DescribeLogDirs` (key 35): this broker's log directories, what lies in each, and how large their volumes are (KIP-113).
//!
//! - v1: throttle time. v2: flexible. v3: an error of the whole answer (KIP-784).
//! - v4: total and usable bytes of the volume (KIP-827). v5: whether the directory is cordoned (KIP-1066).
//!
//! A partition that is being moved stands in its new directory too, with `is_future_key`: how much of it is there, and how
//! many offsets behind the log it is.
//!
//! Errors by directory: KAFKA_STORAGE_ERROR for one that is offline; nothing else is said of it then. Directories come in
//! the order of `log.dirs`, topics and partitions sorted.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ottla_protocol::ApiKey;
use ottla_protocol::describe_log_dirs::{
    DescribableLogDirTopic, DescribeLogDirsPartition, DescribeLogDirsRequest, DescribeLogDirsResponse,
    DescribeLogDirsResult, DescribeLogDirsTopic,
};
use ottla_storage::{LogDirectory, Partition, StorageFault};
use ottla_types::{ErrorCode, Offset, TopicPartition};

use super::Api;
use crate::directories::Slot;
use crate::node::Node;
use crate::partition::Partition as Led;

pub(super) const API: Api = Api {
    key: ApiKey::DescribeLogDirs,
    served: 0..=5,
    handle: |node, request| {
        Box::pin(async move {
            let body = request.decode()?;
            request.answer(&handle(&node, body).await)
        })
    },
};

/// The lag of a partition that nobody here leads.
const UNKNOWN_LAG: i64 = -1;

/// Partitions by topic and number; `None` stands for all.
type Asked = Option<BTreeSet<(String, i32)>>;

async fn handle(node: &Node, body: DescribeLogDirsRequest) -> DescribeLogDirsResponse {
    let asked = body.topics.map(asked);
    let mut results = Vec::new();
    for slot in node.directories.slots() {
        results.push(result(node, slot, &asked).await);
    }
    DescribeLogDirsResponse { results, ..DescribeLogDirsResponse::default() }
}

fn asked(topics: Vec<DescribableLogDirTopic>) -> BTreeSet<(String, i32)> {
    let each = |topic: DescribableLogDirTopic| {
        let name = topic.topic;
        topic.partitions.into_iter().map(move |partition| (name.clone(), partition))
    };
    topics.into_iter().flat_map(each).collect()
}

async fn result(node: &Node, slot: &Slot, asked: &Asked) -> DescribeLogDirsResult {
    let log_dir = slot.path.display().to_string();
    let is_cordoned = node.directories.is_cordoned(&slot.path);
    let described = match slot.online() {
        Some(directory) => described(node, &directory, asked).await,
        None => Err(StorageFault::NoDirectory),
    };
    match described {
        Ok(described) => DescribeLogDirsResult { log_dir, is_cordoned, ..described },
        Err(fault) => DescribeLogDirsResult {
            log_dir,
            error_code: fault.error_code().raw(),
            total_bytes: -1,
            usable_bytes: -1,
            ..DescribeLogDirsResult::default()
        },
    }
}

async fn described(
    node: &Node,
    directory: &LogDirectory,
    asked: &Asked,
) -> Result<DescribeLogDirsResult, StorageFault> {
    let space = directory.space().await?;
    let bytes = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
    let mut topics: BTreeMap<String, Vec<DescribeLogDirsPartition>> = BTreeMap::new();
    let mut add = |name: &TopicPartition, size: u64, offset_lag: i64, is_future_key: bool| {
        let (topic, partition_index) = (name.topic.as_str().to_owned(), name.partition.0);
        if asked.as_ref().is_none_or(|asked| asked.contains(&(topic.clone(), partition_index))) {
            let partition_size = bytes(size);
            let partition = DescribeLogDirsPartition { partition_index, partition_size, offset_lag, is_future_key };
            topics.entry(topic).or_default().push(partition);
        }
    };
    let moving_here =
        |name: &TopicPartition| node.moves.underway(name).filter(|underway| underway.target() == directory.path());
    // In this order: a copy is a partition before it is no copy any more, so it is found at least once.
    let futures = directory.futures();
    let partitions = directory.partitions();
    for (name, partition) in &partitions {
        // Asked first: when the move is over, the partition is served from here.
        let is_moving_here = moving_here(name).is_some();
        let led = partition.topic_id.and_then(|id| node.partitions.get(id, name.partition));
        // At the end of a move it is open in both directories for a moment. It is where it is served from.
        let is_served = led.as_ref().is_none_or(|led| Arc::ptr_eq(&led.log(), &partition.log));
        if is_served || is_moving_here {
            add(name, partition.log.size(), lag(led.as_deref(), partition), !is_served);
        }
    }
    let is_there = |name: &TopicPartition| partitions.binary_search_by(|(there, _)| there.cmp(name)).is_ok();
    for name in futures.into_iter().filter(|name| !is_there(name)) {
        let (size, end) = moving_here(&name).map_or((0, None), |underway| {
            let (size, end) = underway.progress();
            (size, Some(end))
        });
        add(&name, size, future_lag(node, &name, end), true);
    }
    let topics = topics.into_iter().map(|(name, partitions)| DescribeLogDirsTopic { name, partitions });
    Ok(DescribeLogDirsResult {
        error_code: ErrorCode::None.raw(),
        topics: topics.collect(),
        total_bytes: bytes(space.total),
        usable_bytes: bytes(space.usable),
        ..DescribeLogDirsResult::default()
    })
}

/// How far a copy is behind the log that it is made of.
fn future_lag(node: &Node, name: &TopicPartition, end: Option<Offset>) -> i64 {
    let source = node.directories.holder(name).and_then(|directory| directory.get(name));
    source.map_or(UNKNOWN_LAG, |source| {
        let ends = source.log.ends();
        (ends.log_end.0 - end.unwrap_or(ends.log_start).0).max(0)
    })
}

/// How far the log is behind the high watermark: not at all for who leads.
fn lag(led: Option<&Led>, partition: &Partition) -> i64 {
    led.map_or(UNKNOWN_LAG, |led| (led.high_watermark().0 - partition.log.ends().log_end.0).max(0))
}
