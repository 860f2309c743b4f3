//! What the files of the metadata log say, for those who look at them from outside: tools and tests.
//!
//! Only decoding: bytes in, values out. A quorum that is open reads its files in its own way.

use std::path::Path;

use bytes::Bytes;
use openraft::EntryPayload;
use ottla_metadata::{Fact, Image};

use crate::batch::read_batches;
use crate::fault::QuorumFault;
use crate::standing::Term;
use crate::{entry, snapshot, vote};

/// An entry of the log.
#[derive(Clone, PartialEq, Debug)]
pub struct InspectedEntry {
    /// Its place in the log.
    pub index: u64,
    /// The term in which it was written.
    pub term: Term,
    /// What it says of the cluster; nothing for an entry of the quorum's own.
    pub facts: Vec<Fact>,
}

/// The entries of a segment that begins with the entry at `first`. A batch that the end cuts is left out. `directory` is
/// named in the error.
pub fn entries(bytes: &Bytes, first: u64, directory: &Path) -> Result<Vec<InspectedEntry>, QuorumFault> {
    let read = |stored: crate::batch::Stored| {
        let index = stored.index;
        let unreadable = |source| QuorumFault::Entry { directory: directory.to_owned(), index, source };
        let facts = match entry::decode(&stored.value).map_err(unreadable)? {
            Some(EntryPayload::Normal(facts)) => facts.0.to_vec(),
            _ => Vec::new(),
        };
        Ok(InspectedEntry { index, term: Term(stored.term), facts })
    };
    read_batches(directory, bytes, first)?.into_iter().map(read).collect()
}

/// The image in a snapshot. `path` is named in the error.
pub async fn image(bytes: Bytes, path: &Path) -> Result<Image, QuorumFault> {
    snapshot::decode(path, bytes).await.map(|(image, _)| image)
}

/// A `vote` file: the term, and the node that was voted for in it. `path` is named in the error.
pub fn vote(bytes: &[u8], path: &Path) -> Result<(Term, u64), QuorumFault> {
    let vote = vote::decode(bytes).map_err(|what| QuorumFault::Vote { path: path.to_owned(), what })?;
    Ok((Term(vote.leader_id.term), vote.leader_id.voted_for))
}

#[cfg(test)]
mod tests {
    use ottla_metadata::METADATA_VERSION;
    use ottla_types::Timestamp;

    use super::*;
    use crate::batch::Stored;

    #[test]
    fn entries_are_told_with_their_facts_and_those_out_of_place_refused() {
        let path = Path::new("x");
        let fact = Fact::FeatureLevelSet { name: METADATA_VERSION.to_owned(), level: 1 };
        let value = Bytes::from(entry::encode(&EntryPayload::Normal(crate::raft::Facts([fact.clone()].into()))));
        let stored = Stored { index: 7, term: 3, value };
        let bytes = stored.batch(path, Timestamp(0)).expect("an entry fits");
        let told = entries(&bytes, 7, path).expect("a good entry");
        assert_eq!(told, [InspectedEntry { index: 7, term: Term(3), facts: vec![fact] }]);
        entries(&bytes, 8, path).expect_err("the wrong place");
        assert!(vote(b"version=1\n", path).expect_err("cut").to_string().contains("term="));
    }
}
