//! The golden scripts of the sessions: `tests/fetch_sessions/*.txt`.
//!
//! - `slots N` begins anew with room for so many sessions, `wait MS` lets time pass.
//! - `log TOPIC/PARTITION high= start= fails=` says what is in a partition.
//! - `fetch ID EPOCH TOPIC/PARTITION@OFFSET… forget=TOPIC/PARTITION,… room= ids follower` asks. Sessions are numbered from 1
//!   on in the order in which they are made.
//! - `sessions` prints how many there are, their partitions, and how many had to go.

use ottla_testkit::{Command, run_scripts};

use super::pretend::{Broker, Line, Log, Request};

#[test]
fn fetch_session_scripts() {
    run_scripts(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fetch_sessions"), || {
        let mut broker = Broker::new(10);
        move |line: &str| run(&mut broker, &Command::parse(line))
    });
}

fn run(broker: &mut Broker, command: &Command<'_>) -> String {
    let number = |word: &str| word.parse::<u32>().expect("a number");
    match command.name {
        "slots" => *broker = Broker::new(number(command.words[0]) as usize),
        "wait" => broker.wait(number(command.words[0]).into()),
        "log" => {
            let before = broker.logs.entry(partition(command.words[0])).or_default();
            *before = Log {
                start: command.parsed("start", before.start),
                high: command.parsed("high", before.high),
                fails: command.parsed("fails", false),
            };
        }
        "fetch" => return fetch(broker, command),
        "sessions" => {
            let cache = &broker.cache;
            return format!("{} of {} partitions, {} evicted", cache.len(), cache.partitions(), cache.evictions());
        }
        name => panic!("no command is called {name}"),
    }
    String::new()
}

fn partition(word: &str) -> (String, i32) {
    let (topic, index) = word.split_once('/').expect("TOPIC/PARTITION");
    (topic.to_owned(), index.parse().expect("a partition"))
}

fn fetch(broker: &mut Broker, command: &Command<'_>) -> String {
    let asked = command.words[2..].iter().filter_map(|word| word.split_once('@'));
    let forgotten = command.argument("forget").map(|list| list.split(',').map(partition).collect());
    let request = Request {
        id: command.words[0].parse().expect("a session"),
        epoch: command.words[1].parse().expect("an epoch"),
        asked: asked.map(|(which, offset)| (partition(which), offset.parse().expect("an offset"))).collect(),
        forgotten: forgotten.unwrap_or_default(),
        by_id: command.has("ids"),
        follower: command.has("follower"),
        room: command.parsed("room", 1000),
    };
    match broker.fetch(&request) {
        Err(error) => error.to_string(),
        Ok((id, lines)) => {
            let printed: String = lines.iter().map(|line| format!("\n  {}", printed(line))).collect();
            format!("session {id}{printed}")
        }
    }
}

fn printed(line: &Line) -> String {
    let (topic, index) = &line.partition;
    match &line.told {
        None => format!("{topic}/{index} fails"),
        Some((log, 0)) => format!("{topic}/{index} {}..{}", log.start, log.high),
        Some((log, records)) => format!("{topic}/{index} {}..{} records={records}", log.start, log.high),
    }
}
