//! A client that keeps to the protocol, against partitions that change at random: it learns of every change, and no
//! partition starves.

use std::collections::{BTreeMap, BTreeSet};

use ottla_runtime::{Random, SeededRandom};
use ottla_types::ErrorCode;

use super::pretend::{Broker, Line, Log, Request};

/// What the client knows of a partition.
#[derive(Clone, Copy, Debug)]
struct Known {
    offset: i64,
    /// The bounds that it heard last; `None` after an error, and before it has heard any.
    bounds: Option<Log>,
    /// Answers in a row in which others gave records and this one, which had some, did not.
    passed_over: usize,
}

/// The client: sends what changed, keeps what it is told.
#[derive(Default)]
struct Client {
    id: i32,
    epoch: i32,
    follows: BTreeMap<(String, i32), Known>,
    /// What the session does not know yet.
    unsent: BTreeSet<(String, i32)>,
    forgotten: BTreeSet<(String, i32)>,
}

impl Client {
    fn request(&mut self, room: i64) -> Request {
        let full = self.epoch == 0;
        let known = self.follows.iter().filter(|(partition, _)| full || self.unsent.contains(*partition));
        let asked = known.map(|(partition, known)| (partition.clone(), known.offset)).collect();
        let forgotten = if full { Vec::new() } else { self.forgotten.iter().cloned().collect() };
        self.unsent.clear();
        self.forgotten.clear();
        Request { id: self.id, epoch: self.epoch, asked, forgotten, room, ..Request::default() }
    }

    fn hear(&mut self, answer: Result<(i32, Vec<Line>), ErrorCode>) -> Vec<Line> {
        let (id, lines) = match answer {
            Ok(answer) => answer,
            Err(_) => {
                self.epoch = 0;
                return Vec::new();
            }
        };
        self.epoch = if id == 0 { 0 } else { self.epoch + 1 };
        self.id = id;
        for line in &lines {
            let known = self.follows.get_mut(&line.partition).expect("only what the client follows is told");
            known.bounds = line.told.map(|(log, _)| log);
            if let Some((_, records @ 1..)) = line.told {
                known.offset += records;
                self.unsent.insert(line.partition.clone());
            }
        }
        lines
    }

    fn change_mind(&mut self, partition: (String, i32), offset: i64) {
        if self.follows.remove(&partition).is_some() {
            self.unsent.remove(&partition);
            self.forgotten.insert(partition);
        } else {
            self.forgotten.remove(&partition);
            self.unsent.insert(partition.clone());
            self.follows.insert(partition, Known { offset, bounds: None, passed_over: 0 });
        }
    }
}

const PARTITIONS: u64 = 12;

fn some_partition(random: &impl Random) -> (String, i32) {
    let number = random.bits() % PARTITIONS;
    (["a", "b", "c"][(number % 3) as usize].to_owned(), (number / 3) as i32)
}

fn change(broker: &mut Broker, random: &impl Random) {
    let bits = random.bits();
    let log = broker.logs.entry(some_partition(random)).or_default();
    match bits % 10 {
        0..=5 => log.high += (bits >> 8) as i64 % 7,
        6 => log.start = (log.start + 1).min(log.high),
        7 => log.fails = true,
        _ => log.fails = false,
    }
}

/// Nobody is passed over more often than there are others to serve.
fn check_fairness(broker: &Broker, client: &mut Client, before: &BTreeMap<(String, i32), Known>, lines: &[Line]) {
    let served: BTreeSet<_> =
        lines.iter().filter(|line| matches!(line.told, Some((_, 1..)))).map(|line| &line.partition).collect();
    for (partition, known) in &mut client.follows {
        let log = broker.logs.get(partition).copied().unwrap_or_default();
        let had = before.get(partition).is_some_and(|known| known.offset < log.high && known.offset >= log.start);
        let waits = had && !log.fails && !served.is_empty() && !served.contains(partition);
        known.passed_over = if waits { known.passed_over + 1 } else { 0 };
        assert!(known.passed_over <= PARTITIONS as usize, "{partition:?} starves");
    }
}

#[test]
fn a_client_learns_of_every_change_and_no_partition_starves() {
    for seed in 0..300 {
        let random = SeededRandom::new(seed);
        let one_in = |n: u64| random.bits().is_multiple_of(n);
        let mut broker = Broker::new(1);
        let mut client = Client::default();
        for step in 0..400 {
            (0..random.bits() % 4).for_each(|_| change(&mut broker, &random));
            if one_in(5) {
                let partition = some_partition(&random);
                let start = broker.logs.get(&partition).map_or(0, |log| log.start);
                client.change_mind(partition, start);
            }
            if one_in(60) {
                // Somebody else's session takes its place.
                broker.wait(200_000);
                broker.fetch(&Request::default()).expect("a full fetch");
                broker.wait(200_000);
            }
            // Sometimes there is room for one record only.
            let room = if one_in(3) { 100 } else { 1 };
            let before = client.follows.clone();
            let answer = broker.fetch(&client.request(room));
            let refused = answer.is_err();
            let lines = client.hear(answer);
            if refused {
                continue;
            }
            check_fairness(&broker, &mut client, &before, &lines);
            for (partition, known) in &mut client.follows {
                let log = broker.logs.get(partition).copied().filter(|log| !log.fails);
                let asked_from = before[partition].offset;
                let readable = log.filter(|log| (log.start..=log.high).contains(&asked_from));
                assert_eq!(known.bounds, readable, "seed {seed}, step {step}: {partition:?}");
                if let Some(log) = log.filter(|log| log.start > known.offset) {
                    known.offset = log.start;
                    client.unsent.insert(partition.clone());
                }
            }
        }
    }
}
