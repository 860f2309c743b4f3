//! `cargo xtask diff`: the same requests to Ottla and to real Kafkas, answers compared field by field.
//!
//! `interop/diff/NAME.txt` is a [`script`]: scenes of requests, each played at every version of its API, with what Kafka
//! answered and, where it differs, what Ottla answers and the row of docs/deviations.md that says why. 4.3.1 decides
//! wherever it accepts a version, 3.9.1 elsewhere. Without `--kafka` each script runs on an Ottla of its own, and no Java
//! is needed; with it, the two Kafkas are asked, new for each script. `--rewrite` keeps what was answered.
//!
//! Requests and answers go through a codec of this module (`encode`, `decode`), driven by the schemas as data; `masks`
//! names what differs from run to run. interop/README.md tells how to write a script.

mod coverage;
mod decode;
mod encode;
mod hosts;
mod masks;
mod meaning;
mod notation;
mod records;
mod schemas;
mod script;
mod talk;

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use crate::broker;
use crate::tools::{self, transcript};
use crate::{interop, process};
use coverage::{Seen, Served, Unseen};
use hosts::{Ottla, RealKafka};
use masks::Masks;
use schemas::Schemas;
use script::{Answers, NEWEST, OLDER, Scene, Script};
use talk::Talk;

/// How many scripts run at the same time, each with brokers of its own.
const JOBS: usize = 2;

/// The key of Produce, and its first version that 4.x serves (KIP-896).
const PRODUCE: i64 = 0;
const PRODUCE_FIRST: i64 = 3;

/// What the command line asks for.
#[derive(PartialEq, Debug)]
struct Options {
    /// Names of scripts; all if there is none.
    names: Vec<String>,
    kafka: bool,
    rewrite: bool,
    /// Tell which rows of docs/deviations.md how many answers come from.
    rows: bool,
    binary: PathBuf,
}

fn parse(arguments: &[String]) -> Result<Options, String> {
    let binary = broker::release_binary();
    let mut options = Options { names: Vec::new(), kafka: false, rewrite: false, rows: false, binary };
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        match argument.as_str() {
            "--kafka" => options.kafka = true,
            "--rows" => options.rows = true,
            "--rewrite" => options.rewrite = true,
            "--binary" => options.binary = rest.next().ok_or("--binary needs a path")?.into(),
            flag if flag.starts_with('-') => return Err(format!("no option {flag}")),
            name => options.names.push(name.to_owned()),
        }
    }
    Ok(options)
}

/// What all scripts share.
struct Shared {
    options: Options,
    schemas: Schemas,
    masks: Masks,
    rows: Vec<String>,
    scratch: PathBuf,
}

/// What one script showed.
#[derive(Default)]
struct Outcome {
    scenes: usize,
    /// Requests whose answers were compared, each version counted.
    compared: usize,
    /// Those of them that differ, as docs/deviations.md says.
    deviations: usize,
    /// The script with the answers that are kept.
    script: Option<Script>,
    /// What Ottla says that it serves, by key.
    served: Vec<(i64, i64, i64)>,
    told: Vec<String>,
}

fn folder() -> PathBuf {
    process::root().join("interop/diff")
}

fn path_of(name: &str) -> PathBuf {
    folder().join(format!("{name}.txt"))
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))
}

/// The names of all scripts.
fn names() -> Result<Vec<String>, String> {
    let entries = fs::read_dir(folder()).map_err(|e| format!("{}: {e}", folder().display()))?;
    let names = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
    let mut names: Vec<_> = names.filter_map(|name| name.strip_suffix(".txt").map(str::to_owned)).collect();
    names.retain(|name| name != "masks" && name != "errors");
    names.sort();
    Ok(names)
}

/// Runs the scripts that were asked for.
pub(crate) fn run(arguments: &[String]) -> Result<(), String> {
    let options = parse(arguments)?;
    let mut chosen = names()?;
    if let Some(name) = options.names.iter().find(|name| !chosen.contains(name)) {
        return Err(format!("no script \"{name}\" in interop/diff"));
    }
    chosen.retain(|name| options.names.is_empty() || options.names.contains(name));
    if options.kafka {
        [NEWEST, OLDER].into_iter().try_for_each(|release| interop::install(&format!("tools-{release}")))?;
    }
    let (schemas, masks) = (Schemas::read()?, Masks::parse(&read(&path_of("masks"))?)?);
    let (rows, scratch) = (tools::deviations()?, interop::scratch("diff")?);
    let shared = Shared { options, schemas, masks, rows, scratch };
    let (left, done) = (Mutex::new(chosen), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..JOBS {
            scope.spawn(|| {
                while let Some(name) = left.lock().expect("no thread panics with it").pop() {
                    let outcome = check(&name, &shared);
                    done.lock().expect("no thread panics with it").push((name, outcome));
                }
            });
        }
    });
    let mut done = done.into_inner().expect("no thread panics with it");
    done.sort_by(|(a, _), (b, _)| a.cmp(b));
    report(&shared, &done)
}

/// Prints what was seen; an error if anything is not as it should be.
fn report(shared: &Shared, done: &[(String, Result<Outcome, String>)]) -> Result<(), String> {
    let (mut failed, mut scenes, mut compared, mut deviations) = (0, 0, 0, 0);
    let (mut seen, mut served) = (Seen::default(), Served::new());
    for (name, outcome) in done {
        match outcome {
            Err(why) => {
                println!("== {name}\n{why}");
                failed += 1;
            }
            Ok(outcome) => {
                outcome.told.iter().for_each(|told| println!("{name}: {told}\n"));
                failed += usize::from(!outcome.told.is_empty());
                scenes += outcome.scenes;
                compared += outcome.compared;
                deviations += outcome.deviations;
                outcome.script.iter().for_each(|script| seen.add(script));
                served.extend(outcome.served.iter().map(|(key, from, to)| {
                    let name = shared.schemas.name_of(*key).unwrap_or("?");
                    (name.to_owned(), (*from as i16, *to as i16))
                }));
            }
        }
    }
    println!(
        "diff: {} scripts, {scenes} scenes, {compared} answers compared, {deviations} of them as docs/deviations.md says",
        done.len()
    );
    if shared.options.rows {
        print_rows(done.iter().filter_map(|(_, outcome)| outcome.as_ref().ok()?.script.as_ref()));
    }
    if !shared.options.kafka {
        let (answered, all) = seen.count(&served);
        println!("      {answered} of {all} API versions served were answered");
    }
    let mut lacks = Vec::new();
    if !shared.options.kafka && shared.options.names.is_empty() {
        let unseen = Unseen::parse(&read(&path_of("errors"))?)?;
        let handlers = served.keys().map(|api| Ok((api.clone(), coverage::handler(api)?)));
        let handlers = handlers.collect::<Result<_, String>>()?;
        lacks = coverage::lacks(&served, &handlers, &seen, &unseen);
        lacks.iter().for_each(|lack| println!("      {lack}"));
    }
    if failed > 0 {
        return Err(format!("{failed} of {} scripts failed", done.len()));
    }
    if !lacks.is_empty() {
        return Err("what Ottla serves is not covered".to_owned());
    }
    fs::remove_dir_all(&shared.scratch).map_err(|e| e.to_string())
}

/// A table of the rows that are named, the one that most answers come from first.
fn print_rows<'a>(scripts: impl Iterator<Item = &'a Script>) {
    let mut all: BTreeMap<&str, usize> = BTreeMap::new();
    for (row, answers) in scripts.flat_map(Script::rows) {
        *all.entry(row).or_default() += answers;
    }
    let mut all: Vec<_> = all.into_iter().collect();
    all.sort_by_key(|(_, answers)| Reverse(*answers));
    all.iter().for_each(|(row, answers)| println!("| {row} | {answers} |"));
}

/// Plays one script and compares; writes it anew if that is wanted.
fn check(name: &str, shared: &Shared) -> Result<Outcome, String> {
    let text = read(&path_of(name))?;
    let mut script = Script::parse(&text, &shared.schemas).map_err(|why| format!("{name}.txt: {why}"))?;
    let mut outcome = Outcome { scenes: script.scenes.len(), ..Outcome::default() };
    if shared.options.kafka {
        ask_kafka(name, &mut script, shared, &mut outcome)?;
    } else {
        ask_ottla(name, &mut script, shared, &mut outcome)?;
    }
    if shared.options.rewrite {
        fs::write(path_of(name), script.render()).map_err(|e| e.to_string())?;
        outcome.told.clear();
    }
    if !shared.options.kafka && outcome.told.is_empty() {
        outcome.told.extend(script.unexplained(&shared.rows));
    }
    let answers = || script.scenes.iter().flat_map(|scene| &scene.steps).flat_map(|step| step.answers.values());
    outcome.compared = answers().count();
    outcome.deviations = answers().filter(|answers| answers.kafka != answers.ottla).count();
    outcome.script = Some(script);
    Ok(outcome)
}

fn place(name: &str, what: &str, shared: &Shared) -> Result<PathBuf, String> {
    let folder = shared.scratch.join(format!("{name}-{what}"));
    fs::create_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    Ok(folder)
}

fn ask_ottla(name: &str, script: &mut Script, shared: &Shared, outcome: &mut Outcome) -> Result<(), String> {
    let data = place(name, "ottla", shared)?;
    let folder = data.display().to_string();
    let mut ottla = Ottla::start(&shared.options.binary, data, script)?;
    let mut talk = Talk::with(&shared.schemas, &shared.masks, ottla.broker.address(), folder);
    let played = (|| {
        outcome.served = talk.accepted()?;
        for scene in &mut script.scenes {
            for version in scene.versions.clone() {
                let answers = talk.play(scene, version, &mut ottla);
                let answers = answers.map_err(|why| format!("{why}\n{}", ottla.broker.log()))?;
                keep(scene, version, answers, Side::Ottla, &mut outcome.told);
            }
        }
        Ok(())
    })();
    ottla.broker.stop().map_err(|why| format!("{why}\n{}", ottla.broker.log()))?;
    played
}

/// Starts a new Kafka of each release that decides, each with its folder; the newest first.
fn start_kafkas(name: &str, script: &Script, shared: &Shared) -> Result<Vec<RealKafka>, String> {
    let start = |release| RealKafka::start(release, place(name, release, shared)?.join("data"), script);
    std::thread::scope(|scope| {
        let older = scope.spawn(|| start(OLDER));
        Ok(vec![start(NEWEST)?, older.join().map_err(|_| "a thread panicked")??])
    })
}

fn ask_kafka(name: &str, script: &mut Script, shared: &Shared, outcome: &mut Outcome) -> Result<(), String> {
    let mut kafkas = start_kafkas(name, script, shared)?;
    let talk = |real: &RealKafka| Talk::with(&shared.schemas, &shared.masks, real.kafka.address(), real.folder.clone());
    let mut talks: Vec<_> = kafkas.iter().map(talk).collect();
    let mut accepted = talks.iter_mut().map(Talk::accepted).collect::<Result<Vec<_>, _>>()?;
    talks[0].added.clone_from(&accepted[1]);
    // 4.x says so of the first versions of Produce, for the sake of old clients that look for them, and closes then.
    accepted[0].iter_mut().filter(|(key, ..)| *key == PRODUCE).for_each(|(_, from, _)| *from = PRODUCE_FIRST);
    let accepts = |which: usize, scene: &Scene, version: i16| {
        let key = scene.api.as_ref().and_then(|api| shared.schemas.of(api).ok()).map(|schema| i64::from(schema.key()));
        let versions = accepted[which].iter().find(|(known, ..)| Some(*known) == key);
        versions.is_some_and(|(_, from, to)| (*from..=*to).contains(&i64::from(version)))
    };
    for scene in &mut script.scenes {
        for version in scene.versions.clone() {
            let is_older = scene.api.is_some() && !accepts(0, scene, version) && accepts(1, scene, version);
            let which = usize::from(is_older);
            let answers = talks[which].play(scene, version, &mut kafkas[which])?;
            keep(scene, version, answers, Side::Kafka { is_older }, &mut outcome.told);
        }
    }
    // One that was told to forget itself does not end, and is killed. Their folders are not looked at again.
    kafkas.iter_mut().for_each(|real| drop(real.kafka.stop()));
    Ok(())
}

/// Whose answers they are.
#[derive(Clone, Copy)]
enum Side {
    Ottla,
    Kafka { is_older: bool },
}

/// Keeps what one side answered in a scene, and tells where it is not what was kept.
fn keep(scene: &mut Scene, version: i16, answers: Vec<Vec<String>>, side: Side, told: &mut Vec<String>) {
    let title = &scene.title;
    for (step, answer) in scene.steps.iter_mut().filter(|step| step.is_answered()).zip(answers) {
        let text = step.text();
        let Answers { is_older: is_older_kept, kafka, ottla } = step.answers.entry(version).or_default();
        let kept = match side {
            Side::Ottla => ottla,
            Side::Kafka { is_older } => {
                *is_older_kept = is_older;
                kafka
            }
        };
        if *kept != answer {
            told.push(format!("== {title} (v{version})\n{text}\n{}", transcript::difference(kept, &answer)));
            *kept = answer;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kept_script_is_as_it_would_be_written_and_explains_its_differences() {
        let (schemas, rows) = (Schemas::read().expect("they are there"), tools::deviations().expect("they are there"));
        Masks::parse(&read(&path_of("masks")).expect("it is there")).expect("legal");
        for name in names().expect("they are there") {
            let text = read(&path_of(&name)).expect("it is there");
            let script = Script::parse(&text, &schemas).unwrap_or_else(|why| panic!("{name}: {why}"));
            assert_eq!(script.render(), text, "{name}");
            assert_eq!(script.unexplained(&rows), [""; 0], "{name}");
        }
    }
}
