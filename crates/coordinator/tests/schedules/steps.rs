//! Steps of a schedule, and how a seed makes one.

use ottla_coordinator::MigrationPolicy;

use super::reads::TOPICS;

/// One thing that happens. Clients are numbers; a step that makes no sense to its client does nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Step {
    /// A client that is not at work begins. The number chooses its protocol and what it reads, where there is a choice.
    Come(usize, u64),
    /// A client reads the answer that waits for it, or sends its next request. The number chooses between heartbeat and
    /// commit.
    Act(usize, u64),
    /// Everybody does that, in turn, and what is appended is committed each time.
    Round(u64),
    /// A client gives up waiting for an answer and sends its request again.
    Retry(usize),
    /// A client has something new to say to its group, such as to read something else, and joins again.
    Change(usize, u64),
    /// The last SyncGroup that a client sent comes once more, after whatever it asked for since.
    Late(usize),
    /// A client leaves.
    Leave(usize),
    /// A client is gone without a word; what it was answered last is lost with it.
    Vanish(usize),
    /// Somebody asks how far a group is.
    Fetch(usize),
    /// A topic has so many partitions from now on: it comes, or grows. With 0 it is deleted. None shrinks.
    Topic(usize, i32),
    /// So many milliseconds pass.
    Wait(u64),
    /// What was appended is committed.
    Commit,
    /// The append fails: nobody waits for it any longer, and the coordinator is read from its log. What was appended is in
    /// it, or is not.
    Fail { is_in_log: bool },
    /// Breaks a promise, to show that this is seen.
    Break,
}

/// A list of steps, and who takes part.
#[derive(Clone, Debug)]
pub(super) struct Schedule {
    pub(super) seed: u64,
    /// How long an empty group waits for more members, in milliseconds.
    pub(super) delay: u64,
    /// Whether clients of both protocols are in the same groups, and come again with the other one.
    pub(super) mixes: bool,
    /// Whether topics come, go and grow, and clients read them by patterns, too.
    pub(super) topics: bool,
    /// Which groups may turn.
    pub(super) migration: MigrationPolicy,
    pub(super) steps: Vec<Step>,
}

impl Schedule {
    /// Four kinds take turns: with mixed groups or without, with topics that change or without.
    pub(super) fn of(seed: u64) -> Self {
        let mut random = Random(seed);
        let (mixes, topics) = (seed & 1 == 1, seed & 2 == 2);
        let length = 30 + random.below(270);
        let steps = (0..length).map(|_| step(&mut random, topics)).collect();
        let migration = match (seed >> 2) % 8 {
            0 => MigrationPolicy::Disabled,
            1 => MigrationPolicy::Upgrade,
            2 => MigrationPolicy::Downgrade,
            _ => MigrationPolicy::Bidirectional,
        };
        Self { seed, delay: seed % 3 * 1_500, mixes, topics, migration, steps }
    }
}

/// How many clients there are. If groups are not mixed, those of the classic protocol come first.
pub(super) const CLIENTS: usize = CLASSIC_CLIENTS + 4;
/// How many of them speak the classic protocol then.
pub(super) const CLASSIC_CLIENTS: usize = 7;
/// The groups that they make. Mixed ones are the first two; if there are none, the last is of the consumer protocol.
pub(super) const GROUPS: [&str; 3] = ["g0", "g1", "c"];

fn step(random: &mut Random, topics: bool) -> Step {
    let client = usize::try_from(random.below(CLIENTS as u64)).expect("few");
    match random.below(100) {
        0..10 => Step::Come(client, random.next()),
        10..13 if topics => Step::Topic(client % TOPICS.len(), i32::try_from(random.below(7)).expect("few")),
        10..40 => Step::Act(client, random.next()),
        40..55 => Step::Round(random.next()),
        55..57 => Step::Late(client),
        57..60 => Step::Retry(client),
        60..63 => Step::Change(client, random.next()),
        63..66 => Step::Leave(client),
        66..70 => Step::Vanish(client),
        70..73 => Step::Fetch(client % GROUPS.len()),
        73..82 => Step::Wait(random.below(2_000)),
        82..84 => Step::Wait(random.below(20_000)),
        84..96 => Step::Commit,
        _ => Step::Fail { is_in_log: random.below(2) == 0 },
    }
}

/// Numbers from a seed (SplitMix64).
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }
}
