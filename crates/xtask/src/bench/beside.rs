//! A measured work while something disturbs it on purpose, and what the disturbance did to it.

use std::process::Command;
use std::time::Duration;

use super::load::{self, Answer};
use crate::process::{Next, Running};

/// Between two looks at who has ended.
const LOOK: Duration = Duration::from_millis(20);

/// Lets `measured` run to its end while what `disturb` makes runs beside it, again and again; answers what was measured.
///
/// `disturb` gets the number of the turn and may prepare what it needs. A disturbance that ends badly is an error: the
/// work would not have been disturbed.
pub(crate) fn beside(
    mut measured: Running,
    mut disturb: impl FnMut(u32) -> Result<Option<Command>, String>,
) -> Result<Answer, String> {
    let mut turn = 0;
    while !measured.has_ended() {
        let Some(mut command) = disturb(turn)? else { break };
        let mut other = Running::start(&mut command, true)?;
        let mut said = String::new();
        let status = loop {
            match other.next(LOOK) {
                Next::Line(line) => said = line,
                Next::End => break Some(other.finish(LOOK, drop)?),
                Next::Timeout if measured.has_ended() => break None,
                Next::Timeout => {}
            }
        };
        other.kill();
        if status.is_some_and(|status| !status.success()) {
            return Err(format!("the disturbance failed: {said}"));
        }
        turn += 1;
    }
    load::finish(&mut measured)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    fn measured(script: &str) -> Running {
        Running::start(&mut shell(script), true).expect("sh is there")
    }

    #[test]
    fn the_disturbance_goes_on_until_the_work_is_done() {
        // The work ends when the disturbance has come three times.
        let pipe = std::env::temp_dir().join(format!("ottla-beside-{}", std::process::id()));
        let pipe = pipe.display();
        process::run(&mut shell(&format!("mkfifo {pipe}"))).expect("a pipe");
        let work = measured(&format!("exec 3<>{pipe}; head -c 3 <&3 >/dev/null; echo '{{\"records\":7}}'"));
        let answer = beside(work, |_| Ok(Some(shell(&format!("printf x >{pipe}"))))).expect("it ends");
        assert_eq!(answer.number("records"), Some(7.0));
        process::run(&mut shell(&format!("rm {pipe}"))).expect("it is there");
    }

    #[test]
    fn a_disturbance_that_fails_is_an_error_and_one_that_lasts_is_ended() {
        let failed = beside(measured("cat"), |_| Ok(Some(shell("echo no room; exit 1"))));
        assert!(failed.is_err_and(|why| why.contains("no room")));
        let lasting = beside(measured("echo '{}'"), |_| Ok(Some(shell("sleep 1000"))));
        assert!(lasting.is_ok());
        let none = beside(measured("echo '{}'"), |_| Ok(None));
        assert!(none.is_ok());
    }
}
