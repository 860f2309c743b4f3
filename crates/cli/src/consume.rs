//! `ottla consume`: records to lines on stdout, values as the bytes they are.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ottla_client::{Cluster, Consumer, ConsumerSettings, Fetched, FetchedRecord, OffsetSpec, Start};
use ottla_types::Offset;

use crate::args::{ConsumeArgs, Field, StartArg};
use crate::failure::Failure;
use crate::output::Output;
use crate::session::interrupted;

/// How long a poll waits before it is asked again. Nothing depends on it.
const IDLE_POLL: Duration = Duration::from_secs(10);

/// Consumes until there is nothing more to do, or somebody interrupts.
pub(crate) async fn run(cluster: Cluster, args: ConsumeArgs) -> Result<(), Failure> {
    let topic = cluster.topic(&args.topic).await?;
    let partitions: Vec<i32> = match args.partition {
        Some(partition) => vec![topic.partition(partition)?.index],
        None => topic.partitions.iter().map(|partition| partition.index).collect(),
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
    let printer = Printer { output: Output::stdout(), fields: args.print, key_separator: args.key_separator };
    let left = args.max_messages.unwrap_or(u64::MAX);
    let mut reading = Reading { consumer, printer, ends, left };
    reading.run().await?;
    reading.printer.output.flush()
}

struct Reading {
    consumer: Consumer,
    printer: Printer,
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

/// Writes records as lines.
struct Printer {
    output: Output,
    fields: Vec<Field>,
    key_separator: Option<String>,
}

impl Printer {
    fn print(&mut self, fetched: &Fetched, record: &FetchedRecord<'_>) -> Result<(), Failure> {
        let output = &mut self.output;
        for field in &self.fields {
            match field {
                Field::Key => output.write(record.key.unwrap_or_default())?,
                Field::Offset => output.write(record.offset.to_string().as_bytes())?,
                Field::Partition => output.write(fetched.partition.to_string().as_bytes())?,
                Field::Timestamp => output.write(record.timestamp.to_string().as_bytes())?,
                Field::Headers => {
                    for (i, header) in record.headers.clone().enumerate() {
                        output.write(if i == 0 { b"" } else { b"," })?;
                        output.write(header.key)?;
                        output.write(b"=")?;
                        output.write(header.value.unwrap_or_default())?;
                    }
                }
            }
            output.write(b"\t")?;
        }
        if let Some(separator) = &self.key_separator {
            output.write(record.key.unwrap_or_default())?;
            output.write(separator.as_bytes())?;
        }
        output.write(record.value.unwrap_or_default())?;
        output.write(b"\n")
    }
}
