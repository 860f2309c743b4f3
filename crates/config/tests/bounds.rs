//! Both sides of every bound of every key, generated from the tables; `facts.rs` holds the tables to Kafka's.

use ottla_config::key::{Allowed, Key, Kind};
use ottla_config::{BrokerConfig, keys, parse_value};

fn all_keys() -> impl Iterator<Item = &'static Key> {
    keys::broker_keys().chain(keys::legacy_keys()).chain(keys::topic_keys().map(|topic| &topic.key))
}

fn limits(kind: Kind) -> Option<(i128, i128)> {
    match kind {
        Kind::Short => Some((i16::MIN.into(), i16::MAX.into())),
        Kind::Int => Some((i32::MIN.into(), i32::MAX.into())),
        Kind::Long => Some((i64::MIN.into(), i64::MAX.into())),
        _ => None,
    }
}

#[test]
fn every_whole_number_is_taken_up_to_its_bounds_and_no_further() {
    let mut checked = 0;
    for key in all_keys() {
        let Some((kind_min, kind_max)) = limits(key.kind) else { continue };
        let (min, max, or) = match key.allowed {
            Allowed::Range { min, max, or } => (i128::from(min), max.map_or(kind_max, i128::from), or),
            _ => (kind_min, kind_max, None),
        };
        let taken = |number: i128| parse_value(key, &number.to_string()).is_ok();
        assert!(taken(min) && taken(max), "{}", key.name);
        assert!(!taken(max + 1), "{}", key.name);
        let below = (1..).map(|step| min - step).find(|number| or.is_none_or(|or| i128::from(or) != *number));
        assert!(!taken(below.unwrap()), "{}", key.name);
        assert!(or.is_none_or(|or| taken(or.into())), "{}", key.name);
        checked += 1;
    }
    assert!(checked > 200);
}

#[test]
fn every_fraction_is_taken_up_to_its_bounds_and_no_further() {
    for key in all_keys().filter(|key| key.kind == Kind::Double) {
        let Allowed::Range { min, max: Some(max), .. } = key.allowed else { continue };
        let taken = |number: f64| parse_value(key, &number.to_string()).is_ok();
        let (min, max) = (min as f64, max as f64);
        assert!(taken(min) && taken(max) && taken((min + max) / 2.0), "{}", key.name);
        assert!(!taken(min - 0.001) && !taken(max + 0.001) && !taken(f64::NAN), "{}", key.name);
    }
}

#[test]
fn a_number_out_of_bounds_stops_the_start_and_is_named() {
    for key in keys::broker_keys() {
        let Allowed::Range { min, .. } = key.allowed else { continue };
        let value = (min - 3).to_string();
        let error = BrokerConfig::from_layers(None, &[(key.name.to_owned(), value.clone())]).unwrap_err();
        let said = error.to_string();
        assert!(said.starts_with(&format!("command line: {}={value}: must be ", key.name)), "{said}");
        assert!(said.contains(&min.to_string()), "{said}");
    }
}
