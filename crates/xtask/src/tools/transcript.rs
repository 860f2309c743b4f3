//! A transcript as a file: commands, each with what Kafka and Ottla answer to it.
//!
//! A line that begins with `$ ` is a command for the shell, `> ` continues it. What follows is the answer: `  ` before a
//! line that both give, `- ` before one that only Kafka gives, `+ ` before one that only Ottla gives. Lines with `#` are
//! comments. A comment `# deviation: NAME` above a command says which row of docs/deviations.md a difference belongs to,
//! and `# broker: KEY=VALUE` above the first one what the broker has to be started with.
//! This module reads and writes that text; it runs nothing, and [`super::normal`] says what answers look like.

use std::fmt::Write as _;

/// The mark of a comment that names a row of docs/deviations.md.
const DEVIATION: &str = "# deviation: ";

/// The mark of a comment that holds a setting of the broker.
const BROKER: &str = "# broker: ";

/// Whose answer it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Side {
    Kafka,
    Ottla,
}

/// A command and its answers.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(super) struct Step {
    /// Comments and empty lines that stand above it.
    notes: Vec<String>,
    /// The lines of the command, without their marks.
    command: Vec<String>,
    kafka: Vec<String>,
    ottla: Vec<String>,
}

impl Step {
    /// The command as the shell takes it.
    pub(super) fn command(&self) -> String {
        self.command.join("\n")
    }

    /// What one side is expected to answer, line by line.
    pub(super) fn expected(&self, side: Side) -> &[String] {
        match side {
            Side::Kafka => &self.kafka,
            Side::Ottla => &self.ottla,
        }
    }

    /// Keeps another answer of one side.
    pub(super) fn expect(&mut self, side: Side, answer: Vec<String>) {
        match side {
            Side::Kafka => self.kafka = answer,
            Side::Ottla => self.ottla = answer,
        }
    }

    /// The rows of docs/deviations.md that its comments name.
    fn deviations(&self) -> impl Iterator<Item = &str> {
        self.notes.iter().filter_map(|note| note.strip_prefix(DEVIATION))
    }
}

/// A file of commands.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(super) struct Transcript {
    pub(super) steps: Vec<Step>,
    /// Comments after the last command.
    tail: Vec<String>,
}

impl Transcript {
    /// Reads the text of a file; an error names the line.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let (mut steps, mut notes) = (Vec::<Step>::new(), Vec::new());
        for (number, line) in (1..).zip(text.lines()) {
            if line.is_empty() || line.starts_with('#') {
                notes.push(line.to_owned());
                continue;
            }
            let (mark, rest) = line.split_at_checked(2).unwrap_or((line, ""));
            if mark == "$ " {
                let command = vec![rest.to_owned()];
                steps.push(Step { notes: std::mem::take(&mut notes), command, ..Step::default() });
                continue;
            }
            let last = steps.last_mut().filter(|_| notes.is_empty());
            let step = last.ok_or_else(|| format!("line {number}: \"{line}\" belongs to no command"))?;
            let answered = !step.kafka.is_empty() || !step.ottla.is_empty();
            match mark {
                "> " if !answered => step.command.push(rest.to_owned()),
                "  " => {
                    step.kafka.push(rest.to_owned());
                    step.ottla.push(rest.to_owned());
                }
                "- " => step.kafka.push(rest.to_owned()),
                "+ " => step.ottla.push(rest.to_owned()),
                _ => return Err(format!("line {number}: \"{line}\" begins with none of $, >, #, -, + and two spaces")),
            }
        }
        Ok(Self { steps, tail: notes })
    }

    /// The settings that the broker needs, each a `key=value` in which `$DATA` stands for its log directory.
    pub(super) fn settings(&self) -> impl Iterator<Item = &str> {
        self.steps.iter().take(1).flat_map(|step| &step.notes).filter_map(|note| note.strip_prefix(BROKER))
    }

    /// The text of its file.
    pub(super) fn render(&self) -> String {
        let mut text = String::new();
        for step in &self.steps {
            step.notes.iter().for_each(|note| text += &format!("{note}\n"));
            for (line, mark) in step.command.iter().zip(std::iter::once('$').chain(std::iter::repeat('>'))) {
                text += &format!("{mark} {line}\n");
            }
            text += &difference(&step.kafka, &step.ottla);
        }
        self.tail.iter().for_each(|note| text += &format!("{note}\n"));
        text
    }

    /// Why its differences cannot stand: a command whose answers differ has to name a row of docs/deviations.md, here
    /// as `rows`, and one whose answers agree has nothing to name.
    pub(super) fn unexplained(&self, rows: &[String]) -> Vec<String> {
        let mut faults = Vec::new();
        for step in &self.steps {
            let (differs, named) = (step.kafka != step.ottla, step.deviations().count() > 0);
            let command = &step.command[0];
            if differs && !named {
                faults.push(format!("the answers differ, and no comment names a deviation: {command}"));
            }
            if named && !differs {
                faults.push(format!("the answers agree, and a comment names a deviation: {command}"));
            }
            for name in step.deviations().filter(|name| !rows.iter().any(|row| row == name)) {
                faults.push(format!("docs/deviations.md has no row \"{name}\": {command}"));
            }
        }
        faults
    }
}

/// The rows of docs/deviations.md: the first cell of each line of its tables, without the marks of code.
pub(crate) fn rows(deviations: &str) -> Vec<String> {
    let cells = deviations.lines().filter_map(|line| line.strip_prefix("| ")?.split(" | ").next());
    cells.map(|cell| cell.replace('`', "")).collect()
}

/// Both answers in one text, a line that both hold once. The lines in common are as many as possible.
pub(crate) fn difference(old: &[String], new: &[String]) -> String {
    // common[i][j]: how many lines the rests from i and from j have in common.
    let mut common = vec![vec![0_usize; new.len() + 1]; old.len() + 1];
    for i in (0..old.len()).rev() {
        for j in (0..new.len()).rev() {
            common[i][j] =
                if old[i] == new[j] { common[i + 1][j + 1] + 1 } else { common[i + 1][j].max(common[i][j + 1]) };
        }
    }
    let (mut i, mut j, mut text) = (0, 0, String::new());
    while i < old.len() || j < new.len() {
        let (mark, line) = if i < old.len() && j < new.len() && old[i] == new[j] {
            (i, j) = (i + 1, j + 1);
            (' ', &old[i - 1])
        } else if i < old.len() && (j == new.len() || common[i + 1][j] >= common[i][j + 1]) {
            i += 1;
            ('-', &old[i - 1])
        } else {
            j += 1;
            ('+', &new[j - 1])
        };
        writeln!(text, "{mark} {line}").expect("a string takes everything");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str =
        "# What it is for.\n\n$ one --two\n> three\n  both\n- kafka\n+ ottla\n  end\n\n# deviation: x\n$ two\n";

    fn lines(text: &str) -> Vec<String> {
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn a_file_is_read_and_written_again() {
        let transcript = Transcript::parse(TEXT).expect("legal");
        assert_eq!(transcript.render(), TEXT);
        let step = &transcript.steps[0];
        assert_eq!(step.command(), "one --two\nthree");
        assert_eq!(step.expected(Side::Kafka), lines("both\nkafka\nend"));
        assert_eq!(step.expected(Side::Ottla), lines("both\nottla\nend"));
    }

    #[test]
    fn settings_of_the_broker_stand_above_the_first_command() {
        let transcript =
            Transcript::parse("# broker: a=$DATA\n# broker: b=\n$ x\n# broker: c=1\n$ y\n").expect("legal");
        assert_eq!(transcript.settings().collect::<Vec<_>>(), ["a=$DATA", "b="]);
    }

    #[test]
    fn lines_that_belong_nowhere_are_refused_with_their_number() {
        for (text, line) in [("  x\n", 1), ("$ a\n# c\n  x\n", 3), ("$ a\n  x\n> b\n", 3), ("$ a\nx\n", 2)] {
            let why = Transcript::parse(text).expect_err(text);
            assert!(why.starts_with(&format!("line {line}: ")), "{why}");
        }
    }

    #[test]
    fn one_side_is_written_anew_and_the_other_stays() {
        let mut transcript = Transcript::parse("$ a\n  x\n  y\n").expect("legal");
        transcript.steps[0].expect(Side::Ottla, lines("x\nz"));
        assert_eq!(transcript.render(), "$ a\n  x\n- y\n+ z\n");
        assert_eq!(transcript.steps[0].expected(Side::Kafka), lines("x\ny"));
    }

    #[test]
    fn a_difference_without_a_known_deviation_cannot_stand() {
        let faults = |text: &str| Transcript::parse(text).expect("legal").unexplained(&rows("| `known` | a | b |"));
        assert_eq!(faults("# deviation: known\n$ a\n- x\n+ y\n"), [""; 0]);
        assert_eq!(faults("$ a\n- x\n+ y\n").len(), 1);
        assert_eq!(faults("# deviation: other\n$ a\n- x\n+ y\n").len(), 1);
        assert_eq!(faults("# deviation: known\n$ a\n  x\n").len(), 1);
    }
}
