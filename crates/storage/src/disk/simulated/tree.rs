//! The names of a simulated disk: directories as programs see them, as the device holds them, and the order between.
//!
//! What a path means, and which names a sync or a crash makes real. A file's bytes are in [`super::content`].

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Component, Path};

use rustix::io::Errno;

use super::content::Content;
use super::faults::{Dice, Faults};
use crate::disk::Entry;

/// A file or directory, whatever its name: an inode number.
pub(super) type Id = u64;

const ROOT: Id = 0;

/// All files and directories.
#[derive(Debug)]
pub(super) struct Tree {
    nodes: BTreeMap<Id, Node>,
    /// Changes of names that the device does not hold yet, in order.
    unsynced: Vec<NameChange>,
    next_id: Id,
    /// The number of the next change, of a name or of bytes; what tells a sync how far it reaches.
    next_change: u64,
}

#[derive(Debug)]
enum Node {
    File { content: Content, handles: u32 },
    Directory(Names),
}

#[derive(Default, Debug)]
struct Names {
    current: BTreeMap<String, Id>,
    durable: BTreeMap<String, Id>,
}

/// One operation's change of names, which the device's journal keeps whole.
#[derive(Debug)]
struct NameChange {
    number: u64,
    edits: Vec<Edit>,
}

/// In `directory`, `name` now means `to`, or nothing.
#[derive(Debug)]
struct Edit {
    directory: Id,
    name: String,
    to: Option<Id>,
}

impl Tree {
    pub(super) fn new() -> Self {
        let root = Node::Directory(Names::default());
        Self { nodes: BTreeMap::from([(ROOT, root)]), unsynced: Vec::new(), next_id: ROOT + 1, next_change: 0 }
    }

    /// The number that all changes to come will reach, and none so far has.
    pub(super) const fn mark(&self) -> u64 {
        self.next_change
    }

    /// A number for the next change.
    pub(super) const fn number(&mut self) -> u64 {
        let number = self.next_change;
        self.next_change += 1;
        number
    }

    /// Files and directories that are remembered, with or without a name.
    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.nodes.len()
    }

    /// The bytes that the files that have a name take.
    pub(super) fn space(&self) -> u64 {
        let mut space = 0;
        let mut directories = vec![ROOT];
        while let Some(directory) = directories.pop() {
            for id in self.names(directory).current.values() {
                match &self.nodes[id] {
                    Node::File { content, .. } => space += content.space(),
                    Node::Directory(_) => directories.push(*id),
                }
            }
        }
        space
    }

    /// The bytes of a file that is open.
    pub(super) fn content(&mut self, id: Id) -> &mut Content {
        self.find_content(id).expect("a node with an open handle is a file and stays")
    }

    /// The bytes of a file, if it is still there.
    pub(super) fn find_content(&mut self, id: Id) -> Option<&mut Content> {
        match self.nodes.get_mut(&id) {
            Some(Node::File { content, .. }) => Some(content),
            _ => None,
        }
    }

    /// Whether there is a file or directory at `path`.
    pub(super) fn exists(&self, path: &Path) -> bool {
        self.parent(path).is_ok_and(|(directory, name)| self.names(directory).current.contains_key(name))
    }

    /// Opens the file at `path`; makes it if `make`.
    pub(super) fn open(&mut self, path: &Path, make: bool) -> io::Result<Id> {
        let (directory, name) = self.parent(path)?;
        let id = match self.names(directory).current.get(name) {
            Some(id) => *id,
            None if make => {
                let id = self.add(Node::File { content: Content::default(), handles: 0 });
                self.edit(vec![Edit { directory, name: name.to_owned(), to: Some(id) }]);
                id
            }
            None => return Err(Errno::NOENT.into()),
        };
        match self.nodes.get_mut(&id) {
            Some(Node::File { handles, .. }) => *handles += 1,
            _ => return Err(Errno::ISDIR.into()),
        }
        Ok(id)
    }

    /// An open handle of the file is gone.
    pub(super) fn close(&mut self, id: Id) {
        if let Some(Node::File { handles, .. }) = self.nodes.get_mut(&id) {
            *handles -= 1;
        }
    }

    pub(super) fn list(&self, directory: &Path) -> io::Result<Vec<Entry>> {
        let names = self.names(self.directory(directory)?);
        let entry = |(name, id): (&String, &Id)| match &self.nodes[id] {
            Node::File { content, .. } => {
                Entry { name: name.clone(), is_directory: false, bytes: content.length() as u64 }
            }
            Node::Directory(_) => Entry { name: name.clone(), is_directory: true, bytes: 0 },
        };
        Ok(names.current.iter().map(entry).collect())
    }

    pub(super) fn create_directory(&mut self, path: &Path) -> io::Result<()> {
        let mut directory = ROOT;
        for name in components(path)? {
            directory = match self.names(directory).current.get(name) {
                Some(id) if matches!(self.nodes[id], Node::Directory(_)) => *id,
                Some(_) => return Err(Errno::EXIST.into()),
                None => {
                    let id = self.add(Node::Directory(Names::default()));
                    self.edit(vec![Edit { directory, name: name.to_owned(), to: Some(id) }]);
                    id
                }
            };
        }
        Ok(())
    }

    pub(super) fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        let (from_directory, from_name) = self.parent(from)?;
        let (to_directory, to_name) = self.parent(to)?;
        let moved = *self.names(from_directory).current.get(from_name).ok_or(Errno::NOENT)?;
        let moved_is_directory = matches!(self.nodes[&moved], Node::Directory(_));
        if let Some(replaced) = self.names(to_directory).current.get(to_name) {
            match (&self.nodes[replaced], moved_is_directory) {
                _ if *replaced == moved => return Ok(()),
                (Node::Directory(names), true) if !names.current.is_empty() => return Err(Errno::NOTEMPTY.into()),
                (Node::Directory(_), false) => return Err(Errno::ISDIR.into()),
                (Node::File { .. }, true) => return Err(Errno::NOTDIR.into()),
                _ => {}
            }
        }
        if moved_is_directory && to.starts_with(from) {
            return Err(Errno::INVAL.into());
        }
        self.edit(vec![
            Edit { directory: from_directory, name: from_name.to_owned(), to: None },
            Edit { directory: to_directory, name: to_name.to_owned(), to: Some(moved) },
        ]);
        Ok(())
    }

    pub(super) fn remove(&mut self, path: &Path) -> io::Result<()> {
        let (directory, name) = self.parent(path)?;
        let id = self.names(directory).current.get(name).ok_or(Errno::NOENT)?;
        if matches!(self.nodes[id], Node::Directory(_)) {
            return Err(Errno::ISDIR.into());
        }
        self.edit(vec![Edit { directory, name: name.to_owned(), to: None }]);
        Ok(())
    }

    /// Removes what is in the directory name by name, then it: a crash may leave any of these states.
    pub(super) fn remove_directory(&mut self, path: &Path) -> io::Result<()> {
        let directory = self.directory(path)?;
        let names: Vec<String> = self.names(directory).current.keys().cloned().collect();
        for name in names {
            let child = path.join(&name);
            if matches!(self.nodes[&self.names(directory).current[&name]], Node::Directory(_)) {
                self.remove_directory(&child)?;
            } else {
                self.remove(&child)?;
            }
        }
        let (directory, name) = self.parent(path)?;
        self.edit(vec![Edit { directory, name: name.to_owned(), to: None }]);
        Ok(())
    }

    /// Whether `path` is a directory.
    pub(super) fn check_directory(&self, path: &Path) -> io::Result<()> {
        self.directory(path).map(drop)
    }

    /// Makes the changes below `mark` of the directory's names durable, and those of others that they build on.
    pub(super) fn sync_directory(&mut self, path: &Path, mark: u64) -> io::Result<()> {
        let mut directories = BTreeSet::from([self.directory(path)?]);
        let mut synced = Vec::new();
        // From the newest back: a rename from another directory takes with it what led to the renamed name.
        for at in (0..self.unsynced.len()).rev() {
            let change = &self.unsynced[at];
            if change.number < mark && change.edits.iter().any(|edit| directories.contains(&edit.directory)) {
                directories.extend(change.edits.iter().map(|edit| edit.directory));
                synced.push(self.unsynced.remove(at));
            }
        }
        for change in synced.into_iter().rev() {
            self.make_durable(change);
        }
        self.forget_unnamed();
        Ok(())
    }

    /// Makes all changes below `mark` durable, of names and of bytes; with `fails`, those of bytes are lost instead.
    pub(super) fn sync_all(&mut self, mark: u64, fails: bool) {
        let synced: Vec<NameChange> = self.unsynced.extract_if(.., |change| change.number < mark).collect();
        for change in synced {
            self.make_durable(change);
        }
        for node in self.nodes.values_mut() {
            match node {
                Node::File { content, .. } if fails => content.fail_sync(mark),
                Node::File { content, .. } => content.sync(mark),
                Node::Directory(_) => {}
            }
        }
        self.forget_unnamed();
    }

    /// Goes back to what the device holds, and decides what that is of the unsynced changes.
    pub(super) fn crash(&mut self, faults: &Faults, dice: &mut Dice) {
        for change in std::mem::take(&mut self.unsynced) {
            if faults.lose_unsynced && !dice.happens(faults.keep_probability) {
                break;
            }
            self.make_durable(change);
        }
        for node in self.nodes.values_mut() {
            match node {
                Node::File { content, handles } => {
                    content.crash(faults, dice);
                    *handles = 0;
                }
                Node::Directory(names) => names.current.clone_from(&names.durable),
            }
        }
        self.forget_unnamed();
    }

    fn make_durable(&mut self, change: NameChange) {
        for Edit { directory, name, to } in change.edits {
            if let Some(Node::Directory(names)) = self.nodes.get_mut(&directory) {
                match to {
                    Some(id) => names.durable.insert(name, id),
                    None => names.durable.remove(&name),
                };
            }
        }
    }

    /// Forgets the files and directories that no name leads to any more, now or after a crash, and nobody has open.
    fn forget_unnamed(&mut self) {
        let mut kept = BTreeSet::new();
        let mut found: Vec<Id> = vec![ROOT];
        found.extend(self.unsynced.iter().flat_map(|change| &change.edits).flat_map(|edit| edit.to));
        while let Some(id) = found.pop() {
            if kept.insert(id)
                && let Some(Node::Directory(names)) = self.nodes.get(&id)
            {
                found.extend(names.current.values().chain(names.durable.values()));
            }
        }
        self.nodes.retain(|id, node| kept.contains(id) || matches!(node, Node::File { handles: 1.., .. }));
    }

    fn add(&mut self, node: Node) -> Id {
        let id = self.next_id;
        self.next_id += 1;
        self.nodes.insert(id, node);
        id
    }

    /// Changes current names, and remembers the change for the device.
    fn edit(&mut self, edits: Vec<Edit>) {
        for edit in &edits {
            if let Some(Node::Directory(names)) = self.nodes.get_mut(&edit.directory) {
                match edit.to {
                    Some(id) => names.current.insert(edit.name.clone(), id),
                    None => names.current.remove(&edit.name),
                };
            }
        }
        let number = self.number();
        self.unsynced.push(NameChange { number, edits });
    }

    fn names(&self, id: Id) -> &Names {
        match &self.nodes[&id] {
            Node::Directory(names) => names,
            Node::File { .. } => unreachable!("only directories are asked for names"),
        }
    }

    fn directory(&self, path: &Path) -> io::Result<Id> {
        self.walk(components(path)?)
    }

    fn walk<'a>(&self, components: impl IntoIterator<Item = &'a str>) -> io::Result<Id> {
        let mut directory = ROOT;
        for name in components {
            directory = *self.names(directory).current.get(name).ok_or(Errno::NOENT)?;
            if !matches!(self.nodes[&directory], Node::Directory(_)) {
                return Err(Errno::NOTDIR.into());
            }
        }
        Ok(directory)
    }

    /// The directory that `path` is in, and its name there.
    fn parent<'a>(&self, path: &'a Path) -> io::Result<(Id, &'a str)> {
        let mut components = components(path)?;
        let name = components.pop().ok_or(Errno::INVAL)?;
        Ok((self.walk(components)?, name))
    }
}

/// The names on the way to `path`. A relative path starts at the root, too.
fn components(path: &Path) -> io::Result<Vec<&str>> {
    let mut names = Vec::new();
    for component in path.components() {
        match component {
            Component::RootDir | Component::CurDir => {}
            Component::Normal(name) => names.push(name.to_str().ok_or(Errno::INVAL)?),
            Component::ParentDir | Component::Prefix(_) => return Err(Errno::INVAL.into()),
        }
    }
    Ok(names)
}
