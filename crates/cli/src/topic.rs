//! `ottla topic`: create, list, describe, alter, delete, truncate.

use std::collections::BTreeMap;
use std::sync::Arc;

use ottla_client::{
    Admin, ClientError, Cluster, ConfigChange, ConfigOperation, ConfigResource, ConfigSource, ConnectionError,
    NewTopic, Partition, Topic,
};
use ottla_types::{BrokerId, ErrorCode, Offset, TopicId};
use serde_json::{Value, json};

use crate::args::{AlterArgs, CreateArgs, ENDS, OutputForm, TopicCommand, TruncateArgs};
use crate::confirm::confirm;
use crate::failure::{Failure, say};
use crate::output::Output;
use crate::table::{counted, table};

/// Runs one of the commands.
pub(crate) async fn run(cluster: Cluster, command: TopicCommand, form: OutputForm) -> Result<(), Failure> {
    let admin = Admin::new(cluster.clone());
    let mut output = Output::stdout();
    match command {
        TopicCommand::Create(args) => create(&admin, args, form, &mut output).await?,
        TopicCommand::List { internal } => list(&admin, internal, form, &mut output).await?,
        TopicCommand::Describe { names } => describe(&cluster, &admin, names, form, &mut output).await?,
        TopicCommand::Alter(args) => alter(&admin, args, &mut output).await?,
        TopicCommand::Delete { names, yes, if_exists } => {
            confirm(yes, &format!("Delete {} with all records?", names.join(", ")))?;
            delete(&admin, &names, if_exists, &mut output).await?;
        }
        TopicCommand::Truncate(args) => truncate(&admin, args, &mut output).await?,
    }
    output.flush()
}

async fn list(admin: &Admin, internal: bool, form: OutputForm, output: &mut Output) -> Result<(), Failure> {
    let topics = admin.list_topics(internal).await?;
    match form {
        OutputForm::Table => topics.iter().try_for_each(|topic| output.line(&topic.name)),
        OutputForm::Json => {
            output.line(&json!(topics.iter().map(|topic| &*topic.name).collect::<Vec<_>>()).to_string())
        }
    }
}

async fn create(admin: &Admin, args: CreateArgs, form: OutputForm, output: &mut Output) -> Result<(), Failure> {
    let CreateArgs { name, partitions, replication_factor, configs, if_not_exists } = args;
    let topic = NewTopic { name, partitions, replication_factor, configs };
    match admin.create_topic(&topic).await {
        Ok(created) => match form {
            OutputForm::Table => {
                let count = created
                    .partitions
                    .map_or(String::new(), |count| format!(" with {}", counted(count as usize, "partition")));
                output.line(&format!("created topic {}{count}", topic.name))
            }
            OutputForm::Json => output.line(
                &json!({
                    "topic": topic.name,
                    "id": id(created.id),
                    "partitions": created.partitions,
                    "replicationFactor": created.replication_factor,
                })
                .to_string(),
            ),
        },
        Err(ClientError::Refused(refusal)) if if_not_exists && refusal.code == ErrorCode::TopicAlreadyExists => Ok(()),
        Err(error) => Err(error.into()),
    }
}

async fn alter(admin: &Admin, args: AlterArgs, output: &mut Output) -> Result<(), Failure> {
    let AlterArgs { name, partitions, configs, delete_configs } = args;
    let set = configs.into_iter().map(|(name, value)| ConfigChange { name, operation: ConfigOperation::Set(value) });
    let unset = delete_configs.into_iter().map(|name| ConfigChange { name, operation: ConfigOperation::Delete });
    let changes: Vec<ConfigChange> = set.chain(unset).collect();
    if !changes.is_empty() {
        admin.alter_configs(&ConfigResource::Topic(name.clone()), &changes, false).await?;
        output.line(&format!("changed {} of topic {name}", counted(changes.len(), "setting")))?;
    }
    if let Some(count) = partitions {
        admin.create_partitions(&name, count).await?;
        output.line(&format!("topic {name} has {} now", counted(count as usize, "partition")))?;
    }
    Ok(())
}

async fn truncate(admin: &Admin, args: TruncateArgs, output: &mut Output) -> Result<(), Failure> {
    let TruncateArgs { name, partition, before, yes } = args;
    let what = before.map_or_else(|| "all records".to_owned(), |offset| format!("the records before offset {offset}"));
    confirm(yes, &format!("Delete {what} of {name}-{partition}?"))?;
    let start = admin.delete_records(&name, partition, before.map(Offset)).await?;
    output.line(&format!("{name}-{partition} starts at offset {start} now"))
}

async fn describe(
    cluster: &Cluster,
    admin: &Admin,
    names: Vec<String>,
    form: OutputForm,
    output: &mut Output,
) -> Result<(), Failure> {
    let topics = if names.is_empty() {
        admin.list_topics(true).await?
    } else {
        let mut topics = Vec::with_capacity(names.len());
        for name in names {
            topics.push(admin.describe_topic(&name).await?);
        }
        topics
    };
    let mut described = Vec::with_capacity(topics.len());
    for topic in topics {
        let led = topic.partitions.iter().filter(|partition| partition.leader.is_some());
        let led: Vec<i32> = led.map(|partition| partition.index).collect();
        let mut ends = Vec::new();
        for spec in ENDS {
            let wanted: Vec<_> = led.iter().map(|index| (*index, spec)).collect();
            ends.push(cluster.offsets(&topic.name, &wanted).await?);
        }
        let settings = overrides(admin, &topic.name).await?;
        let (starts, ends) = (ends.swap_remove(0), ends.swap_remove(0));
        described.push(Described { topic, starts, ends, settings });
    }
    match form {
        OutputForm::Table => described.iter().try_for_each(|topic| output.write(topic.text().as_bytes())),
        OutputForm::Json => output.line(&described.iter().map(Described::json).collect::<Value>().to_string()),
    }
}

/// What is set for the topic itself; nothing if the broker cannot tell (before 0.11).
async fn overrides(admin: &Admin, name: &str) -> Result<Vec<(String, String)>, ClientError> {
    let entries = match admin.describe_configs(&ConfigResource::Topic(name.to_owned()), None).await {
        Err(ClientError::Connection(ConnectionError::NoCommonVersion { .. })) => return Ok(Vec::new()),
        entries => entries?,
    };
    let own = entries.into_iter().filter(|entry| entry.source == ConfigSource::Topic);
    Ok(own.map(|entry| (entry.name, entry.value.unwrap_or_default())).collect())
}

/// All that is told of a topic.
struct Described {
    topic: Arc<Topic>,
    starts: BTreeMap<i32, Offset>,
    ends: BTreeMap<i32, Offset>,
    settings: Vec<(String, String)>,
}

impl Described {
    /// As text: a line for the topic, one for its settings, a table of its partitions.
    fn text(&self) -> String {
        let offset = |of: &BTreeMap<i32, Offset>, index| of.get(&index).map_or("-".to_owned(), Offset::to_string);
        let row = |partition: &Partition| {
            [
                partition.index.to_string(),
                partition.leader.map_or_else(|| "none".to_owned(), |leader| leader.to_string()),
                partition.leader_epoch.to_string(),
                ids(&partition.replicas),
                ids(&partition.isr),
                offset(&self.starts, partition.index),
                offset(&self.ends, partition.index),
            ]
        };
        let topic = &self.topic;
        let id = if topic.id.is_zero() { String::new() } else { format!(", id {}", topic.id) };
        let mut text = format!("{}: {}{id}\n", topic.name, counted(topic.partitions.len(), "partition"));
        if !self.settings.is_empty() {
            let settings = self.settings.iter().map(|(key, value)| format!("{key}={value}"));
            text += &format!("  settings: {}\n", settings.collect::<Vec<_>>().join(" "));
        }
        let rows: Vec<_> = topic.partitions.iter().map(row).collect();
        text + &table(["partition", "leader", "epoch", "replicas", "isr", "start", "end"], &rows)
    }

    fn json(&self) -> Value {
        let partition = |partition: &Partition| {
            let raw = |brokers: &[BrokerId]| brokers.iter().map(|id| id.0).collect::<Vec<_>>();
            json!({
                "partition": partition.index,
                "leader": partition.leader.map(|leader| leader.0),
                "leaderEpoch": partition.leader_epoch.0,
                "replicas": raw(&partition.replicas),
                "isr": raw(&partition.isr),
                "start": self.starts.get(&partition.index).map(|offset| offset.0),
                "end": self.ends.get(&partition.index).map(|offset| offset.0),
            })
        };
        let settings = self.settings.iter().map(|(key, value)| (key.clone(), Value::from(value.as_str())));
        json!({
            "topic": &*self.topic.name,
            "id": id(self.topic.id),
            "internal": self.topic.is_internal,
            "settings": settings.collect::<serde_json::Map<_, _>>(),
            "partitions": self.topic.partitions.iter().map(partition).collect::<Value>(),
        })
    }
}

/// A topic's id, if the brokers know ids at all.
fn id(id: TopicId) -> Option<String> {
    (!id.is_zero()).then(|| id.to_string())
}

fn ids(brokers: &[BrokerId]) -> String {
    brokers.iter().map(BrokerId::to_string).collect::<Vec<_>>().join(",")
}

async fn delete(admin: &Admin, names: &[String], if_exists: bool, output: &mut Output) -> Result<(), Failure> {
    let mut failed = None;
    for name in names {
        match admin.delete_topic(name).await {
            Ok(()) => output.line(&format!("deleted topic {name}"))?,
            Err(ClientError::UnknownTopic(_)) if if_exists => {}
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

#[cfg(test)]
mod tests {
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
        let described = Described {
            topic: Arc::new(topic),
            starts: BTreeMap::from([(0, Offset(5))]),
            ends: BTreeMap::from([(0, Offset(1_234_567))]),
            settings: vec![("retention.ms".into(), "7".into())],
        };
        let expected = "\
orders: 2 partitions
  settings: retention.ms=7
  partition  leader  epoch  replicas  isr  start  end
  0          1       4      1,12      1    5      1234567
  1          none    4      1,12      1    -      -
";
        assert_eq!(described.text(), expected);
        let json = described.json();
        assert_eq!((&json["partitions"][0]["end"], &json["id"]), (&json!(1_234_567), &Value::Null));
    }
}
