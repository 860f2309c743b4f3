//! The machine that figures hold for, and what a process of it uses: read from /proc.

use std::fs;
use std::process::Command;

/// Of the clock that processor time is told in, as Linux has it on every platform.
const TICKS_PER_SECOND: f64 = 100.0;

/// What the figures were measured on.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Machine {
    /// Processors that this program may use.
    pub(crate) cores: usize,
    /// Their model.
    pub(crate) model: String,
    /// Memory in MB.
    pub(crate) memory_mb: u64,
    /// The kernel's release.
    pub(crate) kernel: String,
}

impl Machine {
    /// This one.
    pub(crate) fn found() -> Self {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let model = read("/proc/cpuinfo").lines().find_map(|line| Some(line.strip_prefix("model name")?.to_owned()));
        Self {
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            model: model.unwrap_or_default().trim_start_matches([' ', '\t', ':']).to_owned(),
            memory_mb: kibibytes(&read("/proc/meminfo"), "MemTotal:").unwrap_or_default() * 1024 / 1_000_000,
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
        }
    }
}

/// Today, `2026-11-21`.
pub(crate) fn today() -> String {
    let date = Command::new("date").args(["-u", "+%F"]).output();
    date.map(|out| String::from_utf8_lossy(&out.stdout).trim().to_owned()).unwrap_or_default()
}

/// Memory that could be taken now, in MB.
pub(crate) fn available_mb() -> Result<u64, String> {
    let text = fs::read_to_string("/proc/meminfo").map_err(|error| error.to_string())?;
    kibibytes(&text, "MemAvailable:").map(|kib| kib * 1024 / 1_000_000).ok_or("MemAvailable is not told".to_owned())
}

/// Resident memory of a process, in MB.
pub(crate) fn resident_mb(pid: i64) -> Result<f64, String> {
    let status = proc_file(pid, "status")?;
    kibibytes(&status, "VmRSS:").map(|kib| kib as f64 * 1024.0 / 1e6).ok_or("VmRSS is not told".to_owned())
}

/// User and system time of a process so far, in seconds.
pub(crate) fn cpu_seconds(pid: i64) -> Result<f64, String> {
    let stat = proc_file(pid, "stat")?;
    // The name in brackets may hold anything.
    let fields: Vec<&str> = stat.rsplit_once(") ").map_or("", |(_, rest)| rest).split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<f64>().ok());
    let (user, system) = ticks(11).zip(ticks(12)).ok_or("processor times are not told")?;
    Ok((user + system) / TICKS_PER_SECOND)
}

fn proc_file(pid: i64, name: &str) -> Result<String, String> {
    fs::read_to_string(format!("/proc/{pid}/{name}")).map_err(|error| format!("process {pid}: {error}"))
}

fn kibibytes(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_and_this_process_are_found() {
        let machine = Machine::found();
        assert!(machine.cores > 0 && machine.memory_mb > 100 && !machine.kernel.is_empty());
        let own = i64::from(std::process::id());
        assert!(resident_mb(own).expect("it runs") > 0.1);
        assert!(cpu_seconds(own).is_ok() && available_mb().is_ok());
        assert!(cpu_seconds(i64::MAX).is_err());
    }

    #[test]
    fn a_day_is_written_as_a_day() {
        assert_eq!(today().len(), 10);
    }
}
