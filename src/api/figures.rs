//! Figures of a proxy's access log: requests, errors and times, by release or upstream.

use std::collections::BTreeMap;

use futures::StreamExt;
use rhai::plugin::*;
use rhai::{Dynamic, Map};
use serde_json::Value;

use super::project::verb_context;
use super::service::Service;
use super::{Raw, logs, task};
use crate::apply::logs::{Selection, engine_is_ahead_by, read};
use crate::model::Failure;
use crate::value::time::Time;
use crate::value::{Options, Record};

/// The most requests of one reading. Their times take 16 MB.
const MOST_REQUESTS: usize = 4_000_000;

/// The statuses from this one on are errors of the server.
const SERVER_ERROR: u64 = 500;

/// The requests of one group.
#[derive(Debug, Default, PartialEq)]
struct Group {
    errors: usize,
    /// The time of each answer, in milliseconds.
    times: Vec<u32>,
}

impl Group {
    /// The nearest rank: `share` of the requests took at most this long.
    fn percentile(&self, share: f64) -> u32 {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "a share of a list's length"
        )]
        let rank = (self.times.len() as f64 * share).ceil() as usize;
        self.times.get(rank.saturating_sub(1)).copied().unwrap_or(0)
    }

    fn record(mut self) -> Record {
        self.times.sort_unstable();
        let count = self.times.len();
        let int = |number: usize| Dynamic::from(i64::try_from(number).unwrap_or(i64::MAX));
        #[expect(clippy::cast_precision_loss, reason = "a share")]
        let rate = if count == 0 { 0.0 } else { self.errors as f64 / count as f64 };
        let millis = |share: f64| Dynamic::from(i64::from(self.percentile(share)));
        Record::new(
            "figures",
            Map::from([
                ("requests".into(), int(count)),
                ("errors".into(), int(self.errors)),
                ("error_rate".into(), rate.into()),
                ("p50_ms".into(), millis(0.5)),
                ("p95_ms".into(), millis(0.95)),
                ("p99_ms".into(), millis(0.99)),
            ]),
        )
    }
}

/// Adds a line of the log. Lines of another form are not requests.
fn add(groups: &mut BTreeMap<String, Group>, line: &str, by: &str) {
    if !line.starts_with('{') {
        return;
    }
    let Ok(Value::Object(request)) = serde_json::from_str::<Value>(line) else { return };
    let (Some(status), Some(seconds)) = (
        request.get("status").and_then(Value::as_u64),
        request.get("seconds").and_then(Value::as_f64),
    ) else {
        return;
    };
    let name = request.get(by).and_then(Value::as_str).unwrap_or_default();
    let group = groups.entry(name.to_owned()).or_default();
    // 0: the connection ended without an answer.
    if status >= SERVER_ERROR || status == 0 {
        group.errors += 1;
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "saturates; a time is not negative"
    )]
    group.times.push((seconds * 1000.0).round() as u32);
}

impl Service {
    /// The same options, in which the times of this machine are those of the engine's clock, which
    /// the log has.
    fn by_the_engines_clock(&self, mut given: Map) -> Result<Map, Failure> {
        let times: Vec<(&str, Time)> = ["since", "until"]
            .into_iter()
            .filter_map(|key| Some((key, given.get(key)?.clone().try_cast::<Time>()?)))
            .collect();
        if times.is_empty() {
            return Ok(given);
        }
        let ahead = task::wait(&self.stack.context, async {
            engine_is_ahead_by(&verb_context(&self.stack.context, &self.stack.name).await?).await
        })?;
        for (key, time) in times {
            let time = Time(time.0.checked_add_signed(ahead).unwrap_or(time.0));
            given.insert(key.into(), time.to_string().into());
        }
        Ok(given)
    }

    fn access_figures(&self, given: Map) -> Result<Map, Failure> {
        let given = self.by_the_engines_clock(given)?;
        let mut options = Options::new(given, "options of access_figures");
        let by = options.text("by")?.unwrap_or_else(|| "release".to_owned());
        let range = ["since", "until"]
            .into_iter()
            .filter_map(|key| Some((key.into(), options.take(key)?)))
            .collect();
        options.finish()?;
        let context = &self.stack.context;
        let query = logs::request(context, range)?.query();
        self.may_use("read the log of the service")?;
        let project = self.stack.name.clone();
        let selection = Selection::Project {
            project: project.clone(),
            services: Some([self.name.clone()].into()),
        };
        let groups = task::wait(context, async {
            let ctx = verb_context(context, &project).await?;
            let mut lines = read(&ctx, selection, query).await?.boxed();
            let (mut groups, mut count) = (BTreeMap::new(), 0_usize);
            while let Some(line) = lines.next().await {
                add(&mut groups, &line?.text, &by);
                count += 1;
                if count > MOST_REQUESTS {
                    return Err(Failure::usage(format!(
                        "The log has more than {MOST_REQUESTS} lines in this time"
                    ))
                    .hint("ask for a shorter time with since"));
                }
            }
            Ok(groups)
        })?;
        Ok(groups
            .into_iter()
            .map(|(name, group)| (name.into(), Dynamic::from(group.record())))
            .collect())
    }
}

/// The functions of a script.
#[export_module]
pub mod functions {
    use super::*;

    /// Figures of the service's access log, whose lines are JSON objects with `status` and
    /// `seconds`: a map with `requests errors error_rate p50_ms p95_ms p99_ms` for each value of
    /// the field `by` (`"release"`). Options: `by since "until"`. Answers with a status of 500 and
    /// above are errors. Other lines are skipped. A time of `time::now()` is by the clock of this
    /// machine, a text by that of the engine.
    ///
    /// ```rhai,no_run
    /// let seen = stack().service("nginx").access_figures(#{ since: "5m" });
    /// print(seen.keys());
    /// ```
    #[rhai_fn(return_raw, pure)]
    pub fn access_figures(service: &mut Service, options: Map) -> Raw<Map> {
        Ok(service.access_figures(options)?)
    }
}

/// Registers the function.
pub fn register(engine: &mut rhai::Engine) {
    engine.register_global_module(shared_module!(functions));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_counted_by_the_chosen_field() {
        let mut groups = BTreeMap::new();
        for (status, seconds, release) in
            [(200, "0.010", "v1"), (500, "0.020", "v2"), (404, "0.030", "v2"), (0, "1", "v2")]
        {
            let line =
                format!("{{\"status\":{status},\"seconds\":{seconds},\"release\":\"{release}\"}}");
            add(&mut groups, &line, "release");
        }
        for other in ["", "2026/01/01 [notice] 1#1: start", "{", "{\"status\":200}", "[]"] {
            add(&mut groups, other, "release");
        }
        let expected = BTreeMap::from([
            ("v1".to_owned(), Group { errors: 0, times: vec![10] }),
            ("v2".to_owned(), Group { errors: 2, times: vec![20, 30, 1000] }),
        ]);
        assert_eq!(groups, expected);
    }

    #[test]
    fn percentiles_are_the_nearest_rank() {
        let group = |times: Vec<u32>| Group { errors: 0, times };
        let hundred = group((1..=100).collect());
        assert_eq!(hundred.percentile(0.5), 50);
        assert_eq!(hundred.percentile(0.95), 95);
        assert_eq!(hundred.percentile(0.99), 99);
        assert_eq!(group(vec![7]).percentile(0.95), 7);
        assert_eq!(group(Vec::new()).percentile(0.95), 0);
    }
}
