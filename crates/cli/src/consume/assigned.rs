//! Reading by oneself: the partitions that are named, from where the command line says.

use std::collections::{BTreeMap, BTreeSet};
use std::io::IsTerminal as _;
use std::sync::Arc;
use std::time::Duration;

use ottla_client::{Cluster, Consumer, ConsumerSettings, Fetched, OffsetSpec, Start};
use ottla_types::Offset;

use super::printer::Printer;
use crate::args::{ConsumeArgs, OutputForm, StartArg};
use crate::failure::Failure;
use crate::output::Output;
use crate::progress::Progress;
use crate::session::interrupted;

/// How long a poll waits before it is asked again. Nothing depends on it.
const IDLE_POLL: Duration = Duration::from_secs(10);

/// Consumes until there is nothing more to do, or somebody interrupts.
pub(super) async fn run(cluster: Cluster, args: ConsumeArgs, form: OutputForm) -> Result<(), Failure> {
    let topic = cluster.topic(&args.topic).await?;
    let partitions: Vec<i32> = if args.partitions.is_empty() {
        topic.partitions.iter().map(|partition| partition.index).collect()
    } else {
        let named: BTreeSet<i32> = args.partitions.iter().copied().collect();
        named.into_iter().map(|index| topic.partition(index).map(|found| found.index)).collect::<Result<_, _>>()?
    };
    let start = if args.from_beginning { StartArg(Start::Earliest) } else { args.offset };
    let mut consumer = Consumer::new(cluster.clone(), ConsumerSettings::default());
    for &partition in &partitions {
        consumer.assign(&args.topic, partition, start.0).await?;
    }
    let ends = if args.exit {
        let wanted: Vec<_> = partitions.iter().map(|partition| (*partition, OffsetSpec::Latest)).collect();
        Some(cluster.offsets(&args.topic, &wanted).await?)
    } else {
        None
    };
    let left = args.max_messages.unwrap_or(u64::MAX);
    let progress = Progress::start("read", args.quiet, std::io::stdout().is_terminal());
    let printer = Printer { output: Output::stdout(), form, args };
    let mut reading = Reading { consumer, printer, progress, ends, left };
    let result = reading.run().await;
    reading.progress.finish();
    // What was read before a failure is shown.
    let flushed = reading.printer.output.flush();
    result.and(flushed)
}

struct Reading {
    consumer: Consumer,
    printer: Printer,
    progress: Progress,
    /// Where to stop, by partition.
    ends: Option<BTreeMap<i32, Offset>>,
    /// Records that may still be printed.
    left: u64,
}

impl Reading {
    async fn run(&mut self) -> Result<(), Failure> {
        let mut interrupted = std::pin::pin!(interrupted());
        for (key, position) in self.consumer.positions().await? {
            self.reached(&key, position);
        }
        while self.left > 0 && self.ends.as_ref().is_none_or(|ends| !ends.is_empty()) {
            let fetched = tokio::select! {
                biased;
                () = &mut interrupted => return Ok(()),
                fetched = next(&mut self.consumer, &mut self.printer.output) => fetched?,
            };
            let Some(fetched) = fetched else { continue };
            for record in fetched.records() {
                if self.left == 0 {
                    return Ok(());
                }
                let (topic, partition) = (&fetched.topic, fetched.partition);
                let record = record.map_err(|fault| Failure::new(format!("{topic}-{partition}: {fault}")))?;
                self.printer.print(&fetched, &record)?;
                let bytes = record.key.map_or(0, <[u8]>::len) + record.value.map_or(0, <[u8]>::len);
                self.progress.add(1, bytes as u64);
                self.left -= 1;
            }
            self.reached(&(fetched.topic, fetched.partition), fetched.next);
        }
        Ok(())
    }

    /// Strikes off a partition that is read to where it shall be read.
    fn reached(&mut self, (_, partition): &(Arc<str>, i32), position: Offset) {
        if let Some(ends) = &mut self.ends
            && ends.get(partition).is_some_and(|end| position >= *end)
        {
            ends.remove(partition);
        }
    }
}

/// What is there already; or, with everything shown that was read, what comes.
async fn next(consumer: &mut Consumer, output: &mut Output) -> Result<Option<Fetched>, Failure> {
    if let Some(fetched) = consumer.poll(Duration::ZERO).await? {
        return Ok(Some(fetched));
    }
    output.flush()?;
    Ok(consumer.poll(IDLE_POLL).await?)
}
