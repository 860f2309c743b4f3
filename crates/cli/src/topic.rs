//! `ottla topic`: create, list, describe, delete.

use std::collections::BTreeMap;
use std::io::{self, BufRead as _, IsTerminal as _};

use ottla_client::{Admin, ClientError, Cluster, NewTopic, Topic};
use ottla_types::{BrokerId, ErrorCode, Offset};

use crate::args::{CreateArgs, ENDS, TopicCommand};
use crate::failure::{Failure, say};
use crate::output::Output;

/// Runs one of the commands.
pub(crate) async fn run(cluster: Cluster, command: TopicCommand) -> Result<(), Failure> {
    let admin = Admin::new(cluster.clone());
    let mut output = Output::stdout();
    match command {
        TopicCommand::Create(args) => create(&admin, args, &mut output).await?,
        TopicCommand::List { internal } => {
            for topic in admin.list_topics(internal).await? {
                output.line(&topic.name)?;
            }
        }
        TopicCommand::Describe { names } => describe(&cluster, &admin, names, &mut output).await?,
        TopicCommand::Delete { names, yes } => delete(&admin, &names, yes, &mut output).await?,
    }
    output.flush()
}

async fn create(admin: &Admin, args: CreateArgs, output: &mut Output) -> Result<(), Failure> {
    let CreateArgs { name, partitions, replication_factor, configs, if_not_exists } = args;
    let topic = NewTopic { name, partitions, replication_factor, configs };
    match admin.create_topic(&topic).await {
        Ok(created) => {
            let count = created
                .partitions
                .map_or(String::new(), |count| format!(" with {}", counted(count as usize, "partition")));
            output.line(&format!("created topic {}{count}", topic.name))
        }
        Err(ClientError::Refused(refusal)) if if_not_exists && refusal.code == ErrorCode::TopicAlreadyExists => Ok(()),
        Err(error) => Err(error.into()),
    }
}

async fn describe(cluster: &Cluster, admin: &Admin, names: Vec<String>, output: &mut Output) -> Result<(), Failure> {
    let topics = if names.is_empty() {
        admin.list_topics(true).await?
    } else {
        let mut topics = Vec::with_capacity(names.len());
        for name in names {
            topics.push(admin.describe_topic(&name).await?);
        }
        topics
    };
    for topic in topics {
        let led = topic.partitions.iter().filter(|partition| partition.leader.is_some());
        let led: Vec<i32> = led.map(|partition| partition.index).collect();
        let mut ends = Vec::new();
        for spec in ENDS {
            let wanted: Vec<_> = led.iter().map(|index| (*index, spec)).collect();
            ends.push(cluster.offsets(&topic.name, &wanted).await?);
        }
        output.write(description(&topic, &ends[0], &ends[1]).as_bytes())?;
    }
    Ok(())
}

/// A topic as text: a line for it, a table of its partitions.
fn description(topic: &Topic, starts: &BTreeMap<i32, Offset>, ends: &BTreeMap<i32, Offset>) -> String {
    let offset = |of: &BTreeMap<i32, Offset>, index| of.get(&index).map_or_else(|| "-".to_owned(), Offset::to_string);
    let mut rows = vec![["partition", "leader", "epoch", "replicas", "isr", "start", "end"].map(str::to_owned)];
    rows.extend(topic.partitions.iter().map(|partition| {
        [
            partition.index.to_string(),
            partition.leader.map_or_else(|| "none".to_owned(), |leader| leader.to_string()),
            partition.leader_epoch.to_string(),
            ids(&partition.replicas),
            ids(&partition.isr),
            offset(starts, partition.index),
            offset(ends, partition.index),
        ]
    }));
    let id = if topic.id.is_zero() { String::new() } else { format!(", id {}", topic.id) };
    let mut text = format!("{}: {}{id}\n", topic.name, counted(topic.partitions.len(), "partition"));
    let widths: Vec<usize> =
        (0..rows[0].len()).map(|column| rows.iter().map(|row| row[column].len()).max().unwrap_or(0)).collect();
    for row in &rows {
        let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        text.push_str(format!("  {}", cells.join("  ")).trim_end());
        text.push('\n');
    }
    text
}

fn ids(brokers: &[BrokerId]) -> String {
    brokers.iter().map(BrokerId::to_string).collect::<Vec<_>>().join(",")
}

fn counted(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

async fn delete(admin: &Admin, names: &[String], yes: bool, output: &mut Output) -> Result<(), Failure> {
    if !yes && io::stdin().is_terminal() && !confirmed(names) {
        return Err(Failure::new("nothing was deleted"));
    }
    let mut failed = None;
    for name in names {
        match admin.delete_topic(name).await {
            Ok(()) => output.line(&format!("deleted topic {name}"))?,
            Err(error) => {
                // All are tried; the last failure is the command's.
                if let Some(Failure::Message(earlier)) = failed.replace(not_deleted(name, &error)) {
                    say(&format!("ottla: {earlier}"));
                }
            }
        }
    }
    failed.map_or(Ok(()), Err)
}

fn not_deleted(name: &str, error: &ClientError) -> Failure {
    match error {
        ClientError::UnknownTopic(_) => Failure::new(error.to_string()),
        _ => Failure::new(format!("topic {name} was not deleted: {error}")),
    }
}

fn confirmed(names: &[String]) -> bool {
    say(&format!("Delete {} with all records? [y/N]", names.join(", ")));
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer).is_ok() && matches!(answer.trim(), "y" | "Y" | "yes")
}

#[cfg(test)]
mod tests {
    use ottla_client::Partition;
    use ottla_types::{LeaderEpoch, Uuid};

    use super::*;

    #[test]
    fn a_topic_is_described_as_a_table() {
        let partition = |index, leader: Option<i32>| Partition {
            index,
            leader: leader.map(BrokerId),
            leader_epoch: LeaderEpoch(4),
            replicas: vec![BrokerId(1), BrokerId(12)],
            isr: vec![BrokerId(1)],
        };
        let partitions = vec![partition(0, Some(1)), partition(1, None)];
        let topic = Topic { name: "orders".into(), id: Uuid::ZERO, is_internal: false, partitions };
        let starts = BTreeMap::from([(0, Offset(5))]);
        let ends = BTreeMap::from([(0, Offset(1_234_567))]);
        let expected = "\
orders: 2 partitions
  partition  leader  epoch  replicas  isr  start  end
  0          1       4      1,12      1    5      1234567
  1          none    4      1,12      1    -      -
";
        assert_eq!(description(&topic, &starts, &ends), expected);
    }
}
