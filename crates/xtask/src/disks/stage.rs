//! What a scenario plays on: a folder, file systems mounted in it, brokers, loads, and the checks that all scenarios share.
//!
//! A check that fails is an error in words. What this machine does not allow is [`Trouble::LeftOut`].

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use super::faults::{Faults, pass};
use super::mounts::Mounts;
use crate::broker::{self, Broker, Ended};
use crate::load::{self, Load};
use crate::process;

/// How long the broker may take to say what is wrong, and clients to notice that all is well again.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);
/// Records that are acknowledged before anything happens.
const FIRST_RECORDS: usize = 5_000;
/// Records per second of a load that is paced.
const RATE: &str = "rate=2000";
/// Over which time a broker's use of the processor is measured.
const MEASURE: Duration = Duration::from_millis(700);
/// A broker in trouble may use so much of one processor.
const SHARE_MAX: f64 = 0.6;
/// A broker in trouble may write so many lines.
const LINES_MAX: usize = 60;
/// A broker in trouble may have so many files open.
const FILES_MAX: usize = 300;
/// Ticks of a processor's time in a second, as Linux tells it to programs.
const TICKS: f64 = 100.0;

/// Why a scenario was not played to its end.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// This machine does not allow it.
    LeftOut(String),
    /// Something is not as it should be.
    Failed(String),
}

impl From<String> for Trouble {
    fn from(why: String) -> Self {
        Self::Failed(why)
    }
}

impl From<std::io::Error> for Trouble {
    fn from(error: std::io::Error) -> Self {
        Self::Failed(error.to_string())
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LeftOut(why) => write!(f, "left out: {why}"),
            Self::Failed(why) => write!(f, "{why}"),
        }
    }
}

/// What a scenario answers.
pub(super) type Played = Result<(), Trouble>;

/// How a broker is started.
#[derive(Clone, Default)]
pub(super) struct Way {
    /// Words before the binary: a program that starts it.
    pub(super) before: Vec<&'static str>,
    /// Settings, as `KEY=VALUE`.
    pub(super) settings: Vec<&'static str>,
    /// Faults of its disk.
    pub(super) faults: Option<Faults>,
}

/// Where a scenario plays.
pub(super) struct Stage {
    binary: PathBuf,
    /// Everything is in here.
    pub(super) folder: PathBuf,
    /// File systems that the scenario mounted.
    pub(super) mounts: Mounts,
    port: u16,
}

impl Stage {
    /// A stage in a new folder.
    pub(super) fn new(binary: &Path, folder: &Path) -> Result<Self, String> {
        fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        Ok(Self { binary: binary.to_owned(), folder: folder.to_owned(), mounts: Mounts::default(), port: 0 })
    }

    /// A new directory of this name.
    pub(super) fn directory(&self, name: &str) -> Result<PathBuf, Trouble> {
        let path = self.folder.join(name);
        fs::create_dir_all(&path)?;
        Ok(path)
    }

    /// Starts a broker on these directories; the next one takes the same port.
    pub(super) fn start(&mut self, log_dirs: &[&Path], way: &Way) -> Result<Broker, Trouble> {
        let started = self.launch(log_dirs, way)?;
        let broker = started.map_err(|ended| Trouble::Failed(ended.to_string()))?;
        self.port = broker.port();
        Ok(broker)
    }

    /// The next broker takes any free port.
    pub(super) fn forget_port(&mut self) {
        self.port = 0;
    }

    /// Starts a broker that must refuse: it ends by itself with code 1, and its last words hold these.
    pub(super) fn refused(&self, log_dirs: &[&Path], way: &Way, words: &str) -> Played {
        match self.launch(log_dirs, way)? {
            Ok(mut broker) => Err(Trouble::Failed(format!("the broker started\n{}", broker.log()))),
            Err(ended) => must_have_said(&ended, words),
        }
    }

    fn launch(&self, log_dirs: &[&Path], way: &Way) -> Result<Result<Broker, Ended>, Trouble> {
        let dirs: Vec<_> = log_dirs.iter().map(|path| path.display().to_string()).collect();
        let mut command = broker::command(&self.binary, &dirs.join(","), self.port, &way.settings)?;
        if let [first, rest @ ..] = way.before.as_slice() {
            let mut around = Command::new(first);
            around.args(rest).arg(command.get_program()).args(command.get_args());
            command = around;
        }
        let running = match &way.faults {
            None => process::Running::start(&mut command, true)?,
            Some(faults) => faults.start(command).map_err(Trouble::LeftOut)?,
        };
        Ok(Broker::listening(running, self.port))
    }

    /// A topic of one partition that is written from now on, with its first records acknowledged. It lies in the directory
    /// that has the fewest partitions.
    pub(super) fn load(&self, broker: &Broker, topic: &'static str) -> Result<Writing, Trouble> {
        let mut writing = Writing { topic, load: Load::start(&broker.address(), topic, 1, &[])? };
        writing.goes_on(FIRST_RECORDS)?;
        Ok(writing)
    }

    /// The same, written slowly: what another directory's faults must leave alone.
    pub(super) fn paced(&self, broker: &Broker, topic: &'static str) -> Result<Writing, Trouble> {
        let mut writing = Writing { topic, load: Load::start(&broker.address(), topic, 1, &[RATE])? };
        writing.goes_on(1)?;
        Ok(writing)
    }

    /// Runs one of the binary's own commands on a broker, for so long at most; whether it succeeded.
    pub(super) fn ottla(&self, broker: &Broker, words: &[&str], within: Duration) -> Result<bool, String> {
        let mut command = Command::new(&self.binary);
        command.args(words).args(["--bootstrap", &broker.address()]);
        let mut running = process::Running::start(&mut command, true)?;
        running.close_input();
        Ok(running.finish(within, drop).is_ok_and(|status| status.success()))
    }
}

/// A topic, and the producer that writes it.
pub(super) struct Writing {
    /// Its name.
    pub(super) topic: &'static str,
    /// Its producer.
    pub(super) load: Load,
}

impl Writing {
    /// So many records more are acknowledged.
    pub(super) fn goes_on(&mut self, records: usize) -> Played {
        let wanted = self.load.acknowledged.len() + records;
        while self.load.acknowledged.len() < wanted {
            self.load.next(PATIENCE).map_err(|why| format!("{}: {why}", self.topic))?;
        }
        Ok(())
    }

    /// Nothing is acknowledged any more.
    pub(super) fn stands_still(&mut self) -> Played {
        let end = Instant::now() + PATIENCE;
        while self.load.drain(Duration::from_secs(1))? > 0 {
            if Instant::now() > end {
                return Err(Trouble::Failed(format!("{} is still written", self.topic)));
            }
        }
        Ok(())
    }

    /// All that was acknowledged so far can be read, each record at its place.
    pub(super) fn can_be_read(&mut self, broker: &Broker) -> Played {
        self.load.take_ready()?;
        let acknowledged = self.load.acknowledged.clone();
        let log = load::dump(&broker.address(), self.topic, 1).map_err(|why| format!("{}: {why}", self.topic))?;
        let findings = log.judge(&acknowledged);
        match findings.first() {
            None => Ok(()),
            Some(first) => {
                let (count, topic) = (findings.len(), self.topic);
                Err(Trouble::Failed(format!("{topic}: {count} of {} not as acknowledged: {first}", acknowledged.len())))
            }
        }
    }

    /// The producer comes to its end: all that it sent is acknowledged, and can be read.
    pub(super) fn ends(&mut self, broker: &Broker) -> Played {
        self.load.finish().map_err(|why| format!("{}: {why}", self.topic))?;
        self.can_be_read(broker)
    }
}

/// The broker says a line with these words, which is shown.
pub(super) fn says(broker: &mut Broker, words: &str) -> Played {
    let line = broker.says(words, PATIENCE)?;
    println!("      {}", line.trim());
    Ok(())
}

/// The broker ends by itself, with code 1 and these words among its last.
pub(super) fn gives_up(broker: &mut Broker, words: &str) -> Played {
    must_have_said(&broker.ended(PATIENCE), words)
}

fn must_have_said(ended: &Ended, words: &str) -> Played {
    if ended.code != Some(1) {
        return Err(Trouble::Failed(format!("exit code 1 was expected: {ended}")));
    }
    match ended.log.lines().rfind(|line| line.contains(words)) {
        Some(line) => {
            println!("      {}", line.trim().trim_start_matches("broker | "));
            Ok(())
        }
        None => Err(Trouble::Failed(format!("\"{words}\" was not said: {ended}"))),
    }
}

/// The broker lives, does not spin, does not flood its log and does not pile up files, while clients try again and again.
pub(super) fn is_calm(broker: &mut Broker) -> Played {
    let lines_before = broker.forget();
    let (before, began) = (processor_time(broker.id())?, Instant::now());
    pass(MEASURE);
    let share = (processor_time(broker.id())? - before) / began.elapsed().as_secs_f64();
    let lines = broker.forget();
    let files = fs::read_dir(format!("/proc/{}/fd", broker.id()))?.count();
    if share > SHARE_MAX || lines_before.max(lines) > LINES_MAX || files > FILES_MAX {
        let what = format!("{share:.2} of a processor, {lines_before} and {lines} lines, {files} files");
        return Err(Trouble::Failed(format!("the broker is not calm: {what}")));
    }
    Ok(())
}

/// Seconds of a processor that a process has used.
fn processor_time(id: i64) -> Result<f64, Trouble> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat"))?;
    // The second field is a name in brackets, which may hold anything.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|ticks| ticks.parse::<f64>().ok()).unwrap_or_default();
    Ok((ticks(11) + ticks(12)) / TICKS)
}
