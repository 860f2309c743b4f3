//! Bugs put in on purpose, so that the schedules of `tests/schedules` can be seen to find them: `cargo xtask sown`.
//!
//! As in storage: a build with the feature `sown` has all of them, and the environment says which is at work. In any other
//! build [`is`] is `false` for the compiler already, and a build for release refuses the feature.

#[cfg(all(feature = "sown", not(debug_assertions)))]
compile_error!("the feature `sown` puts bugs in; nothing for release is built with it");

/// A bug that can be put in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Bug {
    /// A SyncGroup of an older generation is taken for one of this.
    OldGenerationSynced,
    /// A member is told a partition that another one still has.
    ToldBeforeGivenBack,
    /// The epoch of a group rises, and is not remembered.
    EpochNotRemembered,
    /// What a member was to have stays in the log when it leaves.
    TargetNotTakenOut,
    /// Patterns are not matched again when topics came.
    PatternsNotMatchedAgain,
    /// A group does not look at its topics when they changed.
    TopicsNotLookedAt,
    /// A group that turns into one of the consumer protocol loses a member.
    MemberForgotten,
    /// A member that asked for its assignment in time is taken for late.
    SyncTimerNotCancelled,
}

/// Whether this bug is at work.
#[cfg(not(feature = "sown"))]
#[inline(always)]
pub(crate) const fn is(_bug: Bug) -> bool {
    false
}

/// Whether this bug is at work.
#[cfg(feature = "sown")]
pub(crate) fn is(bug: Bug) -> bool {
    static CHOSEN: std::sync::OnceLock<Option<String>> = std::sync::OnceLock::new();
    #[expect(clippy::disallowed_methods, reason = "which bug, in a build that nobody ships")]
    let chosen = CHOSEN.get_or_init(|| std::env::var("OTTLA_SOWN").ok());
    chosen.as_deref() == Some(bug.name())
}

#[cfg(feature = "sown")]
impl Bug {
    /// What `cargo xtask sown` calls it.
    const fn name(self) -> &'static str {
        match self {
            Self::OldGenerationSynced => "old-generation-synced",
            Self::ToldBeforeGivenBack => "told-before-given-back",
            Self::EpochNotRemembered => "epoch-not-remembered",
            Self::TargetNotTakenOut => "target-not-taken-out",
            Self::PatternsNotMatchedAgain => "patterns-not-matched-again",
            Self::TopicsNotLookedAt => "topics-not-looked-at",
            Self::MemberForgotten => "member-forgotten",
            Self::SyncTimerNotCancelled => "sync-timer-not-cancelled",
        }
    }
}
