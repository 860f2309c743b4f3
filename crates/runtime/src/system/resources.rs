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
