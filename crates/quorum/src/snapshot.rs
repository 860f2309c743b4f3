//! The image as a file, so that the log need not reach back to the beginning.
//!
//! A file named `image`, replaced as a whole. It is a list of frames, each
//!
//! ```text
//! length of the payload   4 bytes, most significant first
//! CRC-32C of the payload  4 bytes
//! payload                 CBOR
//! ```
//!
//! The first frame's payload is a [`Head`]: a map of numbered fields. Those that follow hold facts as
//! `ottla_metadata::encode_facts` writes them, which lead from an empty image to this one. A frame of length 0 ends the
//! file, so that one that was cut is not taken for a smaller one. Frames bound what is encoded and checked at a time.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use minicbor::{Decode, Encode};
use ottla_metadata::{Fact, Image, decode_facts, encode_facts};
use ottla_storage::disk::Disk;
use tokio::sync::Mutex;

use crate::entry::Members;
use crate::raft::{LogId, SnapshotMeta, StoredMembership, log_id, position};
use crate::{QuorumFault, checksum, whole_file};

/// The file's name.
const NAME: &str = "image";

/// Facts in one frame.
const FRAME_FACTS_MAX: usize = 1000;

/// What is known of the log at the end of the snapshot.
#[derive(Encode, Decode)]
#[cbor(map)]
struct Head {
    /// How the rest is to be read; 1.
    #[n(0)]
    version: u32,
    /// The last entry that is folded in.
    #[n(1)]
    last: Option<Place>,
    /// Where the members were written; none if the log never had any.
    #[n(2)]
    members_at: Option<Place>,
    /// The members as of `last`.
    #[n(3)]
    members: Members,
}

/// An entry of the log.
#[derive(Clone, Copy, Encode, Decode)]
#[cbor(map)]
struct Place {
    /// The term of the leader that wrote it.
    #[n(0)]
    term: u64,
    /// Its index.
    #[n(1)]
    index: u64,
}

impl From<&LogId> for Place {
    fn from(id: &LogId) -> Self {
        let at = position(id);
        Self { term: at.term, index: at.index }
    }
}

impl From<Place> for LogId {
    fn from(place: Place) -> Self {
        log_id(place.term, place.index)
    }
}

/// Reads and replaces the snapshot in one directory. Clones are the same file.
#[derive(Clone, Debug)]
pub(crate) struct SnapshotFile {
    disk: Arc<dyn Disk>,
    directory: PathBuf,
    /// Held while the file is read or replaced; what it holds by then.
    newest: Arc<Mutex<Option<LogId>>>,
}

impl SnapshotFile {
    pub(crate) fn new(disk: Arc<dyn Disk>, directory: &Path) -> Self {
        Self { disk, directory: directory.to_owned(), newest: Arc::default() }
    }

    /// The path, for messages.
    pub(crate) fn path(&self) -> PathBuf {
        self.directory.join(NAME)
    }

    /// The snapshot on disk, with what it says of itself.
    pub(crate) async fn read(&self) -> Result<Option<(SnapshotMeta, Bytes)>, QuorumFault> {
        let mut newest = self.newest.lock().await;
        let Some(bytes) = whole_file::read(&*self.disk, &self.directory, NAME).await? else { return Ok(None) };
        let meta = Frames::open(&self.path(), bytes.clone())?.0;
        *newest = meta.last_log_id;
        Ok(Some((meta, bytes)))
    }

    /// Replaces the snapshot, unless a newer one has come first. Durable once this returns.
    pub(crate) async fn save(&self, meta: &SnapshotMeta, bytes: Bytes) -> Result<(), QuorumFault> {
        let mut newest = self.newest.lock().await;
        if *newest > meta.last_log_id {
            return Ok(());
        }
        whole_file::replace(&*self.disk, &self.directory, NAME, bytes).await?;
        *newest = meta.last_log_id;
        Ok(())
    }
}

/// The bytes of a snapshot. Gives way to other tasks between frames.
pub(crate) async fn encode(image: &Image, meta: &SnapshotMeta) -> Bytes {
    let head = Head {
        version: 1,
        last: meta.last_log_id.as_ref().map(Place::from),
        members_at: meta.last_membership.log_id().as_ref().map(Place::from),
        members: meta.last_membership.membership().into(),
    };
    let mut bytes = BytesMut::new();
    put_frame(&mut bytes, &minicbor::to_vec(&head).expect("encoding to memory succeeds"));
    let mut facts = image.facts();
    loop {
        let frame: Vec<Fact> = facts.by_ref().take(FRAME_FACTS_MAX).collect();
        if frame.is_empty() {
            break;
        }
        put_frame(&mut bytes, &encode_facts(&frame));
        tokio::task::yield_now().await;
    }
    put_frame(&mut bytes, &[]);
    bytes.freeze()
}

/// The image in a snapshot, and what the snapshot says of itself. `path` is for messages.
pub(crate) async fn decode(path: &Path, bytes: Bytes) -> Result<(Image, SnapshotMeta), QuorumFault> {
    let (meta, mut frames) = Frames::open(path, bytes)?;
    let mut image = Image::default();
    loop {
        let at = frames.at;
        let payload = frames.next()?;
        if payload.is_empty() {
            break;
        }
        let facts = decode_facts(&payload).map_err(|error| QuorumFault::unreadable_snapshot(path, at, &error))?;
        for fact in &facts {
            image.apply(fact).map_err(|error| frames.fault(at, format!("{fact}: {error}")))?;
        }
        tokio::task::yield_now().await;
    }
    if !frames.rest.is_empty() {
        return Err(frames.fault(frames.at, "something follows the end".to_owned()));
    }
    if let Some(last) = &meta.last_log_id {
        image.set_position(position(last));
    }
    Ok((image, meta))
}

fn put_frame(bytes: &mut BytesMut, payload: &[u8]) {
    bytes.put_u32(u32::try_from(payload.len()).expect("a frame is far smaller than 4 GiB"));
    bytes.put_u32(checksum(payload));
    bytes.put_slice(payload);
}

/// Reads a snapshot from its first frame on.
struct Frames<'a> {
    path: &'a Path,
    rest: Bytes,
    /// Where `rest` begins, counted from the first byte of the file.
    at: u64,
}

impl<'a> Frames<'a> {
    /// Reads the head.
    fn open(path: &'a Path, bytes: Bytes) -> Result<(SnapshotMeta, Self), QuorumFault> {
        let mut frames = Self { path, rest: bytes, at: 0 };
        let payload = frames.next()?;
        let head: Head = minicbor::decode(&payload).map_err(|error| frames.fault(0, error.to_string()))?;
        if head.version != 1 {
            return Err(frames.fault(0, format!("version {}; a newer version wrote this", head.version)));
        }
        if minicbor::to_vec(&head).is_ok_and(|canonical| canonical != *payload) {
            return Err(frames.fault(0, "a field of the head is not known; a newer version wrote this".to_owned()));
        }
        let membership = head.members.membership().map_err(|what| frames.fault(0, what))?;
        let meta = SnapshotMeta {
            last_log_id: head.last.map(LogId::from),
            last_membership: StoredMembership::new(head.members_at.map(LogId::from), membership),
        };
        Ok((meta, frames))
    }

    /// The payload of the next frame.
    fn next(&mut self) -> Result<Bytes, QuorumFault> {
        let at = self.at;
        if self.rest.len() < 8 {
            return Err(self.fault(at, "the file ends within a frame".to_owned()));
        }
        let length = self.rest.get_u32() as usize;
        let crc = self.rest.get_u32();
        if self.rest.len() < length {
            let what = format!("a frame of {length} bytes where {} are left", self.rest.len());
            return Err(self.fault(at, what));
        }
        let payload = self.rest.split_to(length);
        let computed = checksum(&payload);
        if computed != crc {
            return Err(self.fault(at, format!("the frame's sum is {crc:08x}, its bytes give {computed:08x}")));
        }
        self.at += 8 + length as u64;
        Ok(payload)
    }

    fn fault(&self, position: u64, what: String) -> QuorumFault {
        QuorumFault::Snapshot { path: self.path.to_owned(), position, what }
    }
}

#[cfg(test)]
mod tests {
    use ottla_metadata::FACTS_VERSION;
    use ottla_storage::disk::simulated::SimulatedDisk;

    use super::*;

    fn image() -> Image {
        let mut image = Image::default();
        image.apply(&Fact::FeatureLevelSet { name: FACTS_VERSION.to_owned(), level: 1 }).expect("possible");
        image.apply(&Fact::ClusterNamed { cluster_id: "abc".to_owned() }).expect("possible");
        image.set_position(position(&log_id(3, 17)));
        image
    }

    fn meta() -> SnapshotMeta {
        SnapshotMeta { last_log_id: Some(log_id(3, 17)), last_membership: StoredMembership::default() }
    }

    #[tokio::test]
    async fn an_image_comes_back_with_its_position() {
        let bytes = encode(&image(), &meta()).await;
        let (read, read_meta) = decode(Path::new("/image"), bytes).await.expect("readable");
        assert_eq!(read, image());
        assert_eq!(read_meta, meta());
    }

    #[tokio::test]
    async fn no_changed_byte_and_no_cut_goes_unseen() {
        let bytes = encode(&image(), &meta()).await;
        for at in 0..bytes.len() {
            let mut damaged = bytes.to_vec();
            damaged[at] ^= 0x10;
            assert!(decode(Path::new("/image"), damaged.into()).await.is_err(), "byte {at}");
            assert!(decode(Path::new("/image"), bytes.slice(..at)).await.is_err(), "only {at} bytes");
        }
    }

    #[tokio::test]
    async fn an_older_snapshot_does_not_replace_a_newer_one() {
        let disk = SimulatedDisk::new(1);
        disk.create_directory(Path::new("/d")).await.expect("made");
        let file = SnapshotFile::new(disk, Path::new("/d"));
        let newer = encode(&image(), &meta()).await;
        file.save(&meta(), newer.clone()).await.expect("saved");
        let older = SnapshotMeta { last_log_id: Some(log_id(3, 16)), ..meta() };
        let bytes = encode(&image(), &older).await;
        file.save(&older, bytes).await.expect("left alone");
        assert_eq!(file.read().await.expect("readable").expect("there").1, newer);
    }
}
