//! Reading as a member of a group: it says which partitions, and where to go on. What was printed is committed.

use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::sync::Arc;
use std::time::Duration;

use ottla_client::{Cluster, Fetched, GroupConsumer, GroupEvent, GroupSettings, OffsetReset, OffsetSpec};
use ottla_runtime::Clock;
use ottla_types::Offset;

use super::printer::Printer;
use crate::args::{ConsumeArgs, OutputForm, ProtocolArg};
use crate::failure::{Failure, say};
use crate::output::Output;
use crate::progress::Progress;
use crate::session::interrupted;
use crate::table::counted;

/// How long a poll waits before it is asked again. Nothing depends on it.
const IDLE_POLL: Duration = Duration::from_secs(10);
/// The same where the end of what there is may come without a record.
const EXIT_POLL: Duration = Duration::from_millis(50);

/// Signals that are closer together are one.
const INSISTENCE: Duration = Duration::from_millis(500);

type PartitionKey = (Arc<str>, i32);

/// Consumes until there is nothing more to do, or somebody interrupts; then leaves the group.
pub(super) async fn run(cluster: Cluster, group: String, args: ConsumeArgs, form: OutputForm) -> Result<(), Failure> {
    // One that is not there would be waited for.
    cluster.topic(&args.topic).await?;
    let mut consumer = GroupConsumer::new(cluster.clone(), settings(&group, &args));
    consumer.subscribe(&[&args.topic]);
    let (left, exit, quiet) = (args.max_messages.unwrap_or(u64::MAX), args.exit, args.quiet);
    let progress = Progress::start("read", quiet, std::io::stdout().is_terminal());
    let printer = Printer { output: Output::stdout(), form, args };
    let mut reading =
        Reading { cluster, consumer, printer, progress, ends: exit.then(BTreeMap::new), joined: false, left, quiet };
    let result = reading.run().await;
    reading.progress.finish();
    // What was read before a failure is shown, and only then committed.
    let flushed = reading.printer.output.flush();
    let read = reading.progress.records();
    let clock = Arc::clone(&reading.cluster.runtime().clock);
    let closed = tokio::select! {
        biased;
        closed = reading.consumer.close() => closed.map_err(Failure::from),
        () = interrupted_again(&clock) => Err(Failure::new("interrupted before the group was left: what was read last may come again")),
    };
    if !quiet {
        say(&format!("{} read as a member of group {group}", counted(read as usize, "record")));
    }
    result.and(flushed).and(closed)
}

/// Completes when somebody insists. What sends a signal may send it twice at once: that is one wish, not two.
async fn interrupted_again(clock: &Arc<dyn Clock>) {
    clock.sleep_until(clock.now() + INSISTENCE).await;
    interrupted().await;
}

fn settings(group: &str, args: &ConsumeArgs) -> GroupSettings {
    let mut settings = GroupSettings::new(group);
    settings.protocol = args.protocol.into();
    settings.instance.clone_from(&args.instance);
    if args.from_beginning {
        settings.consumer.offset_reset = OffsetReset::Earliest;
    }
    if args.no_commit {
        settings.auto_commit = None;
    }
    settings
}

struct Reading {
    cluster: Cluster,
    consumer: GroupConsumer,
    printer: Printer,
    progress: Progress,
    /// Where to stop, by partition.
    ends: Option<BTreeMap<PartitionKey, Offset>>,
    /// Whether the group has said what to read.
    joined: bool,
    /// Records that may still be printed.
    left: u64,
    quiet: bool,
}

impl Reading {
    async fn run(&mut self) -> Result<(), Failure> {
        let mut interrupted = std::pin::pin!(interrupted());
        let wait = if self.ends.is_some() { EXIT_POLL } else { IDLE_POLL };
        while self.left > 0 && !self.is_at_end() {
            // A poll says that all is done that came before, and may commit it.
            self.printer.output.flush()?;
            let event = tokio::select! {
                biased;
                () = &mut interrupted => return Ok(()),
                event = self.consumer.poll(wait) => event?,
            };
            match event {
                Some(GroupEvent::Records(fetched)) => self.print(&fetched)?,
                Some(GroupEvent::Assigned(partitions)) => {
                    // Others may still have to give up what this one shall get.
                    self.joined |= !partitions.is_empty() || self.printer.args.protocol == ProtocolArg::Classic;
                    self.tell("reads", &partitions);
                    self.find_ends(partitions.into_iter().collect()).await?;
                }
                Some(GroupEvent::Revoking(partitions)) => {
                    self.tell("gives up", &partitions);
                    self.forget_ends(&partitions);
                }
                Some(GroupEvent::Lost(partitions)) => {
                    self.tell("has lost", &partitions);
                    self.forget_ends(&partitions);
                }
                None => {}
            }
        }
        Ok(())
    }

    fn print(&mut self, fetched: &Fetched) -> Result<(), Failure> {
        let (topic, partition) = (&fetched.topic, fetched.partition);
        for record in fetched.records() {
            let record = record.map_err(|fault| Failure::new(format!("{topic}-{partition}: {fault}")))?;
            if self.left == 0 {
                self.consumer.rewind(topic, partition, record.offset);
                return Ok(());
            }
            if let Err(failure) = self.printer.print(fetched, &record) {
                self.consumer.rewind(topic, partition, record.offset);
                return Err(failure);
            }
            let bytes = record.key.map_or(0, <[u8]>::len) + record.value.map_or(0, <[u8]>::len);
            self.progress.add(1, bytes as u64);
            self.left -= 1;
        }
        Ok(())
    }

    /// Says what becomes of partitions.
    fn tell(&self, does: &str, partitions: &std::collections::BTreeSet<PartitionKey>) {
        if !self.quiet {
            let list: Vec<String> = partitions.iter().map(|(topic, index)| format!("{topic}-{index}")).collect();
            let list = if list.is_empty() { "nothing".to_owned() } else { list.join(" ") };
            say(&format!("this member {does} {list}"));
        }
    }

    async fn find_ends(&mut self, partitions: Vec<PartitionKey>) -> Result<(), Failure> {
        let Some(ends) = &mut self.ends else { return Ok(()) };
        let topic = &self.printer.args.topic;
        let wanted: Vec<_> = partitions.iter().map(|(_, index)| (*index, OffsetSpec::Latest)).collect();
        let found = self.cluster.offsets(topic, &wanted).await?;
        ends.extend(partitions.into_iter().filter_map(|key| found.get(&key.1).map(|end| (key, *end))));
        Ok(())
    }

    fn forget_ends(&mut self, partitions: &std::collections::BTreeSet<PartitionKey>) {
        if let Some(ends) = &mut self.ends {
            ends.retain(|partition, _| !partitions.contains(partition));
        }
    }

    /// Whether everything is read that was there when the member got its partitions.
    fn is_at_end(&self) -> bool {
        let positions = self.consumer.positions();
        let reached = |(key, end): (&PartitionKey, &Offset)| positions.get(key).is_some_and(|at| at >= end);
        self.joined && self.ends.as_ref().is_some_and(|ends| ends.iter().all(reached))
    }
}
