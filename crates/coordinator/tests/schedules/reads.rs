//! What a client reads, and which partitions that is.

use std::collections::BTreeSet;
use std::sync::Arc;

use ottla_coordinator::matching;
use ottla_metadata::Image;
use ottla_types::Uuid;

/// A partition: its topic's id, so that it is another one when the topic comes again, and its index.
pub(super) type Partition = (Uuid, i32);
/// Some partitions.
pub(super) type Partitions = BTreeSet<Partition>;

/// The names of topics that there may be, and how many partitions each has at the beginning; 0 for a topic to come.
pub(super) const TOPICS: [(&str, i32); 3] = [("ta", 5), ("tb", 2), ("ua", 0)];

/// Topics by name, and others by a pattern.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Reads {
    pub(super) names: &'static [&'static str],
    /// Empty for none.
    pub(super) pattern: &'static str,
}

const ALL: [Reads; 6] = [
    Reads { names: &["ta"], pattern: "" },
    Reads { names: &["ta", "tb"], pattern: "" },
    Reads { names: &[], pattern: "t.*" },
    Reads { names: &["tb"], pattern: ".*a" },
    Reads { names: &[], pattern: ".*a" },
    Reads { names: &["ua", "none"], pattern: "" },
];

impl Reads {
    /// One of a few; the first unless there is a choice.
    pub(super) fn chosen(choice: Option<u64>) -> Self {
        ALL[usize::try_from(choice.unwrap_or(0) % ALL.len() as u64).expect("few")]
    }

    /// The names of all topics that are read now, whether they exist or not.
    pub(super) fn names(self, image: &Image) -> BTreeSet<Arc<str>> {
        let known: Vec<Arc<str>> = image.topics().map(|topic| topic.name.as_str().into()).collect();
        let matched =
            if self.pattern.is_empty() { BTreeSet::new() } else { matching(self.pattern, &known).expect("sound") };
        self.names.iter().map(|name| Arc::from(*name)).chain(matched).collect()
    }

    /// All partitions that are read now.
    pub(super) fn partitions(self, image: &Image) -> Partitions {
        self.names(image).iter().flat_map(|name| partitions(image, name)).collect()
    }
}

/// The partitions of a topic; none if it does not exist.
pub(super) fn partitions(image: &Image, topic: &str) -> Vec<Partition> {
    let topic = image.topic_by_name(topic);
    topic.iter().flat_map(|topic| topic.partitions().map(|(index, _)| (topic.id, index.0))).collect()
}
