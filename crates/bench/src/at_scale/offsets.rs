//! Many committed offsets: a thousand for each group, and how soon all are told again after the broker was killed.

use std::time::Instant;

use ottla_protocol::offset_commit::{OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use ottla_protocol::offset_fetch::OffsetFetchRequest;

use crate::connection::{Connection, until};
use crate::groups::expect;
use crate::{Outcome, Task, tell};

/// Partitions of the topic, all of which each group commits.
const PARTITIONS: usize = 1000;
const TOPIC: &str = "offsets-at-scale";
/// Connections that commit at once.
const CONNECTIONS: usize = 8;
/// COORDINATOR_LOAD_IN_PROGRESS, COORDINATOR_NOT_AVAILABLE, NOT_COORDINATOR.
const NOT_YET: [i16; 3] = [14, 15, 16];

impl Task {
    fn groups(&self) -> usize {
        self.count.div_ceil(PARTITIONS)
    }
}

fn group(index: usize) -> String {
    format!("offsets-{index}")
}

/// Commits.
pub(crate) fn commit(task: &Task) -> Outcome<()> {
    task.prepare(TOPIC, PARTITIONS)?;
    let (before, began) = ((task.broker.cpu_seconds()?, task.broker.resident_mb()?), Instant::now());
    std::thread::scope(|scope| -> Outcome<()> {
        let work = |share| {
            move || {
                let mut connection = task.connect()?;
                (share..task.groups()).step_by(CONNECTIONS).try_for_each(|index| commit_all(&mut connection, index))
            }
        };
        let threads: Vec<_> = (0..CONNECTIONS).map(|share| scope.spawn(work(share))).collect();
        threads.into_iter().try_for_each(|thread| thread.join().expect("it does not panic"))
    })?;
    let (seconds, cpu) = (began.elapsed().as_secs_f64(), task.broker.cpu_seconds()? - before.0);
    let count = (task.groups() * PARTITIONS) as f64;
    tell("offsets committed, a thousand a request", "thousand/s", count / seconds / 1e3);
    tell("offsets committed, a thousand a request", "CPU µs each", cpu * 1e6 / count);
    tell("memory with them", "bytes each", (task.broker.resident_mb()? - before.1) * 1e6 / count);
    Ok(())
}

fn commit_all(connection: &mut Connection, index: usize) -> Outcome<()> {
    let partition = |partition_index| OffsetCommitRequestPartition {
        partition_index,
        committed_offset: i64::from(partition_index),
        committed_metadata: Some(String::new()),
        ..Default::default()
    };
    let count = i32::try_from(PARTITIONS).expect("a thousand");
    let partitions = (0..count).map(partition).collect();
    let request = OffsetCommitRequest {
        group_id: group(index),
        generation_id_or_member_epoch: -1,
        topics: vec![OffsetCommitRequestTopic { name: TOPIC.into(), partitions, ..Default::default() }],
        ..Default::default()
    };
    until("a commit is taken", || {
        let answer = connection.ask(6, &request)?;
        let mut errors = answer.topics.iter().flat_map(|topic| &topic.partitions).map(|partition| partition.error_code);
        match errors.find(|error| *error != 0) {
            None => Ok(Some(())),
            Some(error) if NOT_YET.contains(&error) => Ok(None),
            Some(error) => expect("OffsetCommit", error).map(|()| None),
        }
    })
}

/// Asks every group for all its offsets until they are told. The broker was started a moment ago; how long the process
/// lives already is counted.
pub(crate) fn loaded(task: &Task) -> Outcome<()> {
    let began = Instant::now();
    let mut connection = until("the broker listens", || Ok(task.connect().ok()))?;
    task.find_coordinator(&mut connection)?;
    let mut told = 0;
    for index in 0..task.groups() {
        let request = OffsetFetchRequest { group_id: group(index), ..Default::default() };
        let offsets = until("the offsets are told", || {
            let answer = connection.ask(5, &request)?;
            if NOT_YET.contains(&answer.error_code) {
                return Ok(None);
            }
            expect("OffsetFetch", answer.error_code)?;
            Ok(Some(answer.topics))
        })?;
        let partitions = offsets.iter().flat_map(|topic| &topic.partitions);
        told +=
            partitions.filter(|partition| partition.committed_offset == i64::from(partition.partition_index)).count();
    }
    if told != task.groups() * PARTITIONS {
        return Err(format!("{told} offsets are told"));
    }
    tell("from the start after kill -9 until all offsets were told", "s", began.elapsed().as_secs_f64());
    tell("from the start after kill -9 until all offsets were told", "CPU s", task.broker.cpu_seconds()?);
    tell("memory then", "MB", task.broker.resident_mb()?);
    Ok(())
}
