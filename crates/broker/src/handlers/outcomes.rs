//! What became of the partitions that a request names, in Kafka's order: first what is wrong before a coordinator is asked,
//! then what the coordinator says; what both say of one topic stands together. For OffsetCommit and OffsetDelete. No
//! handler; it knows no message.

use std::collections::BTreeMap;

use ottla_types::ErrorCode;

/// The partitions of a topic, each with what is wrong with it.
pub(super) type Partitions = Vec<(i32, ErrorCode)>;

/// Topics, by whatever names them.
pub(super) struct Outcomes<K> {
    topics: Vec<(K, Partitions)>,
    places: BTreeMap<K, usize>,
}

impl<K: Ord + Clone> Outcomes<K> {
    pub(super) fn new() -> Self {
        Self { topics: Vec::new(), places: BTreeMap::new() }
    }

    /// What is said of a topic, which stands where it is first spoken of.
    pub(super) fn topic(&mut self, key: &K) -> &mut Partitions {
        let place = *self.places.entry(key.clone()).or_insert_with(|| {
            self.topics.push((key.clone(), Vec::new()));
            self.topics.len() - 1
        });
        &mut self.topics[place].1
    }

    /// All of it, with what the coordinator says. Where nothing else is to be said, that is the answer as it is.
    pub(super) fn with(mut self, decided: Vec<(K, Partitions)>) -> Vec<(K, Partitions)> {
        if self.topics.is_empty() {
            return decided;
        }
        for (key, partitions) in decided {
            self.topic(&key).extend(partitions);
        }
        self.topics
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_comes_first_and_a_topic_stands_once() {
        let ok = |index| (index, ErrorCode::None);
        let wrong = |index| (index, ErrorCode::UnknownTopicOrPartition);
        let decided = || vec![("b", vec![ok(1)]), ("a", vec![ok(0), ok(1)]), ("b", vec![ok(1)])];
        assert_eq!(Outcomes::new().with(decided()), decided());
        let mut outcomes = Outcomes::new();
        outcomes.topic(&"a").push(wrong(7));
        outcomes.topic(&"none");
        let expected = vec![("a", vec![wrong(7), ok(0), ok(1)]), ("none", Vec::new()), ("b", vec![ok(1), ok(1)])];
        assert_eq!(outcomes.with(decided()), expected);
    }
}
