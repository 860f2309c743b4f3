//! The golden scripts of the coordinator: `tests/scripts/*.txt`. What their commands mean is here.
//!
//! The interpreter plays the driver and the log: it keeps what is appended until `commit`. Every fact is folded into a
//! second shard as well, which `reload` takes in place of the first.
//!
//! - `start KEY=…` begins anew: `max=` members, `delay=` before a first round, `interval=` between assignments (0),
//!   `assignors=`
//! - `join MEMBER|- GROUP protocols=range:META,… type=consumer session=10000 rebalance=60000 instance= v= as=NAME`;
//!   instead of META, `reads=TOPIC+TOPIC`: what a consumer of these topics says;
//!   `v` is JoinGroup's version, 9 unless it says otherwise; `as` is what the script calls the member from then on;
//!   `into=consumer` if the group is a consumer group, whose members have other ids
//! - `sync MEMBER GROUP generation= instance= type= protocol= assign=MEMBER:TEXT,…`
//! - `heartbeat MEMBER GROUP generation= instance=`, `leave GROUP MEMBER MEMBER/INSTANCE -/INSTANCE`
//! - `commit-offset GROUP TOPIC/PARTITION@OFFSET… generation= member= instance= v= epoch= metadata= long= retention= id=`
//! - `fetch-offset GROUP TOPIC/PARTITION… id=`, all without; `delete-offset GROUP TOPIC/PARTITION…`
//! - `list states= types=`, `describe GROUP`, `delete GROUP`, `topics-deleted TOPIC… id=`
//! - `topics NAME/PARTITIONS…`: these topics exist from now on; their ids are counted
//! - `beat MEMBER GROUP epoch=0 reads=TOPIC,… pattern= owns=TOPIC/PARTITION,…+TOPIC/… timeout= instance= rack= assignor= v=`:
//!   a heartbeat of the consumer protocol. Who joins (epoch 0) holds nothing, reads nothing and has a minute unless it says
//!   otherwise; `owns=?` and `reads=?` say that it does not say. `describe-consumer GROUP`
//! - `commit`: all that was appended is committed; `hold` and `release`: what is appended waits until then, or no longer
//! - `bound max=`: another bound of members, from the next start on
//! - `wait ms=`: time passes, deadline by deadline
//! - `fail`: an append failed, the shard is read from what was committed; `reload`: from all that was appended

#[path = "scripts/requests.rs"]
mod requests;
#[path = "scripts/topics.rs"]
mod topics;

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::time::Duration;

use ottla_coordinator::{
    AppendId, ConsumerSettings, Fact, Input, MigrationPolicy, Now, Output, RequestId, Settings, Shard,
};
use ottla_testkit::{Command, run_scripts};
use ottla_types::{ErrorCode, Instant, Timestamp, Uuid};

#[test]
fn coordinator_scripts() {
    run_scripts(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/scripts"), || {
        let mut play = Play::new();
        move |line: &str| play.run(&Command::parse(line))
    });
}

struct Play {
    settings: Settings,
    shard: Shard,
    topics: topics::Topics,
    now: Duration,
    requests: u64,
    /// Ids of members, and what the script calls them.
    names: Vec<(String, String)>,
    /// Whether appends wait for `commit`.
    holds: bool,
    committed: Vec<Fact>,
    appended: VecDeque<(AppendId, Vec<Fact>)>,
}

impl Play {
    fn new() -> Self {
        let settings = Settings::default();
        Self {
            shard: Shard::new(settings.clone()),
            settings,
            topics: topics::Topics::new(),
            now: Duration::ZERO,
            requests: 0,
            names: Vec::new(),
            holds: false,
            committed: Vec::new(),
            appended: VecDeque::new(),
        }
    }

    fn now(&self) -> Now {
        let date = i64::try_from(self.now.as_millis()).expect("not that long");
        Now { instant: Instant::after_start(self.now), date: Timestamp(date) }
    }

    fn run(&mut self, command: &Command<'_>) -> String {
        match command.name {
            "start" => {
                self.settings = Settings {
                    classic_members_max: command.parsed("max", usize::MAX),
                    initial_rebalance_delay: Duration::from_millis(command.parsed("delay", 3000)),
                    consumer_members_max: command.parsed("max", usize::MAX),
                    consumer: ConsumerSettings {
                        assignment_interval: Duration::from_millis(command.parsed("interval", 0)),
                        ..Settings::default().consumer
                    },
                    migration: MigrationPolicy::named(command.argument("policy").unwrap_or("bidirectional"))
                        .expect("a policy"),
                    ..Settings::default()
                };
                *self =
                    Self { shard: Shard::new(self.settings.clone()), settings: self.settings.clone(), ..Self::new() };
            }
            "bound" => self.settings.classic_members_max = command.parsed("max", usize::MAX),
            "hold" => self.holds = true,
            "commit" | "release" => {
                self.holds = command.name == "commit" && self.holds;
                self.commit();
            }
            "topics" => {
                let wanted: Vec<_> = command.words.iter().map(|word| requests::partition(word)).collect();
                let changed = self.topics.set(&wanted);
                self.shard.handle(self.now(), Input::Topics(changed));
            }
            "topics-deleted" => {
                let topics = command.words.iter().map(|name| ((*name).into(), requests::topic_id(command))).collect();
                self.shard.handle(self.now(), Input::TopicsDeleted(topics));
            }
            "wait" => return self.wait(command.parsed("ms", 0)),
            "fail" | "reload" => return self.reload(command.name == "reload"),
            _ => {
                self.requests += 1;
                if let Some(name) = command.argument("as") {
                    let before = command.argument("instance").unwrap_or("client");
                    let id = match command.argument("into") {
                        Some("consumer") => Uuid(u128::from(self.requests).to_be_bytes()).to_string(),
                        _ => format!("{before}-00000000-0000-0000-0000-{:012x}", self.requests),
                    };
                    self.names.push((id, name.to_owned()));
                }
                let request =
                    requests::Reader { command, names: &self.names, number: self.requests, topics: &self.topics };
                let request = request.request();
                self.shard.handle(self.now(), Input::Request(RequestId(self.requests), request));
            }
        }
        self.told()
    }

    fn commit(&mut self) {
        if let Some((last, _)) = self.appended.back() {
            let last = *last;
            self.committed.extend(self.appended.drain(..).flat_map(|(_, facts)| facts));
            self.shard.handle(self.now(), Input::Committed(last));
        }
    }

    fn wait(&mut self, ms: u64) -> String {
        let end = self.now + Duration::from_millis(ms);
        let mut text = String::new();
        while let Some(at) = self.shard.deadline().map(Instant::since_start).filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.shard.handle(self.now(), Input::TimePassed);
            let told = self.told();
            told.lines().for_each(|line| writeln!(text, "{:?} {line}", self.now).expect("text takes it"));
        }
        self.now = end;
        text
    }

    fn reload(&mut self, with_appended: bool) -> String {
        if with_appended {
            self.commit();
        }
        self.appended.clear();
        let mut text = self.told();
        let old = std::mem::replace(&mut self.shard, Shard::new(self.settings.clone()));
        for (id, reply) in old.give_up(ErrorCode::NotCoordinator) {
            writeln!(text, "{}: {}", id.0, self.short(&reply.to_string())).expect("text takes it");
        }
        self.committed.iter().for_each(|fact| self.shard.load(fact));
        self.shard.handle(self.now(), Input::Topics(self.topics.all()));
        self.shard.start(self.now());
        text + &self.told()
    }

    /// The text with members as the script calls them.
    fn short(&self, text: &str) -> String {
        self.names.iter().fold(text.to_owned(), |text, (id, name)| text.replace(id, name))
    }

    /// What the shard wants done, line by line.
    fn told(&mut self) -> String {
        let mut text = String::new();
        loop {
            while let Some(output) = self.shard.poll() {
                match output {
                    Output::Append(id, facts) => {
                        facts.iter().for_each(|fact| writeln!(text, "fact {fact}").expect("text takes it"));
                        self.appended.push_back((id, facts));
                    }
                    Output::Reply(id, reply) => writeln!(text, "{}: {reply}", id.0).expect("text takes it"),
                }
            }
            if self.holds || self.appended.is_empty() {
                return self.short(&text);
            }
            self.commit();
        }
    }
}
