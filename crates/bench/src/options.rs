//! The command line of `side-by-side`.

use std::path::PathBuf;

use crate::Outcome;
use crate::broker::Broker;
use crate::works::Work;

const USAGE: &str = "usage: side-by-side --load PATH --ottla PATH [options]
    --load PATH              the load generator
    --ottla PATH             the ottla binary
    --dir PATH               where Ottla keeps its data meanwhile (default: ./side-by-side-data)
    --rounds N               rounds that count (default 3)
    --megabytes N            values produced by the largest work, in MB (default 1000)
    --touch N                MB written and deleted before each work, so that memory is warm (default: twice --megabytes)
    --reference HOST:PORT    a reference broker that runs
    --reference-pid PID,…    its processes
    --reference-name NAME    its name in the table (default: reference)
    --reference-start CMD    stop those processes at the end and time this command to the first acknowledged record";

/// What is asked for.
#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) load: PathBuf,
    pub(crate) ottla: PathBuf,
    /// Ottla's data lies below it while it runs.
    pub(crate) directory: PathBuf,
    /// Rounds that count.
    pub(crate) rounds: usize,
    /// Values that the largest work produces, in MB.
    pub(crate) megabytes: u64,
    /// Written and deleted before each work, in MB.
    pub(crate) touch_megabytes: u64,
    pub(crate) reference: Option<Broker>,
    /// The shell command that starts the reference on the data that it has.
    pub(crate) reference_start: Option<String>,
}

impl Options {
    pub(crate) fn parse(arguments: impl Iterator<Item = String>) -> Outcome<Self> {
        let (mut load, mut ottla) = (None, None);
        let mut touch = None;
        let (mut address, mut pids, mut name) = (None, Vec::new(), "reference".to_owned());
        let mut options = Self {
            load: PathBuf::new(),
            ottla: PathBuf::new(),
            directory: "side-by-side-data".into(),
            rounds: 3,
            megabytes: 1000,
            touch_megabytes: 0,
            reference: None,
            reference_start: None,
        };
        let mut arguments = arguments;
        while let Some(flag) = arguments.next() {
            if matches!(flag.as_str(), "-h" | "--help") {
                return Err(USAGE.to_owned());
            }
            let value = arguments.next().ok_or_else(|| format!("{flag} needs a value\n{USAGE}"))?;
            match flag.as_str() {
                "--load" => load = Some(value),
                "--ottla" => ottla = Some(value),
                "--dir" => options.directory = value.into(),
                "--rounds" => options.rounds = number(&flag, &value)?,
                "--megabytes" => options.megabytes = number(&flag, &value)?,
                "--touch" => touch = Some(number(&flag, &value)?),
                "--reference" => address = Some(value),
                "--reference-pid" => pids = value.split(',').map(|pid| number(&flag, pid)).collect::<Outcome<_>>()?,
                "--reference-name" => name = value,
                "--reference-start" => options.reference_start = Some(value),
                _ => return Err(format!("there is no {flag}\n{USAGE}")),
            }
        }
        options.load = load.ok_or_else(|| format!("--load is missing\n{USAGE}"))?.into();
        options.ottla = ottla.ok_or_else(|| format!("--ottla is missing\n{USAGE}"))?.into();
        if options.rounds == 0 || options.megabytes == 0 {
            return Err("--rounds and --megabytes are at least 1".to_owned());
        }
        options.touch_megabytes = touch.unwrap_or(2 * options.megabytes);
        options.reference = match (address, pids.is_empty()) {
            (Some(bootstrap), false) => Some(Broker { name, bootstrap, pids }),
            (None, true) => None,
            _ => return Err("--reference and --reference-pid go together".to_owned()),
        };
        Ok(options)
    }

    /// The reference's column, if there is one.
    pub(crate) fn reference_name(&self) -> Option<&str> {
        self.reference.as_ref().map(|reference| reference.name.as_str())
    }

    /// The topic of a work in a round; of no other run, for the reference keeps its topics.
    pub(crate) fn topic(&self, work: &Work, round: usize) -> String {
        format!("side-by-side-{}-{}-{round}", std::process::id(), work.topic)
    }
}

fn number<N: std::str::FromStr>(flag: &str, text: &str) -> Outcome<N> {
    text.parse().map_err(|_| format!("{flag} wants a number, not {text:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Outcome<Options> {
        Options::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn reads_a_whole_command_line() {
        let options =
            parse("--load l --ottla o --rounds 5 --reference h:1 --reference-pid 7,8 --reference-name K").unwrap();
        assert_eq!((options.rounds, options.reference_name()), (5, Some("K")));
        assert_eq!(options.reference.unwrap().pids, [7, 8]);
    }

    #[test]
    fn refuses_what_it_cannot_use() {
        for (line, said) in [
            ("--ottla o", "--load is missing"),
            ("--load l --ottla o --rounds x", "wants a number"),
            ("--load l --ottla o --rounds 0", "at least 1"),
            ("--load l --ottla o --reference h:1", "go together"),
            ("--load l --ottla", "needs a value"),
            ("--lod l", "there is no --lod"),
        ] {
            let refused = parse(line).unwrap_err();
            assert!(refused.contains(said), "{line}: {refused}");
        }
    }
}
