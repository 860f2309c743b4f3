//! Where a group's offsets go: a plan that is shown, and carried out with `--execute`.
//!
//! An offset outside of what a log holds goes to the nearer end, and the plan says so.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use ottla_client::{Admin, ClientError, Cluster, CommittedOffset, GroupOffsets, OffsetSpec};
use ottla_types::{Offset, Timestamp};
use serde_json::{Value, json};

use crate::args::{ENDS, OutputForm, ResetOffsetsArgs, ResetTo};
use crate::failure::{Failure, say};
use crate::output::Output;
use crate::table::{counted, table};

type PartitionKey = (Arc<str>, i32);

/// Shows the plan, and carries it out if it shall be.
pub(super) async fn run(
    cluster: &Cluster,
    admin: &Admin,
    args: &ResetOffsetsArgs,
    form: OutputForm,
    output: &mut Output,
) -> Result<(), Failure> {
    let group = &args.group;
    let committed = admin.group_offsets(group).await?;
    let targets = targets(cluster, args, &committed).await?;
    let plan = plan(cluster, &targets, &committed).await?;
    let members = match admin.describe_group(group).await {
        Ok(described) => described.members.len(),
        Err(ClientError::UnknownGroup(_)) => 0,
        Err(error) => return Err(error.into()),
    };
    if args.execute {
        if members > 0 {
            return Err(ClientError::GroupHasMembers(group.clone()).into());
        }
        let offsets = plan.iter().map(|step| (step.key.clone(), CommittedOffset::at(step.new))).collect();
        admin.alter_group_offsets(group, &offsets).await?;
    }
    let text = match form {
        OutputForm::Json => {
            let steps = plan.iter().map(Step::json).collect::<Value>();
            json!({ "group": group, "executed": args.execute, "partitions": steps }).to_string() + "\n"
        }
        OutputForm::Table => {
            let rows: Vec<_> = plan.iter().map(Step::row).collect();
            format!("{group}:\n{}", table(["topic", "partition", "committed", "new", "lag", "note"], &rows))
        }
    };
    output.write(text.as_bytes())?;
    if !args.execute {
        output.flush()?;
        let hint =
            if members > 0 { format!("; its {} must stop first", counted(members, "member")) } else { String::new() };
        say(&format!("nothing was changed: --execute does it{hint}"));
    }
    Ok(())
}

/// Where a partition shall go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Target {
    To(ResetTo),
    Shift(i64),
}

/// What the command line asks of each partition.
async fn targets(
    cluster: &Cluster,
    args: &ResetOffsetsArgs,
    committed: &GroupOffsets,
) -> Result<BTreeMap<PartitionKey, Target>, Failure> {
    if let Some(path) = &args.from_file {
        return from_file(path);
    }
    let partitions = if args.all_topics {
        committed.keys().cloned().collect()
    } else {
        super::partitions(cluster, &args.topics).await?
    };
    if partitions.is_empty() {
        return Err(Failure::new(format!("group {} has committed nothing: --topic says what to reset", args.group)));
    }
    let target = match (args.to, args.ago, args.shift) {
        (Some(to), ..) => Target::To(to),
        (_, Some(ago), _) => {
            let now = cluster.runtime().clock.wall().0;
            let ago = i64::try_from(ago.as_millis()).unwrap_or(i64::MAX);
            Target::To(ResetTo::Time(Timestamp(now.saturating_sub(ago).max(0))))
        }
        (_, _, shift) => Target::Shift(shift.expect("clap wants one of the forms")),
    };
    Ok(partitions.into_iter().map(|key| (key, target)).collect())
}

/// Reads lines of `TOPIC,PARTITION,OFFSET`.
fn from_file(path: &Path) -> Result<BTreeMap<PartitionKey, Target>, Failure> {
    let named = |what: String| Failure::new(format!("{}: {what}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|error| named(error.to_string()))?;
    let mut targets = BTreeMap::new();
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let wrong = || named(format!("line {}: TOPIC,PARTITION,OFFSET is needed, not {line:?}", number + 1));
        let parts: Vec<&str> = line.split(',').map(|part| part.trim().trim_matches('"')).collect();
        let [topic, partition, offset] = parts[..] else { return Err(wrong()) };
        let partition: i32 = partition.parse().ok().filter(|index| *index >= 0).ok_or_else(wrong)?;
        let offset: i64 = offset.parse().ok().filter(|offset| *offset >= 0).ok_or_else(wrong)?;
        targets.insert((topic.into(), partition), Target::To(ResetTo::Offset(Offset(offset))));
    }
    if targets.is_empty() { Err(named("it names no partition".to_owned())) } else { Ok(targets) }
}

/// What happens to a partition.
#[derive(PartialEq, Eq, Debug)]
struct Step {
    key: PartitionKey,
    committed: Option<Offset>,
    new: Offset,
    end: Offset,
    note: String,
}

impl Step {
    fn row(&self) -> [String; 6] {
        [
            self.key.0.to_string(),
            self.key.1.to_string(),
            self.committed.map_or_else(|| "-".to_owned(), |offset| offset.to_string()),
            self.new.to_string(),
            (self.end.0 - self.new.0).max(0).to_string(),
            self.note.clone(),
        ]
    }

    fn json(&self) -> Value {
        json!({
            "topic": &*self.key.0,
            "partition": self.key.1,
            "committed": self.committed.map(|offset| offset.0),
            "new": self.new.0,
            "lag": (self.end.0 - self.new.0).max(0),
            "note": Some(&self.note).filter(|note| !note.is_empty()),
        })
    }
}

async fn plan(
    cluster: &Cluster,
    targets: &BTreeMap<PartitionKey, Target>,
    committed: &GroupOffsets,
) -> Result<Vec<Step>, Failure> {
    let mut plan = Vec::with_capacity(targets.len());
    let topics: BTreeSet<&Arc<str>> = targets.keys().map(|(topic, _)| topic).collect();
    for topic in topics {
        let of_topic: Vec<_> = targets.iter().filter(|(key, _)| key.0 == *topic).collect();
        let mut places = Vec::with_capacity(ENDS.len());
        for spec in ENDS {
            let wanted: Vec<_> = of_topic.iter().map(|(key, _)| (key.1, spec)).collect();
            places.push(cluster.offsets(topic, &wanted).await?);
        }
        let time = |(key, target): &(&PartitionKey, &Target)| match target {
            Target::To(ResetTo::Time(time)) => Some((key.1, OffsetSpec::Timestamp(*time))),
            _ => None,
        };
        let times: Vec<_> = of_topic.iter().filter_map(time).collect();
        let times = if times.is_empty() { BTreeMap::new() } else { cluster.offsets(topic, &times).await? };
        for (key, target) in of_topic {
            let [start, end] = [&places[0], &places[1]].map(|ends| ends.get(&key.1).copied());
            let (Some(start), Some(end)) = (start, end) else {
                return Err(Failure::new(format!("{topic}-{} does not say where it begins and ends", key.1)));
            };
            let known = Known { start, end, time: times.get(&key.1).copied() };
            plan.push(step(key, *target, committed.get(key).map(|committed| committed.offset), &known)?);
        }
    }
    Ok(plan)
}

/// What a log says.
struct Known {
    start: Offset,
    end: Offset,
    /// The first offset that is not older than the time that is asked for; the end if there is none.
    time: Option<Offset>,
}

fn step(key: &PartitionKey, target: Target, committed: Option<Offset>, known: &Known) -> Result<Step, Failure> {
    let Known { start, end, time } = known;
    let wanted = match target {
        Target::To(ResetTo::Earliest) => *start,
        Target::To(ResetTo::Latest) => *end,
        Target::To(ResetTo::Current) => committed.unwrap_or(*end),
        Target::To(ResetTo::Offset(offset)) => offset,
        Target::To(ResetTo::Time(_)) => time.unwrap_or(*end),
        Target::Shift(by) => match committed {
            Some(offset) => Offset(offset.0.saturating_add(by)),
            None => {
                let place = format!("{}-{}", key.0, key.1);
                return Err(Failure::new(format!("{place} cannot be shifted: the group has committed nothing there")));
            }
        },
    };
    let note = match wanted {
        offset if offset > *end => format!("{offset} is beyond the end"),
        offset if offset < *start => format!("{offset} is before the start"),
        _ => String::new(),
    };
    let new = wanted.max(*start).min(*end);
    Ok(Step { key: key.clone(), committed, new, end: *end, note })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_has_its_place_within_the_log() {
        let known = Known { start: Offset(10), end: Offset(50), time: Some(Offset(33)) };
        let to = |to| Target::To(to);
        let cases = [
            (to(ResetTo::Earliest), Some(20), 10, ""),
            (to(ResetTo::Latest), Some(20), 50, ""),
            (to(ResetTo::Current), Some(20), 20, ""),
            (to(ResetTo::Current), None, 50, ""),
            (to(ResetTo::Offset(Offset(17))), None, 17, ""),
            (to(ResetTo::Offset(Offset(51))), None, 50, "51 is beyond the end"),
            (to(ResetTo::Offset(Offset(0))), None, 10, "0 is before the start"),
            (to(ResetTo::Time(Timestamp(1))), Some(20), 33, ""),
            (Target::Shift(5), Some(20), 25, ""),
            (Target::Shift(-15), Some(20), 10, "5 is before the start"),
            (Target::Shift(i64::MAX), Some(20), 50, "9223372036854775807 is beyond the end"),
        ];
        for (target, committed, new, note) in cases {
            let step = step(&("t".into(), 0), target, committed.map(Offset), &known).unwrap();
            assert_eq!((step.new.0, step.note.as_str()), (new, note), "{target:?} from {committed:?}");
        }
        assert!(step(&("t".into(), 0), Target::Shift(1), None, &known).is_err());
    }

    #[test]
    fn files_name_partitions_and_offsets() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("plan.csv");
        let read = |text: &str| {
            std::fs::write(&path, text).unwrap();
            from_file(&path).map(|targets| targets.into_iter().collect::<Vec<_>>())
        };
        let at = |offset| Target::To(ResetTo::Offset(Offset(offset)));
        let expected = vec![(("a".into(), 0), at(5)), (("b".into(), 3), at(7))];
        assert_eq!(read("\"b\",3,7\n\na, 0, 5\n").unwrap(), expected);
        for wrong in ["", "t,0", "t,x,1", "t,0,-1", "t,0,1,2"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
