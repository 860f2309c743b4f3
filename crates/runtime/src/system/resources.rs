//! What the computer has for this process, and what the process has taken of it.

use std::fs;

/// Where a control group says how much memory its processes may have.
const GROUP_LIMIT: &str = "/sys/fs/cgroup/memory.max";

/// Memory that this process may use in bytes: the computer's, or less where a container says so.
#[must_use]
pub fn memory_bytes() -> u64 {
    let system = rustix::system::sysinfo();
    let whole = system.totalram as u64 * u64::from(system.mem_unit.max(1));
    let group = fs::read_to_string(GROUP_LIMIT).ok().and_then(|text| text.trim().parse().ok());
    group.map_or(whole, |group: u64| whole.min(group))
}

/// What this process has taken so far.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Usage {
    /// Memory that it holds, in bytes.
    pub resident_bytes: u64,
    /// Addresses that it has mapped, in bytes.
    pub virtual_bytes: u64,
    /// User and system time, in seconds.
    pub cpu_seconds: f64,
    /// Descriptors that are open.
    pub open_descriptors: u64,
    /// Descriptors that may be open.
    pub descriptors_max: u64,
    /// Its threads.
    pub threads: u64,
    /// When it started, in seconds since 1970.
    pub started_seconds: f64,
}

/// Of the clock that Linux tells processor times in, on every platform.
const TICKS_PER_SECOND: f64 = 100.0;

/// What this process has taken; `None` where the system does not say (other than Linux).
#[must_use]
pub fn usage() -> Option<Usage> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // The program's name, in brackets, may hold anything.
    let fields: Vec<&str> = stat.rsplit_once(") ")?.1.split_whitespace().collect();
    let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
    let boot = fs::read_to_string("/proc/stat").ok()?;
    let booted: f64 = boot.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()?;
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    Some(Usage {
        resident_bytes: field(24)? * rustix::param::page_size() as u64,
        virtual_bytes: field(23)?,
        cpu_seconds: (field(14)? + field(15)?) as f64 / TICKS_PER_SECOND,
        open_descriptors: fs::read_dir("/proc/self/fd").ok()?.count() as u64,
        descriptors_max: limit.current.unwrap_or(u64::MAX),
        threads: field(20)?,
        started_seconds: booted + field(22)? as f64 / TICKS_PER_SECOND,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_holds_something_of_everything() {
        let usage = usage().expect("Linux says");
        assert!(usage.resident_bytes > 100_000 && usage.virtual_bytes > usage.resident_bytes);
        assert!(usage.open_descriptors >= 3 && usage.descriptors_max >= usage.open_descriptors);
        assert!(usage.threads >= 1 && usage.started_seconds > 1.6e9 && usage.cpu_seconds >= 0.0);
        assert!(memory_bytes() > usage.resident_bytes);
    }
}
