//! Commands about log directories. Scripts call them `dir1`, `dir2`… in the order of `log.dirs`; other paths stand as they
//! are.

use std::collections::BTreeMap;
use std::time::Instant;

use ottla_protocol::alter_replica_log_dirs::{AlterReplicaLogDir, AlterReplicaLogDirTopic, AlterReplicaLogDirsRequest};
use ottla_protocol::describe_log_dirs::{
    DescribableLogDirTopic, DescribeLogDirsRequest, DescribeLogDirsResponse, DescribeLogDirsResult,
};
use ottla_testkit::Command;

use super::session::{Session, error, joined};
use crate::support::PATIENCE;

/// `dir2:topic/0,1…`, `/elsewhere:topic/0`.
pub(super) fn alter_replica_log_dirs(session: &mut Session, command: &Command<'_>) -> String {
    let paths = paths(session);
    let dirs = command.words.iter().map(|word| {
        let (directory, place) = word.split_once(':').expect("a directory and its partitions");
        let place_of = |number: &str| paths[number.parse::<usize>().expect("a number") - 1].clone();
        let path = directory.strip_prefix("dir").map_or_else(|| directory.to_owned(), place_of);
        let (name, partitions) = topic(place);
        AlterReplicaLogDir { path, topics: vec![AlterReplicaLogDirTopic { name, partitions }] }
    });
    let request = AlterReplicaLogDirsRequest { dirs: dirs.collect() };
    session.ask(command.parsed("v", 2), &request, |_, answer| {
        let topics = answer.results.iter();
        let each = topics.flat_map(|topic| topic.partitions.iter().map(move |it| (&topic.topic_name, it)));
        let mut lines: Vec<_> = each
            .map(|(name, it)| format!("{}/{} {}", shortened(name), it.partition_index, error(it.error_code, None)))
            .collect();
        // Kafka's order is its hash map's.
        lines.sort();
        joined(lines)
    })
}

/// `topic/0,1…`, nothing for all, `none`; `settled` asks until nothing of it is being moved.
pub(super) fn describe_log_dirs(session: &mut Session, command: &Command<'_>) -> String {
    let places: Vec<_> = command.words.iter().filter(|word| **word != "settled").collect();
    let asked = places.iter().filter(|place| ***place != "none").map(|place| {
        let (topic, partitions) = topic(place);
        DescribableLogDirTopic { topic, partitions }
    });
    let request = DescribeLogDirsRequest { topics: (!places.is_empty()).then(|| asked.collect()) };
    let paths = paths(session);
    let begun = Instant::now();
    while command.has("settled") && is_moving(&session.client().ask(1, &request)) {
        assert!(begun.elapsed() < PATIENCE, "a move does not end");
    }
    session.ask(command.parsed("v", 5), &request, |_, answer| {
        let mut by_path: BTreeMap<usize, Vec<String>> = BTreeMap::new();
        for result in &answer.results {
            let number = 1 + paths.iter().position(|path| *path == result.log_dir).expect("one of log.dirs");
            by_path.insert(number, described(number, result));
        }
        joined(std::iter::once(error(answer.error_code, None)).chain(by_path.into_values().flatten()))
    })
}

fn is_moving(answer: &DescribeLogDirsResponse) -> bool {
    let topics = answer.results.iter().flat_map(|result| &result.topics);
    topics.flat_map(|topic| &topic.partitions).any(|partition| partition.is_future_key)
}

fn described(number: usize, result: &DescribeLogDirsResult) -> Vec<String> {
    let volume = match (result.total_bytes, result.usable_bytes) {
        (-1, -1) => "untold",
        (total, usable) if 0 < usable && usable <= total => "told",
        _ => "wrong",
    };
    let cordoned = if result.is_cordoned { " cordoned" } else { "" };
    let each = result.topics.iter().flat_map(|topic| topic.partitions.iter().map(move |it| (&topic.name, it)));
    let mut lines: Vec<_> = each
        .map(|(name, it)| {
            let (index, bytes, lag) = (it.partition_index, it.partition_size, it.offset_lag);
            let future = if it.is_future_key { " future" } else { "" };
            format!("  {name}/{index} bytes={bytes} lag={lag}{future}")
        })
        .collect();
    lines.sort();
    lines.insert(0, format!("dir{number} {} volume={volume}{cordoned}", error(result.error_code, None)));
    lines
}

/// `log.dirs`, as the broker calls them.
fn paths(session: &mut Session) -> Vec<String> {
    let none = DescribeLogDirsRequest { topics: Some(Vec::new()) };
    session.client().ask(1, &none).results.into_iter().map(|result| result.log_dir).collect()
}

/// `topic/0,1`; `N*x/0` is a topic whose name is N times x.
fn topic(place: &str) -> (String, Vec<i32>) {
    let (name, partitions) = place.split_once('/').expect("a topic and its partitions");
    let name = match name.split_once('*') {
        Some((count, letter)) => letter.repeat(count.parse().expect("a count")),
        None => name.replace("''", ""),
    };
    (name, partitions.split(',').map(|partition| partition.parse().expect("a partition")).collect())
}

fn shortened(name: &str) -> String {
    if name.len() < 100 { name.to_owned() } else { format!("{}*{}", name.len(), &name[..1]) }
}
