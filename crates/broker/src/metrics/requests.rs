//! How many requests of each API and version there were, and where their time went.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use ottla_types::{ErrorCode, Instant};

use super::errors::ErrorCounts;
use super::histogram::Histogram;
use super::micros;

/// Versions that are counted each; no API has so many.
const VERSIONS: usize = 32;

/// A slot for each API, filled when the first request of it is answered.
#[derive(Debug)]
pub(crate) struct Requests {
    apis: Box<[OnceLock<Box<ApiRequests>>]>,
}

/// The requests of one API.
#[derive(Debug)]
pub(crate) struct ApiRequests {
    by_version: [AtomicU64; VERSIONS],
    /// In the order of [`Stage`]. Times below a microsecond are not added, only counted as requests.
    stages: [Histogram; STAGES.len()],
    /// Error codes that answers had, in the order of [`ErrorCode::ALL`].
    errors: [AtomicU64; ErrorCode::ALL.len()],
}

/// A part of a request's time, as Kafka cuts it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Stage {
    /// From the last byte's arrival to the last byte of the answer being handed to the system.
    Total,
    /// Until the work on it began.
    RequestQueue,
    /// The work.
    Local,
    /// The wait for others: a flush, replicas, more records.
    Remote,
    /// Behind answers to earlier requests.
    ResponseQueue,
    /// Handing the answer to the system.
    ResponseSend,
}

/// Every stage with Kafka's name for it.
pub(crate) const STAGES: [(Stage, &str); 6] = [
    (Stage::Total, "totaltimems"),
    (Stage::RequestQueue, "requestqueuetimems"),
    (Stage::Local, "localtimems"),
    (Stage::Remote, "remotetimems"),
    (Stage::ResponseQueue, "responsequeuetimems"),
    (Stage::ResponseSend, "responsesendtimems"),
];

/// The moments in the life of one request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    /// Its API's place in the table.
    pub(crate) api: usize,
    pub(crate) version: i16,
    pub(crate) arrived: Instant,
    pub(crate) begun: Instant,
    /// The work is done; others may still be waited for.
    pub(crate) worked: Instant,
    /// The answer is there.
    answered: Option<Instant>,
    /// Others were waited for.
    waited: bool,
    /// The answer's turn came.
    sending: Instant,
}

impl Times {
    /// A request that begins now.
    pub(crate) const fn begin(api: usize, version: i16, arrived: Instant, now: Instant) -> Self {
        Self { api, version, arrived, begun: now, worked: now, answered: None, waited: false, sending: now }
    }

    /// The answer was not there when the work was done.
    pub(crate) const fn waited(self) -> Self {
        Self { waited: true, ..self }
    }

    /// The answer is there and its turn has come. When exactly an answer came that others were waited for is not known if
    /// it was behind another one: all of that time counts as waiting.
    pub(crate) const fn answered_at(&mut self, now: Instant) {
        self.answered = Some(if self.waited { now } else { self.worked });
        self.sending = now;
    }
}

impl Requests {
    pub(super) fn new(apis: usize) -> Self {
        Self { apis: (0..apis).map(|_| OnceLock::new()).collect() }
    }

    /// A request was answered, or needed no answer.
    pub(crate) fn add(&self, times: &Times, sent: Instant) {
        let Some(slot) = self.apis.get(times.api) else { return };
        let api = slot.get_or_init(Box::default);
        let answered = times.answered.unwrap_or(times.worked);
        let version = usize::try_from(times.version).unwrap_or_default().min(VERSIONS - 1);
        api.by_version[version].fetch_add(1, Ordering::Relaxed);
        for (histogram, (stage, _)) in api.stages.iter().zip(STAGES) {
            let us = match stage {
                Stage::Total => micros(times.arrived, sent),
                Stage::RequestQueue => micros(times.arrived, times.begun),
                Stage::Local => micros(times.begun, times.worked),
                Stage::Remote => micros(times.worked, answered),
                Stage::ResponseQueue => micros(answered, times.sending),
                Stage::ResponseSend => micros(times.sending, sent),
            };
            if us > 0 {
                histogram.add(sent, us);
            }
        }
    }

    /// An answer of the API at this place in the table had these error codes.
    pub(crate) fn add_errors(&self, api: usize, errors: &ErrorCounts) {
        let Some(slot) = self.apis.get(api) else { return };
        let api = slot.get_or_init(Box::default);
        for (code, count) in errors.iter() {
            let place = usize::try_from(code.saturating_sub(ErrorCode::ALL[0].raw())).unwrap_or_default();
            if let Some(counted) = api.errors.get(place) {
                counted.fetch_add(count.into(), Ordering::Relaxed);
            }
        }
    }

    /// The APIs that had requests, by their place in the table.
    pub(super) fn used(&self) -> impl Iterator<Item = (usize, &ApiRequests)> {
        self.apis.iter().enumerate().filter_map(|(place, slot)| Some((place, slot.get()?.as_ref())))
    }
}

impl Default for ApiRequests {
    fn default() -> Self {
        Self {
            by_version: [const { AtomicU64::new(0) }; VERSIONS],
            stages: std::array::from_fn(|_| Histogram::default()),
            errors: [const { AtomicU64::new(0) }; ErrorCode::ALL.len()],
        }
    }
}

impl ApiRequests {
    /// The versions that were asked, with how often.
    pub(super) fn by_version(&self) -> impl Iterator<Item = (usize, u64)> {
        let counts = self.by_version.iter().map(|count| count.load(Ordering::Relaxed)).enumerate();
        counts.filter(|(_, count)| *count > 0)
    }

    /// The error codes that answers had, success among them, with how often.
    pub(super) fn errors(&self) -> impl Iterator<Item = (ErrorCode, u64)> {
        let counts = self.errors.iter().map(|count| count.load(Ordering::Relaxed));
        ErrorCode::ALL.iter().copied().zip(counts).filter(|(_, count)| *count > 0)
    }

    /// The histogram of each stage, with the stage's name.
    pub(super) fn stages(&self) -> impl Iterator<Item = (&'static str, &Histogram)> {
        STAGES.iter().map(|(_, name)| *name).zip(&self.stages)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_stages_of_a_request_add_up_to_its_time() {
        let at = |ms| Instant::after_start(Duration::from_millis(ms));
        let requests = Requests::new(3);
        let mut times = Times { worked: at(6), ..Times::begin(1, 4, at(0), at(1)) };
        times.answered_at(at(15));
        requests.add(&times, at(21));
        let mut times = Times { worked: at(2), ..Times::begin(1, 4, at(0), at(1)) }.waited();
        times.answered_at(at(10));
        requests.add(&times, at(13));
        let (place, api) = requests.used().next().expect("one API was asked");
        assert_eq!((place, api.by_version().collect::<Vec<_>>()), (1, vec![(4, 2)]));
        let sums: Vec<_> = api.stages().map(|(_, histogram)| histogram.sum_us() / 1000).collect();
        assert_eq!(sums, [21 + 13, 1 + 1, 5 + 1, 8, 9, 6 + 3]);
    }
}
