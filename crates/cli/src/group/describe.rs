//! What a group looks like: how far it is behind in every partition, or who its members are; once, or again and again.

use std::collections::{BTreeMap, BTreeSet};
use std::io::IsTerminal as _;
use std::sync::Arc;
use std::time::Duration;

use ottla_client::{
    Admin, ClientError, Cluster, CommittedOffset, DescribedGroup, GroupKind, GroupMember, GroupOffsets, OffsetSpec,
};
use ottla_types::Offset;
use serde_json::{Value, json};

use crate::args::{DescribeGroupArgs, OutputForm};
use crate::failure::Failure;
use crate::output::Output;
use crate::session::interrupted;
use crate::table::{counted, table};

/// To the upper left corner, and everything away.
const CLEAR: &[u8] = b"\x1b[H\x1b[2J";

/// Describes once, or until somebody interrupts.
pub(super) async fn run(
    cluster: &Cluster,
    admin: &Admin,
    args: &DescribeGroupArgs,
    form: OutputForm,
    output: &mut Output,
) -> Result<(), Failure> {
    let Some(seconds) = args.watch else {
        return output.write(shown(cluster, admin, args, form).await?.as_bytes());
    };
    let clock = Arc::clone(&cluster.runtime().clock);
    let mut interrupted = std::pin::pin!(interrupted());
    loop {
        let next = clock.now() + Duration::from_secs(seconds);
        let text = tokio::select! {
            biased;
            () = &mut interrupted => return Ok(()),
            text = shown(cluster, admin, args, form) => text?,
        };
        if form == OutputForm::Table && std::io::stdout().is_terminal() {
            output.write(CLEAR)?;
        }
        output.write(text.as_bytes())?;
        output.flush()?;
        tokio::select! {
            biased;
            () = &mut interrupted => return Ok(()),
            () = clock.sleep_until(next) => {}
        }
    }
}

async fn shown(
    cluster: &Cluster,
    admin: &Admin,
    args: &DescribeGroupArgs,
    form: OutputForm,
) -> Result<String, Failure> {
    let names = if args.groups.is_empty() {
        // Groups of other kinds are described by other APIs.
        let groups = admin.list_groups().await?.into_iter();
        groups.filter(|group| !matches!(group.kind, GroupKind::Other(_))).map(|group| group.id).collect()
    } else {
        args.groups.clone()
    };
    let mut text = String::new();
    let mut documents = Vec::new();
    for name in names {
        let described = match Described::load(cluster, admin, &name).await {
            Ok(described) => described,
            // It went between the list and now.
            Err(ClientError::UnknownGroup(_)) if args.groups.is_empty() => continue,
            Err(error) => return Err(error.into()),
        };
        match form {
            OutputForm::Json => documents.push(described.json()),
            OutputForm::Table if args.members => text += &described.members(),
            OutputForm::Table => text += &described.partitions(),
        }
    }
    if form == OutputForm::Json {
        text = Value::from(documents).to_string() + "\n";
    }
    Ok(text)
}

/// A group and how far it is.
struct Described {
    group: DescribedGroup,
    rows: Vec<Row>,
}

/// A partition that the group reads or has read.
struct Row {
    topic: Arc<str>,
    partition: i32,
    committed: Option<CommittedOffset>,
    /// The offset behind the last record; `None` if the partition is gone.
    end: Option<Offset>,
    /// The member that reads it.
    member: Option<String>,
}

impl Row {
    /// Records that are still to be read.
    fn lag(&self) -> Option<i64> {
        Some((self.end?.0 - self.committed.as_ref()?.offset.0).max(0))
    }
}

impl Described {
    async fn load(cluster: &Cluster, admin: &Admin, name: &str) -> Result<Self, ClientError> {
        let group = admin.describe_group(name).await?;
        let offsets = admin.group_offsets(name).await?;
        let wanted = read(&group, &offsets);
        let mut ends: BTreeMap<(Arc<str>, i32), Offset> = BTreeMap::new();
        let topics: BTreeSet<&Arc<str>> = wanted.keys().map(|(topic, _)| topic).collect();
        for topic in topics {
            let latest = |(key, _): (&(Arc<str>, i32), _)| (key.0 == *topic).then_some((key.1, OffsetSpec::Latest));
            let partitions: Vec<_> = wanted.iter().filter_map(latest).collect();
            match cluster.offsets(topic, &partitions).await {
                Ok(found) => ends.extend(found.into_iter().map(|(index, end)| ((Arc::clone(topic), index), end))),
                Err(ClientError::UnknownTopic(_) | ClientError::UnknownPartition { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        let row = |(key, member): ((Arc<str>, i32), Option<String>)| Row {
            committed: offsets.get(&key).cloned(),
            end: ends.get(&key).copied(),
            topic: key.0,
            partition: key.1,
            member,
        };
        Ok(Self { rows: wanted.into_iter().map(row).collect(), group })
    }

    fn lag(&self) -> i64 {
        self.rows.iter().filter_map(Row::lag).sum()
    }

    fn head(&self) -> String {
        let DescribedGroup { id, state, members, .. } = &self.group;
        format!("{id}: {state}, {}, lag {}\n", counted(members.len(), "member"), self.lag())
    }

    /// How far it is, by partition.
    fn partitions(&self) -> String {
        let number = |number: Option<i64>| number.map_or_else(|| "-".to_owned(), |number| number.to_string());
        let row = |row: &Row| {
            [
                row.topic.to_string(),
                row.partition.to_string(),
                number(row.committed.as_ref().map(|committed| committed.offset.0)),
                number(row.end.map(|end| end.0)),
                number(row.lag()),
                row.member.clone().unwrap_or_else(|| "-".to_owned()),
            ]
        };
        if self.rows.is_empty() {
            return self.head() + "  nothing is committed or read\n";
        }
        let rows: Vec<_> = self.rows.iter().map(row).collect();
        self.head() + &table(["topic", "partition", "committed", "end", "lag", "member"], &rows)
    }

    /// Who its members are.
    fn members(&self) -> String {
        let DescribedGroup { kind, assignor, coordinator: (broker, address), members, .. } = &self.group;
        let assignor = if assignor.is_empty() { String::new() } else { format!(" with {assignor}") };
        let mut text = format!("{}  {kind} protocol{assignor}, kept by broker {broker} at {address}\n", self.head());
        let row = |member: &GroupMember| {
            [
                member.id.clone(),
                member.instance.clone().unwrap_or_else(|| "-".to_owned()),
                member.client_id.clone(),
                member.host.trim_start_matches('/').to_owned(),
                listed(&member.assigned),
            ]
        };
        if !members.is_empty() {
            let rows: Vec<_> = members.iter().map(row).collect();
            text += &table(["member", "instance", "client", "host", "reads"], &rows);
        }
        text
    }

    fn json(&self) -> Value {
        let group = &self.group;
        let row = |row: &Row| {
            json!({
                "topic": &*row.topic,
                "partition": row.partition,
                "committed": row.committed.as_ref().map(|committed| committed.offset.0),
                "metadata": row.committed.as_ref().map(|committed| committed.metadata.as_str()),
                "end": row.end.map(|end| end.0),
                "lag": row.lag(),
                "member": row.member,
            })
        };
        let member = |member: &GroupMember| {
            json!({
                "member": member.id,
                "instance": member.instance,
                "clientId": member.client_id,
                "host": member.host,
                "epoch": member.epoch,
                "topics": member.topics,
                "pattern": member.pattern,
                "assigned": member.assigned,
                "target": member.target,
            })
        };
        json!({
            "group": group.id,
            "protocol": group.kind.to_string(),
            "state": group.state,
            "assignor": group.assignor,
            "epoch": group.epoch,
            "coordinator": group.coordinator.0.0,
            "lag": self.lag(),
            "partitions": self.rows.iter().map(row).collect::<Value>(),
            "members": group.members.iter().map(member).collect::<Value>(),
        })
    }
}

/// What a group reads or has read, and who reads it.
fn read(group: &DescribedGroup, offsets: &GroupOffsets) -> BTreeMap<(Arc<str>, i32), Option<String>> {
    let mut found: BTreeMap<_, _> = offsets.keys().map(|key| (key.clone(), None)).collect();
    for member in &group.members {
        for (topic, partitions) in &member.assigned {
            let topic: Arc<str> = topic.as_str().into();
            found.extend(partitions.iter().map(|index| ((Arc::clone(&topic), *index), Some(member.id.clone()))));
        }
    }
    found
}

/// Partitions as `orders:0,1 bills:4`.
fn listed(assigned: &BTreeMap<String, Vec<i32>>) -> String {
    if assigned.is_empty() {
        return "-".to_owned();
    }
    let topic = |(topic, partitions): (&String, &Vec<i32>)| {
        format!("{topic}:{}", partitions.iter().map(i32::to_string).collect::<Vec<_>>().join(","))
    };
    assigned.iter().map(topic).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use ottla_client::Address;
    use ottla_types::BrokerId;

    use super::*;

    fn described() -> Described {
        let member = GroupMember {
            id: "c-1".into(),
            client_id: "c".into(),
            host: "/10.0.0.1".into(),
            topics: vec!["orders".into()],
            assigned: BTreeMap::from([("orders".into(), vec![0, 1])]),
            ..GroupMember::default()
        };
        let group = DescribedGroup {
            id: "billing".into(),
            kind: GroupKind::Classic,
            state: "Stable".into(),
            protocol_type: "consumer".into(),
            assignor: "range".into(),
            epoch: None,
            coordinator: (BrokerId(1), Address { host: "kafka".into(), port: 9092 }),
            members: vec![member],
        };
        let committed = |offset| Some(CommittedOffset::at(Offset(offset)));
        let row = |topic: &str, partition, committed, end: Option<i64>, member: Option<&str>| Row {
            topic: topic.into(),
            partition,
            committed,
            end: end.map(Offset),
            member: member.map(str::to_owned),
        };
        let rows = vec![
            row("gone", 0, committed(7), None, None),
            row("orders", 0, committed(90), Some(100), Some("c-1")),
            row("orders", 1, None, Some(5), Some("c-1")),
            // A log whose end was cut off, by hand or by an unclean election.
            row("orders", 2, committed(9), Some(4), None),
        ];
        Described { group, rows }
    }

    #[test]
    fn lag_is_shown_by_partition() {
        let expected = "\
billing: Stable, 1 member, lag 10
  topic   partition  committed  end  lag  member
  gone    0          7          -    -    -
  orders  0          90         100  10   c-1
  orders  1          -          5    -    c-1
  orders  2          9          4    0    -
";
        assert_eq!(described().partitions(), expected);
        let json = described().json();
        assert_eq!((&json["lag"], &json["partitions"][0]["lag"]), (&json!(10), &Value::Null));
    }

    #[test]
    fn members_are_shown_with_what_they_read() {
        let expected = "\
billing: Stable, 1 member, lag 10
  classic protocol with range, kept by broker 1 at kafka:9092
  member  instance  client  host      reads
  c-1     -         c       10.0.0.1  orders:0,1
";
        assert_eq!(described().members(), expected);
    }
}
