//! Metrics that clients push about themselves (KIP-714): who is asked for what, who may push now, and what they pushed
//! last. A machine: time, subscriptions and fresh ids are arguments; [`otlp`] reads what is pushed.
//!
//! A client asks for its subscription and gets an instance: an id that it keeps, the metrics that it is asked for, a
//! number that names this set. It pushes once in an interval and repeats the number; if subscriptions were changed since,
//! the number no longer fits and it asks again. An instance is forgotten when its connection ends, or when it was silent
//! for three intervals, or a minute if that is longer.
//!
//! Differences to Kafka: an instance starts anew when its own subscription changes, not when any does; what is pushed is
//! kept here and told at `/metrics`, where Kafka hands it to a plugin; so clients are asked for sums, not for what was
//! added since.

mod otlp;
mod subscription;

use std::collections::BTreeMap;
use std::time::Duration;

use ottla_types::{ErrorCode, Instant, Uuid};

pub use otlp::count_pushed;
pub(crate) use otlp::{Labels, Point, Reading, read};
pub(crate) use subscription::{Client, Subscription, Wanted};

/// Instances that are known at a time; beyond that the one that would be forgotten first is.
const INSTANCES_MAX: usize = 16_384;
/// Numbers that are kept of one instance.
const POINTS_MAX: usize = 1_000;
/// Numbers that are kept in all.
const ALL_POINTS_MAX: usize = 200_000;
/// How long a silent instance is known at least.
const SILENCE_MIN: Duration = Duration::from_secs(60);

/// The instances that are known.
#[derive(Debug, Default)]
pub(crate) struct ClientMetrics {
    instances: BTreeMap<Uuid, Instance>,
    /// Numbers kept in all.
    points: usize,
    /// Numbers that there was no room for.
    dropped: u64,
}

/// One client, as it last showed itself.
#[derive(Debug)]
pub(crate) struct Instance {
    /// Who it is.
    pub(crate) client: Client,
    /// What it pushed last, by name and labels.
    pub(crate) points: BTreeMap<(String, Labels), f64>,
    wanted: Wanted,
    subscription_id: i32,
    last_get: Option<Instant>,
    last_push: Option<Instant>,
    terminating: bool,
    /// What its last request was refused for.
    refused: Option<ErrorCode>,
    forgotten_at: Instant,
}

/// What a client is told about its subscription.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Subscribed {
    pub(crate) instance: Uuid,
    pub(crate) subscription_id: i32,
    pub(crate) wanted: Wanted,
}

/// A push before its metrics are looked at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Push {
    pub(crate) instance: Uuid,
    pub(crate) subscription_id: i32,
    pub(crate) terminating: bool,
    /// Whether the number of the compression is one that there is.
    pub(crate) known_compression: bool,
    /// Whether the metrics, as they came, are within `telemetry.max.bytes`.
    pub(crate) fits: bool,
}

impl ClientMetrics {
    /// A client asks for its subscription; `instance` is zero the first time, and `fresh` is an id for it then.
    pub(crate) fn subscribe(
        &mut self,
        now: Instant,
        instance: Uuid,
        fresh: Uuid,
        client: &Client,
        subscriptions: &[Subscription],
    ) -> Result<Subscribed, ErrorCode> {
        let id = if instance.is_zero() { fresh } else { instance };
        let known = self.show(now, id, client, subscriptions);
        let last = known.last_get.max(known.last_push);
        let in_time = last.is_none_or(|last| now.since(last) >= known.wanted.interval());
        if in_time {
            known.last_get = Some(now);
        }
        // Who was told to ask again may do so at once.
        let told =
            matches!(known.refused, Some(ErrorCode::UnknownSubscriptionId | ErrorCode::UnsupportedCompressionType));
        if !in_time && !told {
            return Err(ErrorCode::ThrottlingQuotaExceeded);
        }
        known.refused = None;
        Ok(Subscribed { instance: id, subscription_id: known.subscription_id, wanted: known.wanted.clone() })
    }

    /// A client pushes. If that is well, its metrics are to be read and handed to [`ClientMetrics::keep`].
    pub(crate) fn push(
        &mut self,
        now: Instant,
        push: Push,
        client: &Client,
        subscriptions: &[Subscription],
    ) -> Result<(), ErrorCode> {
        if push.instance.is_zero() || push.instance == RESERVED {
            return Err(ErrorCode::InvalidRequest);
        }
        let known = self.show(now, push.instance, client, subscriptions);
        let checked = known.check(now, push);
        known.refused = checked.err();
        known.terminating |= push.terminating;
        checked
    }

    /// What an instance pushed; `None` if it could not be read.
    pub(crate) fn keep(&mut self, instance: Uuid, reading: Option<Reading>) -> Result<(), ErrorCode> {
        let Some(known) = self.instances.get_mut(&instance) else { return Ok(()) };
        let Some(reading) = reading else {
            known.refused = Some(ErrorCode::InvalidRecord);
            return Err(ErrorCode::InvalidRecord);
        };
        self.dropped += reading.passed_over;
        for Point { name, labels, value, added } in reading.points {
            let full = known.points.len() >= POINTS_MAX || self.points >= ALL_POINTS_MAX;
            match known.points.get_mut(&(name.clone(), labels.clone())) {
                Some(kept) if added => *kept += value,
                Some(kept) => *kept = value,
                None if full => self.dropped += 1,
                None => {
                    known.points.insert((name, labels), value);
                    self.points += 1;
                }
            }
        }
        Ok(())
    }

    /// A connection ended: its instances are forgotten.
    pub(crate) fn disconnected(&mut self, connection: u64) {
        self.forget(|known| known.client.connection == connection);
    }

    /// Forgets those that have been silent for too long.
    pub(crate) fn expire(&mut self, now: Instant) {
        self.forget(|known| known.forgotten_at <= now);
    }

    /// Those that are known, with their ids.
    pub(crate) fn instances(&self) -> impl ExactSizeIterator<Item = (&Uuid, &Instance)> {
        self.instances.iter()
    }

    /// Numbers that there was no room for, so far.
    pub(crate) const fn dropped(&self) -> u64 {
        self.dropped
    }

    fn forget(&mut self, which: impl Fn(&Instance) -> bool) {
        let mut points = 0;
        self.instances.retain(|_, known| {
            let goes = which(known);
            points += if goes { known.points.len() } else { 0 };
            !goes
        });
        self.points -= points;
    }

    /// The instance of this id, as its client shows itself now.
    fn show(&mut self, now: Instant, id: Uuid, client: &Client, subscriptions: &[Subscription]) -> &mut Instance {
        let wanted = Wanted::of(id, client, subscriptions);
        if !self.instances.contains_key(&id) && self.instances.len() >= INSTANCES_MAX {
            let first = self.instances.iter().min_by_key(|(_, known)| known.forgotten_at).map(|(id, _)| *id);
            if let Some(known) = first.and_then(|first| self.instances.remove(&first)) {
                self.points -= known.points.len();
            }
        }
        let known = self.instances.entry(id).or_insert_with(|| Instance::new(id, client, &wanted, now));
        if known.wanted != wanted {
            self.points -= known.points.len();
            *known = Instance::new(id, client, &wanted, now);
        }
        known.client = client.clone();
        known.forgotten_at = now + SILENCE_MIN.max(known.wanted.interval() * 3);
        known
    }
}

/// An id that no client has: Kafka's topic of metadata has it.
const RESERVED: Uuid = Uuid([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);

impl Instance {
    fn new(id: Uuid, client: &Client, wanted: &Wanted, now: Instant) -> Self {
        Self {
            client: client.clone(),
            points: BTreeMap::new(),
            subscription_id: wanted.number(id),
            wanted: wanted.clone(),
            last_get: None,
            last_push: None,
            terminating: false,
            refused: None,
            forgotten_at: now,
        }
    }

    fn check(&mut self, now: Instant, push: Push) -> Result<(), ErrorCode> {
        if self.terminating {
            return Err(ErrorCode::InvalidRequest);
        }
        // The first push after a subscription may come early: clients spread theirs over the interval.
        let first = self.last_get > self.last_push;
        let in_time = first || self.last_push.is_none_or(|last| now.since(last) >= self.wanted.interval());
        if in_time {
            self.last_push = Some(now);
        } else if !push.terminating {
            return Err(ErrorCode::ThrottlingQuotaExceeded);
        }
        if push.subscription_id != self.subscription_id {
            return Err(ErrorCode::UnknownSubscriptionId);
        }
        if !push.known_compression {
            return Err(ErrorCode::UnsupportedCompressionType);
        }
        if !push.fits {
            return Err(ErrorCode::TelemetryTooLarge);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
