//! Says of something that happens often only now and then that it happened.

use std::time::Duration;

use ottla_types::Instant;
use parking_lot::Mutex;

/// Lets one of many messages through in a time.
#[derive(Debug)]
pub(crate) struct Seldom {
    pause: Duration,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    next: Option<Instant>,
    untold: u64,
}

impl Seldom {
    pub(crate) fn every(pause: Duration) -> Self {
        Self { pause, state: Mutex::default() }
    }

    /// Whether to tell this one; if so, how many were not told since the last.
    pub(crate) fn ask(&self, now: Instant) -> Option<u64> {
        let mut state = self.state.lock();
        if state.next.is_some_and(|next| now < next) {
            state.untold += 1;
            return None;
        }
        state.next = Some(now + self.pause);
        Some(std::mem::take(&mut state.untold))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_the_first_and_then_one_in_a_time_with_how_many_were_not_told() {
        let seldom = Seldom::every(Duration::from_secs(10));
        let at = |seconds| Instant::after_start(Duration::from_secs(seconds));
        let told: Vec<_> = [0, 1, 9, 10, 11, 30].map(|second| seldom.ask(at(second))).to_vec();
        assert_eq!(told, [Some(0), None, None, Some(2), None, Some(1)]);
    }
}
