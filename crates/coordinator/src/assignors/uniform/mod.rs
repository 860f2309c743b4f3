//! The uniform assignor: everybody gets equally many partitions, and keeps what that allows.
//!
//! If all subscribe to the same, equal shares can always be had ([`homogeneous`]). If not, shares are evened out topic by
//! topic, as far as it goes in a bounded number of rounds ([`heterogeneous`]).

mod heterogeneous;
mod homogeneous;
mod levels;

use super::{GroupSpec, Targets, TopicsView, UnknownTopic};

pub(super) fn assign(spec: &GroupSpec, view: &dyn TopicsView) -> Result<Targets, UnknownTopic> {
    if spec.is_homogeneous { homogeneous::assign(spec, view) } else { heterogeneous::assign(spec, view) }
}
