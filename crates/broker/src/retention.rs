//! Lets old segments leave, from time to time, and removes their files a little later.
//!
//! Which ones leave is decided in `storage`, by the topic's configuration.

use std::sync::Arc;
use std::time::Duration;

use ottla_runtime::Runtime;
use ottla_storage::Retired;
use ottla_types::Instant;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::cleaner::LogCleaner;
use crate::housekeeping;
use crate::partition::Partition;
use crate::partitions::Partitions;

/// Files that wait for their removal.
struct Leaving {
    due: Instant,
    partition: Arc<Partition>,
    retired: Retired,
}

/// Looks after `delay`, then every `interval` until the broker stops. What waits for its removal then is removed by the
/// next start.
pub(crate) async fn run(
    runtime: Runtime,
    partitions: Arc<Partitions>,
    cleaner: Arc<LogCleaner>,
    (delay, interval): (Duration, Duration),
    stop: CancellationToken,
) {
    let clock = &runtime.clock;
    let mut next_look = clock.now() + delay;
    let mut leaving: Vec<Leaving> = Vec::new();
    loop {
        let wake = leaving.iter().map(|leaving| leaving.due).fold(next_look, Instant::min);
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            () = clock.sleep_until(wake) => {}
        }
        for Leaving { partition, retired, .. } in leaving.extract_if(.., |leaving| leaving.due <= wake) {
            if let Err(fault) = partition.log().remove_retired(retired).await {
                // The next start removes them.
                warn!(partition = %partition.name, %fault, "files of deleted segments could not be removed");
            }
        }
        if wake < next_look {
            continue;
        }
        for partition in partitions.all() {
            if cleaner.has(&partition.name) {
                // It would have to begin anew. When it is done it looks itself.
                continue;
            }
            match partition.retire(clock.wall()).await {
                Ok(None) => {}
                Ok(Some(retired)) => {
                    let delay = housekeeping::duration(retired.delay_ms);
                    leaving.push(Leaving { due: clock.now() + delay, partition, retired });
                }
                // Offline logs say so once, when they fail.
                Err(_) if partition.log().failed().is_some() => {}
                Err(fault) => warn!(partition = %partition.name, %fault, "old segments could not be deleted"),
            }
        }
        next_look = clock.now() + interval;
    }
}
