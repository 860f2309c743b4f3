//! Running other programs: to their end, within a time, or line by line. Knows nothing of what they are.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).expect("crates/xtask lies two folders below the root").to_path_buf()
}

/// Where cargo puts what it builds.
pub(crate) fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// The cargo that runs this program, set to work at the root.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments).current_dir(root());
    command
}

/// Runs to the end with this program's own input and output; an error unless it succeeds.
pub(crate) fn run(command: &mut Command) -> Result<(), String> {
    let status = command.status().map_err(|e| format!("{}: {e}", show(command)))?;
    if status.success() { Ok(()) } else { Err(format!("{} ended with {status}", show(command))) }
}

/// Runs to the end and gives back what it wrote to stdout; an error unless it succeeds.
pub(crate) fn output(command: &mut Command) -> Result<String, String> {
    let out = command.output().map_err(|e| format!("{}: {e}", show(command)))?;
    if !out.status.success() {
        return Err(format!("{} ended with {}: {}", show(command), out.status, String::from_utf8_lossy(&out.stderr)));
    }
    String::from_utf8(out.stdout).map_err(|_| format!("{} wrote something that is not UTF-8", show(command)))
}

/// The command as one would type it.
fn show(command: &Command) -> String {
    let words: Vec<_> = std::iter::once(command.get_program()).chain(command.get_args()).collect();
    words.iter().map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

/// Sends a signal by its name; `to` is a process id, or minus that of a group's leader.
///
/// Through the shell, which has `kill` built in: the standard library has no call for it.
pub(crate) fn signal(name: &str, to: i64) {
    let sent = Command::new("sh").args(["-c", &format!("kill -{name} {to}")]).stderr(Stdio::null()).status();
    // A process that is gone already is what the caller wanted.
    drop(sent);
}

/// A running program in a group of its own, whose output arrives line by line. Dropped, it is killed with its children.
pub(crate) struct Running {
    child: Child,
    lines: Receiver<String>,
}

/// What the next line of a running program is.
pub(crate) enum Next {
    /// A line, without its end.
    Line(String),
    /// Nothing more will come: the program closed its output.
    End,
    /// No line came within the time.
    Timeout,
}

impl Running {
    /// Starts `command` with stdin and stdout piped; stderr joins stdout's lines if `all` is set.
    pub(crate) fn start(command: &mut Command, all: bool) -> Result<Self, String> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).process_group(0);
        if all {
            command.stderr(Stdio::piped());
        }
        let mut child = command.spawn().map_err(|e| format!("{}: {e}", show(command)))?;
        let (tx, lines) = mpsc::channel();
        let stdout = child.stdout.take().map(|out| Box::new(out) as Box<dyn Read + Send>);
        let stderr = child.stderr.take().map(|out| Box::new(out) as Box<dyn Read + Send>);
        for pipe in [stdout, stderr].into_iter().flatten() {
            let tx = tx.clone();
            std::thread::spawn(move || {
                let mut pipe = BufReader::new(pipe);
                let mut line = Vec::new();
                while pipe.read_until(b'\n', &mut line).is_ok_and(|n| n > 0) {
                    let text = String::from_utf8_lossy(&line).trim_end_matches('\n').to_owned();
                    // The reader may have seen enough; the pipe is emptied all the same, or the program would stall.
                    drop(tx.send(text));
                    line.clear();
                }
            });
        }
        Ok(Self { child, lines })
    }

    /// The process id, which is its group's id too.
    pub(crate) fn id(&self) -> i64 {
        i64::from(self.child.id())
    }

    /// Waits for the next line.
    pub(crate) fn next(&self, within: Duration) -> Next {
        match self.lines.recv_timeout(within) {
            Ok(line) => Next::Line(line),
            Err(RecvTimeoutError::Disconnected) => Next::End,
            Err(RecvTimeoutError::Timeout) => Next::Timeout,
        }
    }

    /// A line that is there already.
    pub(crate) fn ready(&self) -> Option<String> {
        self.lines.try_recv().ok()
    }

    /// Whether the program itself is gone; its output may have ended before.
    pub(crate) fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// Writes a line to the program's input.
    pub(crate) fn tell(&mut self, line: &str) -> Result<(), String> {
        let input = self.child.stdin.as_mut().ok_or("the program's input is closed")?;
        writeln!(input, "{line}").and_then(|()| input.flush()).map_err(|error| error.to_string())
    }

    /// Ends the program's input, which many programs take as the sign to finish.
    pub(crate) fn close_input(&mut self) {
        drop(self.child.stdin.take());
    }

    /// Kills it, with its children, and waits for it.
    pub(crate) fn kill(&mut self) {
        // Its id is free for others once it was waited for.
        if matches!(self.child.try_wait(), Ok(None)) {
            drop(self.child.kill());
            signal("KILL", -self.id());
        }
        drop(self.child.wait());
    }

    /// Waits until its output ends, passing each line to `each`, and then for itself; kills it when `within` is over.
    pub(crate) fn finish(&mut self, within: Duration, mut each: impl FnMut(String)) -> Result<ExitStatus, String> {
        let end = Instant::now() + within;
        loop {
            match self.next(end.saturating_duration_since(Instant::now())) {
                Next::Line(line) => each(line),
                Next::End => return self.child.wait().map_err(|e| e.to_string()),
                Next::Timeout => {
                    self.kill();
                    return Err(format!("did not end within {} s and was killed", within.as_secs()));
                }
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Running {
        Running::start(Command::new("sh").args(["-c", script]), true).expect("sh is there")
    }

    #[test]
    fn lines_of_both_outputs_and_the_exit_code_arrive() {
        let mut lines = Vec::new();
        let status = shell("echo out; echo err >&2; exit 3").finish(Duration::from_secs(20), |l| lines.push(l));
        lines.sort();
        assert_eq!(lines, ["err", "out"]);
        assert_eq!(status.expect("it ended").code(), Some(3));
    }

    #[test]
    fn what_never_ends_is_killed_with_its_children() {
        let began = Instant::now();
        let mut endless = shell("sleep 100 & echo $!; wait");
        let Next::Line(child) = endless.next(Duration::from_secs(20)) else { panic!("no line") };
        assert!(endless.finish(Duration::from_millis(10), |_| {}).is_err());
        assert!(began.elapsed() < Duration::from_secs(50));
        // The pipe ends only when the last process that holds it is gone, so this waits for the grandchild.
        assert!(matches!(endless.next(Duration::from_secs(20)), Next::End), "{child} lives");
    }

    #[test]
    fn closing_the_input_ends_a_reader() {
        let mut reader = shell("cat; echo end");
        reader.close_input();
        assert!(matches!(reader.next(Duration::from_secs(20)), Next::Line(line) if line == "end"));
    }
}
