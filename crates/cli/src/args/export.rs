//! `ottla export`, as clap reads it.

use std::path::PathBuf;

use clap::Args;

use crate::start::setting;

#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// Where the copy shall be; nothing may be there yet
    #[arg(value_name = "DIR")]
    pub into: PathBuf,
    /// The server.properties of the broker
    #[arg(long, short, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The broker's settings, as for start, such as log.dirs=/var/lib/ottla
    #[arg(value_name = "KEY=VALUE", value_parser = setting)]
    pub settings: Vec<(String, String)>,
}
