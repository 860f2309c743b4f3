//! The memory that answers to old clients may take together, whose records cannot be sent from the file that they are in.
//!
//! An answer gets its share before it is made and gives it back when it has been sent, or dropped. Who comes when all is
//! taken waits; nobody waits while holding some. What converts is `handlers/fetch/convert`.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};

/// What all answers together may hold, in bytes.
const BYTES_MAX: usize = 128 << 20;
/// What one permit stands for, in bytes.
const UNIT_BYTES: usize = 1 << 10;

/// How many open compressed batches at a time: each may hold a hundred megabytes of records for a moment, twice.
const OPENING_MAX: usize = 2;

/// Memory for converted records.
#[derive(Debug)]
pub(crate) struct Conversions {
    free: Arc<Semaphore>,
    /// Those who open compressed batches, which may be much larger than what they become.
    opening: Semaphore,
}

impl Default for Conversions {
    fn default() -> Self {
        Self { free: Arc::new(Semaphore::new(BYTES_MAX / UNIT_BYTES)), opening: Semaphore::new(OPENING_MAX) }
    }
}

/// A part of it.
#[derive(Clone, Debug)]
pub(crate) struct Share {
    /// `None` only of a budget that was closed, which none is.
    _permit: Option<Arc<OwnedSemaphorePermit>>,
}

/// Bytes, and the share that they are paid from.
struct Paid<B> {
    bytes: B,
    _share: Share,
}

impl<B: AsRef<[u8]>> AsRef<[u8]> for Paid<B> {
    fn as_ref(&self) -> &[u8] {
        self.bytes.as_ref()
    }
}

impl Conversions {
    /// Leave to open compressed batches, for as long as it is kept; `None` only if it was never to be had.
    pub(crate) async fn leave_to_open(&self) -> Option<SemaphorePermit<'_>> {
        self.opening.acquire().await.ok()
    }

    /// A share of `bytes`, or of all there is if that is less, as soon as it is free.
    pub(crate) async fn share(&self, bytes: usize) -> Share {
        let units = bytes.div_ceil(UNIT_BYTES).clamp(1, BYTES_MAX / UNIT_BYTES);
        let permits = self.free.clone().acquire_many_owned(units as u32).await;
        Share { _permit: permits.ok().map(Arc::new) }
    }
}

impl Share {
    /// `bytes`, which keep the share until they are gone.
    pub(crate) fn pay(&self, bytes: impl AsRef<[u8]> + Send + 'static) -> Bytes {
        Bytes::from_owner(Paid { bytes, _share: self.clone() })
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    #[test]
    fn a_share_is_free_again_when_the_last_bytes_are_gone() {
        let conversions = Conversions::default();
        let mut context = Context::from_waker(Waker::noop());
        let Poll::Ready(all) = pin!(conversions.share(usize::MAX)).poll(&mut context) else { panic!("it is free") };
        let mut next = pin!(conversions.share(1));
        assert!(next.as_mut().poll(&mut context).is_pending());
        let (one, two) = (all.pay(vec![1]), all.pay(vec![2]));
        drop(all);
        let slice = two.slice(..1);
        drop((one, two));
        assert!(next.as_mut().poll(&mut context).is_pending());
        drop(slice);
        assert!(next.as_mut().poll(&mut context).is_ready());
    }
}
