//! Merges logs that have an end, by time.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use futures::stream::BoxStream;
use futures::{Stream, StreamExt};

use super::messages::TimedLine;
use crate::engine::Result;

/// Lines of one log, or the error that ended it.
pub type Lines = BoxStream<'static, Result<TimedLine>>;

/// The engine records a line's time before it writes the line. So a line of one output may come
/// after a later line of the other (by 0.9 ms, as measured). A line waits until another one comes
/// that is this much later.
const DISORDER: TimeDelta = TimeDelta::milliseconds(20);
/// The most lines that wait.
const MOST_KEPT: usize = 256;

/// The lines of one log in the order of their times. Lines with the same time keep their order.
pub fn in_order(lines: Lines) -> impl Stream<Item = Result<TimedLine>> + Send {
    async_stream::stream! {
        let mut lines = lines;
        let (mut kept, mut number) = (BTreeMap::<(DateTime<Utc>, u64), TimedLine>::new(), 0);
        while let Some(line) = lines.next().await {
            match line {
                Ok(line) => {
                    number += 1;
                    kept.insert((line.time, number), line);
                }
                Err(error) => {
                    for (_, line) in std::mem::take(&mut kept) {
                        yield Ok(line);
                    }
                    yield Err(error);
                }
            }
            while let (Some(((first, _), _)), Some(((last, _), _))) = (kept.first_key_value(), kept.last_key_value())
                && (*last - *first > DISORDER || kept.len() > MOST_KEPT)
                && let Some((_, line)) = kept.pop_first()
            {
                yield Ok(line);
            }
        }
        for (_, line) in kept {
            yield Ok(line);
        }
    }
}

/// The lines of all logs in the order of their times, each with the number of its log. One line of
/// each is in memory.
pub fn merged(mut logs: Vec<Lines>) -> impl Stream<Item = (usize, Result<TimedLine>)> + Send {
    async_stream::stream! {
        let mut heads = BTreeMap::<(DateTime<Utc>, usize), TimedLine>::new();
        let mut next = 0..logs.len();
        loop {
            // First one line of each log, then one more of the log that had the last one.
            for at in next {
                while let Some(line) = logs[at].next().await {
                    match line {
                        Ok(line) => {
                            heads.insert((line.time, at), line);
                            break;
                        }
                        error @ Err(_) => yield (at, error),
                    }
                }
            }
            let Some(((_, at), line)) = heads.pop_first() else { break };
            yield (at, Ok(line));
            next = at..at + 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{EngineError, EngineErrorKind, OutputKind};

    fn line(micros: i64, text: &str) -> TimedLine {
        TimedLine {
            time: DateTime::from_timestamp_micros(micros).unwrap(),
            kind: OutputKind::Stdout,
            text: text.to_owned(),
        }
    }

    fn log(lines: Vec<TimedLine>) -> Lines {
        in_order(futures::stream::iter(lines).map(Ok).boxed()).boxed()
    }

    async fn texts(logs: Vec<Lines>) -> Vec<String> {
        let text = |(at, line): (usize, Result<TimedLine>)| {
            line.map_or_else(|error| format!("{at} {error}"), |line| line.text)
        };
        merged(logs).map(text).collect().await
    }

    #[tokio::test]
    async fn lines_of_several_logs_come_in_the_order_of_their_times() {
        let one = log(vec![line(1, "1"), line(4, "4"), line(4, "4 again"), line(9, "9")]);
        let other = log(vec![line(2, "2"), line(3, "3"), line(8, "8")]);
        assert_eq!(
            texts(vec![one, log(Vec::new()), other]).await,
            ["1", "2", "3", "4", "4 again", "8", "9"]
        );
    }

    #[tokio::test]
    async fn two_outputs_of_one_container_that_the_engine_wrote_down_late_are_put_in_order() {
        let one = log(vec![line(1000, "second"), line(200, "first"), line(60_000, "last")]);
        assert_eq!(texts(vec![one]).await, ["first", "second", "last"]);
    }

    #[tokio::test]
    async fn a_log_that_breaks_off_leaves_the_others() {
        let broken = Err(EngineError::new(EngineErrorKind::Server, "unexpected end"));
        let one = in_order(futures::stream::iter([Ok(line(1, "1")), broken]).boxed()).boxed();
        assert_eq!(
            texts(vec![one, log(vec![line(2, "2"), line(3, "3")])]).await,
            ["1", "0 unexpected end", "2", "3"]
        );
    }
}
