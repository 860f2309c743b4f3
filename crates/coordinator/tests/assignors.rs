//! The assignors against what Kafka's own decide (`assignors/README.md`), and against what they promise.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ottla_coordinator::{Assignment, Assignor, GroupSpec, MemberSpec, Targets, TopicsView, UnknownTopic};
use ottla_types::Uuid;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

#[derive(Debug)]
struct Topics(Vec<(Uuid, i32)>);

impl TopicsView for Topics {
    fn partitions(&self, topic: Uuid) -> Option<i32> {
        self.0.iter().find(|(id, _)| *id == topic).map(|(_, count)| *count)
    }
}

/// A case of the vectors.
struct Case {
    assignor: Assignor,
    topics: Topics,
    spec: GroupSpec,
    expected: BTreeMap<Arc<str>, Assignment>,
}

impl Case {
    fn read(text: &str) -> Self {
        let mut lines = text.lines();
        let (assignor, kind) = lines.next().and_then(|line| line.split_once(' ')).expect("ASSIGNOR KIND");
        let mut case = Self {
            assignor: Assignor::named(assignor).expect("a known one"),
            topics: Topics(Vec::new()),
            spec: GroupSpec { is_homogeneous: kind == "same", ..GroupSpec::default() },
            expected: BTreeMap::new(),
        };
        for line in lines {
            let words: Vec<_> = line.split(' ').collect();
            if words[0] == "topic" {
                case.topics.0.push((words[1].parse().expect("an id"), words[2].parse().expect("a number")));
                continue;
            }
            let topic = |index: i32| case.topics.0[usize::try_from(index).expect("a place")].0;
            let assignment = |text: &str| -> Assignment {
                let pairs = text.split(';').filter_map(|pair| pair.split_once(':'));
                pairs.map(|(index, partitions)| (topic(index.parse().expect("a place")), numbers(partitions))).collect()
            };
            let member = MemberSpec {
                instance: (words[2] != "-").then(|| words[2].into()),
                topics: Arc::new(numbers(words[3]).into_iter().map(topic).collect()),
                assigned: Arc::new(assignment(words[4])),
            };
            case.expected.insert(words[1].into(), assignment(words[5]));
            case.spec.members.insert(words[1].into(), member);
        }
        case
    }
}

/// `1,3..5` as numbers; `-` is none.
fn numbers(text: &str) -> BTreeSet<i32> {
    let number = |text: &str| text.parse::<i32>().expect("a number");
    let rows = text.split(',').filter(|row| *row != "-");
    rows.flat_map(|row| row.split_once("..").map_or_else(|| number(row)..=number(row), |(a, b)| number(a)..=number(b)))
        .collect()
}

#[test]
fn assigns_partition_by_partition_as_kafka_does() {
    let text = include_str!("assignors/vectors.txt");
    let mut cases = 0;
    for text in text.split_terminator("\n\n") {
        let case = Case::read(text);
        let targets = case.assignor.assign(&case.spec, &case.topics).expect("all topics exist");
        for (member, expected) in &case.expected {
            assert_eq!(&*targets[member], expected, "{member} in\n{text}");
        }
        assert_eq!(targets.len(), case.expected.len());
        cases += 1;
    }
    assert_eq!(cases, 420);
}

#[test]
fn a_topic_that_nobody_knows_is_named() {
    let unknown = Uuid([7; 16]);
    let member = MemberSpec { topics: Arc::new([unknown].into()), ..MemberSpec::default() };
    for assignor in Assignor::ALL {
        for is_homogeneous in [false, true] {
            let spec = GroupSpec { members: [("m".into(), member.clone())].into(), is_homogeneous };
            assert_eq!(assignor.assign(&spec, &Topics(Vec::new())), Err(UnknownTopic(unknown)));
        }
    }
}

#[test]
fn a_group_without_members_or_topics_has_nothing_to_assign() {
    for assignor in Assignor::ALL {
        for is_homogeneous in [false, true] {
            let mut spec = GroupSpec { members: BTreeMap::new(), is_homogeneous };
            assert_eq!(assignor.assign(&spec, &Topics(Vec::new())), Ok(Targets::new()));
            spec.members.insert("m".into(), MemberSpec::default());
            assert_eq!(assignor.assign(&spec, &Topics(Vec::new())).expect("no topics")["m"].len(), 0);
        }
    }
}

/// Up to eight topics, and what a few members read of them, before and after a change.
fn groups() -> impl Strategy<Value = (Topics, Vec<GroupSpec>)> {
    let counts = prop::collection::vec(1..20_i32, 1..8);
    counts.prop_flat_map(|counts| {
        let topics: Vec<_> = (1_u8..).zip(&counts).map(|(index, count)| (Uuid([index; 16]), *count)).collect();
        let ids: Vec<_> = topics.iter().map(|(id, _)| *id).collect();
        let subscription = prop::sample::subsequence(ids, 0..=topics.len());
        let member = (0..30_u8, prop::option::of(0..30_u8), subscription.clone());
        let group = (prop::collection::vec(member, 1..12), prop::option::of(subscription));
        prop::collection::vec(group, 1..4).prop_map(move |groups| {
            let groups = groups.into_iter().map(|(members, same)| group_of(members, same.as_deref())).collect();
            (Topics(topics.clone()), groups)
        })
    })
}

fn group_of(members: Vec<(u8, Option<u8>, Vec<Uuid>)>, same: Option<&[Uuid]>) -> GroupSpec {
    let member = |(id, instance, topics): (u8, Option<u8>, Vec<Uuid>)| {
        let topics = same.map_or(topics, <[Uuid]>::to_vec).into_iter().collect();
        let instance = instance.map(|instance| format!("i{instance}-{id}").into());
        (format!("m{id}").into(), MemberSpec { instance, topics: Arc::new(topics), ..MemberSpec::default() })
    };
    GroupSpec { members: members.into_iter().map(member).collect(), is_homogeneous: same.is_some() }
}

/// The partitions of an assignment one by one.
fn partitions(assignment: &Assignment) -> impl Iterator<Item = (Uuid, i32)> {
    assignment.iter().flat_map(|(topic, partitions)| partitions.iter().map(|partition| (*topic, *partition)))
}

/// What each member has of the targets before it.
fn with_assigned(mut spec: GroupSpec, before: &Targets) -> GroupSpec {
    for (id, member) in &mut spec.members {
        member.assigned = before.get(id).cloned().unwrap_or_default();
    }
    spec
}

fn check_each_once(spec: &GroupSpec, view: &Topics, targets: &Targets) {
    assert!(targets.keys().eq(spec.members.keys()));
    let mut seen = BTreeSet::new();
    for (id, target) in targets {
        for (topic, partition) in partitions(target) {
            assert!(spec.members[id].topics.contains(&topic), "{id} did not ask for {topic}");
            assert!(seen.insert((topic, partition)), "{topic}/{partition} is assigned twice");
        }
    }
    let wanted: BTreeSet<_> = spec.members.values().flat_map(|member| member.topics.iter().copied()).collect();
    let all = wanted.iter().flat_map(|topic| (0..view.partitions(*topic).expect("known")).map(|p| (*topic, p)));
    assert!(seen.iter().copied().eq(all), "some partition has no reader");
}

fn size(assignment: &Assignment) -> usize {
    assignment.values().map(BTreeSet::len).sum()
}

fn check_uniform(spec: &GroupSpec, targets: &Targets) {
    let sizes: Vec<_> = targets.values().map(|target| size(target)).collect();
    let (least, most) = (sizes.iter().min().copied().unwrap_or(0), sizes.iter().max().copied().unwrap_or(0));
    assert!(most - least <= 1, "shares of {sizes:?}");
    // Whoever had no more than the smaller share, of topics that it still reads, lost nothing.
    for (id, member) in &spec.members {
        let kept: Assignment = member
            .assigned
            .iter()
            .filter(|(id, _)| member.topics.contains(*id))
            .map(|(id, p)| (*id, p.clone()))
            .collect();
        if size(&kept) <= least {
            let target: BTreeSet<_> = partitions(&targets[id]).collect();
            assert!(partitions(&kept).all(|partition| target.contains(&partition)), "{id} lost something");
        }
    }
}

fn check_range(spec: &GroupSpec, view: &Topics, targets: &Targets) {
    for (topic, count) in &view.0 {
        let readers = spec.members.iter().filter(|(_, member)| member.topics.contains(topic));
        let rows: Vec<_> = readers.map(|(id, _)| targets[id].get(topic).cloned().unwrap_or_default()).collect();
        let least = usize::try_from(*count).expect("a count") / rows.len().max(1);
        for row in &rows {
            assert!(row.len() == least || row.len() == least + 1, "{topic} in rows of {rows:?}");
            let (first, last) = (row.first().copied().unwrap_or(0), row.last().copied().unwrap_or(-1));
            assert!(row.iter().copied().eq(first..=last), "{row:?} are no neighbours");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, rng_seed: RngSeed::Fixed(1), ..ProptestConfig::default() })]
    #[test]
    fn each_partition_has_one_reader_and_shares_are_what_the_assignor_promises((view, groups) in groups()) {
        for assignor in Assignor::ALL {
            let mut before = Targets::new();
            for spec in &groups {
                let spec = with_assigned(spec.clone(), &before);
                let targets = assignor.assign(&spec, &view).expect("all topics exist");
                check_each_once(&spec, &view, &targets);
                match assignor {
                    Assignor::Uniform if spec.is_homogeneous => check_uniform(&spec, &targets),
                    Assignor::Uniform => {}
                    Assignor::Range => check_range(&spec, &view, &targets),
                }
                // Asked again, it leaves everything where it is.
                let again = with_assigned(spec, &targets);
                let same = assignor.assign(&again, &view).expect("all topics exist");
                prop_assert!(same.iter().all(|(id, target)| Arc::ptr_eq(target, &targets[id])), "{:?}", assignor);
                before = targets;
            }
        }
    }
}
