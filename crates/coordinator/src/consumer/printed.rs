//! Facts and answers of consumer groups as one line of text each. A topic's id is shown by its end.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use ottla_types::{Timestamp, Uuid};

use super::fact::ConsumerFact;
use super::member::{Held, Standing, Subscription};
use super::request::{ConsumerBeat, DescribedAssignment, DescribedConsumer, DescribedConsumerGroup};

/// The last two bytes: enough to tell a few topics apart.
fn short(topic: Uuid) -> String {
    format!("{:x}", u16::from_be_bytes([topic.0[14], topic.0[15]]))
}

fn partitions<'a>(topics: impl Iterator<Item = (String, Vec<&'a i32>)>) -> String {
    let all = topics.map(|(topic, partitions)| {
        let partitions: Vec<_> = partitions.into_iter().map(ToString::to_string).collect();
        format!("{topic}/{}", partitions.join(","))
    });
    format!("[{}]", all.collect::<Vec<_>>().join(" "))
}

fn held(held: &Held) -> String {
    let one = |(topic, partitions): (&Uuid, &BTreeMap<i32, i32>)| {
        let partitions: Vec<_> = partitions.iter().map(|(partition, since)| format!("{partition}@{since}")).collect();
        format!("{}/{}", short(*topic), partitions.join(","))
    };
    format!("[{}]", held.iter().map(one).collect::<Vec<_>>().join(" "))
}

fn texts<'a>(texts: impl Iterator<Item = &'a Arc<str>>) -> String {
    texts.map(|text| &**text).collect::<Vec<_>>().join(",")
}

impl fmt::Display for ConsumerFact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Epoch(Some(epoch)) => write!(f, "epoch {} of topics {:x}", epoch.epoch, epoch.metadata_hash),
            Self::Epoch(None) => write!(f, "gone"),
            Self::PartitionMetadata(true) => write!(f, "partition metadata"),
            Self::PartitionMetadata(false) => write!(f, "partition metadata gone"),
            Self::Member(id, Some(said)) => write!(f, "member {id} {said}"),
            Self::Member(id, None) => write!(f, "member {id} gone"),
            Self::TargetEpoch(Some(target)) => {
                write!(f, "target epoch {}", target.epoch)?;
                if target.assigned_at == Timestamp(0) { Ok(()) } else { write!(f, " at {}", target.assigned_at) }
            }
            Self::TargetEpoch(None) => write!(f, "target epoch gone"),
            Self::Target(id, Some(target)) => {
                let target = target.iter().map(|(topic, partitions)| (short(*topic), partitions.iter().collect()));
                write!(f, "target of {id} {}", partitions(target))
            }
            Self::Target(id, None) => write!(f, "target of {id} gone"),
            Self::Standing(id, Some(standing)) => write!(f, "{id} {standing}"),
            Self::Standing(id, None) => write!(f, "{id} holds nothing"),
            Self::Regex(regex, Some(resolved)) => {
                write!(f, "pattern {regex} matches [{}] since {}", texts(resolved.topics.iter()), resolved.version)
            }
            Self::Regex(regex, None) => write!(f, "pattern {regex} gone"),
        }
    }
}

impl fmt::Display for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "reads [{}]", texts(self.topics.iter()))?;
        let others = [("pattern", self.pattern()), ("instance", self.instance.as_ref())];
        let others = others.into_iter().chain([("rack", self.rack.as_ref()), ("assignor", self.assignor.as_ref())]);
        for (name, text) in others {
            if let Some(text) = text {
                write!(f, " {name} {text}")?;
            }
        }
        if let Some(classic) = &self.classic {
            write!(f, " classic {}", texts(classic.protocols.iter().map(|protocol| &protocol.name)))?;
        }
        Ok(())
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at {} after {} {:?} has {}", self.epoch, self.previous_epoch, self.state, held(&self.assigned))?;
        if self.revoking.is_empty() { Ok(()) } else { write!(f, " gives back {}", held(&self.revoking)) }
    }
}

impl fmt::Display for ConsumerBeat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "beat {} at {}", self.member, self.epoch)?;
        let Some(assignment) = &self.assignment else { return Ok(()) };
        let assignment = assignment.iter().map(|(topic, partitions)| (short(*topic), partitions.iter().collect()));
        write!(f, " has {}", partitions(assignment))
    }
}

impl fmt::Display for DescribedConsumerGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "describe {} epoch {} target {} {}", self.state, self.epoch, self.target_epoch, self.assignor)?;
        self.members.iter().try_for_each(|member| write!(f, " {member}"))
    }
}

impl fmt::Display for DescribedConsumer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = |assignment: &[DescribedAssignment]| {
            partitions(assignment.iter().map(|topic| (topic.name.to_string(), topic.partitions.iter().collect())))
        };
        write!(f, "{}", self.member)?;
        if let Some(instance) = &self.instance {
            write!(f, "({instance})")?;
        }
        let kind = if self.is_classic { " classic" } else { "" };
        write!(f, "{kind} at {} has {} of {}", self.epoch, named(&self.assignment), named(&self.target))
    }
}
