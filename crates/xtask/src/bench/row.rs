//! One row of the table: whose figure, in what, against whose, and which goal it has. What the rows are is in `rows`.

use super::figures::{median, short};

/// Who is measured.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub(crate) enum Subject {
    /// Kafka 4.3.1.
    Kafka,
    /// Kafka 3.9.1, the last that converts for old clients.
    OldKafka,
    /// Ottla as it is started without settings: an acknowledged record is on the device.
    FlushOn,
    /// Ottla with Kafka's promise: an acknowledged record is in the page cache.
    FlushOff,
    /// A broker that receives and writes, or reads and sends, and does nothing else.
    Floor,
    /// The compression library alone.
    Codec,
}

impl Subject {
    /// How it is named in the table, in JSON and in what is told meanwhile.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Kafka => "Kafka 4.3.1",
            Self::OldKafka => "Kafka 3.9.1",
            Self::FlushOn => "Ottla, flush on",
            Self::FlushOff => "Ottla, flush off",
            Self::Floor => "the floor",
            Self::Codec => "the codec alone",
        }
    }

    /// Whether it is a Kafka, which `cargo xtask bench` without `kafka` leaves out.
    pub(crate) fn is_kafka(self) -> bool {
        matches!(self, Self::Kafka | Self::OldKafka)
    }
}

/// Which figures are good.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Better {
    /// Low ones: a cost.
    Low,
    /// High ones: a speed.
    High,
}

/// What Ottla's figure is to be.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Goal {
    /// So many times better than whom the row compares with; below 1 it may be that much worse.
    Times(f64),
    /// At most so much, in the row's own unit.
    AtMost(f64),
    /// The figure is only told.
    Told,
}

/// A row, before anything was measured.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Row {
    /// What is measured, `FAMILY/WORK/FIGURE`: several rows share a key when they tell of different subjects.
    pub(crate) key: String,
    /// In words.
    pub(crate) what: String,
    /// What the figures are in.
    pub(crate) unit: String,
    /// Which figures are good.
    pub(crate) better: Better,
    /// Whose figure has the goal.
    pub(crate) ottla: Subject,
    /// Whom it is compared with.
    pub(crate) against: Option<Subject>,
    /// What it is to be.
    pub(crate) goal: Goal,
}

impl Row {
    /// The name that tells it from all others, in JSON.
    pub(crate) fn id(&self) -> String {
        let flush = if self.ottla == Subject::FlushOn { "on" } else { "off" };
        let against = match self.against {
            Some(Subject::Floor) => "/floor",
            Some(Subject::Codec) => "/codec",
            _ => "",
        };
        format!("{}/{flush}{against}", self.key)
    }

    /// The work that it is measured by, `FAMILY/WORK`.
    pub(crate) fn work(&self) -> &str {
        self.key.rsplit_once('/').map_or(&self.key, |(work, _)| work)
    }

    /// How many times better Ottla is: above 1 in its favour.
    pub(crate) fn ratio(&self, reference: &[f64], ottla: &[f64]) -> Option<f64> {
        let (reference, ottla) = (median(reference)?, median(ottla)?);
        let ratio = match self.better {
            Better::Low => reference / ottla,
            Better::High => ottla / reference,
        };
        ratio.is_finite().then_some(ratio)
    }

    /// How many times better than its goal the figure is: from 1 on the goal is met.
    pub(crate) fn met_by(&self, reference: &[f64], ottla: &[f64]) -> Option<f64> {
        match self.goal {
            Goal::Times(times) => Some(self.ratio(reference, ottla)? / times),
            Goal::AtMost(most) => Some(most / median(ottla)?.max(f64::MIN_POSITIVE)),
            Goal::Told => None,
        }
    }

    /// The goal in words, `1/5` or `at most 30 ms`.
    pub(crate) fn goal_in_words(&self) -> String {
        let whose = match self.against {
            Some(Subject::Floor) => " the floor",
            Some(Subject::Codec) => " the codec's own",
            _ => " Kafka's",
        };
        match (self.goal, self.better) {
            (Goal::Told, _) => "–".to_owned(),
            (Goal::AtMost(most), _) => format!("at most {}", plain(most)),
            (Goal::Times(times), Better::Low) if times > 1.0 => format!("1/{}", plain(times)),
            (Goal::Times(times), Better::High) if times > 1.0 => format!("{} times", plain(times)),
            (Goal::Times(times), Better::Low) if times < 1.0 => format!("{} times{whose}", short(1.0 / times)),
            (Goal::Times(_), _) => "as Kafka".to_owned(),
        }
    }
}

/// A number of a goal, as one would say it.
fn plain(number: f64) -> String {
    format!("{number}")
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn row(better: Better, goal: Goal) -> Row {
        Row {
            key: "produce/1k/cpu".to_owned(),
            what: "produce 1 KB".to_owned(),
            unit: "CPU s/GB".to_owned(),
            better,
            ottla: Subject::FlushOff,
            against: Some(Subject::Kafka),
            goal,
        }
    }

    #[test]
    fn a_ratio_above_one_is_always_in_favour_of_ottla() {
        assert_eq!(row(Better::Low, Goal::Told).ratio(&[2.0], &[1.0]), Some(2.0));
        assert_eq!(row(Better::High, Goal::Told).ratio(&[2.0], &[1.0]), Some(0.5));
        assert_eq!(row(Better::Low, Goal::Told).ratio(&[], &[1.0]), None);
        assert_eq!(row(Better::Low, Goal::Told).ratio(&[1.0], &[0.0]), None);
    }

    #[test]
    fn a_goal_is_met_from_one_on() {
        assert_eq!(row(Better::Low, Goal::Times(5.0)).met_by(&[10.0], &[2.0]), Some(1.0));
        assert_eq!(row(Better::High, Goal::Times(4.0)).met_by(&[10.0], &[20.0]), Some(0.5));
        assert_eq!(row(Better::Low, Goal::AtMost(30.0)).met_by(&[], &[60.0]), Some(0.5));
        assert_eq!(row(Better::Low, Goal::Told).met_by(&[1.0], &[2.0]), None);
        // A figure of nothing at all is within every limit.
        assert!(row(Better::Low, Goal::AtMost(1.0)).met_by(&[], &[0.0]).is_some_and(|times| times > 1.0));
    }

    #[test]
    fn goals_are_said_as_people_say_them() {
        assert_eq!(row(Better::Low, Goal::Times(5.0)).goal_in_words(), "1/5");
        assert_eq!(row(Better::High, Goal::Times(4.0)).goal_in_words(), "4 times");
        assert_eq!(row(Better::Low, Goal::AtMost(0.03)).goal_in_words(), "at most 0.03");
        assert_eq!(row(Better::Low, Goal::Times(1.0)).goal_in_words(), "as Kafka");
        let floor = Row { against: Some(Subject::Floor), ..row(Better::Low, Goal::Times(1.0 / 1.4)) };
        assert_eq!(floor.goal_in_words(), "1.40 times the floor");
    }

    #[test]
    fn rows_of_one_work_have_different_ids() {
        let off = row(Better::Low, Goal::Told);
        let on = Row { ottla: Subject::FlushOn, ..off.clone() };
        let floor = Row { against: Some(Subject::Floor), ..off.clone() };
        assert_eq!(
            [off, on, floor].map(|row| row.id()).join(" "),
            "produce/1k/cpu/off produce/1k/cpu/on produce/1k/cpu/off/floor"
        );
    }
}
