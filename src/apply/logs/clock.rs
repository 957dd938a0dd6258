//! The engine's clock, whose times the logs have.

use chrono::{DateTime, TimeDelta, Utc};

use crate::apply::VerbContext;
use crate::apply::failures::of_engine;
use crate::model::Failure;

/// The time of the engine's clock.
pub(super) async fn engine_time(ctx: &VerbContext) -> Result<Option<DateTime<Utc>>, Failure> {
    let info =
        ctx.engine.info().await.map_err(|error| of_engine(error, "ask the engine for its time"))?;
    Ok(info
        .system_time
        .and_then(|time| DateTime::parse_from_rfc3339(&time).ok())
        .map(|time| time.to_utc()))
}

/// How far the engine's clock is ahead of that of this machine; zero if no more than the question
/// takes.
pub async fn engine_is_ahead_by(ctx: &VerbContext) -> Result<TimeDelta, Failure> {
    let before = ctx.host.now();
    let Some(engine) = engine_time(ctx).await? else { return Ok(TimeDelta::zero()) };
    Ok(difference(engine, before, ctx.host.now()))
}

/// How far `time` is from the period between `begin` and `end`.
fn difference(time: DateTime<Utc>, begin: DateTime<Utc>, end: DateTime<Utc>) -> TimeDelta {
    if time < begin {
        time - begin
    } else if time > end {
        time - end
    } else {
        TimeDelta::zero()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_within_the_time_of_the_question_is_the_same() {
        let at = |second| DateTime::from_timestamp(second, 0).unwrap();
        for (engine, ahead) in [(5, -5), (10, 0), (11, 0), (12, 0), (15, 3)] {
            let found = difference(at(engine), at(10), at(12));
            assert_eq!(found, TimeDelta::seconds(ahead), "{engine}");
        }
    }
}
