//! What an entry of the log says, as bytes.
//!
//! On disk an entry is a record batch with one record: its offset is the entry's index, its leader epoch the term, and
//! its value what is written here: CBOR, an array of the kind and a map of numbered fields, as facts themselves are.
//! Index and term are not repeated in the value. Numbers are never used again for something else; golden bytes below
//! keep them.
//!
//! Reading is as strict as for facts: there is one way to write an entry, and whatever is not written that way, an
//! unknown kind or field above all, is an error and stops the node.

use std::collections::{BTreeMap, BTreeSet};

use minicbor::bytes::ByteVec;
use minicbor::{Decode, Encode};
use openraft::EntryPayload;
use openraft::impls::EmptyNode;
use ottla_metadata::{UnreadableFact, decode_facts, encode_facts};

use crate::raft::{Facts, Membership, Payload};

/// Bytes that are not an entry, or not one that this version knows.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum UnreadableEntry {
    /// The entry's frame is not what it should be.
    #[error("at byte {position}: {what}")]
    Malformed {
        /// Where, counted from the first byte of the entry.
        position: usize,
        /// What was found.
        what: String,
    },
    /// The entry reads, but this version would write it otherwise.
    #[error("at byte {position}: not in the one form that entries are written in; perhaps a newer version wrote this")]
    NotCanonical {
        /// The first byte that differs.
        position: usize,
    },
    /// The facts within are not readable; their position counts from the first byte of the facts.
    #[error("in the facts, {0}")]
    Facts(#[from] UnreadableFact),
}

/// The kinds of entries.
#[derive(Encode, Decode)]
#[cbor(map)]
enum Kind {
    /// Nothing: what a new leader writes first, to commit what its predecessors left.
    #[n(0)]
    Blank,
    /// Facts, proposed together and applied together.
    #[n(1)]
    Facts {
        /// As `ottla_metadata::encode_facts` writes them.
        #[n(0)]
        facts: ByteVec,
    },
    /// Who the voters are.
    #[n(2)]
    Members {
        /// What is kept of it.
        #[n(0)]
        members: Members,
    },
    /// Everything up to and with this entry is in a snapshot; what it said is not known any more.
    #[n(3)]
    Boundary,
}

/// Who takes part in the quorum.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
pub(crate) struct Members {
    /// The voters; two sets while the quorum changes from the first to the second, and both must agree.
    #[n(0)]
    voters: Vec<Vec<u64>>,
    /// All nodes, those that only learn too, in the order of their ids.
    #[n(1)]
    nodes: Vec<Member>,
}

/// One node that takes part. A map of its own, so that an address may join it.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(map)]
struct Member {
    /// Its `node.id`.
    #[n(0)]
    id: u64,
}

impl From<&Membership> for Members {
    fn from(membership: &Membership) -> Self {
        Self {
            voters: membership.get_joint_config().iter().map(|set| set.iter().copied().collect()).collect(),
            nodes: membership.nodes().map(|(id, _)| Member { id: *id }).collect(),
        }
    }
}

impl Members {
    /// The membership in openraft's terms, or what is wrong with it.
    pub(crate) fn membership(&self) -> Result<Membership, String> {
        let voters = self.voters.iter().map(|set| set.iter().copied().collect::<BTreeSet<_>>()).collect::<Vec<_>>();
        if voters.is_empty() && self.nodes.is_empty() {
            return Ok(Membership::default());
        }
        let nodes: BTreeMap<_, _> = self.nodes.iter().map(|member| (member.id, EmptyNode {})).collect();
        Membership::new(voters, nodes).map_err(|error| error.to_string())
    }
}

/// The bytes of an entry's payload.
pub(crate) fn encode(payload: &Payload) -> Vec<u8> {
    write(&match payload {
        EntryPayload::Blank => Kind::Blank,
        EntryPayload::Normal(facts) => Kind::Facts { facts: encode_facts(&facts.0).into() },
        EntryPayload::Membership(membership) => Kind::Members { members: membership.into() },
    })
}

/// The bytes of the entry that a purged log may begin with.
pub(crate) fn encode_boundary() -> Vec<u8> {
    write(&Kind::Boundary)
}

fn write(kind: &Kind) -> Vec<u8> {
    minicbor::to_vec(kind).expect("encoding to memory succeeds")
}

/// The payload of an entry; none if the entry is a boundary.
pub(crate) fn decode(bytes: &[u8]) -> Result<Option<Payload>, UnreadableEntry> {
    let mut decoder = minicbor::Decoder::new(bytes);
    let kind: Kind = decoder.decode().map_err(|error| UnreadableEntry::Malformed {
        position: error.position().unwrap_or_else(|| decoder.position()),
        what: error.to_string(),
    })?;
    let canonical = write(&kind);
    if canonical != bytes {
        let position = canonical.iter().zip(bytes).take_while(|(a, b)| a == b).count();
        return Err(UnreadableEntry::NotCanonical { position });
    }
    Ok(Some(match kind {
        Kind::Blank => EntryPayload::Blank,
        Kind::Facts { facts } => EntryPayload::Normal(Facts(decode_facts(&facts)?.into())),
        Kind::Members { members } => EntryPayload::Membership(
            members.membership().map_err(|what| UnreadableEntry::Malformed { position: 0, what })?,
        ),
        Kind::Boundary => return Ok(None),
    }))
}

#[cfg(test)]
mod tests {
    use ottla_metadata::{Fact, METADATA_VERSION};

    use super::*;

    fn level_one() -> Payload {
        let fact = Fact::FeatureLevelSet { name: METADATA_VERSION.to_owned(), level: 1 };
        EntryPayload::Normal(Facts([fact].into()))
    }

    fn two_voters_and_a_learner() -> Payload {
        let nodes: BTreeMap<_, _> = [1, 2, 3].map(|id| (id, EmptyNode {})).into();
        let voters = vec![BTreeSet::from([1]), BTreeSet::from([1, 2])];
        EntryPayload::Membership(Membership::new(voters, nodes).expect("valid"))
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn entries_keep_their_golden_bytes() {
        assert_eq!(hex(&encode(&EntryPayload::Blank)), "8200a0");
        assert_eq!(hex(&encode(&level_one())), "8201a1005818818201a200706d657461646174612e76657273696f6e0101");
        assert_eq!(hex(&encode(&two_voters_and_a_learner())), "8202a100a2008281018201020183a10001a10002a10003");
        assert_eq!(hex(&encode_boundary()), "8203a0");
    }

    #[test]
    fn what_is_written_is_read_again() {
        for payload in [EntryPayload::Blank, level_one(), two_voters_and_a_learner()] {
            assert_eq!(decode(&encode(&payload)).expect("readable"), Some(payload));
        }
        assert_eq!(decode(&encode_boundary()).expect("readable"), None);
    }

    #[test]
    fn an_unknown_kind_and_an_unknown_field_are_errors() {
        assert!(matches!(decode(&[0x82, 0x09, 0xa0]), Err(UnreadableEntry::Malformed { .. })));
        assert_eq!(decode(&[0x82, 0x00, 0xa1, 0x05, 0x01]), Err(UnreadableEntry::NotCanonical { position: 2 }));
        assert_eq!(decode(&[0x82, 0x00, 0xa0, 0x00]), Err(UnreadableEntry::NotCanonical { position: 3 }));
    }

    #[test]
    fn no_prefix_of_an_entry_reads() {
        for payload in [level_one(), two_voters_and_a_learner()] {
            let bytes = encode(&payload);
            for length in 0..bytes.len() {
                assert!(decode(&bytes[..length]).is_err(), "{length} bytes");
            }
        }
    }

    #[test]
    fn voters_that_are_no_nodes_are_an_error() {
        let members = Members { voters: vec![vec![1]], nodes: vec![] };
        assert!(decode(&write(&Kind::Members { members })).is_err());
    }
}
