//! The command line of `cargo xtask bench`.

use std::path::PathBuf;

use crate::broker;

/// What the command line asks for.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Options {
    /// Whether Kafka is measured beside Ottla.
    pub(crate) kafka: bool,
    /// How many rounds count.
    pub(crate) rounds: u32,
    /// Families or works (`produce`, `produce/1k`) that are asked for; none means all.
    pub(crate) only: Vec<String>,
    /// Whether the rows are only listed.
    pub(crate) list: bool,
    /// How large the works are; 1 is what the record is made with.
    pub(crate) scale: f64,
    /// Ottla's binary.
    pub(crate) binary: PathBuf,
    /// Where brokers keep their data meanwhile; a folder within it is made and removed.
    pub(crate) dir: PathBuf,
    /// The load generator; none is the one that `interop/install.sh go` builds.
    pub(crate) load: Option<PathBuf>,
    /// Where every figure is written.
    pub(crate) json: Option<PathBuf>,
    /// Where the picture is written.
    pub(crate) svg: Option<PathBuf>,
    /// Whether docs/ takes the figures.
    pub(crate) record: bool,
}

impl Options {
    /// Reads the words after `bench`.
    pub(crate) fn parse(arguments: &[String]) -> Result<Self, String> {
        let mut options = Self {
            kafka: false,
            rounds: 3,
            only: Vec::new(),
            list: false,
            scale: 1.0,
            binary: broker::release_binary(),
            dir: std::env::temp_dir(),
            load: None,
            json: None,
            svg: None,
            record: false,
        };
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            let mut value = || rest.next().ok_or(format!("{argument} needs a value"));
            match argument.as_str() {
                "kafka" => options.kafka = true,
                "--list" => options.list = true,
                "--record" => options.record = true,
                "--only" => options.only.extend(value()?.split(',').map(str::to_owned)),
                "--rounds" => options.rounds = rounds(value()?)?,
                "--scale" => options.scale = scale(value()?)?,
                "--binary" => options.binary = value()?.into(),
                "--dir" => options.dir = value()?.into(),
                "--load" => options.load = Some(value()?.into()),
                "--json" => options.json = Some(value()?.into()),
                "--svg" => options.svg = Some(value()?.into()),
                other => return Err(format!("{other} is no option of bench; see cargo xtask")),
            }
        }
        if options.record && !options.kafka {
            return Err("--record goes with `bench kafka`: a record has both columns".to_owned());
        }
        Ok(options)
    }

    /// Whether a work, `FAMILY/WORK`, is asked for.
    pub(crate) fn wants(&self, work: &str) -> bool {
        let is_within =
            |name: &String| work == name || work.strip_prefix(name.as_str()).is_some_and(|r| r.starts_with('/'));
        self.only.is_empty() || self.only.iter().any(is_within)
    }
}

fn rounds(value: &str) -> Result<u32, String> {
    match value.parse() {
        Ok(rounds @ 1..=100) => Ok(rounds),
        _ => Err(format!("--rounds {value}: a number from 1 to 100 is needed")),
    }
}

fn scale(value: &str) -> Result<f64, String> {
    match value.parse() {
        Ok(scale) if (0.001..=100.0).contains(&scale) => Ok(scale),
        _ => Err(format!("--scale {value}: a number from 0.001 to 100 is needed")),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn options(line: &str) -> Result<Options, String> {
        Options::parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn the_command_line_is_understood_or_refused() {
        let good =
            options("kafka --rounds 5 --scale 0.1 --only produce,latency/1000 --record --json j").expect("legal");
        assert!(good.kafka && good.record && !good.list);
        assert_eq!((good.rounds, good.scale, good.json), (5, 0.1, Some("j".into())));
        for (bad, why) in [
            ("--rounds 0", "--rounds 0: a number from 1 to 100"),
            ("--scale 0", "--scale 0: a number from 0.001"),
            ("--only", "--only needs a value"),
            ("kafak", "kafak is no option"),
            ("--record", "bench kafka"),
        ] {
            assert!(options(bad).is_err_and(|error| error.contains(why)), "{bad}");
        }
    }

    #[test]
    fn a_family_or_a_work_of_it_can_be_asked_for() {
        let some = options("--only produce/1k,start").expect("legal");
        let wanted = ["produce/1k", "produce/1kilo", "produce/100", "start/first"].map(|work| some.wants(work));
        assert_eq!(wanted, [true, false, false, true]);
        assert!(options("").expect("legal").wants("start/first"));
    }
}
