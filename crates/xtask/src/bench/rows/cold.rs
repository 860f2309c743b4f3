//! Producers while somebody reads what is no longer in memory, and while twice the memory is written: beside the same
//! producers left alone.

use std::path::{Path, PathBuf};

use super::{Family, disturbed_rows, tell_disturbed};
use crate::bench::Bench;
use crate::bench::beside::beside;
use crate::bench::brokers::Server;
use crate::bench::load::Answer;
use crate::bench::machine;
use crate::bench::row::{Row, Subject};

/// The family.
pub(super) const FAMILY: Family = Family {
    name: "cold",
    what: "producers beside cold reads and much writing",
    minutes: 8.0,
    levelled: true,
    rows,
    measure,
};

const READ: &str = "cold/read";
const WRITE: &str = "cold/write";
/// Producers' p99 may become so many times longer.
const MOST: f64 = 1.5;
const PERCENTILE: &str = "ack_ms/p99";
/// What is read cold, in records of 1 KB.
const COLD_RECORDS: f64 = 3e6;
/// Memory that is left, and how much is written into it: twice as much. Smaller works leave more.
const LEFT_MB: u64 = 4000;
const WRITTEN_RECORDS: f64 = 8e6;

fn rows() -> Vec<Row> {
    let read = "20,000/s in, cold reads";
    let write = "20,000/s in, twice the memory written";
    [disturbed_rows(READ, read, "p99", MOST), disturbed_rows(WRITE, write, "p99", MOST)].concat()
}

fn measure(bench: &mut Bench) -> Result<(), String> {
    let servers = bench.start_all("cold", &[Subject::Kafka, Subject::FlushOff, Subject::FlushOn], &[]);
    for server in &servers {
        let fill = format!("produce -records {}", bench.scaled(COLD_RECORDS));
        if let Err(why) = bench.load.clone().run(server, "cold", &fill) {
            bench.trouble("cold", Some(server.subject), &why);
        }
    }
    // For all that is measured: with and without the disturbance there is as much memory, and to give it back and take it
    // again would leave the next work cold memory.
    let ballast = machine::available_mb()
        .and_then(|available| bench.load.ballast(bench.scaled(available.saturating_sub(LEFT_MB) as f64)));
    if let Err(why) = &ballast {
        bench.trouble(WRITE, None, why);
    }
    for round in 0..=bench.options.rounds {
        for server in servers.iter().filter(|server| round > 0 || server.subject.is_kafka()) {
            bench.say(&format!("round {round}: cold: {}", server.subject.name()));
            if let Err(why) = one(bench, server, round) {
                bench.trouble("cold", Some(server.subject), &why);
            }
        }
    }
    drop(ballast);
    bench.stop_all("cold", servers);
    Ok(())
}

fn one(bench: &mut Bench, server: &Server, round: u32) -> Result<(), String> {
    let probe = format!("paced -rate 20000 -warm 2 -seconds {}", bench.scaled(10.0));
    let topic = format!("probe-{round}");
    let load = bench.load.clone();
    bench.fill();
    let without = load.run(server, &topic, &probe)?;
    let reader = format!("consume -records {}", bench.scaled(COLD_RECORDS));
    let read = beside(load.start(server, &topic, &probe)?, |_| {
        chill(server.data(), "cold-")?;
        Ok(Some(load.command(server, "cold", &reader)))
    })?;
    let much = format!("produce -records {}", bench.scaled(WRITTEN_RECORDS));
    let longer = format!("paced -rate 20000 -warm 2 -seconds {}", bench.scaled(15.0));
    let written = beside(load.start(server, &topic, &longer)?, |turn| {
        Ok((turn == 0).then(|| load.command(server, "much", &much)))
    })?;
    bench.forget(server, &topic)?;
    bench.forget(server, "much")?;
    let mut tell = |key, with: &Answer| tell_disturbed(bench, key, server.subject, PERCENTILE, &without, with);
    if round > 0 {
        tell(READ, &read);
        tell(WRITE, &written);
    }
    Ok(())
}

/// Has the page cache forget the segments of partitions whose names begin so. What is not written yet is written first.
fn chill(data: &Path, partitions: &str) -> Result<(), String> {
    let wrong = |error: std::io::Error| format!("{}: {error}", data.display());
    for segment in segments(data, partitions).map_err(wrong)? {
        let file = std::fs::File::open(&segment).map_err(wrong)?;
        file.sync_data().map_err(wrong)?;
        rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed)
            .map_err(|error| format!("{}: {error}", segment.display()))?;
    }
    Ok(())
}

fn segments(data: &Path, partitions: &str) -> std::io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for partition in std::fs::read_dir(data)? {
        let partition = partition?;
        if partition.file_name().to_string_lossy().starts_with(partitions) {
            for file in std::fs::read_dir(partition.path())? {
                found.push(file?.path());
            }
        }
    }
    found.retain(|path| path.extension().is_some_and(|extension| extension == "log"));
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_of_the_topic_are_found_and_chilled() {
        let folder = std::env::temp_dir().join(format!("ottla-chill-{}", std::process::id()));
        for (partition, file) in [("cold-0", "0.log"), ("cold-1", "0.index"), ("other-0", "0.log")] {
            std::fs::create_dir_all(folder.join(partition)).expect("a folder");
            std::fs::write(folder.join(partition).join(file), "x").expect("a file");
        }
        assert_eq!(segments(&folder, "cold-").expect("it is there"), [folder.join("cold-0/0.log")]);
        assert_eq!(chill(&folder, "cold-"), Ok(()));
        assert!(chill(&folder.join("none"), "cold-").is_err());
        std::fs::remove_dir_all(&folder).expect("it is there");
    }
}
