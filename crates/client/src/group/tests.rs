//! Golden scripts of both machines of membership: `tests/scripts/group/*.txt`. What their commands mean is here.
//!
//! - `classic KEY=…`, `consumer KEY=…` begin anew: `instance=`, `assignors=range,roundrobin,cooperative-sticky`,
//!   `session=`, `poll=` (the longest time between polls) and `heartbeat=` in milliseconds
//! - `subscribe TOPIC…`, `polled`, `released N`, `close`
//! - `wait ms=`: time passes, deadline by deadline
//! - `found`, `found CODE`, `found unreachable`; and so `joined`, `synced`, `beat`, `assigned` with a code or
//! - `joined ID generation= protocol= leads=ID:TOPIC+TOPIC:OWNED@GENERATION/INSTANCE;… skip`, `member-id ID`
//! - `synced PARTITIONS` such as `t/0,t/1`, or `-`
//! - `assigned epoch= interval= to=ID/0,ID/1 id=`, where an id of a topic is a digit
//! - `topics t=4 …`, `names ID=t …`
//! - `left`

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use ottla_testkit::{Command, run_scripts};
use ottla_types::{ErrorCode, Instant, TopicId, Uuid};

use super::assignor::{Assignor, Subscription};
use super::classic::ClassicMember;
use super::consumer::ConsumerMember;
use super::member::{Assigned, Input, Joined, Member, Now, Trouble};
use super::{GroupSettings, Partitions};
use crate::error::Refusal;
use crate::settings::ClientSettings;

#[test]
fn membership_scripts() {
    run_scripts(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/scripts/group"), || {
        let mut play = Play { member: None, now: Duration::ZERO };
        move |line: &str| play.run(&Command::parse(line))
    });
}

struct Play {
    member: Option<Member>,
    now: Duration,
}

impl Play {
    fn run(&mut self, command: &Command<'_>) -> String {
        let input = match command.name {
            "classic" | "consumer" => {
                self.start(command);
                return String::new();
            }
            "wait" => return self.wait(command.parsed("ms", 0)),
            "polled" => Input::Polled(Instant::after_start(self.now)),
            _ => input(command),
        };
        self.hear(input)
    }

    fn start(&mut self, command: &Command<'_>) {
        let mut settings = GroupSettings::new("g");
        settings.instance = command.argument("instance").map(str::to_owned);
        if let Some(names) = command.argument("assignors") {
            settings.assignors = names.split(',').map(|name| Assignor::from_name(name).unwrap()).collect();
        }
        let ms = |key, default| Duration::from_millis(command.parsed(key, default));
        settings.heartbeat_interval = ms("heartbeat", 3000);
        settings.poll_interval_max = ms("poll", 300_000);
        let (settings, client) = (Arc::new(settings), ClientSettings::default());
        self.now = Duration::ZERO;
        self.member = Some(match command.name {
            "classic" => Member::Classic(ClassicMember::new(settings, client)),
            _ => Member::Consumer(ConsumerMember::new(settings, client, "me".to_owned())),
        });
    }

    fn hear(&mut self, input: Input) -> String {
        // Right in the middle: backoffs are 100 ms, 200 ms and so on.
        let now = Now { instant: Instant::after_start(self.now), random: 512 };
        let member = self.member.as_mut().expect("a script begins with a member");
        member.handle(now, input);
        let mut text = String::new();
        while let Some(output) = member.poll() {
            let _ = writeln!(text, "{output}");
        }
        text
    }

    fn wait(&mut self, ms: u64) -> String {
        let end = self.now + Duration::from_millis(ms);
        let mut text = String::new();
        let mut steps = 0;
        while let Some(at) = self.member.as_ref().and_then(Member::deadline).filter(|at| at.since_start() <= end) {
            steps += 1;
            assert!(steps < 1000, "the machine does not come to rest");
            self.now = at.since_start().max(self.now);
            for line in self.hear(Input::Time).lines() {
                let _ = writeln!(text, "{}ms {line}", self.now.as_millis());
            }
        }
        self.now = end;
        text
    }
}

fn input(command: &Command<'_>) -> Input {
    let names = || command.words.iter().map(|topic| Arc::from(*topic)).collect();
    match command.name {
        "subscribe" => Input::Subscribe(names()),
        "released" => Input::Released(command.words[0].parse().unwrap()),
        "close" => Input::Close,
        "left" => Input::Left,
        "member-id" => Input::MemberId(command.words[0].to_owned()),
        "topics" => {
            let count = |(topic, count): &(&str, &str)| (Arc::from(*topic), count.parse().unwrap());
            Input::Topics(command.arguments.iter().map(count).collect())
        }
        "names" => {
            let name = |(id, topic): &(&str, &str)| (topic_id(id), Arc::from(*topic));
            Input::Names(command.arguments.iter().map(name).collect())
        }
        "found" => Input::Found(trouble(command).map_or(Ok(()), Err)),
        "beat" => Input::Beat(trouble(command).map_or(Ok(()), Err)),
        "joined" => Input::Joined(trouble(command).map_or_else(|| Ok(joined(command)), Err)),
        "synced" => Input::Synced(trouble(command).map_or_else(|| Ok(partitions(command.words[0])), Err)),
        "assigned" => Input::Assigned(trouble(command).map_or_else(|| Ok(assigned(command)), Err)),
        other => panic!("what is {other}?"),
    }
}

fn trouble(command: &Command<'_>) -> Option<Trouble> {
    let word = command.words.first()?;
    if *word == "unreachable" {
        return Some(Trouble::Unreachable);
    }
    let code = (1..200).filter_map(ErrorCode::from_raw).find(|code| code.to_string() == **word)?;
    Some(Trouble::Refused(Refusal { code, message: None }))
}

fn partitions(text: &str) -> Partitions {
    let partition = |text: &str| {
        let (topic, index) = text.split_once('/').unwrap();
        (Arc::from(topic), index.parse().unwrap())
    };
    text.split(',').filter(|text| !text.is_empty() && *text != "-").map(partition).collect()
}

fn topic_id(text: &str) -> TopicId {
    Uuid([text.parse::<u8>().unwrap(); 16])
}

fn joined(command: &Command<'_>) -> Joined {
    let member = |text: &str| {
        let mut parts = text.split(':');
        let id = parts.next().unwrap().to_owned();
        let topics: BTreeSet<Arc<str>> =
            parts.next().unwrap_or("").split('+').filter(|name| !name.is_empty()).map(Arc::from).collect();
        let owned = partitions(parts.next().unwrap_or(""));
        let generation = command.parsed("generation", 1) - 1;
        (id, Subscription { topics, owned, generation, instance: None })
    };
    Joined {
        member: command.words[0].to_owned(),
        generation: command.parsed("generation", 1),
        protocol: command.argument("protocol").unwrap_or("range").to_owned(),
        members: command.argument("leads").map(|members| members.split(';').map(member).collect::<BTreeMap<_, _>>()),
        skip_assignment: command.has("skip"),
    }
}

fn assigned(command: &Command<'_>) -> Assigned {
    let partition = |text: &str| {
        let (id, index) = text.split_once('/').unwrap();
        (topic_id(id), index.parse().unwrap())
    };
    let to = command.argument("to");
    Assigned {
        member: command.argument("id").map(str::to_owned),
        epoch: command.parsed("epoch", 1),
        heartbeat_interval: Duration::from_millis(command.parsed("interval", 5000)),
        assignment: to.map(|list| list.split(',').filter(|text| *text != "-").map(partition).collect()),
    }
}
