//! Works of the load generator, done on each broker in turn, round after round. The families of `rows` say which.

use super::Bench;
use super::brokers::Server;
use super::load::Answer;
use super::row::{Better, Goal, Row, Subject};

/// Ottla with both promises: what is acknowledged is on the device, or in the page cache.
pub(crate) const BOTH: &[Subject] = &[Subject::FlushOff, Subject::FlushOn];
/// Ottla with Kafka's promise, where flushing plays no part.
pub(crate) const OFF: &[Subject] = &[Subject::FlushOff];

/// What a figure is in, and where the answer has it.
#[derive(Debug)]
pub(crate) struct Unit {
    label: &'static str,
    better: Better,
    of: fn(&Answer) -> Option<f64>,
}

/// CPU of the broker's process.
pub(crate) const CPU: Unit = Unit { label: "CPU s/GB", better: Better::Low, of: Answer::cpu_per_gigabyte };
/// CPU of the whole machine but for the client's: write-back by the kernel's threads is in it.
pub(crate) const MACHINE: Unit =
    Unit { label: "CPU s/GB", better: Better::Low, of: |a| Some(a.number("machine_cpu_s")? / a.gigabytes()?) };
/// What goes through.
pub(crate) const SPEED: Unit =
    Unit { label: "MB/s", better: Better::High, of: |a| Some(a.gigabytes()? * 1e3 / a.number("seconds")?) };
/// Records for the broker's CPU.
pub(crate) const RECORDS: Unit = Unit {
    label: "thousand records per CPU s",
    better: Better::High,
    of: |a| Some(a.number("records")? / a.number("broker_cpu_s").filter(|s| *s > 0.0)? / 1e3),
};
/// From when a record was due until a consumer had it.
pub(crate) const P50: Unit = Unit { label: "ms", better: Better::Low, of: |a| a.number("end_to_end_ms/p50") };
/// The same.
pub(crate) const P99: Unit = Unit { label: "ms", better: Better::Low, of: |a| a.number("end_to_end_ms/p99") };
/// The same.
pub(crate) const P999: Unit = Unit { label: "ms", better: Better::Low, of: |a| a.number("end_to_end_ms/p999") };
/// From when a record was due until the generator gave it to its client, which is part of the others.
pub(crate) const LATE: Unit = Unit { label: "ms", better: Better::Low, of: |a| a.number("late_ms/p99") };

/// A figure of a work, and what it is to be.
pub(crate) struct Measure {
    /// Its name within the work.
    pub(crate) key: &'static str,
    /// Said behind the work's words.
    pub(crate) what: &'static str,
    /// Where it is found.
    pub(crate) unit: Unit,
    /// The goal with Kafka's promise.
    pub(crate) off: Goal,
    /// The goal with Ottla's.
    pub(crate) on: Goal,
    /// The goal beside the floor, with Kafka's promise; none where there is no floor.
    pub(crate) floor: Option<Goal>,
}

impl Measure {
    /// A figure that is only told.
    pub(crate) fn told(key: &'static str, what: &'static str, unit: Unit) -> Self {
        Self { key, what, unit, off: Goal::Told, on: Goal::Told, floor: None }
    }

    /// One that is to be so many times better than Kafka's, with either promise.
    pub(crate) fn times(key: &'static str, what: &'static str, unit: Unit, off: f64, on: f64) -> Self {
        Self { key, what, unit, off: Goal::Times(off), on: Goal::Times(on), floor: None }
    }
}

/// What the load generator does on every broker, with a topic of its own each time.
pub(crate) struct Work {
    /// `FAMILY/WORK`.
    pub(crate) key: String,
    /// In words.
    pub(crate) what: String,
    /// The verb and its flags.
    pub(crate) words: String,
    /// What is done to the topic before, and not measured; empty for nothing.
    pub(crate) before: String,
    /// Which Ottlas do it.
    pub(crate) ottlas: &'static [Subject],
    /// Whom it is compared with.
    pub(crate) against: Subject,
    /// What is measured.
    pub(crate) measures: Vec<Measure>,
}

impl Work {
    /// The rows that come of it.
    pub(crate) fn rows(&self) -> Vec<Row> {
        let mut rows = Vec::new();
        for measure in &self.measures {
            let row = |ottla: Subject, flush: &str, against: Subject, goal: Goal| Row {
                key: format!("{}/{}", self.key, measure.key),
                what: [self.what.as_str(), measure.what, flush]
                    .iter()
                    .filter(|s| !s.is_empty())
                    .copied()
                    .collect::<Vec<_>>()
                    .join(", "),
                unit: measure.unit.label.to_owned(),
                better: measure.unit.better,
                ottla,
                against: Some(against),
                goal,
            };
            for &ottla in self.ottlas {
                let (flush, goal) = match ottla {
                    Subject::FlushOn => ("flush on", measure.on),
                    _ => ("flush off", measure.off),
                };
                rows.push(row(ottla, if self.ottlas.len() > 1 { flush } else { "" }, self.against, goal));
            }
            rows.extend(measure.floor.map(|goal| row(Subject::FlushOff, "beside the floor", Subject::Floor, goal)));
        }
        rows
    }

    /// Who does it.
    fn subjects(&self) -> Vec<Subject> {
        let floor = self.measures.iter().any(|measure| measure.floor.is_some()).then_some(Subject::Floor);
        [self.against].into_iter().chain(self.ottlas.iter().copied()).chain(floor).collect()
    }
}

/// Does the works that are asked for: brokers start with new directories, take turns, and are stopped. `settings` are
/// those of all brokers. What fails is told in its rows, and the others go on.
pub(crate) fn alternate(bench: &mut Bench, works: &[Work], settings: &[&str]) -> Result<(), String> {
    let works: Vec<&Work> = works.iter().filter(|work| bench.options.wants(&work.key)).collect();
    let Some((family, _)) = works.first().and_then(|work| work.key.split_once('/')) else { return Ok(()) };
    let mut subjects: Vec<Subject> = Vec::new();
    for subject in works.iter().flat_map(|work| work.subjects()) {
        if !subjects.contains(&subject) {
            subjects.push(subject);
        }
    }
    let mut servers = bench.start_all(family, &subjects, settings);
    // In round 0 a JVM compiles what it runs from then on; it is not told.
    for round in 0..=bench.options.rounds {
        for work in &works {
            for turn in 0..servers.len() {
                // Another one begins in each round: who comes first finds the disk as the work before left it.
                let at = (turn + round as usize) % servers.len();
                let subject = servers[at].subject;
                if !work.subjects().contains(&subject) || (round == 0 && !subject.is_kafka()) {
                    continue;
                }
                bench.say(&format!("round {round}: {}: {}", work.key, subject.name()));
                match one(bench, work, &servers[at], round) {
                    Ok(answer) if round > 0 => tell(bench, work, subject, &answer),
                    Ok(_) => {}
                    Err(why) => bench.trouble(&work.key, Some(subject), &why),
                }
                if subject == Subject::Floor {
                    renew(bench, &mut servers[at])?;
                }
            }
        }
    }
    bench.stop_all(family, servers);
    Ok(())
}

/// The floor deletes no topics: another one takes its place.
fn renew(bench: &Bench, server: &mut Server) -> Result<(), String> {
    let fresh = bench.start(server.subject, &[])?;
    let mut old = std::mem::replace(server, fresh);
    old.kill();
    old.remove();
    Ok(())
}

fn one(bench: &Bench, work: &Work, server: &Server, round: u32) -> Result<Answer, String> {
    let topic = format!("{}-{round}", work.key.replace('/', "-"));
    // First of all: what is written before may be what is read then, out of the page cache.
    bench.fill();
    if !work.before.is_empty() {
        bench.load.run(server, &topic, &work.before)?;
    }
    let answer = bench.load.run(server, &topic, &work.words);
    if server.subject != Subject::Floor
        && let Err(why) = bench.forget(server, &topic)
    {
        // The figure stands; the disk has less room.
        bench.say(&why);
    }
    answer
}

fn tell(bench: &mut Bench, work: &Work, subject: Subject, answer: &Answer) {
    for measure in &work.measures {
        let key = format!("{}/{}", work.key, measure.key);
        match (measure.unit.of)(answer) {
            Some(figure) => bench.add(&key, subject, figure),
            None => bench.trouble(&key, Some(subject), "the load generator does not tell it"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn work() -> Work {
        Work {
            key: "produce/1k".to_owned(),
            what: "produce 1 KB".to_owned(),
            words: String::new(),
            before: String::new(),
            ottlas: BOTH,
            against: Subject::Kafka,
            measures: vec![
                Measure { floor: Some(Goal::Times(0.5)), ..Measure::times("cpu", "", CPU, 5.0, 3.0) },
                Measure::told("machine", "the machine", MACHINE),
            ],
        }
    }

    #[test]
    fn a_work_has_a_row_for_each_promise_and_one_for_the_floor() {
        let told: Vec<_> = work().rows().into_iter().map(|row| (row.id(), row.what, row.goal)).collect();
        let expected = [
            ("produce/1k/cpu/off", "produce 1 KB, flush off", Goal::Times(5.0)),
            ("produce/1k/cpu/on", "produce 1 KB, flush on", Goal::Times(3.0)),
            ("produce/1k/cpu/off/floor", "produce 1 KB, beside the floor", Goal::Times(0.5)),
            ("produce/1k/machine/off", "produce 1 KB, the machine, flush off", Goal::Told),
            ("produce/1k/machine/on", "produce 1 KB, the machine, flush on", Goal::Told),
        ];
        assert_eq!(told, expected.map(|(id, what, goal)| (id.to_owned(), what.to_owned(), goal)));
        let alone = Work { ottlas: OFF, ..work() };
        assert_eq!(alone.rows()[0].what, "produce 1 KB");
        assert_eq!(alone.subjects(), [Subject::Kafka, Subject::FlushOff, Subject::Floor]);
    }
}
