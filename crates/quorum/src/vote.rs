//! The vote: the one thing a node must not forget besides its log.
//!
//! A file named `vote`, replaced as a whole. Text, so that an operator can read it:
//!
//! ```text
//! version=1
//! term=7
//! voted-for=1
//! committed=true
//! crc=7465fe9f
//! ```
//!
//! The last line is the CRC-32C of all bytes before it. A file that does not read exactly like this is a fault: a node
//! that guesses whom it voted for may vote twice in one term.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use ottla_storage::disk::Disk;

use crate::raft::{LeaderId, Vote};
use crate::{QuorumFault, checksum, whole_file};

/// The file's name.
const NAME: &str = "vote";

/// Reads and replaces the vote in one directory.
#[derive(Clone, Debug)]
pub(crate) struct VoteFile {
    disk: Arc<dyn Disk>,
    directory: PathBuf,
}

impl VoteFile {
    pub(crate) fn new(disk: Arc<dyn Disk>, directory: &Path) -> Self {
        Self { disk, directory: directory.to_owned() }
    }

    /// The path, for messages.
    pub(crate) fn path(&self) -> PathBuf {
        self.directory.join(NAME)
    }

    /// The vote that was saved last; none if there never was one.
    pub(crate) async fn read(&self) -> Result<Option<Vote>, QuorumFault> {
        let Some(bytes) = whole_file::read(&*self.disk, &self.directory, NAME).await? else { return Ok(None) };
        decode(&bytes).map(Some).map_err(|what| QuorumFault::Vote { path: self.path(), what })
    }

    /// Saves the vote. Durable once this returns.
    pub(crate) async fn save(&self, vote: &Vote) -> Result<(), QuorumFault> {
        whole_file::replace(&*self.disk, &self.directory, NAME, Bytes::from(encode(vote))).await
    }
}

fn encode(vote: &Vote) -> String {
    let LeaderId { term, voted_for } = vote.leader_id;
    let mut text = format!("version=1\nterm={term}\nvoted-for={voted_for}\ncommitted={}\n", vote.committed);
    let crc = checksum(text.as_bytes());
    writeln!(text, "crc={crc:08x}").expect("writing to a string succeeds");
    text
}

pub(crate) fn decode(bytes: &[u8]) -> Result<Vote, String> {
    let text = std::str::from_utf8(bytes).map_err(|error| error.to_string())?;
    let mut lines = text.lines();
    let mut field = |name: &str| {
        let line = lines.next().ok_or_else(|| format!("there is no line {name}="))?;
        let value = line.strip_prefix(name).and_then(|rest| rest.strip_prefix('='));
        value.ok_or_else(|| format!("the line {name}= is {line:?}"))
    };
    let number = |value: &str| value.parse::<u64>().map_err(|error| format!("{value:?}: {error}"));
    match field("version")? {
        "1" => {}
        version => return Err(format!("version {version} is not known here; a newer version wrote this")),
    }
    let (term, voted_for) = (number(field("term")?)?, number(field("voted-for")?)?);
    let committed = field("committed")? == "true";
    let vote = Vote { leader_id: LeaderId { term, voted_for }, committed };
    // Catches a wrong sum as well as any other way to write the same values.
    if encode(&vote) != text {
        return Err("the sum does not match; the file is damaged".to_owned());
    }
    Ok(vote)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vote() -> Vote {
        Vote { leader_id: LeaderId { term: 7, voted_for: 1 }, committed: true }
    }

    #[test]
    fn a_vote_keeps_its_golden_bytes() {
        assert_eq!(encode(&vote()), "version=1\nterm=7\nvoted-for=1\ncommitted=true\ncrc=7465fe9f\n");
        assert_eq!(decode(encode(&vote()).as_bytes()), Ok(vote()));
    }

    #[test]
    fn no_changed_byte_goes_unseen() {
        let bytes = encode(&vote()).into_bytes();
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut damaged = bytes.clone();
                damaged[at] ^= 1 << bit;
                assert!(decode(&damaged).is_err(), "bit {bit} of byte {at}");
            }
            assert!(decode(&bytes[..at]).is_err(), "only {at} bytes");
        }
    }
}
