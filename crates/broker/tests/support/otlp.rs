//! Metrics as clients push them, written byte by byte: an encoder of its own for what the broker reads with a library.

/// A field of a protobuf message that holds bytes.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let length = u8::try_from(bytes.len()).expect("short enough for one byte of length");
    assert!(length < 128 && number < 16);
    [&[number << 3 | 2, length], bytes].concat()
}

/// `MetricsData` with one gauge of one number.
pub(crate) fn otlp_gauge(name: &str, value: f64) -> Vec<u8> {
    let number = [&[4 << 3 | 1][..], &value.to_le_bytes()].concat();
    let metric = [field(1, name.as_bytes()), field(5, &field(1, &number))].concat();
    field(1, &field(2, &field(2, &metric)))
}
