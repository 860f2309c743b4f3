//! What else is written while a broker is killed: topics whose promise is another, and whose records leave.
//!
//! | topic | producer | what is judged |
//! |---|---|---|
//! | `kill-leader` | acks=1, not idempotent | offsets without holes and whole records; what of the acknowledged is gone is counted |
//! | `kill-purged` | idempotent, acks=all, small segments | as the main topic, from where the log starts; records leave by DeleteRecords and retention, and what was told to be deleted stays so |

use std::time::Duration;

use crate::load::verify::{Finding, Starts};
use crate::load::{self, Load};
use crate::process::Running;

/// Partitions of each topic.
const PARTITIONS: u32 = 2;
/// How long the purging may take to end.
const END_MAX: Duration = Duration::from_secs(60);

/// How a broker is started, so that records leave while it is tested.
pub(super) const SETTINGS: &[&str] = &[
    "log.retention.check.interval.ms=1000",
    "log.initial.task.delay.ms=500",
    "log.segment.delete.delay.ms=1000",
    "log.flush.offset.checkpoint.interval.ms=1000",
];

/// One topic and who works on it.
pub(super) struct Beside {
    topic: &'static str,
    /// Whether an acknowledged record must be there.
    keeps: bool,
    load: Load,
    purging: Option<Running>,
    /// Below these offsets all was told to be deleted.
    purged: Starts,
}

/// Starts all of them.
pub(super) fn start(address: &str) -> Result<Vec<Beside>, String> {
    let leader = Load::start(address, "kill-leader", PARTITIONS, &["acks=1", "rate=4000"])?;
    let settings = ["rate=4000", "segment.bytes=1048576", "retention.bytes=2097152"];
    let purged = Load::start(address, "kill-purged", PARTITIONS, &settings)?;
    let purging = load::program("purge", address, "kill-purged", PARTITIONS)?;
    let beside = |topic, keeps, load, purging| Beside { topic, keeps, load, purging, purged: Starts::new() };
    Ok(vec![beside("kill-leader", false, leader, None), beside("kill-purged", true, purged, Some(purging))])
}

impl Beside {
    /// Ends the producer, and what purges.
    pub(super) fn finish(&mut self) -> Result<(), String> {
        let named = |why: String| format!("{}: {why}", self.topic);
        if let Some(mut purging) = self.purging.take() {
            purging.close_input();
            let purged = &mut self.purged;
            purging.finish(END_MAX, |line| {
                if let Some((partition, offset)) = load::place("purged", &line) {
                    let low = purged.entry(partition).or_default();
                    *low = offset.max(*low);
                }
            })?;
            if self.purged.is_empty() {
                return Err(named("nothing was purged".to_owned()));
            }
        }
        self.load.finish().map_err(named)
    }

    /// Reads the topic and tells what is not as it was promised.
    pub(super) fn judge(&self, address: &str) -> Result<Vec<String>, String> {
        let log = load::dump(address, self.topic, PARTITIONS)?;
        let found = log.judge(&self.load.acknowledged);
        let (mut findings, mut gone) = (Vec::new(), 0_u64);
        for finding in found {
            match finding {
                Finding::Hole { .. } => findings.push(finding.to_string()),
                _ if self.keeps => findings.push(finding.to_string()),
                Finding::Lost(_) | Finding::Moved(..) => gone += 1,
                // Who is not idempotent may write a record twice, and behind a later one.
                Finding::Twice { .. } | Finding::Reordered { .. } => {}
            }
        }
        for (partition, purged) in &self.purged {
            let start = log.starts.get(partition).copied().unwrap_or_default();
            if start < *purged {
                findings.push(format!(
                    "partition {partition}: begins at {start}, though {purged} was told to be its start"
                ));
            }
        }
        let (acknowledged, stored) = (self.load.acknowledged.len(), log.entries.len());
        let starts: u64 = log.starts.values().sum();
        let promise = if self.keeps { format!("{starts} have left") } else { format!("{gone} of acks=1 gone") };
        println!("kill: {}: {acknowledged} records acknowledged, {stored} in the log, {promise}", self.topic);
        Ok(findings.into_iter().map(|finding| format!("{}: {finding}", self.topic)).collect())
    }
}
