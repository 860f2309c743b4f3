//! The cluster as a broker that does not run would find it: for commands that look at its directories.

use std::sync::Arc;

use ottla_config::BrokerConfig;
use ottla_metadata::Image;
use ottla_quorum::{Options, Quorum};
use ottla_runtime::Runtime;
use ottla_storage::disk::Disk;

use crate::start::{METADATA_FOLDER, StartFault};

/// Reads the metadata log of a broker that is stopped, whose directories the caller has locked. As at every start, a new
/// term begins in it.
pub async fn image_of(config: &BrokerConfig, runtime: &Runtime, disk: Arc<dyn Disk>) -> Result<Arc<Image>, StartFault> {
    let folder = config.metadata_log_dir.join(METADATA_FOLDER);
    let quorum = Quorum::open(runtime, disk, &folder, Options::new(config.node_id)).await?;
    let image = quorum.image();
    quorum.shutdown().await?;
    Ok(image)
}
