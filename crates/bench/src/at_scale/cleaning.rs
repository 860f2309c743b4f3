//! A log of which half is superseded, compacted: how long that takes, and what it costs.
//!
//! The topic is filled first and becomes a compacted one then. A round is over when the cleaner's checkpoint names the
//! partition, in the directory that DescribeLogDirs tells.

use std::path::{Path, PathBuf};
use std::time::Instant;

use ottla_protocol::create_topics::{CreatableTopic, CreatableTopicConfig, CreateTopicsRequest};
use ottla_protocol::describe_log_dirs::{DescribableLogDirTopic, DescribeLogDirsRequest};
use ottla_protocol::incremental_alter_configs::{
    AlterConfigsResource, AlterableConfig, IncrementalAlterConfigsRequest,
};
use ottla_protocol::produce::{PartitionProduceData, ProduceRequest, TopicProduceData};
use ottla_record::{BatchBuilder, BatchOptions, Compressor};
use ottla_types::Timestamp;

use crate::connection::{Connection, until};
use crate::groups::expect;
use crate::{Outcome, Task, tell};

const TOPIC: &str = "cleaning-at-scale";
const SEGMENT_BYTES: usize = 100 << 20;
const KEY_BYTES: usize = 100;
const VALUE_BYTES: usize = 900;
const RECORDS_PER_BATCH: usize = 1000;
/// ConfigResource's number for a topic, and AlterConfigOp's for a value that is set.
const TOPIC_RESOURCE: i8 = 2;
const SET: i8 = 0;
/// Kafka's and Ottla's name for where the cleaner has come to.
const CHECKPOINT: &str = "cleaner-offset-checkpoint";

pub(crate) fn run(task: &Task) -> Outcome<()> {
    let mut connection = task.connect()?;
    create(&mut connection)?;
    // Each key comes twice, the second time in the other half.
    let keys = task.count.div_ceil(2);
    for first in (0..task.count).step_by(RECORDS_PER_BATCH) {
        produce(&mut connection, (first..task.count.min(first + RECORDS_PER_BATCH)).map(|index| index % keys))?;
    }
    let (folder, before) = place(&mut connection)?;
    let (cpu, began) = (task.broker.cpu_seconds()?, Instant::now());
    compact(&mut connection)?;
    until("the log is compacted", || Ok(is_clean(&folder).then_some(())))?;
    let (seconds, cpu) = (began.elapsed().as_secs_f64(), task.broker.cpu_seconds()? - cpu);
    let (_, after) = place(&mut connection)?;
    // The active segment is not read.
    let gigabytes = (before - before % SEGMENT_BYTES as f64) / 1e9;
    let label = "a log compacted, half of it superseded";
    tell(label, "MB/s", gigabytes * 1e3 / seconds);
    tell(label, "CPU s/GB", cpu / gigabytes);
    tell(label, "MB left of 100", after / before * 100.0);
    tell("memory then", "MB", task.broker.resident_mb()?);
    Ok(())
}

fn create(connection: &mut Connection) -> Outcome<()> {
    // Records that are as old as these are would leave before.
    let configs = [
        ("segment.bytes", SEGMENT_BYTES.to_string()),
        ("cleanup.policy", "delete".into()),
        ("retention.ms", "-1".into()),
    ];
    let configs = configs.map(|(name, value)| CreatableTopicConfig { name: name.into(), value: Some(value) }).into();
    let topic = CreatableTopic {
        name: TOPIC.into(),
        num_partitions: 1,
        replication_factor: 1,
        configs,
        ..CreatableTopic::default()
    };
    let request = CreateTopicsRequest { topics: vec![topic], timeout_ms: 60_000, validate_only: false };
    let created = connection.ask(5, &request)?;
    created.topics.iter().try_for_each(|topic| expect("CreateTopics", topic.error_code))
}

fn produce(connection: &mut Connection, keys: impl Iterator<Item = usize>) -> Outcome<()> {
    let mut builder = BatchBuilder::new(BatchOptions::default());
    let value = [b'v'; VALUE_BYTES];
    for key in keys {
        let key = format!("{key:0KEY_BYTES$}");
        let appended = builder.append(Timestamp(1_700_000_000_000), Some(key.as_bytes()), Some(&value), &[]);
        appended.map_err(|error| error.to_string())?;
    }
    let batch = builder.build(&mut Compressor::default()).map_err(|error| error.to_string())?;
    let partition = PartitionProduceData { records: Some(batch), ..PartitionProduceData::default() };
    let topic = TopicProduceData { name: TOPIC.into(), partition_data: vec![partition], ..TopicProduceData::default() };
    let request = ProduceRequest { acks: -1, timeout_ms: 60_000, topic_data: vec![topic], ..ProduceRequest::default() };
    // The topic may not be known to all of the broker yet.
    until("records are taken", || {
        let answer = connection.ask(9, &request)?;
        let mut errors = answer.responses.iter().flat_map(|topic| &topic.partition_responses).map(|it| it.error_code);
        Ok(errors.all(|error| error == 0).then_some(()))
    })
}

/// The directory that the log is in, and its size in bytes.
fn place(connection: &mut Connection) -> Outcome<(PathBuf, f64)> {
    let topics = vec![DescribableLogDirTopic { topic: TOPIC.into(), partitions: vec![0] }];
    let answer = connection.ask(1, &DescribeLogDirsRequest { topics: Some(topics) })?;
    answer
        .results
        .into_iter()
        .find_map(|result| {
            let size = result.topics.first()?.partitions.first()?.partition_size;
            Some((PathBuf::from(result.log_dir), size as f64))
        })
        .ok_or_else(|| "no directory has the log".to_owned())
}

fn compact(connection: &mut Connection) -> Outcome<()> {
    let set = |name: &str, value: &str| AlterableConfig {
        name: name.into(),
        config_operation: SET,
        value: Some(value.into()),
    };
    let configs = vec![set("cleanup.policy", "compact"), set("min.cleanable.dirty.ratio", "0.01")];
    let resource = AlterConfigsResource { resource_type: TOPIC_RESOURCE, resource_name: TOPIC.into(), configs };
    let request = IncrementalAlterConfigsRequest { resources: vec![resource], validate_only: false };
    let altered = connection.ask(1, &request)?;
    altered.responses.iter().try_for_each(|resource| expect("IncrementalAlterConfigs", resource.error_code))
}

fn is_clean(folder: &Path) -> bool {
    let text = std::fs::read_to_string(folder.join(CHECKPOINT)).unwrap_or_default();
    text.lines().any(|line| line.starts_with(&format!("{TOPIC} 0 ")))
}
