//! `kafka.log:type=LogCleaner` and `type=LogCleanerManager`: compaction.

use super::super::exposition::{Exposition, Kind};
use crate::node::Node;

pub(super) fn write(node: &Node, to: &mut Exposition) {
    let numbers = node.metrics.cleaner.numbers();
    let percent = |ratio: f64| (ratio * 100.0) as u64;
    let since = numbers.looked.map_or(0, |looked| node.runtime.clock.now().since(looked).as_millis() as u64);
    to.gauge(
        "kafka_log_logcleaner_cleaner_recopy_percent",
        "Of what the last round of compaction read, the share that it wrote again.",
        percent(numbers.last_kept_ratio),
    );
    to.gauge(
        "kafka_log_logcleaner_deadthreadcount",
        "Threads of compaction that a bug has ended; they are not started again.",
        numbers.dead as u64,
    );
    let help = "For how long the most overdue log has been waiting longer than max.compaction.lag.ms, in seconds.";
    to.gauge("kafka_log_logcleaner_max_compaction_delay_secs", help, numbers.overdue_ms_max / 1000);
    to.gauge(
        "kafka_log_logcleaner_max_clean_time_secs",
        "How long the last round of compaction took, in seconds.",
        numbers.last_round.as_secs(),
    );
    to.gauge(
        "kafka_log_logcleaner_max_buffer_utilization_percent",
        "How full the map of keys was in the last round of compaction.",
        percent(numbers.last_utilization),
    );
    to.gauge(
        "kafka_log_logcleanermanager_max_dirty_percent",
        "The dirty share of the dirtiest log that is compacted.",
        percent(numbers.dirty_ratio_max),
    );
    to.gauge(
        "kafka_log_logcleanermanager_time_since_last_run_ms",
        "How long ago somebody last looked for a log to compact, in milliseconds.",
        since,
    );
    let help = "Partitions that cannot be compacted and were set aside.";
    let mut family = to.family("kafka_log_logcleanermanager_uncleanable_partitions_count", Kind::Gauge, help);
    for slot in node.directories.slots() {
        let path = slot.path.display().to_string();
        family.sample(&[("logdirectory", &path)], numbers.uncleanable(&slot.path).0);
    }
    let help = "Bytes of the logs that cannot be compacted.";
    let mut family = to.family("kafka_log_logcleanermanager_uncleanable_bytes", Kind::Gauge, help);
    for slot in node.directories.slots() {
        let path = slot.path.display().to_string();
        family.sample(&[("logdirectory", &path)], numbers.uncleanable(&slot.path).1);
    }
    to.gauge("ottla_log_cleaner_threads", "Threads that compact, at most a log each.", numbers.workers as u64);
    to.gauge("ottla_log_cleaner_rounds_under_way", "Logs that are being compacted.", numbers.rounds_under_way as u64);
    to.counter("ottla_log_cleaner_rounds_total", "Rounds of compaction, each of one log.", numbers.rounds);
    to.counter("ottla_log_cleaner_read_bytes_total", "Bytes that compaction has read.", numbers.moved_bytes.0);
    to.counter("ottla_log_cleaner_written_bytes_total", "Bytes that compaction has written.", numbers.moved_bytes.1);
}
