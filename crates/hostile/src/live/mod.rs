//! What is done to a broker: scenarios, each with a name, one after the other or all at once.
//!
//! Beside all of them an [`honest`] client is at work, and somebody [`watch`]es the process. After a scenario its
//! connections must be gone from the broker; during all of them memory and the honest client's delay have their bounds.

mod bombs;
mod frames;
mod honest;
mod large;
mod peer;
mod slow;
mod watch;

use std::net::SocketAddr;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use ottla_hostile::random::Random;

use honest::Honest;
use watch::Watch;

/// How long each scenario goes on if nobody says: all of them in a minute and a half.
const SECONDS: u64 = 1;
/// The broker's resident memory at most, in MiB, whatever is done to it. It is started with 64 MiB for requests, and one
/// request more; a thread that opens a batch has up to a hundred megabytes of its records, and two conversions for old
/// clients three times that.
const MEMORY_MIB_MAX: u64 = 1536;
/// The same when everything is done at once: what one scenario gave back, the allocator still holds for its threads while
/// the others are at work.
const MEMORY_TOGETHER_MIB_MAX: u64 = 2048;
/// The longest that the honest client may wait for a record to be written and read.
const DELAY_MAX: Duration = Duration::from_secs(10);
/// Within this time after a scenario the broker has let go of its connections.
const LET_GO: Duration = Duration::from_secs(30);
/// Sockets that may come to the broker meanwhile: of scenarios that look what became of their work.
const SOCKETS_SPARE: u64 = 3;
/// How often it is looked whether it has.
const LOOK: Duration = Duration::from_millis(50);

/// What a scenario works with.
pub(super) struct Scene {
    address: SocketAddr,
    /// It goes on until then, and does everything once at least.
    until: Instant,
    random: Random,
}

impl Scene {
    /// Whether there is time for more.
    fn goes_on(&self) -> bool {
        Instant::now() < self.until
    }

    fn connect(&self) -> Result<peer::Peer, String> {
        peer::Peer::connect(self.address).map_err(|error| format!("no connection: {error}"))
    }
}

/// One scenario: its name, what it is, and what it does, which says how often it did it.
type Scenario = (&'static str, &'static str, fn(&mut Scene) -> Result<String, String>);

const SCENARIOS: &[Scenario] = &[
    ("random-bytes", "bytes that mean nothing, with and without a size before them", frames::random_bytes),
    (
        "damaged-frames",
        "requests that clients sent, and others, cut, spliced, their numbers at the edges",
        frames::damaged_frames,
    ),
    ("absurd-lengths", "sizes that cannot be, and sizes of which nothing follows", frames::absurd_lengths),
    ("half-open", "half a request and no more; and no further word while a fetch waits", slow::half_open),
    ("byte-a-second", "large requests that come byte by byte", slow::byte_a_second),
    ("idle-crowd", "10,000 connections that do nothing, or as many as this process may open", slow::idle_crowd),
    ("deaf", "requests with large answers, many at a time, and nobody reads", slow::deaf),
    ("bombs", "batches that grow a thousand times when they are opened", bombs::current),
    ("boasts", "batches whose content announces gigabytes", bombs::boasts),
    ("old-bombs", "message sets that grow, and wrappers within wrappers", bombs::old),
    ("bombs-read", "stored bombs, fetched by clients that need them converted, and searched by time", bombs::read),
    ("full-size", "requests of socket.request.max.bytes from many connections at once", large::full_size),
    ("millions", "every API with as many elements as fit, a million and more", large::millions),
    ("enormous-topics", "topics with more partitions, replicas and settings than there can be", large::enormous_topics),
];

/// Names the scenarios.
pub(crate) fn list() {
    SCENARIOS.iter().for_each(|(name, about, _)| println!("{name:<16} {about}"));
}

/// Does what the words ask for to the broker at `address`, whose process is `pid`.
pub(crate) fn attack(address: &str, pid: &str, words: &[&str]) -> Result<(), String> {
    let address = address.parse().map_err(|_| format!("{address} is no address"))?;
    let pid = pid.parse().map_err(|_| format!("{pid} is no process"))?;
    let (mut seconds, mut at_once, mut chosen) = (SECONDS, false, Vec::new());
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let mut number = || words.next().and_then(|n| n.parse::<u64>().ok()).ok_or(format!("{word} needs a number"));
        match *word {
            "--seconds" => seconds = number()?,
            "--minutes" => (seconds, at_once) = (60 * number()?, true),
            name => match SCENARIOS.iter().find(|scenario| scenario.0 == name) {
                Some(scenario) => chosen.push(*scenario),
                None => return Err(format!("there is no scenario {name}; `hostile list` names all")),
            },
        }
    }
    if chosen.is_empty() {
        chosen = SCENARIOS.to_vec();
    }
    let honest = Honest::begin(address)?;
    let attack = Attack { address, time: Duration::from_secs(seconds), watch: Watch::begin(pid)?, honest };
    let steps: Vec<_> = if at_once { vec![chosen.as_slice()] } else { chosen.chunks(1).collect() };
    let count = steps.iter().map(|step| attack.step(step)).collect::<Result<Vec<_>, _>>()?.len();
    println!("{} scenarios in {count} steps of {seconds} s: the broker survived", chosen.len());
    Ok(())
}

struct Attack {
    address: SocketAddr,
    time: Duration,
    watch: Watch,
    honest: Honest,
}

impl Attack {
    /// Carries out some scenarios at once, and says how that went.
    fn step(&self, scenarios: &[Scenario]) -> Result<(), String> {
        let (_, before) = self.watch.present()?;
        self.watch.most();
        self.honest.service()?;
        let until = Instant::now() + self.time;
        let results: Vec<_> = std::thread::scope(|scope| {
            let begun: Vec<_> = scenarios
                .iter()
                .map(|(name, _, run)| {
                    let seed = name.bytes().fold(1, |seed: u64, byte| seed.wrapping_mul(31).wrapping_add(byte.into()));
                    let mut scene = Scene { address: self.address, until, random: Random::new(seed) };
                    (name, scope.spawn(move || run(&mut scene)))
                })
                .collect();
            begun.into_iter().map(|(name, thread)| (name, thread.join())).collect()
        });
        let (memory_most, sockets_most) = self.watch.most();
        let mut failures = Vec::new();
        for (name, result) in results {
            match result {
                Ok(Ok(did)) => println!("{name:<16} {did}"),
                Ok(Err(why)) => failures.push(format!("{name}: {why}")),
                Err(_) => failures.push(format!("{name}: panicked")),
            }
        }
        let left = self.let_go(before);
        let (memory, sockets) = self.watch.present()?;
        println!(
            "{:<16} memory {memory_most} MiB at most, {memory} after; sockets {sockets_most} at most, {sockets} after",
            ""
        );
        let service = self.honest.service()?;
        println!("{:<16} the honest client: {} records, {} ms at worst", "", service.rounds, service.worst.as_millis());
        let memory_max = if scenarios.len() > 1 { MEMORY_TOGETHER_MIB_MAX } else { MEMORY_MIB_MAX };
        if memory_most > memory_max {
            failures.push(format!("{memory_most} MiB are more than {memory_max}"));
        }
        if service.worst > DELAY_MAX || service.rounds == 0 {
            failures.push(format!("the honest client waited for {} ms", service.worst.as_millis()));
        }
        failures.extend(left.err());
        if failures.is_empty() { Ok(()) } else { Err(failures.join("\n")) }
    }

    /// Waits until the broker holds no more connections than before.
    fn let_go(&self, before: u64) -> Result<(), String> {
        let end = Instant::now() + LET_GO;
        loop {
            let (_, now) = self.watch.present()?;
            if now <= before + SOCKETS_SPARE {
                return Ok(());
            }
            if Instant::now() > end {
                return Err(format!("the broker holds {now} sockets, {before} before, after {} s", LET_GO.as_secs()));
            }
            std::thread::park_timeout(LOOK);
        }
    }
}

/// The date, as records have it.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or_default()
}
