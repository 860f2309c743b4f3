//! What a process has used so far.

use rustix::param::clock_ticks_per_second;

use crate::Outcome;

/// A process of this computer, by its id.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Process(pub(crate) u32);

impl Process {
    fn file(self, name: &str) -> Outcome<String> {
        std::fs::read_to_string(format!("/proc/{}/{name}", self.0))
            .map_err(|error| format!("process {}: {error}", self.0))
    }

    /// User and system time, in seconds.
    pub(crate) fn cpu_seconds(self) -> Outcome<f64> {
        let stat = self.file("stat")?;
        // The name in brackets may hold anything.
        let fields: Vec<&str> = stat.rsplit_once(") ").map_or("", |(_, rest)| rest).split_whitespace().collect();
        let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<f64>().ok());
        let (user, system) = ticks(11).zip(ticks(12)).ok_or("processor times are not told")?;
        Ok((user + system) / clock_ticks_per_second() as f64)
    }

    /// Resident memory in MB.
    pub(crate) fn resident_mb(self) -> Outcome<f64> {
        let status = self.file("status")?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib =
            line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok()).ok_or("VmRSS is not told")?;
        Ok(kib * 1024.0 / 1e6)
    }
}
