//! What every command that talks to a cluster needs: an executor, a connection, and to hear of Ctrl-C.

use ottla_client::{ClientSettings, Cluster};

use crate::args::Bootstrap;
use crate::failure::Failure;

/// Threads beside the command's own: one for the sockets, one for what is compressed or decompressed.
const WORKERS: usize = 2;

/// Connects and runs a command to its end.
pub(crate) fn run(
    bootstrap: &Bootstrap,
    command: impl AsyncFnOnce(Cluster) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let executor = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .thread_name("ottla-client")
        .enable_all()
        .build()
        .map_err(|error| Failure::new(format!("no executor: {error}")))?;
    let result = executor.block_on(async {
        let handle = executor.handle().clone();
        let runtime = ottla_runtime::system::runtime(handle.clone(), handle);
        let cluster = Cluster::connect(runtime, bootstrap.0.clone(), ClientSettings::default()).await?;
        command(cluster).await
    });
    // Nobody waits for what still runs.
    executor.shutdown_background();
    result
}

/// Completes at the first Ctrl-C or SIGTERM.
pub(crate) async fn interrupted() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        let _ = tokio::signal::ctrl_c().await;
        return;
    };
    tokio::select! {
        biased;
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}
