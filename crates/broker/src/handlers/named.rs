//! The partitions that a request names, each once and those of a topic together: so Kafka answers ListOffsets and
//! DeleteRecords, whatever is named twice. No handler; it knows no message.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

/// A partition of a topic, and what is asked of it.
#[derive(PartialEq, Debug)]
pub(super) struct Named<T> {
    /// What the request says where it names the partition last.
    pub(super) asked: T,
    /// Whether it is named more than once.
    pub(super) is_twice: bool,
}

/// Topics and partitions in the order in which they are named first, from names, partition indexes and what is asked. A
/// topic that is named without partitions is none.
pub(super) fn by_topic<'a, T>(named: impl Iterator<Item = (&'a str, i32, T)>) -> Vec<(&'a str, Vec<Named<T>>)> {
    let mut topics: Vec<(&str, Vec<Named<T>>)> = Vec::new();
    let (mut places, mut met) = (BTreeMap::new(), BTreeMap::new());
    for (name, index, asked) in named {
        let place = *places.entry(name).or_insert_with(|| {
            topics.push((name, Vec::new()));
            topics.len() - 1
        });
        let partitions = &mut topics[place].1;
        match met.entry((place, index)) {
            Entry::Occupied(known) => partitions[*known.get()] = Named { asked, is_twice: true },
            Entry::Vacant(free) => {
                free.insert(partitions.len());
                partitions.push(Named { asked, is_twice: false });
            }
        }
    }
    topics
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_is_told_once_and_what_is_named_last_holds() {
        let named = [("a", 0, 1), ("b", 0, 2), ("a", 1, 3), ("a", 0, 4)];
        let one = |asked, is_twice| Named { asked, is_twice };
        let expected = vec![("a", vec![one(4, true), one(3, false)]), ("b", vec![one(2, false)])];
        assert_eq!(by_topic(named.into_iter()), expected);
        assert_eq!(by_topic(std::iter::empty::<(&str, i32, ())>()), []);
    }
}
