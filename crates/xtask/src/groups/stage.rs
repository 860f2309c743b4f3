//! What a scenario plays with: members as processes, the load of a producer, a watcher of what is committed. They are
//! started, paused, killed and listened to here; `scenario` says when, `judge` what was right.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::clients::Client;
use super::judge::{Finding, Judge, Told};
use crate::interop;
use crate::load::Load;
use crate::process::{self, Next, Running};

/// Partitions of the topic: more than members, and not the same number for each.
pub(super) const PARTITIONS: u32 = 4;
/// Records per second, over all partitions.
const RATE: &str = "rate=100";
/// How long any wait may take. A session that times out and a broker's restart are within.
const WAIT_MAX: Duration = Duration::from_secs(90);
/// How often the members are listened to while the watcher says nothing.
const LISTEN: Duration = Duration::from_millis(50);
/// Looks of the watcher that are held back: what a member told before it committed may come later than what the watcher saw
/// after that.
const HELD_BACK: usize = 2;
/// Last words of each member that a failure shows.
const WORDS_MAX: usize = 8;

/// One member.
struct Member {
    running: Running,
    /// Partitions of which it read since the last [`Stage::forget`].
    fresh: BTreeSet<u32>,
    /// Whether it said that it left.
    left: bool,
    /// What it said last that was no record.
    words: Vec<String>,
}

impl Member {
    /// Takes a line.
    fn take(&mut self, name: &str, line: String, judge: &mut Judge) {
        let told = Told::read(&line);
        match &told {
            Some(Told::Read(partition, _)) => drop(self.fresh.insert(*partition)),
            Some(Told::Committed(..)) => {}
            _ => {
                self.left |= told == Some(Told::Left);
                self.words.push(line);
            }
        }
        if let Some(told) = told {
            judge.member(name, &told);
        }
    }
}

/// Everything of one scenario.
pub(super) struct Stage<'a> {
    client: &'a Client,
    address: String,
    topic: String,
    members: BTreeMap<&'static str, Member>,
    load: Load,
    watcher: Running,
    /// How often the watcher has looked.
    rounds: usize,
    /// What it saw and the judge does not know yet, with the look in which it did.
    held_back: VecDeque<(usize, Told)>,
    judge: Judge,
}

impl<'a> Stage<'a> {
    /// Starts the load, which makes the topic, and the watcher.
    pub(super) fn new(client: &'a Client, address: &str) -> Result<Self, String> {
        let topic = format!("groups-{}-{}-{}", client.name, client.protocol, std::process::id());
        let mut load = Load::start(address, &topic, PARTITIONS, &[RATE])?;
        // A member that comes before its topic would wait for it as long as its client likes.
        load.next(WAIT_MAX)?;
        let mut command = Command::new(interop::folder().join("go/offsets"));
        command.args([address, &topic, &topic]).stderr(Stdio::inherit());
        let watcher = Running::start(&mut command, false)?;
        let (members, held_back, judge) = (BTreeMap::new(), VecDeque::new(), Judge::default());
        Ok(Self { client, address: address.to_owned(), topic, members, load, watcher, rounds: 0, held_back, judge })
    }

    /// Starts a member, which commits by itself if `auto` is set.
    pub(super) fn join(&mut self, name: &'static str, auto: bool) -> Result<(), String> {
        let mut command = (self.client.program)(&interop::folder());
        command.args([self.address.as_str(), &self.topic, &self.topic, self.client.protocol]);
        command.arg(if auto { "auto" } else { "manual" });
        let running = Running::start(&mut command, true)?;
        self.members.insert(name, Member { running, fresh: BTreeSet::new(), left: false, words: Vec::new() });
        Ok(())
    }

    /// `kill -9`: the coordinator hears nothing more of it. What it told before counts.
    pub(super) fn kill(&mut self, name: &'static str) -> Result<(), String> {
        let mut member = self.members.remove(name).expect("a scenario kills who joined");
        member.running.kill();
        let mut last = Vec::new();
        member.running.finish(WAIT_MAX, |line| last.push(line)).map_err(|why| format!("member {name} {why}"))?;
        last.into_iter().for_each(|line| member.take(name, line, &mut self.judge));
        Ok(())
    }

    /// Stops its process, or lets it go on.
    pub(super) fn signal(&self, name: &str, signal: &str) {
        process::signal(signal, self.members[name].running.id());
    }

    /// Forgets what was read: what counts from now on is new.
    pub(super) fn forget(&mut self) {
        self.members.values_mut().for_each(|member| member.fresh.clear());
    }

    /// Whether each of these has read something new, and they all partitions together.
    pub(super) fn shared(&self, names: &[&'static str]) -> bool {
        let all: BTreeSet<u32> = names.iter().flat_map(|name| &self.members[name].fresh).copied().collect();
        names.iter().all(|name| !self.members[name].fresh.is_empty()) && all.len() == PARTITIONS as usize
    }

    /// What is committed in each partition, as the watcher saw it last.
    pub(super) fn watched(&self) -> Vec<u64> {
        (0..PARTITIONS).map(|partition| self.judge.watched(partition)).collect()
    }

    /// Listens until `reached`; `what` is said when it takes too long.
    pub(super) fn until(&mut self, what: &str, reached: impl Fn(&Self) -> bool) -> Result<(), String> {
        let end = Instant::now() + WAIT_MAX;
        while !reached(self) {
            if Instant::now() > end {
                return Err(format!("{what}: not within {} s{}", WAIT_MAX.as_secs(), self.words()));
            }
            match self.watcher.next(LISTEN) {
                Next::Line(line) => self.watch(&line),
                Next::Timeout => {}
                Next::End => return Err("the watcher gave up".to_owned()),
            }
            while let Some(line) = self.watcher.ready() {
                self.watch(&line);
            }
            self.load.take_ready()?;
            self.listen().map_err(|why| format!("{what}: {why}{}", self.words()))?;
            self.see();
        }
        Ok(())
    }

    fn watch(&mut self, line: &str) {
        match Told::read(line) {
            Some(Told::Round) => self.rounds += 1,
            Some(told) => self.held_back.push_back((self.rounds, told)),
            None => {}
        }
    }

    /// Tells the judge what the watcher saw some looks ago.
    fn see(&mut self) {
        while let Some((_, told)) = self.held_back.pop_front_if(|(round, _)| *round + HELD_BACK <= self.rounds) {
            self.judge.watcher(&told);
        }
    }

    /// Takes what the members have told.
    fn listen(&mut self) -> Result<(), String> {
        for (name, member) in &mut self.members {
            let ended = member.running.has_ended();
            while let Some(line) = member.running.ready() {
                member.take(name, line, &mut self.judge);
            }
            if ended && !member.left {
                return Err(format!("member {name} ended without leaving"));
            }
        }
        Ok(())
    }

    /// The members' last words, for a failure.
    fn words(&self) -> String {
        let mut out = String::new();
        for (name, member) in &self.members {
            out += &format!("\n    {name} has read {:?}", member.fresh);
            for line in &member.words[member.words.len().saturating_sub(WORDS_MAX)..] {
                out += &format!("\n    {name} | {line}");
            }
        }
        out
    }

    /// Has members leave, and waits until they did and what they committed last was seen.
    pub(super) fn leave(&mut self, names: &[&'static str]) -> Result<(), String> {
        for name in names {
            self.members.get_mut(name).expect("a scenario lets leave who joined").running.close_input();
        }
        self.until("members leave", |stage| names.iter().all(|name| stage.members[name].left))?;
        for name in names {
            let mut member = self.members.remove(name).expect("it was there");
            let status = member.running.finish(WAIT_MAX, |_| {}).map_err(|why| format!("member {name} {why}"))?;
            if !status.success() {
                return Err(format!("member {name} left, and ended with {status}"));
            }
        }
        self.look()
    }

    /// Waits until the watcher has looked anew: the look under way may be older than what was done.
    pub(super) fn look(&mut self) -> Result<(), String> {
        let before = self.rounds;
        self.until("what is committed is told", |stage| stage.rounds > before + 1 + HELD_BACK)
    }

    /// Ends the load; how many records each partition has.
    pub(super) fn end_load(&mut self) -> Result<BTreeMap<u32, u64>, String> {
        self.load.finish()?;
        let mut ends = BTreeMap::new();
        for entry in &self.load.acknowledged {
            let end = ends.entry(entry.partition).or_default();
            *end = (entry.offset + 1).max(*end);
        }
        Ok(ends)
    }

    /// Waits until everything is read and committed.
    pub(super) fn caught_up(&mut self, ends: &BTreeMap<u32, u64>) -> Result<(), String> {
        self.until("all is read and committed by interval", |stage| {
            ends.iter().all(|(partition, end)| {
                stage.judge.watched(*partition) == *end && stage.judge.has_read(*partition, end - 1)
            })
        })
    }

    /// How many records were read, and what is wrong.
    pub(super) fn verdict(self, ends: &BTreeMap<u32, u64>) -> (usize, Vec<Finding>) {
        (self.judge.count(), self.judge.verdict(ends))
    }
}
