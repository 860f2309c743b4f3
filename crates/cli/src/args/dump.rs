//! `ottla dump`, as clap reads it.

use std::path::PathBuf;

use clap::Args;

use crate::dump::decoders::Decoder;
use crate::format::Format;

#[derive(Debug, Args)]
pub(crate) struct DumpArgs {
    /// Files of a log, or a partition's directory with all of them
    #[arg(value_name = "PATH", required = true)]
    pub paths: Vec<PathBuf>,
    /// Print the records of each batch too
    #[arg(long, short)]
    pub records: bool,
    /// Print nothing but what is wrong
    #[arg(long)]
    pub verify: bool,
    /// How to print values
    #[arg(long, value_name = "FORMAT", value_enum, default_value = "string")]
    pub value_format: Format,
    /// How to print keys
    #[arg(long, value_name = "FORMAT", value_enum, default_value = "string")]
    pub key_format: Format,
    /// Print records of `__consumer_offsets` as JSON
    #[arg(long, group = "decoder")]
    pub offsets_decoder: bool,
    /// Print records of `__transaction_state` as JSON
    #[arg(long, group = "decoder")]
    pub transaction_log_decoder: bool,
    /// Print records of `__share_group_state` as JSON
    #[arg(long, group = "decoder")]
    pub share_group_state_decoder: bool,
    /// Print records of `__cluster_metadata` as JSON
    #[arg(long, group = "decoder")]
    pub cluster_metadata_decoder: bool,
    /// Print records of `__remote_log_metadata` as text
    #[arg(long, group = "decoder")]
    pub remote_log_metadata_decoder: bool,
    /// Of each record print only key and value
    #[arg(long)]
    pub skip_record_metadata: bool,
    /// Stop after so many bytes of each file of batches
    #[arg(long, value_name = "N")]
    pub max_bytes: Option<u64>,
}

impl DumpArgs {
    /// The decoder that is asked for.
    pub(crate) fn decoder(&self) -> Option<Decoder> {
        let asked = [
            (self.offsets_decoder, Decoder::Offsets),
            (self.transaction_log_decoder, Decoder::TransactionLog),
            (self.share_group_state_decoder, Decoder::ShareGroupState),
            (self.cluster_metadata_decoder, Decoder::ClusterMetadata),
            (self.remote_log_metadata_decoder, Decoder::RemoteLogMetadata),
        ];
        asked.into_iter().find_map(|(is_asked, decoder)| is_asked.then_some(decoder))
    }

    /// Whether records are printed: asked for, or implied by a decoder.
    pub(crate) fn prints_records(&self) -> bool {
        self.records || self.decoder().is_some()
    }
}
