//! Time and randomness.

use std::time::{Duration, Instant};

use futures::future::BoxFuture;

pub(super) struct Clock {
    start: Instant,
}

impl Clock {
    pub(super) fn new() -> Self {
        Self { start: Instant::now() }
    }

    pub(super) fn monotonic(&self) -> Duration {
        self.start.elapsed()
    }
}

pub(super) fn sleep(time: Duration) -> BoxFuture<'static, ()> {
    // Created when polled: a script's thread is inside the runtime only while it waits.
    Box::pin(async move { tokio::time::sleep(time).await })
}

pub(super) fn random(buffer: &mut [u8]) {
    getrandom::fill(buffer).expect("the operating system gives randomness");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sleep_may_be_made_outside_of_the_runtime() {
        let asleep = sleep(Duration::from_millis(1));
        tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap()
            .block_on(asleep);
    }

    #[test]
    fn the_clock_only_goes_forward() {
        let clock = Clock::new();
        let earlier = clock.monotonic();
        assert!(clock.monotonic() >= earlier);
    }

    #[test]
    fn two_random_keys_differ() {
        let (mut one, mut other) = ([0; 32], [0; 32]);
        random(&mut one);
        random(&mut other);
        assert_ne!(one, other);
    }
}
