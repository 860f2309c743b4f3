//! `ottla consume`: records to lines on stdout; unless a format is asked for, values are the bytes that they are.
//!
//! `assigned` reads partitions by itself, `grouped` shares them with the others of a group, `printer` is what both
//! print with.

mod assigned;
mod grouped;
mod printer;

use ottla_client::Cluster;

use crate::args::{ConsumeArgs, OutputForm};
use crate::failure::Failure;

/// Consumes until there is nothing more to do, or somebody interrupts.
pub(crate) async fn run(cluster: Cluster, args: ConsumeArgs, form: OutputForm) -> Result<(), Failure> {
    match args.group.clone() {
        Some(group) => grouped::run(cluster, group, args, form).await,
        None => assigned::run(cluster, args, form).await,
    }
}
