//! A run as JSON: the machine, the versions, and every round's figure of every row; written and read back.

use serde_json::{Value, json};

use super::Entry;
use super::machine::{self, Machine};
use super::options::Options;
use super::row::{Better, Goal, Row, Subject};
use crate::process;

/// A run that is over.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Record {
    /// The day it was made, `2026-11-21`.
    pub(crate) date: String,
    /// Where.
    pub(crate) machine: Machine,
    /// What Ottla's binary says it is.
    pub(crate) ottla: String,
    /// Rounds that count.
    pub(crate) rounds: u32,
    /// The size of the works.
    pub(crate) scale: f64,
    /// Rows with their figures.
    pub(crate) entries: Vec<Entry>,
}

/// All whom figures can be of.
const SUBJECTS: [Subject; 6] =
    [Subject::Kafka, Subject::OldKafka, Subject::FlushOn, Subject::FlushOff, Subject::Floor, Subject::Codec];

impl Record {
    /// A run of today on this machine.
    pub(crate) fn new(options: &Options, entries: Vec<Entry>) -> Result<Self, String> {
        let date = machine::today();
        let entries = entries.into_iter().map(|entry| Entry { date: date.clone(), ..entry }).collect();
        let version = process::output(std::process::Command::new(&options.binary).arg("--version"))?;
        Ok(Self {
            date,
            machine: Machine::found(),
            ottla: version.trim().to_owned(),
            rounds: options.rounds,
            scale: options.scale,
            entries,
        })
    }

    /// The text of docs/benchmarks.json.
    pub(crate) fn to_json(&self) -> String {
        let Machine { cores, model, memory_mb, kernel } = &self.machine;
        let value = json!({
            "date": self.date,
            "machine": { "cores": cores, "model": model, "memory_mb": memory_mb, "kernel": kernel },
            "versions": { "ottla": self.ottla, "kafka": Subject::Kafka.name(), "old_kafka": Subject::OldKafka.name() },
            "rounds": self.rounds,
            "scale": self.scale,
            "rows": self.entries.iter().map(entry_to_json).collect::<Vec<_>>(),
        });
        serde_json::to_string_pretty(&value).expect("it has no maps with other keys than strings") + "\n"
    }

    /// Reads [`Record::to_json`] back.
    pub(crate) fn from_json(text: &str) -> Result<Self, String> {
        let value: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let machine = &value["machine"];
        Ok(Self {
            date: word(&value, "date")?,
            machine: Machine {
                cores: machine["cores"].as_u64().unwrap_or_default() as usize,
                model: word(machine, "model")?,
                memory_mb: machine["memory_mb"].as_u64().unwrap_or_default(),
                kernel: word(machine, "kernel")?,
            },
            ottla: word(&value["versions"], "ottla")?,
            rounds: u32::try_from(value["rounds"].as_u64().unwrap_or_default()).map_err(|error| error.to_string())?,
            scale: value["scale"].as_f64().ok_or("no scale")?,
            entries: value["rows"]
                .as_array()
                .ok_or("no rows")?
                .iter()
                .map(entry_from_json)
                .collect::<Result<_, _>>()?,
        })
    }
}

fn entry_to_json(entry: &Entry) -> Value {
    let row = &entry.row;
    let goal = match row.goal {
        Goal::Times(times) => json!({ "times": times }),
        Goal::AtMost(most) => json!({ "at_most": most }),
        Goal::Told => Value::Null,
    };
    json!({
        "id": row.id(),
        "date": entry.date,
        "key": row.key,
        "what": row.what,
        "unit": row.unit,
        "better": if row.better == Better::Low { "low" } else { "high" },
        "of": row.ottla.name(),
        "against": row.against.map(Subject::name),
        "goal": goal,
        "reference": entry.reference,
        "ottla": entry.ottla,
        "times_better": entry.ratio(),
        "goal_met_by": entry.met_by(),
        "trouble": entry.trouble,
    })
}

fn entry_from_json(value: &Value) -> Result<Entry, String> {
    let goal = &value["goal"];
    let figures = |name: &str| -> Vec<f64> {
        value[name].as_array().map(|all| all.iter().filter_map(Value::as_f64).collect()).unwrap_or_default()
    };
    Ok(Entry {
        row: Row {
            key: word(value, "key")?,
            what: word(value, "what")?,
            unit: word(value, "unit")?,
            better: if value["better"] == "low" { Better::Low } else { Better::High },
            ottla: subject(&value["of"]).ok_or("a row says whose it is")?,
            against: subject(&value["against"]),
            goal: match (goal["times"].as_f64(), goal["at_most"].as_f64()) {
                (Some(times), _) => Goal::Times(times),
                (_, Some(most)) => Goal::AtMost(most),
                _ => Goal::Told,
            },
        },
        date: word(value, "date")?,
        reference: figures("reference"),
        ottla: figures("ottla"),
        trouble: value["trouble"].as_str().map(str::to_owned),
    })
}

fn subject(value: &Value) -> Option<Subject> {
    SUBJECTS.into_iter().find(|subject| *value == subject.name())
}

fn word(value: &Value, name: &str) -> Result<String, String> {
    value[name].as_str().map(str::to_owned).ok_or(format!("no {name}"))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::super::row::tests::row;
    use super::*;

    /// A run with a row that misses its goal, one that meets it, and one that failed.
    pub(crate) fn record() -> Record {
        let start = Row {
            key: "start/first/ack".to_owned(),
            what: "start".to_owned(),
            unit: "s".to_owned(),
            ottla: Subject::FlushOn,
            ..row(Better::Low, Goal::AtMost(0.03))
        };
        let idle = Row {
            key: "memory/idle/resident".to_owned(),
            what: "idle".to_owned(),
            unit: "MB".to_owned(),
            ..row(Better::Low, Goal::Times(5.0))
        };
        let figures = |row: Row, reference: &[f64], ottla: &[f64]| Entry {
            reference: reference.to_vec(),
            ottla: ottla.to_vec(),
            ..Entry::new(row)
        };
        let failed = Entry { trouble: Some("Ottla, flush off: it ended | so".to_owned()), ..Entry::new(idle) };
        Record {
            date: "2026-11-22".to_owned(),
            machine: Machine { cores: 4, model: "AMD".to_owned(), memory_mb: 24_000, kernel: "6.18".to_owned() },
            ottla: "ottla 0.1.0".to_owned(),
            rounds: 3,
            scale: 1.0,
            entries: vec![
                figures(row(Better::Low, Goal::Times(5.0)), &[2.0, 1.0, 3.0], &[0.5, 0.4, 0.6]),
                figures(start, &[1.5], &[0.02]),
                failed,
            ],
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        assert_eq!(Record::from_json(&record().to_json()), Ok(record()));
    }

    #[test]
    fn ratio_and_goal_stand_in_it_for_other_readers() {
        let value: Value = serde_json::from_str(&record().to_json()).expect("JSON");
        assert_eq!(value["rows"][0]["times_better"], 4.0);
        assert_eq!(value["rows"][0]["goal_met_by"], 0.8);
        assert_eq!(value["rows"][2]["goal_met_by"], Value::Null);
    }

    #[test]
    fn what_is_no_record_is_refused() {
        assert!(Record::from_json("{}").is_err_and(|why| why.contains("no date")));
        assert!(Record::from_json("[").is_err());
    }
}
