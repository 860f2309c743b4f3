//! `cargo xtask fuzz [DECODER...] [--seconds N]`: libFuzzer, through cargo-fuzz, on one decoder after the other.
//!
//! The decoders and their names are in `crates/decoders`. What libFuzzer finds worth keeping stays in `fuzz/corpus/NAME`
//! and is where the next run begins; an input that fails is in `fuzz/artifacts/NAME`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process::{self, cargo, root};

/// How long each decoder is run if nobody says: all of them in half an hour.
const SECONDS: u32 = 6;
/// A little memory above what any decoder needs, in MiB.
const MEMORY_MIB_MAX: u32 = 1024;
/// After so many seconds with one input it is taken for an endless loop.
const TIMEOUT_SECONDS: u32 = 10;

const USAGE: &str = "usage: cargo xtask fuzz [DECODER...] [--seconds N], or cargo xtask fuzz list";

/// A decoder, as `decoders list` tells it.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Target {
    name: String,
    input_bytes_max: u32,
    allocation_mib_max: u32,
}

/// Runs the decoders named, or those whose names begin so, or all.
pub(crate) fn run(arguments: &[String]) -> Result<(), String> {
    let known = targets(&process::output(&mut decoders(&["list"]))?)?;
    let (wanted, seconds) = match arguments {
        [word] if word == "list" => {
            known.iter().for_each(|target| println!("{}", target.name));
            return Ok(());
        }
        words => chosen(words, &known)?,
    };
    let program = build()?;
    let mut inputs = 0;
    for target in &wanted {
        inputs += fuzz(&program, target, seconds)?;
    }
    println!("{} decoders, {inputs} inputs, {seconds} s each: nothing found", wanted.len());
    Ok(())
}

/// The program that knows the decoders, with these words.
fn decoders(words: &[&str]) -> Command {
    let mut command = cargo(&["run", "--quiet", "-p", "ottla-decoders", "--"]);
    command.args(words);
    command
}

/// Lines of name, longest input, largest allocation.
fn targets(list: &str) -> Result<Vec<Target>, String> {
    let target = |line: &str| {
        let mut words = line.split(' ');
        let name = words.next()?.to_owned();
        let mut number = || words.next()?.parse().ok();
        Some(Target { name, input_bytes_max: number()?, allocation_mib_max: number()? })
    };
    list.lines().map(|line| target(line).ok_or_else(|| format!("cannot understand the line \"{line}\""))).collect()
}

/// Which decoders the words name, and for how many seconds each is run. A name means that decoder; the beginning of some
/// names means those.
fn chosen(words: &[String], known: &[Target]) -> Result<(Vec<Target>, u32), String> {
    let (mut wanted, mut seconds) = (Vec::new(), SECONDS);
    let mut words = words.iter();
    while let Some(word) = words.next() {
        if word == "--seconds" {
            seconds = words.next().and_then(|number| number.parse().ok()).ok_or(USAGE)?;
            continue;
        }
        let is = |target: &&Target| target.name == *word;
        let begins = |target: &&Target| target.name.starts_with(word.as_str());
        let mut named: Vec<_> = known.iter().filter(is).cloned().collect();
        if named.is_empty() {
            named = known.iter().filter(begins).cloned().collect();
        }
        if named.is_empty() {
            return Err(format!("no decoder's name begins with {word}; cargo xtask fuzz list names all\n{USAGE}"));
        }
        wanted.extend(named);
    }
    if wanted.is_empty() {
        wanted = known.to_vec();
    }
    Ok((wanted, seconds))
}

/// Builds the program that libFuzzer drives.
fn build() -> Result<PathBuf, String> {
    if process::output(&mut cargo(&["fuzz", "--version"])).is_err() {
        return Err("cargo-fuzz is missing: cargo install --locked cargo-fuzz".to_owned());
    }
    let about = process::output(Command::new("rustc").arg("-vV").current_dir(root()))?;
    let host = about.lines().find_map(|line| line.strip_prefix("host: ")).ok_or("rustc does not tell its host")?;
    let folder = root().join("fuzz");
    let mut build = cargo(&["fuzz", "build", "--target", host, "decoder"]);
    // What cargo-fuzz asks of the compiler is unstable; the pinned compiler can do it if it is told to.
    process::run(build.env("RUSTC_BOOTSTRAP", "1").env_remove("CARGO_TARGET_DIR").current_dir(&folder))?;
    Ok(folder.join("target").join(host).join("release/decoder"))
}

/// Runs one decoder and tells how many inputs it was given.
fn fuzz(program: &Path, target: &Target, seconds: u32) -> Result<u64, String> {
    let name = &target.name;
    let folder = root().join("fuzz");
    let (corpus, artifacts) = (folder.join("corpus").join(name), folder.join("artifacts").join(name));
    for path in [&corpus, &artifacts] {
        fs::create_dir_all(path).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    process::output(decoders(&["seeds", name]).arg(&corpus))?;
    let mut command = Command::new(program);
    command.env("OTTLA_DECODER", name).arg(&corpus).args([
        format!("-artifact_prefix={}/", artifacts.display()),
        format!("-max_total_time={seconds}"),
        format!("-max_len={}", target.input_bytes_max),
        format!("-malloc_limit_mb={}", target.allocation_mib_max),
        format!("-rss_limit_mb={MEMORY_MIB_MAX}"),
        format!("-timeout={TIMEOUT_SECONDS}"),
        "-print_final_stats=1".to_owned(),
        // To name every function that is reached takes longer than a short run.
        "-print_funcs=0".to_owned(),
    ]);
    let out = command.output().map_err(|error| format!("{}: {error}", program.display()))?;
    let told = String::from_utf8_lossy(&out.stderr);
    if !out.status.success() {
        return Err(format!("{told}\n{name} found something; the input is in fuzz/artifacts/{name}"));
    }
    let inputs = statistic(&told, "number_of_executed_units").ok_or("libFuzzer does not tell what it did")?;
    println!("{name}: {inputs} inputs, {} kept", fs::read_dir(&corpus).map_or(0, Iterator::count));
    Ok(inputs)
}

/// A number that libFuzzer tells at its end.
fn statistic(told: &str, name: &str) -> Option<u64> {
    let line = told.lines().find_map(|line| line.strip_prefix("stat::")?.strip_prefix(name))?;
    line.trim_start_matches(':').trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = "FetchRequest 4096 64\nFetchResponse 4096 64\nbatch-2-lz4 8192 160\n";

    fn names(words: &[&str]) -> Result<(Vec<String>, u32), String> {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        let (targets, seconds) = chosen(&words, &targets(LIST).expect("a good list"))?;
        Ok((targets.into_iter().map(|target| target.name).collect(), seconds))
    }

    #[test]
    fn a_word_is_a_name_or_the_beginning_of_names() {
        let all = ["FetchRequest", "FetchResponse", "batch-2-lz4"].map(str::to_owned);
        assert_eq!(names(&[]), Ok((all.to_vec(), SECONDS)));
        assert_eq!(names(&["Fetch", "--seconds", "9"]), Ok((all[..2].to_vec(), 9)));
        assert_eq!(names(&["FetchRequest"]), Ok((all[..1].to_vec(), SECONDS)));
        assert!(names(&["Fitch"]).expect_err("nothing").contains("no decoder's name begins with Fitch"));
        names(&["--seconds"]).expect_err("no number");
    }

    #[test]
    fn what_libfuzzer_tells_at_its_end_is_understood() {
        let told = "Done 5 runs\nstat::number_of_executed_units: 21845\nstat::average_exec_per_sec:     10922\n";
        assert_eq!(statistic(told, "number_of_executed_units"), Some(21845));
        assert_eq!(statistic(told, "peak_rss_mb"), None);
        targets("FetchRequest 1\n").expect_err("a number is missing");
    }
}
