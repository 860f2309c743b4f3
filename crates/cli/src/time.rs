//! A moment as people write it: `2026-01-31T12:00:00Z`, with less or more precision, and another zone.

use ottla_types::Timestamp;

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// Reads a date, or a date and a time, as RFC 3339 has them. Without a zone it is UTC. `None` for anything else.
pub(crate) fn parse_time(text: &str) -> Option<Timestamp> {
    let (date, time) = text.split_once(['T', 't', ' ']).unwrap_or((text, "00:00:00"));
    let mut parts = date.split('-').map(digits);
    let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
    if parts.next().is_some() || !(1970..=9999).contains(&year) || !(1..=12).contains(&month) {
        return None;
    }
    let first = days(year, month);
    if day < 1 || first + day > days(year + month / 12, month % 12 + 1) {
        return None;
    }
    let (time, zone_ms) = zone(time)?;
    let ms = (first + day - 1) * DAY_MS + clock(time)? - zone_ms;
    (ms >= 0).then_some(Timestamp(ms))
}

/// Digits and nothing else.
fn digits(text: &str) -> Option<i64> {
    let all = !text.is_empty() && text.len() <= 9 && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| all)
}

/// Days from the beginning of 1970 to that of a month.
fn days(year: i64, month: i64) -> i64 {
    // Years from March on, so that the leap day is the last of its year.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 - 719_468
}

/// The time of day, and how far its zone is ahead of UTC, in milliseconds.
fn zone(time: &str) -> Option<(&str, i64)> {
    if let Some(time) = time.strip_suffix(['Z', 'z']) {
        return Some((time, 0));
    }
    let Some(at) = time.rfind(['+', '-']) else { return Some((time, 0)) };
    let (hours, minutes) = time[at + 1..].split_once(':')?;
    let (hours, minutes) = (digits(hours)?, digits(minutes)?);
    let ms = (hours * 60 + minutes) * 60_000;
    let ms = if time.as_bytes()[at] == b'-' { -ms } else { ms };
    (hours < 24 && minutes < 60).then_some((&time[..at], ms))
}

/// Milliseconds since midnight of `12:30`, `12:30:59` or `12:30:59.25`.
fn clock(time: &str) -> Option<i64> {
    let (time, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let mut parts = time.split(':').map(digits);
    let (hours, minutes, seconds) = (parts.next()??, parts.next()??, parts.next().unwrap_or(Some(0))?);
    let ms =
        fraction.bytes().map(|byte| i64::from(byte) - 48).chain([0; 3]).take(3).fold(0, |ms, digit| ms * 10 + digit);
    let all_digits = !fraction.is_empty() && fraction.bytes().all(|byte| byte.is_ascii_digit());
    let fits = hours < 24 && minutes < 60 && seconds < 60 && parts.next().is_none() && all_digits;
    fits.then_some(((hours * 60 + minutes) * 60 + seconds) * 1000 + ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_they_are_meant() {
        for (text, ms) in [
            ("1970-01-01", 0),
            ("1970-01-01T00:00:00Z", 0),
            ("2000-02-29T12:00:00Z", 951_825_600_000),
            ("2026-01-31T12:00:00.25Z", 1_769_860_800_250),
            ("2026-01-31T13:00:00+01:00", 1_769_860_800_000),
            ("2026-01-31 06:30-05:30", 1_769_860_800_000),
            ("2026-12-31T23:59:59.9999", 1_798_761_599_999),
        ] {
            assert_eq!(parse_time(text), Some(Timestamp(ms)), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "now",
            "2026",
            "2026-02-29",
            "2100-02-29",
            "2026-00-01",
            "2026-13-01",
            "2026-01-00",
            "2026-12-32",
            "2026-01-01T24:00",
            "2026-01-01T00:60",
            "2026-01-01T00:00:00.",
            "2026-01-01T00:00:00.x",
            "2026-01-01T00:00:00+5",
            "1969-12-31",
            "+2026-01-01",
            "1970-01-01T00:00:00+01:00",
        ] {
            assert_eq!(parse_time(text), None, "{text}");
        }
    }
}
