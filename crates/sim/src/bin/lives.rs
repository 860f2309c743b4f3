//! A broker's life, with each operation of its disk in turn meeting each trouble: `lives [SEEDS]`, or one of them with its
//! trace: `lives SEED power|device|room OPERATION [kind|adverse]`. Exit code 1 if something was found.

use std::io::Write;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use ottla_sim::{Life, Trouble, live};
use ottla_storage::disk::simulated::{Failure, Faults};

/// The troubles, by the words that name them.
const TROUBLES: [(&str, Trouble); 3] = [
    ("power", Trouble::PowerFailure),
    ("device", Trouble::Failure(Failure::Device)),
    ("room", Trouble::Failure(Failure::NoRoom)),
];

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let good = match words[..] {
        [] => all(1),
        [seeds] if seeds.parse::<u64>().is_ok() => all(seeds.parse().unwrap_or(1)),
        [seed, trouble, at, ref rest @ ..] => match (seed.parse(), of(trouble), at.parse()) {
            (Ok(seed), Some(trouble), Ok(at)) => one(seed, trouble, at, rest == ["adverse"]),
            _ => return usage(),
        },
        _ => return usage(),
    };
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn usage() -> ExitCode {
    say("usage: lives [SEEDS] | lives SEED power|device|room OPERATION [kind|adverse]");
    ExitCode::from(2)
}

fn of(word: &str) -> Option<Trouble> {
    TROUBLES.iter().find(|(name, _)| *name == word).map(|(_, trouble)| *trouble)
}

fn faults(adverse: bool) -> Faults {
    if adverse { Faults::adverse() } else { Faults::default() }
}

fn one(seed: u64, trouble: Trouble, at: u64, adverse: bool) -> bool {
    let filter = tracing_subscriber::EnvFilter::from_default_env();
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let lived = live(&Life { seed, faults: faults(adverse), trouble: Some((at, trouble)) });
    say(&lived.trace.join("\n"));
    say(&format!("{} starts, {} findings, {:?}", lived.starts, lived.findings.len(), lived.failure));
    lived.findings.is_empty() && lived.failure.is_none()
}

/// All operations, all troubles, on a disk that loses cleanly and on one that keeps torn parts.
fn all(seeds: u64) -> bool {
    let mut lives = Vec::new();
    for seed in 1..=seeds {
        for adverse in [false, true] {
            let whole = live(&Life { seed, faults: faults(adverse), trouble: None });
            for (word, trouble) in TROUBLES {
                lives.extend((0..whole.operations).map(|at| (seed, adverse, word, trouble, at)));
            }
        }
    }
    let (next, bad, records) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicU64::new(0));
    let work = || {
        while let Some((seed, adverse, word, trouble, at)) = lives.get(next.fetch_add(1, Ordering::Relaxed)) {
            let lived = live(&Life { seed: *seed, faults: faults(*adverse), trouble: Some((*at, *trouble)) });
            records.fetch_add(lived.acknowledged as u64, Ordering::Relaxed);
            if lived.failure.is_some() || !lived.findings.is_empty() {
                bad.fetch_add(1, Ordering::Relaxed);
                let disk = if *adverse { "adverse" } else { "kind" };
                say(&format!("lives {seed} {word} {at} {disk}: {:?} {:?}", lived.findings, lived.failure));
            }
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(work))));
    let (bad, records) = (bad.into_inner(), records.into_inner());
    say(&format!("{} lives of {seeds} seeds, {records} records acknowledged: {bad} found something", lives.len()));
    bad == 0
}

fn say(text: &str) {
    // A reader that has seen enough is no failure.
    let _ = writeln!(std::io::stdout(), "{text}");
}
