//! What may be set for a group (`GroupConfig`): the keys, and the bounds that the broker's own keys draw around them.
//!
//! Groups of the consumer protocol run with it; share and streams groups are not served.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::broker::BrokerConfig;
use crate::key::Key;
use crate::keys::{GroupSynonyms, group_key, group_keys};
use crate::report::Refusal;
use crate::settings::Settings;
use crate::topic::Overrides;
use crate::value::{Value, parse};

/// A heartbeat and the session that it keeps alive.
const PAIRS: &[(&str, &str)] = &[
    ("consumer.heartbeat.interval.ms", "consumer.session.timeout.ms"),
    ("share.heartbeat.interval.ms", "share.session.timeout.ms"),
    ("streams.heartbeat.interval.ms", "streams.session.timeout.ms"),
];

/// What a group of the consumer protocol runs with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConsumerGroupConfig {
    /// `consumer.session.timeout.ms`.
    pub session_timeout: Duration,
    /// `consumer.heartbeat.interval.ms`.
    pub heartbeat_interval: Duration,
    /// `consumer.assignment.interval.ms`.
    pub assignment_interval: Duration,
}

impl ConsumerGroupConfig {
    /// What follows from a group's overrides and the broker's keys. What is no longer within the broker's bounds counts as
    /// the nearer bound, as in Kafka (`GroupConfig.evaluate`).
    #[must_use]
    pub fn resolve(overrides: &Overrides, broker: &BrokerConfig) -> Self {
        let groups = &broker.groups;
        let millis = |name: &str, bounds: &RangeInclusive<Duration>| {
            let Value::Number(value) = group_value(name, overrides, &broker.settings) else { return Duration::ZERO };
            let value = Duration::from_millis(u64::try_from(value).unwrap_or_default());
            if overrides.contains_key(name) { value.max(*bounds.start()).min(*bounds.end()) } else { value }
        };
        Self {
            session_timeout: millis("consumer.session.timeout.ms", &groups.consumer_session_timeouts),
            heartbeat_interval: millis("consumer.heartbeat.interval.ms", &groups.consumer_heartbeat_intervals),
            assignment_interval: millis("consumer.assignment.interval.ms", &groups.consumer_assignment_intervals),
        }
    }
}

/// Checks all overrides of a group, each one, within the broker's bounds, and with one another.
pub fn validate_group_configs(overrides: &Overrides, broker: &BrokerConfig) -> Result<(), Refusal> {
    for (name, text) in overrides {
        let key = group_key(name).ok_or_else(|| Refusal::config(format!("{name} is not a key of a group")))?;
        parse(key, text).map_err(|reason| Refusal::config(format!("{name}={text}: {reason}")))?;
        if name == "share.auto.offset.reset" && !is_offset_reset(text.trim()) {
            let allowed = "must be earliest, latest, or by_duration: and a duration such as PT1H";
            return Err(Refusal::config(format!("{name}={text}: {allowed}")));
        }
    }
    let settings = &broker.settings;
    for (key, synonyms) in group_keys() {
        check_bounds(key, synonyms, overrides, settings)?;
    }
    for (heartbeat, session) in PAIRS {
        let effective = |name| group_value(name, overrides, settings);
        if let (Value::Number(beat), Value::Number(timeout)) = (effective(heartbeat), effective(session))
            && timeout <= beat
        {
            return Err(Refusal::config(format!("{session}={timeout}: must be above {heartbeat}={beat}")));
        }
    }
    Ok(())
}

fn check_bounds(
    key: &Key,
    synonyms: &GroupSynonyms,
    overrides: &Overrides,
    settings: &Settings,
) -> Result<(), Refusal> {
    let Some(Value::Number(value)) = overrides.get(key.name).and_then(|text| parse(key, text).ok()) else {
        return Ok(());
    };
    let bound = |name: Option<&'static str>| Some((name?, settings.optional_number(name?)?));
    if let Some((name, min)) = bound(synonyms.min).filter(|(_, min)| value < *min) {
        return Err(Refusal::config(format!("{}={value}: must not be below {name}={min}", key.name)));
    }
    if let Some((name, max)) = bound(synonyms.max).filter(|(_, max)| value > *max) {
        return Err(Refusal::config(format!("{}={value}: must not be above {name}={max}", key.name)));
    }
    Ok(())
}

/// What a group has for this key of the table.
pub(crate) fn group_value(name: &str, overrides: &Overrides, settings: &Settings) -> Value {
    let (key, synonyms) =
        group_keys().find(|(key, _)| key.name == name).expect("only names of the table are asked for");
    let own = overrides.get(name).and_then(|text| parse(key, text).ok());
    let brokers = || settings.value(synonyms.broker?);
    let default = || parse(key, key.default.expect("every key of a group has a default"));
    own.or_else(brokers).unwrap_or_else(|| default().expect("a test checks every default"))
}

/// Whether `text` says where a share group begins: by name, or by a duration of ISO 8601 that is not negative.
fn is_offset_reset(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    match lower.strip_prefix("by_duration:") {
        Some(duration) => is_duration(duration),
        None => matches!(lower.as_str(), "earliest" | "latest"),
    }
}

/// Days, hours, minutes and seconds as `pndtnhnmn.ns`, each at most once and in this order.
fn is_duration(text: &str) -> bool {
    let Some(rest) = text.strip_prefix('p') else { return false };
    let (days, time) = match rest.split_once('t') {
        Some((days, time)) => (days, Some(time)),
        None => (rest, None),
    };
    let days_fine = days.is_empty() || is_digits(days.strip_suffix('d').unwrap_or_default());
    let time_fine = time.is_none_or(|time| !time.is_empty() && is_time(time));
    days_fine && time_fine && (time.is_some() || !days.is_empty())
}

fn is_time(mut text: &str) -> bool {
    for unit in ['h', 'm', 's'] {
        let Some((number, rest)) = text.split_once(unit) else { continue };
        let fine = match number.split_once('.') {
            Some((whole, fraction)) => unit == 's' && is_digits(whole) && is_digits(fraction),
            None => is_digits(number),
        };
        if !fine {
            return false;
        }
        text = rest;
    }
    text.is_empty()
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broker(lines: &str) -> BrokerConfig {
        BrokerConfig::from_layers(Some(lines), &[]).expect("good settings").0
    }

    #[test]
    fn a_group_has_its_own_within_the_brokers_bounds_or_what_the_broker_has() {
        let own: Overrides = [("consumer.session.timeout.ms".to_owned(), "50000".to_owned())].into();
        let config = ConsumerGroupConfig::resolve(&own, &broker("group.consumer.heartbeat.interval.ms=7000"));
        let seconds = [config.session_timeout, config.heartbeat_interval, config.assignment_interval];
        assert_eq!(seconds.map(|time| time.as_secs()), [50, 7, 1]);
        let narrow = ConsumerGroupConfig::resolve(&own, &broker("group.consumer.max.session.timeout.ms=48000"));
        assert_eq!(narrow.session_timeout, Duration::from_secs(48));
    }

    #[test]
    fn a_duration_is_read_as_iso_8601_writes_it() {
        for fine in ["PT1H", "P1D", "P2DT3H4M5.5S", "PT0S", "PT15M"] {
            assert!(is_offset_reset(&format!("by_duration:{fine}")), "{fine}");
        }
        for bad in ["", "P", "PT", "1H", "P1H", "PT-1H", "PT1.5H", "PT1S1H", "-PT1H"] {
            assert!(!is_offset_reset(&format!("by_duration:{bad}")), "{bad}");
        }
        assert!(is_offset_reset("Earliest") && !is_offset_reset("middle"));
    }
}
