//! Reports long waits, so that the user knows what a run waits for.

use std::time::Duration;

use futures::FutureExt;

use crate::host::Host;

/// Shorter waits are not reported.
const FIRST_WORD: Duration = Duration::from_secs(4);
/// The longest pause between two reports.
const LAST_PAUSE: Duration = Duration::from_mins(5);

/// The time until the next report about a wait that has lasted `waited`: at 4 s, 8 s, 16 s and so
/// on, then every five minutes.
pub fn until_next_word(waited: Duration) -> Duration {
    waited.clamp(FIRST_WORD, LAST_PAUSE)
}

/// Waits for `work`. Calls `say` from time to time with the elapsed time.
pub async fn spoken_of<T>(
    host: &dyn Host,
    say: &(dyn Fn(Duration) + Sync),
    work: impl Future<Output = T>,
) -> T {
    let begun = host.monotonic();
    let mut work = Box::pin(work).fuse();
    loop {
        let mut next_word =
            host.sleep(until_next_word(host.monotonic().saturating_sub(begun))).fuse();
        futures::select_biased! {
            result = work => return result,
            () = next_word => say(host.monotonic().saturating_sub(begun)),
        }
    }
}

/// The same with a time `limit`; `None` if it took longer.
pub async fn within<T>(
    host: &dyn Host,
    limit: Duration,
    say: &(dyn Fn(Duration) + Sync),
    work: impl Future<Output = T>,
) -> Option<T> {
    futures::select_biased! {
        result = Box::pin(spoken_of(host, say, work)).fuse() => Some(result),
        () = host.sleep(limit).fuse() => None,
    }
}
