//! `merge`, `with_defaults`: combine maps.

use rhai::plugin::{Dynamic, Engine, export_module};
use rhai::{Array, Map};

use super::Raw;
use crate::model::Failure;
use crate::model::failure::SpecPath;
use crate::model::suggest::did_you_mean;
use crate::value::text::plain;
use crate::value::{Record, size, type_names};

/// Registers the functions of this file.
pub fn register(engine: &mut Engine) {
    engine.register_global_module(shared_module!(functions));
}

/// Lists that are one value: replaced, not extended.
const REPLACED: [&str; 3] = ["command", "entrypoint", "test"];

/// Keys for which Compose accepts a map or a list of `KEY=value`.
const PAIRS: [&str; 5] = ["environment", "labels", "annotations", "args", "sysctls"];

/// Merges one value under `key` over another, as Compose does.
fn merged(key: &str, base: &Dynamic, over: &Dynamic) -> Dynamic {
    if over.is_unit() {
        return base.flatten_clone();
    }
    if let (Some(base), Some(over)) = (fields(key, base), fields(key, over)) {
        return merged_maps(&base, &over).into();
    }
    let (Some(first), Some(second)) = (base.read_lock::<Array>(), over.read_lock::<Array>()) else {
        return over.flatten_clone();
    };
    if REPLACED.contains(&key) {
        return over.flatten_clone();
    }
    let kept = first.iter().filter(|old| !second.iter().any(|new| replaces(key, old, new)));
    kept.chain(second.iter()).map(Dynamic::flatten_clone).collect::<Array>().into()
}

fn merged_maps(base: &Map, over: &Map) -> Map {
    let mut result: Map =
        base.iter().map(|(key, value)| (key.clone(), value.flatten_clone())).collect();
    for (key, value) in over {
        let together =
            base.get(key).map_or_else(|| value.flatten_clone(), |base| merged(key, base, value));
        result.insert(key.clone(), together);
    }
    result
}

/// The value as a map, also if it has Compose's list form.
fn fields(key: &str, value: &Dynamic) -> Option<Map> {
    if let Some(map) = value.read_lock::<Map>() {
        return Some(map.clone());
    }
    if let Some(record) = value.read_lock::<Record>() {
        return Some(record.fields().clone());
    }
    let list = value.read_lock::<Array>()?;
    let named = |item: &Dynamic| -> Option<(rhai::Identifier, Dynamic)> {
        let text = plain(item);
        match key {
            "depends_on" => Some((
                text.into(),
                Map::from([("condition".into(), "service_started".into())]).into(),
            )),
            "networks" => Some((text.into(), Map::new().into())),
            _ if PAIRS.contains(&key) => match text.split_once('=') {
                Some((name, value)) => Some((name.into(), value.into())),
                None => Some((text.into(), Dynamic::UNIT)),
            },
            _ => None,
        }
    };
    list.iter().filter(|item| !item.is_unit()).map(named).collect()
}

/// Whether `new` replaces `old` in a list: the same value, or the same path in the container.
fn replaces(key: &str, old: &Dynamic, new: &Dynamic) -> bool {
    match key {
        "volumes" | "devices" => target(old) == target(new),
        _ => plain(old) == plain(new),
    }
}

/// The path of a mount in the container: `./a:/app:ro`, `#{ target: "/app" }`.
fn target(mount: &Dynamic) -> String {
    if let Some(map) = mount.read_lock::<Map>() {
        return map.get("target").map(plain).unwrap_or_default();
    }
    let text = plain(mount);
    let mut parts = text.split(':');
    let first = parts.next().unwrap_or_default();
    parts.next().unwrap_or(first).to_owned()
}

fn map_of(who: &str, which: &str, value: &Dynamic) -> Result<Map, Failure> {
    if value.is_unit() {
        return Ok(Map::new());
    }
    size::check(value)?;
    let wrong = || {
        Failure::usage(format!("{who} takes a map as its {which}, not {}", type_names::a(value)))
    };
    value
        .read_lock::<Map>()
        .map(|map| map.clone())
        .or_else(|| value.read_lock::<Record>().map(|record| record.fields().clone()))
        .ok_or_else(wrong)
}

#[allow(clippy::unwrap_used, reason = "what the macro makes of `&mut` parameters")]
#[export_module]
mod functions {
    /// Merges `over` into `base` by Compose's rules. Maps are merged key by key, lists are extended
    /// without duplicates, and everything else is replaced; `()` changes nothing. `command`,
    /// `entrypoint` and `test` are replaced as a whole. `environment`, `labels` and similar keys
    /// are merged by name, also as lists of `KEY=value`. A mount replaces the mount with the same
    /// path.
    ///
    /// ```rhai
    /// let base = #{ image: "a", environment: ["X=1", "Y=2"], ports: [80] };
    /// let both = merge(base, #{ image: "b", environment: #{ Y: "3" }, ports: [443] });
    /// assert_eq(both, #{ image: "b", environment: #{ X: "1", Y: "3" }, ports: [80, 443] });
    /// ```
    #[rhai_fn(return_raw)]
    pub fn merge(base: Dynamic, over: Dynamic) -> Raw<Map> {
        Ok(merged_maps(&map_of("merge", "base", &base)?, &map_of("merge", "second map", &over)?))
    }

    /// The values of `given`, or those of `defaults` if `given` has none or `()`. Throws `usage`
    /// for a key that `defaults` does not have. The result throws it too, if the script reads such
    /// a field.
    ///
    /// ```rhai
    /// let o = with_defaults(#{ drain: "1m" }, #{ drain: "30s", steps: [5, 25] });
    /// assert_eq(o.drain, "1m");
    /// assert_eq(o.steps.len(), 2);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn with_defaults(given: Dynamic, defaults: Map) -> Raw<Record> {
        let given = map_of("with_defaults", "given options", &given)?;
        if let Some(key) = given.keys().find(|key| !defaults.contains_key(key.as_str())) {
            let failure = Failure::usage(format!("There is no option \"{key}\""))
                .at(SpecPath { keys: vec![key.to_string()], on_key: true });
            let hint = did_you_mean(key, defaults.keys().map(rhai::Identifier::as_str));
            return Err(hint.map_or(failure.clone(), |hint| failure.hint(hint)).into());
        }
        let given: Map = given.into_iter().filter(|(_, value)| !value.is_unit()).collect();
        Ok(Record::new("set of options", defaults).with(&given))
    }
}

#[cfg(test)]
mod tests {
    use super::super::harness::Harness;

    #[test]
    fn every_example_runs() {
        Harness::examples(super::register);
    }

    #[test]
    fn maps_are_merged_by_composes_rules() {
        let run = Harness::new();
        for (base, over, expected) in [
            ("a: 1, b: 2", "b: 3, c: 4", "#{a: 1, b: 3, c: 4}"),
            ("a: #{ x: 1, y: 2 }", "a: #{ y: 3 }", "#{a: #{x: 1, y: 3}}"),
            ("a: 1", "a: ()", "#{a: 1}"),
            ("ports: [80, 81]", "ports: [81, 82]", "#{ports: [80, 81, 82]}"),
            (r#"command: ["a", "b"]"#, r#"command: ["c"]"#, r#"#{command: ["c"]}"#),
            (r#"command: "a""#, r#"command: ["c"]"#, r#"#{command: ["c"]}"#),
            (
                r#"environment: ["A=1", "B=2"]"#,
                r"environment: #{ B: 3 }",
                r#"#{environment: #{A: "1", B: 3}}"#,
            ),
            (
                r#"labels: #{ a: "1" }"#,
                r#"labels: ["a=2", "b=x=y"]"#,
                r#"#{labels: #{a: "2", b: "x=y"}}"#,
            ),
            (
                r#"volumes: ["./a:/app", "d:/data"]"#,
                r#"volumes: ["./b:/app:ro"]"#,
                r#"#{volumes: ["d:/data", "./b:/app:ro"]}"#,
            ),
            (
                r#"depends_on: ["db"]"#,
                r#"depends_on: #{ db: #{ condition: "service_healthy" } }"#,
                r#"#{depends_on: #{db: #{condition: "service_healthy"}}}"#,
            ),
            (
                r#"networks: ["a"]"#,
                r#"networks: #{ b: #{ aliases: ["x"] } }"#,
                r#"#{networks: #{a: #{}, b: #{aliases: ["x"]}}}"#,
            ),
        ] {
            assert_eq!(
                run.text(&format!("merge(#{{ {base} }}, #{{ {over} }})")),
                expected,
                "{base} + {over}"
            );
        }
        assert_eq!(
            run.fails("merge(1, #{})").message,
            "merge takes a map as its base, not an integer"
        );
    }

    #[test]
    fn defaults_fill_what_is_not_given_and_refuse_what_they_have_not() {
        let run = Harness::new();
        assert_eq!(
            run.text("with_defaults(#{ a: 1, b: () }, #{ a: 0, b: 2, c: 3 })"),
            "#{a: 1, b: 2, c: 3}"
        );
        assert_eq!(run.text("with_defaults((), #{ judge: |x| x + 1 }).judge.call(1)"), "2");
        let failure = run.fails("with_defaults(#{ stpes: 1 }, #{ steps: 0 })");
        assert_eq!(failure.message, "There is no option \"stpes\"");
        assert_eq!(failure.hint.unwrap(), "did you mean \"steps\"?");
        assert_eq!(
            run.fails("with_defaults(#{}, #{ steps: 0 }).stpes").message,
            "The set of options has no field \"stpes\""
        );
    }
}
