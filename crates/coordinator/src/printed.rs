//! Facts and answers as one line of text each, for scripts and logs.

use std::fmt;

use ottla_types::{ErrorCode, LeaderEpoch, Timestamp};

use crate::fact::Fact;
use crate::request::{DescribedGroup, FetchedTopic, Joined, Left, ListedGroup, Reply, Synced};

/// Bytes of a client's, as far as they can be read: the first forty, others than ASCII escaped.
fn text(bytes: &[u8]) -> String {
    let shown = bytes[..bytes.len().min(SHOWN_MAX)].escape_ascii().to_string();
    if bytes.len() > SHOWN_MAX { format!("{shown}… ({} bytes)", bytes.len()) } else { shown }
}

/// How much of a client's bytes is shown.
const SHOWN_MAX: usize = 40;

impl fmt::Display for Fact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ClassicGroup { group, value: None } => write!(f, "{group}: gone"),
            Self::ClassicGroup { group, value: Some(value) } => {
                write!(f, "{group}: generation {}", value.generation)?;
                if let Some(protocol) = &value.protocol {
                    write!(f, " {}/{protocol}", value.protocol_type)?;
                }
                if let Some(leader) = &value.leader {
                    write!(f, " led by {leader}")?;
                }
                for member in &value.members {
                    write!(f, " {}={}", member.member_id, text(&member.assignment))?;
                }
                Ok(())
            }
            Self::Consumer { group, fact } => write!(f, "{group}: {fact}"),
            Self::Offset { group, topic, partition, value: None } => write!(f, "{group}: {topic}/{partition} gone"),
            Self::Offset { group, topic, partition, value: Some(value) } => {
                write!(f, "{group}: {topic}/{partition} at {}", value.offset)?;
                if value.leader_epoch != LeaderEpoch::UNKNOWN {
                    write!(f, " epoch {}", value.leader_epoch)?;
                }
                if !value.metadata.is_empty() {
                    write!(f, " \"{}\"", text(value.metadata.as_bytes()))?;
                }
                if value.expires_at != Timestamp::NONE {
                    write!(f, " until {}", value.expires_at)?;
                }
                Ok(())
            }
        }
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::JoinGroup(joined) => joined.fmt(f),
            Self::SyncGroup(synced) => synced.fmt(f),
            Self::Heartbeat(error) => write!(f, "heartbeat {error}"),
            Self::LeaveGroup(left) => left.fmt(f),
            Self::OffsetCommit(outcome) => each(f, "commit", outcome),
            Self::OffsetDelete(outcome) => each(f, "delete", outcome),
            Self::OffsetFetch(Ok(topics)) => fetched(f, topics),
            Self::ListGroups(Ok(groups)) => listed(f, groups),
            Self::DescribeGroup(Ok(group)) => described(f, group),
            Self::DeleteGroup(error) => write!(f, "delete {error}"),
            Self::OffsetFetch(Err(error)) => write!(f, "fetch {error}"),
            Self::ListGroups(Err(error)) => write!(f, "list {error}"),
            Self::DescribeGroup(Err(error)) => write!(f, "describe {error}"),
            Self::ConsumerHeartbeat(Ok(beat)) => beat.fmt(f),
            Self::DescribeConsumerGroup(Ok(group)) => group.fmt(f),
            Self::ConsumerHeartbeat(Err(refusal)) => write!(f, "beat {refusal}"),
            Self::DescribeConsumerGroup(Err(refusal)) => write!(f, "describe {refusal}"),
        }
    }
}

impl fmt::Display for Joined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.error != ErrorCode::None {
            let member = if self.member.is_empty() { "-" } else { &*self.member };
            return write!(f, "join {} {member}", self.error);
        }
        let protocol = self.protocol.as_deref().unwrap_or("-");
        write!(f, "join {} generation {} {protocol} led by {}", self.member, self.generation, self.leader)?;
        if self.skip_assignment {
            write!(f, ", assigned before")?;
        }
        for member in &self.members {
            write!(f, " {}", member.member)?;
            if let Some(instance) = &member.instance {
                write!(f, "({instance})")?;
            }
            write!(f, "={}", text(&member.metadata))?;
        }
        Ok(())
    }
}

impl fmt::Display for Synced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.error != ErrorCode::None {
            return write!(f, "sync {}", self.error);
        }
        let protocol = self.protocol.as_deref().unwrap_or("-");
        write!(f, "sync {protocol} \"{}\"", text(&self.assignment))
    }
}

impl fmt::Display for Left {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "leave {}", self.error)?;
        for (leaver, error) in &self.members {
            let name = if leaver.member.is_empty() { "-" } else { &leaver.member };
            write!(f, " {name}")?;
            if let Some(instance) = &leaver.instance {
                write!(f, "({instance})")?;
            }
            write!(f, ":{error}")?;
        }
        Ok(())
    }
}

fn each(f: &mut fmt::Formatter<'_>, what: &str, outcome: &Result<Vec<ErrorCode>, ErrorCode>) -> fmt::Result {
    match outcome {
        Err(error) => write!(f, "{what} {error}"),
        Ok(errors) => {
            let errors: Vec<_> = errors.iter().map(ToString::to_string).collect();
            write!(f, "{what} [{}]", errors.join(", "))
        }
    }
}

fn fetched(f: &mut fmt::Formatter<'_>, topics: &[FetchedTopic]) -> fmt::Result {
    write!(f, "fetch")?;
    for topic in topics {
        for partition in &topic.partitions {
            write!(f, " {}/{}={}", topic.name, partition.index, partition.offset)?;
            if partition.leader_epoch >= 0 {
                write!(f, "@{}", partition.leader_epoch)?;
            }
            if !partition.metadata.is_empty() {
                write!(f, "\"{}\"", text(partition.metadata.as_bytes()))?;
            }
        }
    }
    Ok(())
}

fn listed(f: &mut fmt::Formatter<'_>, groups: &[ListedGroup]) -> fmt::Result {
    write!(f, "list")?;
    for group in groups {
        write!(f, " {}:{}/{}/{}", group.group, group.kind, group.protocol_type, group.state)?;
    }
    Ok(())
}

fn described(f: &mut fmt::Formatter<'_>, group: &DescribedGroup) -> fmt::Result {
    write!(f, "describe {} {}/{}", group.state, group.protocol_type, group.protocol)?;
    for member in &group.members {
        write!(f, " {}", member.member)?;
        if let Some(instance) = &member.instance {
            write!(f, "({instance})")?;
        }
        write!(
            f,
            " {}{} {}={}",
            member.client_id,
            member.client_host,
            text(&member.metadata),
            text(&member.assignment)
        )?;
    }
    Ok(())
}
