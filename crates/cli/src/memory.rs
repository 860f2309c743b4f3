//! What the allocator is told: before anything is allocated, and when nothing is at work.

use std::time::{Duration, Instant};

/// Buffers from this size on are mapped on their own and given back whole.
const MAPPED_BYTES_MIN: libc::c_int = 1 << 20;

/// Keeps large buffers out of the allocator's arenas. glibc raises the size from which it maps memory whenever a mapped
/// block is freed; then buffers of megabytes fill the arenas of every thread that ever touched one, and a broker holds
/// twice the memory after a load. They are pooled, so that mapping them is rare.
pub(crate) fn settle() {
    #[expect(unsafe_code, reason = "a call of the C library that takes two numbers")]
    // SAFETY: no pointers are involved, and no other thread runs yet.
    let taken = unsafe { libc::mallopt(libc::M_MMAP_THRESHOLD, MAPPED_BYTES_MIN) };
    if taken != 1 {
        tracing::debug!("the allocator did not take its setting; more memory is held after a load");
    }
}

/// Less than this is never looked through for what could be given back, in bytes.
const HELD_BYTES_MIN: u64 = 64 << 20;
/// How often that is done at most: it takes milliseconds, in which others wait who allocate.
const TRIM_PAUSE: Duration = Duration::from_secs(60);

/// When memory that was freed is given back to the system. glibc keeps what lies between blocks that are in use, of which
/// many small ones are left after a load of large requests.
pub(crate) struct Trims {
    last: Instant,
    /// Something was at work since.
    worked: bool,
}

impl Trims {
    pub(crate) fn begin(now: Instant) -> Self {
        Self { last: now, worked: true }
    }

    /// Something is at work.
    pub(crate) const fn worked(&mut self) {
        self.worked = true;
    }

    /// How long until memory should be given back, as long as nothing is at work; `None` if there is nothing to do.
    pub(crate) fn due_in(&self, now: Instant) -> Option<Duration> {
        self.worked.then(|| TRIM_PAUSE.saturating_sub(now.saturating_duration_since(self.last)))
    }

    /// Notes that it is done now.
    pub(crate) const fn done(&mut self, now: Instant) {
        (self.last, self.worked) = (now, false);
    }
}

/// Gives back what was freed, if the process holds much.
pub(crate) fn give_back() {
    if resident_bytes().is_some_and(|bytes| bytes >= HELD_BYTES_MIN) {
        #[expect(unsafe_code, reason = "a call of the C library that takes a number")]
        // SAFETY: no pointers are involved; the library takes the locks that it needs.
        unsafe {
            libc::malloc_trim(0);
        }
    }
}

fn resident_bytes() -> Option<u64> {
    let told = std::fs::read_to_string("/proc/self/status").ok()?;
    let kilobytes = told.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(kilobytes.split_whitespace().next()?.parse::<u64>().ok()? * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_this_process_holds_is_known() {
        let bytes = resident_bytes().expect("Linux says");
        assert!((100_000..1 << 40).contains(&bytes), "{bytes}");
    }

    #[test]
    fn memory_is_given_back_once_a_minute_after_work_and_not_again_without() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut trims = Trims::begin(start);
        assert_eq!(trims.due_in(at(1)), Some(Duration::from_secs(59)));
        assert_eq!(trims.due_in(at(61)), Some(Duration::ZERO));
        trims.done(at(61));
        assert_eq!(trims.due_in(at(200)), None);
        trims.worked();
        assert_eq!(trims.due_in(at(62)), Some(Duration::from_secs(59)));
        assert_eq!(trims.due_in(at(200)), Some(Duration::ZERO));
    }
}
