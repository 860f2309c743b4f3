//! Asks before something is deleted.

use std::io::{self, BufRead as _, IsTerminal as _};

use crate::failure::{Failure, say};

/// Asks, unless the user has said yes already. Where nobody can be asked, nothing is deleted without --yes.
pub(crate) fn confirm(yes: bool, question: &str) -> Result<(), Failure> {
    if yes {
        return Ok(());
    }
    if !io::stdin().is_terminal() {
        return Err(Failure::new("nothing was deleted: without a terminal to ask on, --yes is needed"));
    }
    say(&format!("{question} [y/N]"));
    let mut answer = String::new();
    let read = io::stdin().lock().read_line(&mut answer);
    if read.is_ok() && matches!(answer.trim(), "y" | "Y" | "yes") {
        return Ok(());
    }
    Err(Failure::new("nothing was deleted"))
}
