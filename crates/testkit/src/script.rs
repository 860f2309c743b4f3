//! One script: read, run, written back. The format is described at the crate.

use std::fmt;

/// A script, block by block.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Script {
    /// The comment lines at the head, each with its `#`.
    pub head: Vec<String>,
    /// The blocks in order.
    pub blocks: Vec<Block>,
}

/// Commands, and what they answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Block {
    /// Comment lines before the commands, each with its `#`.
    pub comments: Vec<String>,
    /// The line of the first command, counted from 1.
    pub line: usize,
    /// The commands, one per line.
    pub commands: Vec<String>,
    /// The lines of the answer.
    pub expected: Vec<String>,
}

/// Why a text is not a script.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MalformedScript {
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong there.
    pub what: &'static str,
}

impl fmt::Display for MalformedScript {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.what)
    }
}

impl std::error::Error for MalformedScript {}

const SEPARATOR: &str = "----";

impl Script {
    /// Reads a script.
    pub fn parse(text: &str) -> Result<Self, MalformedScript> {
        let mut script = Self { head: Vec::new(), blocks: Vec::new() };
        let mut paragraph: Vec<(usize, &str)> = Vec::new();
        for (index, line) in text.lines().chain([""]).enumerate() {
            if !line.trim().is_empty() {
                paragraph.push((index + 1, line));
            } else if !paragraph.is_empty() {
                script.take(&paragraph)?;
                paragraph.clear();
            }
        }
        if script.blocks.is_empty() {
            return Err(MalformedScript { line: 1, what: "no block of commands" });
        }
        Ok(script)
    }

    /// Takes the lines between two blank ones.
    fn take(&mut self, lines: &[(usize, &str)]) -> Result<(), MalformedScript> {
        let comments = lines.iter().take_while(|(_, line)| line.starts_with('#')).count();
        let (comments, rest) = lines.split_at(comments);
        let owned = |lines: &[(usize, &str)]| lines.iter().map(|(_, line)| (*line).to_owned()).collect::<Vec<_>>();
        let Some((line, _)) = rest.first().copied() else {
            if self.head.is_empty() && self.blocks.is_empty() {
                self.head = owned(comments);
                return Ok(());
            }
            return Err(MalformedScript { line: comments[0].0, what: "a comment without commands below it" });
        };
        if self.head.is_empty() {
            return Err(MalformedScript { line, what: "a script begins with its purpose, as a comment of its own" });
        }
        let Some(separator) = rest.iter().position(|(_, line)| *line == SEPARATOR) else {
            return Err(MalformedScript { line, what: "commands without ---- below them" });
        };
        if separator == 0 {
            return Err(MalformedScript { line, what: "---- without commands above it" });
        }
        self.blocks.push(Block {
            comments: owned(comments),
            line,
            commands: owned(&rest[..separator]),
            expected: owned(&rest[separator + 1..]),
        });
        Ok(())
    }

    /// Gives every command to `interpret`. Afterwards the script expects what was answered; returned are the blocks
    /// that expected something else, as text.
    pub fn run(&mut self, mut interpret: impl FnMut(&str) -> String) -> Vec<String> {
        let mut differences = Vec::new();
        for block in &mut self.blocks {
            let mut answer = Vec::new();
            for command in &block.commands {
                let text = interpret(command);
                answer.extend(text.lines().map(|line| if line.trim().is_empty() { "." } else { line }.to_owned()));
            }
            if answer != block.expected {
                differences.push(block.difference(&answer));
            }
            block.expected = answer;
        }
        differences
    }
}

impl Block {
    /// The block with what it expected and what was answered instead.
    fn difference(&self, answer: &[String]) -> String {
        let mut text = format!("line {}\n", self.line);
        let parts = [("", &self.commands[..]), ("- ", &self.expected[..]), ("+ ", answer)];
        for (mark, lines) in parts {
            for line in lines {
                text.push_str(&format!("    {mark}{line}\n"));
            }
        }
        text
    }
}

impl fmt::Display for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.head {
            writeln!(f, "{line}")?;
        }
        for block in &self.blocks {
            writeln!(f)?;
            for line in block.comments.iter().chain(&block.commands) {
                writeln!(f, "{line}")?;
            }
            writeln!(f, "{SEPARATOR}")?;
            for line in &block.expected {
                writeln!(f, "{line}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCRIPT: &str = "# An echo.\n\nsay a\nsay b\n----\na\nb\n\n# Nothing is said.\nsay\n----\n";

    fn echo(command: &str) -> String {
        command.strip_prefix("say").expect("a say").trim().replace('/', "\n")
    }

    #[test]
    fn script_reads_and_writes_back_unchanged() {
        assert_eq!(Script::parse(SCRIPT).unwrap().to_string(), SCRIPT);
    }

    #[test]
    fn expected_answers_leave_no_difference() {
        assert_eq!(Script::parse(SCRIPT).unwrap().run(echo), Vec::<String>::new());
    }

    #[test]
    fn other_answers_are_shown_and_become_expected() {
        let mut script = Script::parse("# Purpose.\n\nsay a\n----\nb\n").unwrap();
        assert_eq!(script.run(echo), ["line 3\n    say a\n    - b\n    + a\n"]);
        assert_eq!(script.to_string(), "# Purpose.\n\nsay a\n----\na\n");
    }

    #[test]
    fn blank_line_of_an_answer_is_a_dot() {
        let mut script = Script::parse("# Purpose.\n\nsay a//b\n----\na\n.\nb\n").unwrap();
        assert_eq!(script.run(echo), Vec::<String>::new());
    }

    #[test]
    fn malformed_scripts_are_refused_with_their_line() {
        for (text, line) in [
            ("", 1),
            ("# Purpose.\n", 1),
            ("say a\n----\na\n", 1),
            ("# Purpose.\n\nsay a\n", 3),
            ("# Purpose.\n\n----\na\n", 3),
            ("# Purpose.\n\nsay\n----\n\n# Lost.\n", 6),
        ] {
            assert_eq!(Script::parse(text).unwrap_err().line, line, "{text:?}");
        }
    }
}
