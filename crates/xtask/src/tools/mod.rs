//! `cargo xtask tools`: Kafka's own command line tools against Ottla, compared with what they print on a Kafka.
//!
//! `interop/tools/RELEASE/TOOL.txt` is a [`transcript`]: commands, with what Kafka and Ottla answer. Without `--bootstrap`
//! each runs against an Ottla of its own, two at a time, and Ottla's answers count. With it, a Kafka is asked, one
//! transcript after the other, and Kafka's count. `--rewrite` keeps what was answered. interop/README.md tells more.

mod normal;
mod run;
pub(crate) mod transcript;

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Instant;

use crate::broker::{self, Broker};
use crate::{interop, process};
use run::Asked;
use transcript::{Side, Transcript};

/// How many transcripts run at the same time, each with a broker and a Java program.
const JOBS: usize = 2;

/// What the command line asks for.
#[derive(Debug, PartialEq)]
struct Options {
    /// Releases, tools, or `RELEASE/TOOL`; all transcripts if there is none.
    names: Vec<String>,
    /// A running Kafka and its log directory.
    kafka: Option<(String, PathBuf)>,
    binary: PathBuf,
    rewrite: bool,
}

fn parse(arguments: &[String]) -> Result<Options, String> {
    let mut options = Options { names: Vec::new(), kafka: None, binary: broker::release_binary(), rewrite: false };
    let (mut bootstrap, mut data) = (None, None);
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let mut value = || rest.next().cloned().ok_or(format!("{argument} needs a value"));
        match argument.as_str() {
            "--bootstrap" => bootstrap = Some(value()?),
            "--data" => data = Some(value()?.into()),
            "--binary" => options.binary = value()?.into(),
            "--rewrite" => options.rewrite = true,
            flag if flag.starts_with('-') => return Err(format!("no option {flag}")),
            name => options.names.push(name.to_owned()),
        }
    }
    options.kafka = match (bootstrap, data) {
        (Some(bootstrap), Some(data)) => Some((bootstrap, data)),
        (None, None) => None,
        _ => return Err("--bootstrap HOST:PORT and --data FOLDER name a Kafka together".to_owned()),
    };
    Ok(options)
}

/// A transcript's file.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct File {
    release: String,
    tool: String,
}

impl File {
    fn path(&self) -> PathBuf {
        folder().join(&self.release).join(format!("{}.txt", self.tool))
    }

    fn is_named(&self, name: &str) -> bool {
        name == self.release || name == self.tool || name == format!("{}/{}", self.release, self.tool)
    }

    fn read(&self) -> Result<Transcript, String> {
        let path = self.path();
        let text = std::fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        Transcript::parse(&text).map_err(|why| format!("{}: {why}", path.display()))
    }
}

fn folder() -> PathBuf {
    process::root().join("interop/tools")
}

/// All transcripts, by release and tool.
fn files() -> Result<Vec<File>, String> {
    let list = |folder: &Path| -> Result<Vec<PathBuf>, String> {
        let entries = std::fs::read_dir(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
        Ok(entries.flatten().map(|entry| entry.path()).collect())
    };
    let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut files = Vec::new();
    for release in list(&folder())?.iter().filter(|path| path.is_dir()) {
        for path in list(release)? {
            if let Some(tool) = name(&path).strip_suffix(".txt") {
                files.push(File { release: name(release), tool: tool.to_owned() });
            }
        }
    }
    files.sort();
    Ok(files)
}

/// Runs the transcripts that were asked for and prints a table of how they ended.
pub(crate) fn run(arguments: &[String]) -> Result<(), String> {
    let options = parse(arguments)?;
    let mut chosen = files()?;
    for name in &options.names {
        if !chosen.iter().any(|file| file.is_named(name)) {
            return Err(format!("no transcript \"{name}\" in interop/tools"));
        }
    }
    chosen.retain(|file| options.names.is_empty() || options.names.iter().any(|name| file.is_named(name)));
    let mut releases: Vec<_> = chosen.iter().map(|file| file.release.clone()).collect();
    releases.dedup();
    for release in releases {
        interop::install(&format!("tools-{release}"))?;
    }
    let scratch = interop::scratch("tools")?;
    let total = chosen.len();
    // The last is taken first: the newest release has most to do, and should not be what all wait for.
    let (left, done) = (Mutex::new(chosen), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        // A Kafka is shared, and each transcript may see what another one makes.
        for _ in 0..if options.kafka.is_some() { 1 } else { JOBS } {
            scope.spawn(|| {
                while let Some(file) = left.lock().expect("no thread panics with it").pop() {
                    let began = Instant::now();
                    let outcome = check(&file, &options, &scratch);
                    let seconds = began.elapsed().as_secs_f32();
                    done.lock().expect("no thread panics with it").push((file, seconds, outcome));
                }
            });
        }
    });
    let mut done = done.into_inner().expect("no thread panics with it");
    done.sort_by(|(a, ..), (b, ..)| a.cmp(b));
    let failed = report(&done);
    if failed > 0 {
        return Err(format!("{failed} of {total} transcripts failed"));
    }
    std::fs::remove_dir_all(scratch).map_err(|e| e.to_string())
}

/// How a transcript ended: the number of its commands, or what went wrong.
type Outcome = Result<usize, String>;

/// Prints what went wrong and the table; the number of those that failed.
fn report(done: &[(File, f32, Outcome)]) -> usize {
    for (file, _, outcome) in done {
        if let Err(why) = outcome {
            println!("== {}/{}\n{why}", file.release, file.tool);
        }
    }
    for (file, seconds, outcome) in done {
        let verdict =
            outcome.as_ref().map_or("FAILED".to_owned(), |commands| format!("{commands:>3} commands  passed"));
        println!("  {:<6} {:<28} {seconds:>6.1} s {verdict}", file.release, file.tool);
    }
    let failed = done.iter().filter(|(.., outcome)| outcome.is_err()).count();
    println!("tools: {} passed, {failed} failed", done.len() - failed);
    failed
}

/// Runs one transcript, and writes it anew if that is wanted.
fn check(file: &File, options: &Options, scratch: &Path) -> Outcome {
    let mut transcript = file.read()?;
    let place = |name: &str| -> Result<PathBuf, String> {
        let folder = scratch.join(format!("{}-{}-{name}", file.release, file.tool));
        std::fs::create_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
        Ok(folder)
    };
    let work = place("work")?;
    let (asked, broker) = match &options.kafka {
        Some((bootstrap, data)) => {
            let (bootstrap, data) = (bootstrap.clone(), data.clone());
            (Asked { side: Side::Kafka, bootstrap, data, work }, None)
        }
        None => {
            let data = place("data")?;
            let folder = data.display().to_string();
            let settings: Vec<_> = transcript.settings().map(|line| line.replace("$DATA", &folder)).collect();
            let settings: Vec<_> = settings.iter().map(String::as_str).collect();
            let broker = Broker::start_with(&options.binary, &data, 0, &settings)?;
            (Asked { side: Side::Ottla, bootstrap: broker.address(), data, work }, Some(broker))
        }
    };
    let bin = interop::folder().join("tools").join(&file.release).join("bin");
    let mut told = asked.run(&mut transcript, &bin)?;
    if let Some(mut broker) = broker {
        broker.stop().map_err(|why| format!("{why}\n{}", broker.log()))?;
    }
    if options.rewrite {
        std::fs::write(file.path(), transcript.render()).map_err(|e| e.to_string())?;
        told.clear();
    }
    if told.is_empty() {
        told.extend(transcript.unexplained(&deviations()?).into_iter().map(|why| why + "\n"));
    }
    if told.is_empty() { Ok(transcript.steps.len()) } else { Err(told.concat()) }
}

/// The rows of docs/deviations.md.
pub(crate) fn deviations() -> Result<Vec<String>, String> {
    let path = process::root().join("docs/deviations.md");
    let text = std::fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    Ok(transcript::rows(&text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_names_and_a_kafka_and_refuses_half_of_one() {
        let parse = |line: &str| parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
        let options = parse("4.3.1 --bootstrap a:1 --data /d --rewrite").expect("legal");
        assert_eq!((options.names, options.rewrite), (vec!["4.3.1".to_owned()], true));
        assert_eq!(options.kafka, Some(("a:1".to_owned(), "/d".into())));
        for bad in ["--bootstrap a:1", "--data /d", "--bootstrap", "--bogus"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_transcript_is_named_by_release_and_tool() {
        let file = File { release: "3.9.1".to_owned(), tool: "kafka-topics".to_owned() };
        assert!(["3.9.1", "kafka-topics", "3.9.1/kafka-topics"].iter().all(|name| file.is_named(name)));
        assert!(!file.is_named("4.3.1/kafka-topics"));
    }

    #[test]
    fn every_kept_transcript_is_as_it_would_be_written_and_explains_its_differences() {
        let rows = deviations().expect("it is there");
        for file in files().expect("they are there") {
            let transcript = file.read().expect("legal");
            let text = std::fs::read_to_string(file.path()).expect("it is there");
            assert_eq!(transcript.render(), text, "{file:?}");
            assert_eq!(transcript.unexplained(&rows), [""; 0], "{file:?}");
        }
    }
}
