//! The harness of the benches of inner loops: each loop has a name, by which it is timed or counted.
//!
//! ```text
//! cargo bench -p CRATE --bench loops [-- PART-OF-A-NAME]    Criterion's times
//! cargo xtask instructions [PART-OF-A-NAME...]              instructions, of all crates
//! ```
//!
//! A machine with other work tells times that differ by tens of percent; the number of instructions is the same each
//! time. It is no time: a miss of the cache is one instruction, and valgrind knows fewer kinds of instructions than newer
//! processors, so that code that asks which ones there are (the CRC) takes another way under it.
//!
//! The loops themselves are in the `benches/loops` of their crates; what runs valgrind is `xtask`'s `instructions`.

use std::hint::black_box;
use std::process::ExitCode;
use std::time::Duration;

use criterion::Criterion;

/// What a loop does in one run, and of how many things.
pub struct Prepared {
    elements: u64,
    run: Box<dyn FnMut()>,
}

impl Prepared {
    /// `run` deals with `elements` things: records, partitions, or 1. What it returns is kept from the optimiser.
    pub fn new<T>(elements: usize, mut run: impl FnMut() -> T + 'static) -> Self {
        Self { elements: elements as u64, run: Box::new(move || drop(black_box(run()))) }
    }
}

type Prepare = Box<dyn Fn() -> Prepared>;

/// The loops of one crate, in the order in which they are told.
#[derive(Default)]
pub struct Loops(Vec<(String, Prepare)>);

impl Loops {
    /// Adds a loop. `prepare` is called only if the loop is to be run, and what it does is neither timed nor counted.
    pub fn add(&mut self, name: impl Into<String>, prepare: impl Fn() -> Prepared + 'static) {
        self.0.push((name.into(), Box::new(prepare)));
    }

    /// The `main` of a bench: does what the command line asks for.
    ///
    /// `--names` prints the names; `--count NAME RUNS` runs one loop so often and prints of how many things each run was;
    /// everything else is Criterion's.
    pub fn main(&self) -> ExitCode {
        let arguments: Vec<String> = std::env::args().skip(1).collect();
        match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            ["--names", ..] => self.print_names(),
            ["--count", name, runs] => return self.count(name, runs),
            _ => self.time(),
        }
        ExitCode::SUCCESS
    }

    #[expect(clippy::print_stdout, reason = "for the one who counts")]
    fn print_names(&self) {
        for (name, _) in &self.0 {
            println!("{name}");
        }
    }

    #[expect(clippy::print_stdout, clippy::print_stderr, reason = "for the one who counts")]
    fn count(&self, name: &str, runs: &str) -> ExitCode {
        let found = self.0.iter().find(|(known, _)| known == name);
        let (Some((_, prepare)), Ok(runs)) = (found, runs.parse::<u32>()) else {
            eprintln!("--count wants the name of a loop (see --names) and a number of runs, not {name:?} and {runs:?}");
            return ExitCode::FAILURE;
        };
        let mut prepared = prepare();
        // What only the first runs do, such as growing a buffer, is not the loop's.
        for _ in 0..2 {
            (prepared.run)();
        }
        counted_runs(&mut prepared.run, runs);
        println!("{}", prepared.elements);
        ExitCode::SUCCESS
    }

    fn time(&self) {
        let mut criterion = Criterion::default()
            .warm_up_time(Duration::from_millis(200))
            .measurement_time(Duration::from_millis(700))
            .sample_size(15)
            .configure_from_args();
        for (name, prepare) in &self.0 {
            let mut prepared = None;
            criterion.bench_function(name, |bencher| {
                // Criterion comes here more than once.
                let prepared = prepared.get_or_insert_with(prepare);
                bencher.iter(&mut prepared.run);
            });
        }
        criterion.final_summary();
    }
}

/// What is counted: valgrind is told this name, and counts only below it.
#[inline(never)]
fn counted_runs(run: &mut dyn FnMut(), runs: u32) {
    for _ in 0..runs {
        run();
    }
}
