//! The golden scripts of client metrics: `tests/machines/client_metrics`.
//!
//! `at MS`; `subscription NAME interval= metrics=A,B match=WHAT:EXPRESSION` (without settings it is taken away);
//! `subscribe ID client= software=NAME/VERSION connection=` with ID 0 for a new one; `push ID id=S1 metrics=NAME:VALUE,…`
//! with the words `terminating large codec added unreadable`; `disconnect CONNECTION`; `expire`. Subscription ids are
//! written S1, S2… in the order in which they were seen. What is known is shown after each command that may change it.

use std::collections::BTreeMap;

use ottla_config::{ClientMetricsConfig, Overrides};
use ottla_testkit::{Command, run_scripts};

use super::*;
use crate::connections::Software;

#[derive(Default)]
struct Session {
    machine: ClientMetrics,
    now: Instant,
    subscriptions: BTreeMap<String, Subscription>,
    /// Subscription ids in the order in which they were seen.
    seen: Vec<i32>,
    fresh: u8,
}

fn uuid(number: u8) -> Uuid {
    let mut bytes = [0; 16];
    bytes[0] = number;
    Uuid(bytes)
}

fn argument<'a>(command: &'a Command<'_>, key: &str) -> Option<&'a str> {
    command.arguments.iter().find(|(name, _)| *name == key).map(|(_, value)| *value)
}

fn client(command: &Command<'_>) -> Client {
    let (name, version) = argument(command, "software").and_then(|s| s.split_once('/')).unwrap_or(("java", "4"));
    Client {
        connection: argument(command, "connection").map_or(1, |text| text.parse().expect("a number")),
        id: argument(command, "client").unwrap_or("c").to_owned(),
        software: Software { name: name.to_owned(), version: version.to_owned() },
        address: ([10, 0, 0, 1], 5000).into(),
    }
}

impl Session {
    fn run(&mut self, command: &Command<'_>) -> String {
        let number = |at: usize| command.words[at].parse::<u64>().expect("a number");
        match command.name {
            "at" => {
                self.now = Instant::after_start(Duration::from_millis(number(0)));
                String::new()
            }
            "subscription" => self.subscription(command),
            "subscribe" => self.subscribe(command),
            "push" => self.push(command),
            "disconnect" => {
                self.machine.disconnected(number(0));
                self.show()
            }
            "expire" => {
                self.machine.expire(self.now);
                self.show()
            }
            name => panic!("no command is called {name}"),
        }
    }

    fn subscription(&mut self, command: &Command<'_>) -> String {
        let key = |key: &str| if key == "interval" { "interval.ms".to_owned() } else { key.to_owned() };
        let setting = |(name, value): &(&str, &str)| (key(name), value.replace(':', "="));
        let overrides: Overrides = command.arguments.iter().map(setting).collect();
        let name = command.words[0].to_owned();
        if overrides.is_empty() {
            self.subscriptions.remove(&name);
        } else {
            self.subscriptions.insert(name, Subscription::new(&ClientMetricsConfig::resolve(&overrides)));
        }
        String::new()
    }

    fn subscribe(&mut self, command: &Command<'_>) -> String {
        let id = uuid(command.words[0].parse().expect("a small number"));
        self.fresh += 1;
        let subscriptions: Vec<_> = std::mem::take(&mut self.subscriptions).into_iter().collect();
        let (names, list): (Vec<_>, Vec<_>) = subscriptions.into_iter().unzip();
        let told = self.machine.subscribe(self.now, id, uuid(self.fresh), &client(command), &list);
        self.subscriptions = names.into_iter().zip(list).collect();
        match told {
            Ok(told) => {
                let seen = self.seen.iter().position(|seen| *seen == told.subscription_id).unwrap_or_else(|| {
                    self.seen.push(told.subscription_id);
                    self.seen.len() - 1
                });
                let metrics: Vec<_> = told.wanted.metrics.into_iter().collect();
                let (instance, interval) = (told.instance.0[0], told.wanted.interval_ms);
                format!("instance {instance} S{} every {interval} ms [{}]", seen + 1, metrics.join(" "))
            }
            Err(error) => error.to_string(),
        }
    }

    fn push(&mut self, command: &Command<'_>) -> String {
        let id = uuid(command.words[0].parse().expect("a small number"));
        let said = |word: &str| command.words.contains(&word);
        let seen = argument(command, "id").and_then(|id| id.strip_prefix('S')?.parse::<usize>().ok());
        let push = Push {
            instance: id,
            subscription_id: seen.map_or(0, |seen| self.seen[seen - 1]),
            terminating: said("terminating"),
            known_compression: !said("codec"),
            fits: !said("large"),
        };
        let list: Vec<_> = std::mem::take(&mut self.subscriptions).into_iter().collect();
        let (names, list): (Vec<_>, Vec<_>) = list.into_iter().unzip();
        let checked = self.machine.push(self.now, push, &client(command), &list);
        self.subscriptions = names.into_iter().zip(list).collect();
        let points = argument(command, "metrics").unwrap_or_default().split(',').filter_map(|pair| {
            let (name, value) = pair.split_once(':')?;
            let value = value.parse().expect("a number");
            Some(Point { name: name.to_owned(), labels: Vec::new(), value, added: said("added") })
        });
        let reading = Reading { points: points.collect(), passed_over: 0 };
        let kept = checked.and_then(|()| self.machine.keep(id, (!said("unreadable")).then_some(reading)));
        match kept {
            Ok(()) => format!("taken\n{}", self.show()),
            Err(error) => error.to_string(),
        }
    }

    fn show(&self) -> String {
        let lines = self.machine.instances().map(|(id, known)| {
            let points: Vec<_> = known.points.iter().map(|((name, _), value)| format!("{name}={value}")).collect();
            format!("  {} of {}: {}", id.0[0], known.client.id, points.join(" "))
        });
        let lines: Vec<_> = lines.collect();
        if lines.is_empty() { "  nobody".to_owned() } else { lines.join("\n") }
    }
}

#[test]
fn client_metrics_scripts() {
    run_scripts(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/machines/client_metrics"), || {
        let mut session = Session::default();
        move |line: &str| session.run(&Command::parse(line))
    });
}

#[test]
fn what_is_kept_is_bounded() {
    let mut machine = ClientMetrics::default();
    let software = Software { name: "s".to_owned(), version: "1".to_owned() };
    let client = Client { connection: 1, id: "c".to_owned(), software, address: ([10, 0, 0, 1], 1).into() };
    for number in 0..INSTANCES_MAX + 10 {
        let id = Uuid(((number as u128) << 8 | 7).to_be_bytes());
        let now = Instant::after_start(Duration::from_millis(number as u64));
        machine.subscribe(now, Uuid::ZERO, id, &client, &[]).expect("a first request");
        let point = |at: usize| Point { name: format!("m{at}"), labels: Vec::new(), value: 1.0, added: false };
        let count = if number < 300 { POINTS_MAX + 5 } else { 1 };
        machine.keep(id, Some(Reading { points: (0..count).map(point).collect(), passed_over: 0 })).expect("readable");
    }
    assert_eq!(machine.instances().len(), INSTANCES_MAX);
    let points: usize = machine.instances().map(|(_, known)| known.points.len()).sum();
    assert_eq!(points, machine.points);
    assert!(points <= ALL_POINTS_MAX && machine.dropped() > 0);
    machine.disconnected(1);
    assert_eq!((machine.points, machine.instances().len()), (0, 0));
}
