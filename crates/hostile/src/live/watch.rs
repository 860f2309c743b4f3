//! Watches the broker's process: its resident memory and its open sockets, and the most of both.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// How often it looks.
const PACE: Duration = Duration::from_millis(20);
/// To count sockets means to ask for each what it is, which is done less often.
const SOCKETS_EVERY: u32 = 20;

/// Somebody who watches.
pub(super) struct Watch {
    pid: u32,
    seen: Arc<Seen>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Seen {
    stop: AtomicBool,
    memory_kib: AtomicU64,
    sockets: AtomicU64,
}

impl Watch {
    pub(super) fn begin(pid: u32) -> Result<Self, String> {
        resident_kib(pid).ok_or(format!("there is no process {pid} to be watched"))?;
        let seen = Arc::new(Seen::default());
        let shared = seen.clone();
        let thread = std::thread::spawn(move || {
            let mut looks = 0u32;
            while !shared.stop.load(Ordering::Relaxed) {
                shared.memory_kib.fetch_max(resident_kib(pid).unwrap_or(0), Ordering::Relaxed);
                if looks.is_multiple_of(SOCKETS_EVERY) {
                    shared.sockets.fetch_max(sockets(pid), Ordering::Relaxed);
                }
                looks = looks.wrapping_add(1);
                std::thread::park_timeout(PACE);
            }
        });
        Ok(Self { pid, seen, thread: Some(thread) })
    }

    /// The most since this was asked last: MiB and sockets.
    pub(super) fn most(&self) -> (u64, u64) {
        (self.seen.memory_kib.swap(0, Ordering::Relaxed) >> 10, self.seen.sockets.swap(0, Ordering::Relaxed))
    }

    /// What it is now: MiB and sockets; an error if the process is gone.
    pub(super) fn present(&self) -> Result<(u64, u64), String> {
        let memory = resident_kib(self.pid).ok_or("the broker is gone")?;
        Ok((memory >> 10, sockets(self.pid)))
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.seen.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

fn resident_kib(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse().ok()
}

fn sockets(pid: u32) -> u64 {
    let entries = std::fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    let targets = entries.filter_map(|entry| std::fs::read_link(entry.path()).ok());
    targets.filter(|target| target.to_string_lossy().starts_with("socket:")).count() as u64
}
