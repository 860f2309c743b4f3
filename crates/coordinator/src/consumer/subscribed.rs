//! What the members of a group read, and by how many: names, patterns, and the topics that patterns matched.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::fact::Resolved;
use super::member::Subscription;

/// Counts over all members of a group.
#[derive(Default, Debug)]
pub(super) struct Subscribed {
    /// Topics that are named, by how many members; or matched, by how many patterns. Never both 0.
    topics: BTreeMap<Arc<str>, Readers>,
    /// Patterns, and how many members have each. Never 0.
    patterns: BTreeMap<Arc<str>, usize>,
}

#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
struct Readers {
    members: usize,
    patterns: usize,
}

impl Subscribed {
    /// A member says this, and no longer what it said before.
    pub(super) fn replace(&mut self, before: Option<&Subscription>, now: Option<&Subscription>) {
        for topic in now.iter().flat_map(|said| said.topics.iter()) {
            self.topics.entry(topic.clone()).or_default().members += 1;
        }
        for topic in before.iter().flat_map(|said| said.topics.iter()) {
            self.less(topic, |readers| &mut readers.members);
        }
        if let Some(pattern) = now.and_then(Subscription::pattern) {
            *self.patterns.entry(pattern.clone()).or_default() += 1;
        }
        if let Some(pattern) = before.and_then(Subscription::pattern)
            && let Some(count) = self.patterns.get_mut(pattern)
        {
            *count -= 1;
            if *count == 0 {
                self.patterns.remove(pattern);
            }
        }
    }

    /// A pattern matches these, and no longer those.
    pub(super) fn resolve(&mut self, before: Option<&Resolved>, now: Option<&Resolved>) {
        for topic in now.iter().flat_map(|resolved| resolved.topics.iter()) {
            self.topics.entry(topic.clone()).or_default().patterns += 1;
        }
        for topic in before.iter().flat_map(|resolved| resolved.topics.iter()) {
            self.less(topic, |readers| &mut readers.patterns);
        }
    }

    fn less(&mut self, topic: &Arc<str>, count: impl Fn(&mut Readers) -> &mut usize) {
        if let Some(readers) = self.topics.get_mut(topic) {
            let count = count(readers);
            *count = count.saturating_sub(1);
            if *readers == Readers::default() {
                self.topics.remove(topic);
            }
        }
    }

    /// Whether anybody reads the topic.
    pub(super) fn has(&self, topic: &str) -> bool {
        self.topics.contains_key(topic)
    }

    /// All topics that anybody reads, whether they exist or not.
    pub(super) fn topics(&self) -> impl Iterator<Item = &Arc<str>> {
        self.topics.keys()
    }

    /// All patterns.
    pub(super) fn patterns(&self) -> impl ExactSizeIterator<Item = &Arc<str>> {
        self.patterns.keys()
    }

    /// How many members have this pattern.
    pub(super) fn count_of(&self, pattern: &str) -> usize {
        self.patterns.get(pattern).copied().unwrap_or(0)
    }

    /// Whether all `members` read the same: the same names and no patterns, or one pattern and no names.
    pub(super) fn is_homogeneous(&self, members: usize) -> bool {
        match self.patterns.values().next() {
            None => self.topics.values().all(|readers| readers.members == members),
            Some(count) if *count == members => {
                self.topics.values().all(|readers| readers.patterns == 1 && readers.members == 0)
            }
            Some(_) => false,
        }
    }
}
