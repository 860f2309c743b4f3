//! `ottla topic`, as clap reads it.

use clap::{ArgGroup, Args, Subcommand};

use super::key_value;

#[derive(Debug, Subcommand)]
pub(crate) enum TopicCommand {
    /// Create a topic
    Create(CreateArgs),
    /// List the topics
    List {
        /// List Kafka's own topics too
        #[arg(long)]
        internal: bool,
    },
    /// Show partitions, leaders, replicas, offsets and settings
    Describe {
        /// Topics; all of them if none is named
        #[arg(value_name = "NAME")]
        names: Vec<String>,
    },
    /// Add partitions, or change settings
    Alter(AlterArgs),
    /// Delete topics with all that is in them
    Delete {
        /// Topics
        #[arg(value_name = "NAME", required = true)]
        names: Vec<String>,
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
        /// A topic that does not exist is no failure
        #[arg(long)]
        if_exists: bool,
    },
    /// Delete the records before an offset
    Truncate(TruncateArgs),
}

#[derive(Debug, Args)]
pub(crate) struct CreateArgs {
    /// Its name
    pub name: String,
    /// How many partitions [default: the broker's num.partitions]
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(i32).range(1..))]
    pub partitions: Option<i32>,
    /// How many copies of each [default: the broker's default.replication.factor]
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(i16).range(1..))]
    pub replication_factor: Option<i16>,
    /// A setting by Kafka's name, such as max.message.bytes=2000000; may be repeated
    #[arg(long = "config", short, value_name = "KEY=VALUE", value_parser = key_value)]
    pub configs: Vec<(String, String)>,
    /// Do nothing if there is such a topic already
    #[arg(long)]
    pub if_not_exists: bool,
}

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("changes").required(true).multiple(true).args(["partitions", "configs", "delete_configs"]))]
pub(crate) struct AlterArgs {
    /// The topic
    pub name: String,
    /// How many partitions it shall have; they can only become more
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(i32).range(1..))]
    pub partitions: Option<i32>,
    /// A setting by Kafka's name; may be repeated
    #[arg(long = "config", short, value_name = "KEY=VALUE", value_parser = key_value)]
    pub configs: Vec<(String, String)>,
    /// A setting that shall have its default again; may be repeated
    #[arg(long = "delete-config", value_name = "KEY")]
    pub delete_configs: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct TruncateArgs {
    /// The topic
    pub name: String,
    /// The partition
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(i32).range(0..))]
    pub partition: i32,
    /// The first offset that stays; everything if it is left out
    #[arg(long, value_name = "OFFSET", value_parser = clap::value_parser!(i64).range(0..))]
    pub before: Option<i64>,
    /// Do not ask
    #[arg(long, short)]
    pub yes: bool,
}
