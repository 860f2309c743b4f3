//! Steps of a schedule, and how a seed makes one.

/// One thing that happens. Clients are numbers; a step that makes no sense to its client does nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Step {
    /// A client that is not at work begins.
    Come(usize),
    /// A client reads the answer that waits for it, or sends its next request. The number chooses between heartbeat and
    /// commit.
    Act(usize, u64),
    /// Everybody does that, in turn, and what is appended is committed each time.
    Round(u64),
    /// A client gives up waiting for an answer and sends its request again.
    Retry(usize),
    /// A client has something new to say to its group, and joins again.
    Change(usize),
    /// A client leaves.
    Leave(usize),
    /// A client is gone without a word; what it was answered last is lost with it.
    Vanish(usize),
    /// Somebody asks how far a group is.
    Fetch(usize),
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
    pub(super) steps: Vec<Step>,
}

impl Schedule {
    pub(super) fn of(seed: u64) -> Self {
        let mut random = Random(seed);
        let length = 30 + random.below(270);
        let steps = (0..length).map(|_| step(&mut random)).collect();
        Self { seed, delay: seed % 3 * 1_500, steps }
    }
}

/// How many clients there are: first those of the classic protocol, then those of the consumer protocol.
pub(super) const CLIENTS: usize = CLASSIC_CLIENTS + 4;
/// How many of them speak the classic protocol.
pub(super) const CLASSIC_CLIENTS: usize = 7;
/// The groups that they make; the last is of the consumer protocol.
pub(super) const GROUPS: [&str; 3] = ["g0", "g1", "c"];

fn step(random: &mut Random) -> Step {
    let client = usize::try_from(random.below(CLIENTS as u64)).expect("few");
    match random.below(100) {
        0..10 => Step::Come(client),
        10..42 => Step::Act(client, random.next()),
        42..57 => Step::Round(random.next()),
        57..60 => Step::Retry(client),
        60..63 => Step::Change(client),
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
