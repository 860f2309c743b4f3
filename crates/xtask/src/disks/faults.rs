//! Faults of a disk, made for one program: which of its calls on which files fail, or wait, from when to when.
//!
//! The rules may change while the program runs. `seccomp` carries them out.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use libc::{c_int, c_long};

use super::seccomp::{self, Asked, Listener, Next};
use crate::process::Running;

/// How often the thread that answers looks whether it is still needed.
const LOOK: Duration = Duration::from_millis(500);

/// What is done with files.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Call {
    /// Writing bytes.
    Write,
    /// Reading bytes, by sendfile too.
    Read,
    /// Making bytes or names durable.
    Sync,
}

/// The numbers under which the broker does them.
const CALLS: [(c_long, Call); 9] = [
    (libc::SYS_pwritev, Call::Write),
    (libc::SYS_pwrite64, Call::Write),
    (libc::SYS_fdatasync, Call::Sync),
    (libc::SYS_fsync, Call::Sync),
    (libc::SYS_syncfs, Call::Sync),
    (libc::SYS_pread64, Call::Read),
    (libc::SYS_preadv, Call::Read),
    (libc::SYS_preadv2, Call::Read),
    (libc::SYS_sendfile, Call::Read),
];

/// What becomes of a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Act {
    /// It fails with this error.
    Fail(c_int),
    /// It is done after this time.
    Wait(Duration),
}

/// One rule.
#[derive(Clone, Debug)]
struct Rule {
    call: Call,
    /// Files in here, or this file.
    under: PathBuf,
    act: Act,
}

/// The rules of one program, and how often each kind of call met one.
#[derive(Clone, Default)]
pub(super) struct Faults(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    rules: Vec<Rule>,
    hits: BTreeMap<&'static str, u64>,
}

impl Faults {
    /// From now on these calls on what is under a path end so.
    pub(super) fn set(&self, call: Call, under: &Path, act: Act) {
        self.state().rules.push(Rule { call, under: under.to_owned(), act });
    }

    /// From now on all calls are the kernel's.
    pub(super) fn clear(&self) {
        self.state().rules.clear();
    }

    /// How many calls of a kind met a rule.
    pub(super) fn hits(&self, call: Call) -> u64 {
        self.state().hits.get(name(call)).copied().unwrap_or_default()
    }

    /// Starts a program whose calls obey these rules. An error says what of that this machine does not allow.
    pub(super) fn start(&self, mut command: Command) -> Result<Running, String> {
        // A thread of its own: what it announces it can never take back.
        let (tx, started) = mpsc::channel();
        let faults = self.clone();
        std::thread::spawn(move || {
            let calls: Vec<c_long> = CALLS.iter().map(|(number, _)| *number).collect();
            let begun = seccomp::announce(&calls).map_err(|error| format!("seccomp: {error}"));
            let begun = begun.map(|listener| {
                std::thread::spawn(move || faults.answer(&Arc::new(listener)));
            });
            let _ = tx.send(begun.and_then(|()| Running::start(&mut command, true)));
        });
        started.recv().unwrap_or_else(|_| Err("the thread that starts the program ended".to_owned()))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers all calls until nobody is left to make one.
    fn answer(&self, listener: &Arc<Listener>) {
        loop {
            match listener.next(LOOK) {
                Ok(Next::Asked(asked)) => self.answer_one(listener, asked),
                Ok(Next::Nothing) => {}
                Ok(Next::End) | Err(_) => return,
            }
        }
    }

    fn answer_one(&self, listener: &Arc<Listener>, asked: Asked) {
        match self.act(&asked) {
            None => listener.answer(&asked, None),
            Some(Act::Fail(error)) => listener.answer(&asked, Some(error)),
            Some(Act::Wait(time)) => {
                // As many threads as the program has that wait.
                let listener = listener.clone();
                std::thread::spawn(move || {
                    pass(time);
                    listener.answer(&asked, None);
                });
            }
        }
    }

    fn act(&self, asked: &Asked) -> Option<Act> {
        let (_, call) = CALLS.iter().find(|(number, _)| *number == asked.call)?;
        let mut state = self.state();
        if !state.rules.iter().any(|rule| rule.call == *call) {
            return None;
        }
        let path = path(asked).ok()?;
        let act = state.rules.iter().find(|rule| rule.call == *call && path.starts_with(&rule.under))?.act;
        *state.hits.entry(name(*call)).or_default() += 1;
        Some(act)
    }
}

/// Lets so much time pass.
pub(super) fn pass(time: Duration) {
    let (_nobody, never) = mpsc::channel::<()>();
    let _ = never.recv_timeout(time);
}

/// The file that a call is about.
fn path(asked: &Asked) -> io::Result<PathBuf> {
    // sendfile reads from its second argument, all others work on their first.
    let fd = if asked.call == libc::SYS_sendfile { asked.arguments[1] } else { asked.arguments[0] };
    std::fs::read_link(format!("/proc/{}/fd/{fd}", asked.thread))
}

fn name(call: Call) -> &'static str {
    match call {
        Call::Write => "write",
        Call::Read => "read",
        Call::Sync => "sync",
    }
}
