//! `ottla group`: list, describe, reset-offsets, delete, delete-offsets.
//!
//! List and delete are on this page; what a group looks like is in `describe`, where its offsets go in `reset`.

mod describe;
mod reset;

use std::sync::Arc;

use ottla_client::{Admin, ClientError, Cluster, ListedGroup};
use serde_json::{Value, json};

use crate::args::{GroupCommand, OutputForm, TopicPartitionsArg};
use crate::confirm::confirm;
use crate::failure::{Failure, say};
use crate::output::Output;
use crate::table::{counted, table};

/// Runs one of the commands.
pub(crate) async fn run(cluster: Cluster, command: GroupCommand, form: OutputForm) -> Result<(), Failure> {
    let admin = Admin::new(cluster.clone());
    let mut output = Output::stdout();
    match command {
        GroupCommand::List { states } => list(&admin, &states, form, &mut output).await?,
        GroupCommand::Describe(args) => describe::run(&cluster, &admin, &args, form, &mut output).await?,
        GroupCommand::ResetOffsets(args) => reset::run(&cluster, &admin, &args, form, &mut output).await?,
        GroupCommand::Delete { groups, yes } => {
            confirm(yes, &format!("Delete {} with all that was committed?", groups.join(", ")))?;
            delete(&admin, &groups, &mut output).await?;
        }
        GroupCommand::DeleteOffsets { group, topics, yes } => {
            let partitions = partitions(&cluster, &topics).await?;
            confirm(yes, &format!("Forget how far {group} is with {}?", counted(partitions.len(), "partition")))?;
            admin.delete_group_offsets(&group, &partitions).await?;
            output.line(&format!("group {group}: {} forgotten", counted(partitions.len(), "partition")))?;
        }
    }
    output.flush()
}

async fn list(admin: &Admin, states: &[String], form: OutputForm, output: &mut Output) -> Result<(), Failure> {
    let mut groups = admin.list_groups().await?;
    groups.retain(|group| states.is_empty() || states.iter().any(|state| state.eq_ignore_ascii_case(&group.state)));
    let text = match form {
        OutputForm::Json => groups.iter().map(json_of).collect::<Value>().to_string() + "\n",
        OutputForm::Table if groups.is_empty() => String::new(),
        OutputForm::Table => {
            let of = |group: &ListedGroup| group.protocol_type.clone();
            let row = |group: &ListedGroup| [group.id.clone(), group.kind.to_string(), group.state.clone(), of(group)];
            table(["group", "protocol", "state", "members are"], &groups.iter().map(row).collect::<Vec<_>>())
        }
    };
    output.write(text.as_bytes())
}

fn json_of(group: &ListedGroup) -> Value {
    json!({
        "group": group.id,
        "protocol": group.kind.to_string(),
        "state": group.state,
        "protocolType": group.protocol_type,
    })
}

async fn delete(admin: &Admin, groups: &[String], output: &mut Output) -> Result<(), Failure> {
    let mut failed = None;
    for group in groups {
        match admin.delete_group(group).await {
            Ok(()) => output.line(&format!("deleted group {group}"))?,
            Err(error) => {
                let failure = match error {
                    ClientError::UnknownGroup(_) | ClientError::GroupHasMembers(_) => Failure::from(error),
                    error => Failure::new(format!("group {group} was not deleted: {error}")),
                };
                // All are tried; the last failure is the command's.
                if let Some(Failure::Message(earlier)) = failed.replace(failure) {
                    say(&format!("ottla: {earlier}"));
                }
            }
        }
    }
    failed.map_or(Ok(()), Err)
}

/// The partitions that are meant, each once.
async fn partitions(cluster: &Cluster, topics: &[TopicPartitionsArg]) -> Result<Vec<(Arc<str>, i32)>, Failure> {
    let mut found = Vec::new();
    for wanted in topics {
        let topic = cluster.topic(&wanted.topic).await?;
        if wanted.partitions.is_empty() {
            found.extend(topic.partitions.iter().map(|partition| (Arc::clone(&topic.name), partition.index)));
        }
        for index in &wanted.partitions {
            found.push((Arc::clone(&topic.name), topic.partition(*index)?.index));
        }
    }
    found.sort();
    found.dedup();
    Ok(found)
}
