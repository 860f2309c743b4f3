//! Answers as text: for scripts and logs.

use std::fmt;

use ottla_types::ErrorCode;

use crate::request::Reply;

impl fmt::Display for Reply {
    /// What was asked and what came of it; one line for each part of the request where it has parts.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refusal) => write!(f, "refused {}: {refusal}", refusal.code()),
            Self::RegisterBroker(Ok(epoch)) => write!(f, "registered epoch={epoch}"),
            Self::RegisterBroker(Err(refusal)) => write!(f, "not registered {}: {refusal}", refusal.code()),
            Self::CreateTopics(results) => {
                f.write_str("create-topics")?;
                results.iter().try_for_each(|(name, result)| match result {
                    Ok(created) => write!(f, "\n  {name}: {created}"),
                    Err(refusal) => write!(f, "\n  {name}: {}: {refusal}", refusal.code()),
                })
            }
            Self::DeleteTopics(results) => {
                f.write_str("delete-topics")?;
                results.iter().try_for_each(|result| write!(f, "\n  {result}"))
            }
            Self::CreatePartitions(results) => {
                f.write_str("create-partitions")?;
                results.iter().try_for_each(|(name, result)| {
                    write!(f, "\n  {name}: ")?;
                    outcome(f, "grown", result.as_ref().map_err(|refusal| (refusal.code(), refusal as _)))
                })
            }
            Self::ElectLeaders(topics) => {
                f.write_str("elect-leaders")?;
                let all =
                    topics.iter().flat_map(|topic| topic.partitions.iter().map(move |result| (&topic.name, result)));
                all.into_iter().try_for_each(|(name, (index, result))| {
                    write!(f, "\n  {name}/{index}: ")?;
                    outcome(f, "elected", result.as_ref().map_err(|refusal| (refusal.code(), refusal as _)))
                })
            }
            Self::AlterPartitionReassignments(results) => {
                f.write_str("alter-partition-reassignments")?;
                results.iter().try_for_each(|result| {
                    f.write_str("\n  ")?;
                    outcome(f, "reassigned", result.as_ref().map_err(|refusal| (refusal.code(), refusal as _)))
                })
            }
            Self::UpdateFeatures(result) => {
                outcome(f, "features updated", result.as_ref().map_err(|refusal| (refusal.code(), refusal as _)))
            }
            Self::UnregisterBroker(result) => {
                outcome(f, "unregistered", result.as_ref().map_err(|refusal| (refusal.code(), refusal as _)))
            }
            Self::AlterConfigs(results) => {
                f.write_str("alter-configs")?;
                results.iter().try_for_each(|result| {
                    f.write_str("\n  ")?;
                    outcome(f, "altered", result.as_ref().map_err(|refusal| (refusal.code(), refusal as _)))
                })
            }
            Self::AllocateProducerIds(Ok(block)) => block.fmt(f),
            Self::AllocateProducerIds(Err(refusal)) => write!(f, "no producer ids {}: {refusal}", refusal.code()),
        }
    }
}

/// `done`, or the code and the words of a refusal.
fn outcome(f: &mut fmt::Formatter<'_>, done: &str, result: Result<&(), (ErrorCode, &dyn fmt::Display)>) -> fmt::Result {
    match result {
        Ok(()) => f.write_str(done),
        Err((code, refusal)) => write!(f, "{code}: {refusal}"),
    }
}
