//! What every part of the client shares: names, times and limits of connections.

use std::time::Duration;

/// Settings of connections and retries; the defaults are those of Kafka's clients unless said otherwise.
#[derive(Clone, Debug)]
pub struct ClientSettings {
    /// `client.id`: what brokers log and count this client as.
    pub client_id: String,
    /// `request.timeout.ms`: how long one answer may take.
    pub request_timeout: Duration,
    /// `socket.connection.setup.timeout.ms`: how long connecting may take, versions included.
    pub connect_timeout: Duration,
    /// `default.api.timeout.ms`: how long a call may take, with all its retries.
    pub api_timeout: Duration,
    /// `retry.backoff.ms`: the first pause before a retry; it doubles from retry to retry.
    pub retry_backoff: Duration,
    /// `retry.backoff.max.ms`: the longest pause.
    pub retry_backoff_max: Duration,
    /// Requests that may be unanswered on one connection; more wait.
    pub in_flight_max: usize,
    /// The largest response that is taken, in bytes. Above Kafka's `fetch.max.bytes`, as one batch may exceed that.
    pub response_bytes_max: usize,
}

impl Default for ClientSettings {
    fn default() -> Self {
        Self {
            client_id: "ottla".to_owned(),
            request_timeout: Duration::from_secs(30),
            connect_timeout: Duration::from_secs(10),
            api_timeout: Duration::from_secs(60),
            retry_backoff: Duration::from_millis(100),
            retry_backoff_max: Duration::from_secs(1),
            in_flight_max: 32,
            response_bytes_max: 256 << 20,
        }
    }
}

impl ClientSettings {
    /// The pause before retry number `attempt` (from 0), between 80 and 120 % of its length by `random_bits`.
    #[must_use]
    pub fn backoff(&self, attempt: u32, random_bits: u64) -> Duration {
        let doubled = self.retry_backoff.saturating_mul(1 << attempt.min(16)).min(self.retry_backoff_max);
        doubled.mul_f64(0.8 + 0.4 * (random_bits % 1024) as f64 / 1024.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_limit_and_spread() {
        let settings = ClientSettings::default();
        let ms = |attempt, bits| settings.backoff(attempt, bits).as_millis();
        assert_eq!([ms(0, 512), ms(1, 512), ms(2, 512), ms(9, 512), ms(99, 512)], [100, 200, 400, 1000, 1000]);
        assert_eq!((ms(0, 0), ms(9, 1023)), (80, 1199));
    }
}
