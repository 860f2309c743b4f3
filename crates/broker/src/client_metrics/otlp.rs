//! Reads what clients push: OpenTelemetry's `MetricsData`, of which Kafka's clients use gauges and sums of numbers.
//!
//! The messages are written down here as far as they are used, under the field numbers of OpenTelemetry's published
//! definitions; prost reads them. Histograms, and whatever else there may be, are passed over and counted.

use prost::Message;

/// Labels and their values, in order.
pub(crate) type Labels = Vec<(String, String)>;

/// The longest name or value that is taken.
const TEXT_BYTES_MAX: usize = 256;
/// Labels that a point may have.
const LABELS_MAX: usize = 16;
/// A sum that holds only what was added since the last push.
const DELTA: i32 = 1;

/// One number.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Point {
    pub(crate) name: String,
    pub(crate) labels: Labels,
    pub(crate) value: f64,
    /// It is to be added to the one before.
    pub(crate) added: bool,
}

/// What was read.
#[derive(Clone, PartialEq, Default, Debug)]
pub(crate) struct Reading {
    pub(crate) points: Vec<Point>,
    /// Points of kinds that are not told, or with texts that are too long.
    pub(crate) passed_over: u64,
}

#[derive(Clone, PartialEq, Message)]
struct Pushed {
    #[prost(message, repeated, tag = "1")]
    resource_metrics: Vec<ResourceMetrics>,
}

#[derive(Clone, PartialEq, Message)]
struct ResourceMetrics {
    #[prost(message, repeated, tag = "2")]
    scope_metrics: Vec<ScopeMetrics>,
}

#[derive(Clone, PartialEq, Message)]
struct ScopeMetrics {
    #[prost(message, repeated, tag = "2")]
    metrics: Vec<Metric>,
}

#[derive(Clone, PartialEq, Message)]
struct Metric {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(message, optional, tag = "5")]
    gauge: Option<Numbers>,
    #[prost(message, optional, tag = "7")]
    sum: Option<Numbers>,
}

/// A gauge, or a sum, which has a temporality as well.
#[derive(Clone, PartialEq, Message)]
struct Numbers {
    #[prost(message, repeated, tag = "1")]
    points: Vec<NumberPoint>,
    #[prost(int32, tag = "2")]
    temporality: i32,
}

#[derive(Clone, PartialEq, Message)]
struct NumberPoint {
    #[prost(double, optional, tag = "4")]
    as_double: Option<f64>,
    #[prost(sfixed64, optional, tag = "6")]
    as_int: Option<i64>,
    #[prost(message, repeated, tag = "7")]
    attributes: Vec<KeyValue>,
}

#[derive(Clone, PartialEq, Message)]
struct KeyValue {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(message, optional, tag = "2")]
    value: Option<AnyValue>,
}

#[derive(Clone, PartialEq, Message)]
struct AnyValue {
    #[prost(string, optional, tag = "1")]
    string: Option<String>,
    #[prost(bool, optional, tag = "2")]
    boolean: Option<bool>,
    #[prost(int64, optional, tag = "3")]
    integer: Option<i64>,
    #[prost(double, optional, tag = "4")]
    double: Option<f64>,
}

/// What the bytes hold; `None` if they are not what they should be.
pub(crate) fn read(bytes: &[u8]) -> Option<Reading> {
    let data = Pushed::decode(bytes).ok()?;
    let mut reading = Reading::default();
    let scopes = data.resource_metrics.into_iter().flat_map(|resource| resource.scope_metrics);
    for metric in scopes.flat_map(|scope| scope.metrics) {
        match (metric.gauge, metric.sum) {
            (Some(gauge), _) => reading.take(&metric.name, gauge.points, false),
            (None, Some(sum)) => reading.take(&metric.name, sum.points, sum.temporality == DELTA),
            (None, None) => reading.passed_over += 1,
        }
    }
    Some(reading)
}

/// How many numbers are in what a client pushed (KIP-714), and how many are passed over; `None` if the bytes are not what
/// they should be. For those who want to know whether it can be read, and keep nothing.
#[must_use]
pub fn count_pushed(bytes: &[u8]) -> Option<(usize, u64)> {
    read(bytes).map(|reading| (reading.points.len(), reading.passed_over))
}

impl Reading {
    fn take(&mut self, name: &str, points: Vec<NumberPoint>, added: bool) {
        for point in points {
            let value = point.as_double.or(point.as_int.map(|value| value as f64));
            let labels = labels(point.attributes);
            match (value, labels) {
                (Some(value), Some(labels)) if name.len() <= TEXT_BYTES_MAX => {
                    self.points.push(Point { name: name.to_owned(), labels, value, added });
                }
                _ => self.passed_over += 1,
            }
        }
    }
}

fn labels(attributes: Vec<KeyValue>) -> Option<Labels> {
    if attributes.len() > LABELS_MAX {
        return None;
    }
    let mut labels: Labels = attributes.into_iter().map(|one| (one.key, text(one.value))).collect();
    labels.sort();
    labels.dedup_by(|one, other| one.0 == other.0);
    let fits = labels.iter().all(|(key, value)| key.len() <= TEXT_BYTES_MAX && value.len() <= TEXT_BYTES_MAX);
    fits.then_some(labels)
}

fn text(value: Option<AnyValue>) -> String {
    let value = value.unwrap_or_default();
    let other = || value.boolean.map(|value| value.to_string());
    let other = other().or(value.integer.map(|value| value.to_string()));
    value.string.or(other).or(value.double.map(|value| value.to_string())).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(value: f64, labels: &[(&str, &str)]) -> NumberPoint {
        let attribute = |(key, value): &(&str, &str)| {
            let value = AnyValue { string: Some((*value).to_owned()), ..AnyValue::default() };
            KeyValue { key: (*key).to_owned(), value: Some(value) }
        };
        let attributes = labels.iter().map(attribute).collect();
        NumberPoint { as_double: Some(value), attributes, ..NumberPoint::default() }
    }

    fn data(metrics: Vec<Metric>) -> Vec<u8> {
        let scope = ScopeMetrics { metrics };
        let resource = ResourceMetrics { scope_metrics: vec![scope] };
        Pushed { resource_metrics: vec![resource] }.encode_to_vec()
    }

    #[test]
    fn gauges_and_sums_are_read_and_others_counted() {
        let numbers =
            |value, temporality| Some(Numbers { points: vec![number(value, &[("b", "2"), ("a", "1")])], temporality });
        let bytes = data(vec![
            Metric { name: "g".to_owned(), gauge: numbers(1.5, 0), ..Metric::default() },
            Metric { name: "s".to_owned(), sum: numbers(2.0, DELTA), ..Metric::default() },
            Metric { name: "h".to_owned(), ..Metric::default() },
            Metric { name: "x".repeat(300), gauge: numbers(1.0, 0), ..Metric::default() },
        ]);
        let reading = read(&bytes).expect("well formed");
        let read: Vec<_> = reading.points.iter().map(|p| (p.name.as_str(), p.value, p.added)).collect();
        assert_eq!((read, reading.passed_over), (vec![("g", 1.5, false), ("s", 2.0, true)], 2));
        assert_eq!(reading.points[0].labels[0], ("a".to_owned(), "1".to_owned()));
    }

    #[test]
    fn whatever_the_bytes_are_reading_ends() {
        let whole = data(vec![Metric { name: "g".to_owned(), gauge: Some(Numbers::default()), ..Metric::default() }]);
        for end in 0..whole.len() {
            let _ = read(&whole[..end]);
        }
        assert_eq!(read(&[0xff; 40]), None);
    }
}
