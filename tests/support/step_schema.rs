//! The schema of a step in JSON. It is the same in the event `plan`, in the events of a run, and in
//! journals.

use serde::Serialize;
use serde_json::{Map, Value};
use spc::model::step::{ActionKind, ObjectKind};
use strum::IntoEnumIterator;

/// The type of a field.
#[derive(Clone, Copy)]
enum FieldRule {
    /// A whole number, at least 1.
    Number,
    /// Numbers of earlier steps, in ascending order without duplicates.
    Earlier,
    /// A whole number from 0.
    Count,
    Truth,
    Text,
    Action,
    /// An object with `kind`, `name`, and optionally `relation`.
    Object,
    /// An object with `image`, `known_after` and `changed`.
    OnlyIf,
    /// An object with `name` and `id`.
    Image,
}

/// Every field that a step can have. Each name has the same type everywhere.
const FIELDS: &[(&str, FieldRule)] = &[
    ("step", FieldRule::Number),
    ("service", FieldRule::Text),
    ("action", FieldRule::Action),
    ("object", FieldRule::Object),
    ("cause", FieldRule::Text),
    ("after", FieldRule::Earlier),
    ("tolerates", FieldRule::Earlier),
    ("group", FieldRule::Number),
    ("changes", FieldRule::Truth),
    ("only_if", FieldRule::OnlyIf),
    ("image", FieldRule::Image),
    ("assumptions", FieldRule::Number),
    ("waits_for", FieldRule::Text),
    ("text", FieldRule::Text),
    ("state", FieldRule::Text),
    ("exit_code", FieldRule::Count),
    ("cached", FieldRule::Truth),
    ("current", FieldRule::Count),
    ("total", FieldRule::Count),
    ("elapsed_ms", FieldRule::Count),
    ("message", FieldRule::Text),
    ("undo", FieldRule::Truth),
    ("if_begun", FieldRule::Number),
];

/// The fields that a step always has, and the optional ones.
struct StepShape {
    always: &'static [&'static str],
    may: &'static [&'static str],
}

/// A step of the event `plan` or `planned`.
const OF_PLAN: StepShape = StepShape {
    always: &["step", "action", "object", "cause", "after", "changes"],
    may: &["service", "tolerates", "group", "only_if", "image", "assumptions"],
};

/// A step of a rollback in `planned`.
const UNDO: StepShape = StepShape { always: &["action", "object"], may: &["service", "if_begun"] };

/// The events of one step.
const EVENTS: &[(&str, StepShape)] = &[
    (
        "step_waiting",
        StepShape {
            always: &["step", "action", "object", "service", "waits_for", "after"],
            may: &[],
        },
    ),
    (
        "step_started",
        StepShape { always: &["action", "object"], may: &["step", "service", "cause", "undo"] },
    ),
    (
        "step_progress",
        StepShape {
            always: &["action", "object", "text"],
            may: &["step", "service", "state", "exit_code", "cached", "current", "total", "undo"],
        },
    ),
    (
        "step_done",
        StepShape {
            always: &["action", "object", "elapsed_ms"],
            may: &["step", "service", "undo"],
        },
    ),
    (
        "step_failed",
        StepShape { always: &["action", "object", "message"], may: &["step", "service", "undo"] },
    ),
    (
        "step_interrupted",
        StepShape { always: &["action", "object"], may: &["step", "service", "undo"] },
    ),
];

/// The events of a journal. Its first line contains the format version instead.
#[track_caller]
pub fn journal(text: &str) -> Vec<Value> {
    let mut lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    assert!(lines.next().is_some_and(|first| first["format"].is_u64()), "{text}");
    lines.collect()
}

/// Checks an event. Returns its name if it contains steps.
#[track_caller]
pub fn check(event: &Value) -> Option<&str> {
    let name = event["event"].as_str().unwrap_or_else(|| panic!("no event: {event:#}"));
    let map = event.as_object().unwrap();
    match name {
        "plan" => {
            for item in event["items"].as_array().unwrap() {
                let steps = item.get("steps").and_then(Value::as_array);
                steps.into_iter().flatten().for_each(|step| check_step(step, &OF_PLAN));
            }
        }
        "planned" => {
            has_only(map, &["time", "event", "verb", "project", "steps", "notes", "rollbacks"]);
            let steps = event["steps"].as_array().unwrap();
            for (index, step) in steps.iter().enumerate() {
                check_step(step, &OF_PLAN);
                assert_eq!(step["step"], index + 1, "steps are numbered from 1: {event:#}");
            }
            let is_step = |number: &Value| {
                let number = number.as_u64().and_then(|number| usize::try_from(number).ok());
                assert!(number.is_some_and(|it| (1..=steps.len()).contains(&it)), "{event:#}");
            };
            for back in event.get("rollbacks").and_then(Value::as_array).into_iter().flatten() {
                has_only(back.as_object().unwrap(), &["group", "undo", "until"]);
                assert!(steps.iter().any(|step| step["group"] == back["group"]), "{event:#}");
                back["until"].as_array().unwrap().iter().for_each(is_step);
                for undo in back["undo"].as_array().unwrap() {
                    check_step(undo, &UNDO);
                    undo.get("if_begun").into_iter().for_each(is_step);
                }
            }
        }
        _ => {
            let (_, shape) = EVENTS.iter().find(|(known, _)| *known == name)?;
            let mut step = map.clone();
            assert!(step.remove("time").is_some_and(|time| time.is_string()), "{event:#}");
            step.remove("event");
            check_step(&Value::Object(step), shape);
        }
    }
    Some(name)
}

#[track_caller]
fn check_step(step: &Value, shape: &StepShape) {
    let map = step.as_object().unwrap_or_else(|| panic!("no object: {step:#}"));
    for name in shape.always {
        assert!(map.contains_key(*name), "no \"{name}\": {step:#}");
    }
    for (name, value) in map {
        assert!(
            shape.always.contains(&name.as_str()) || shape.may.contains(&name.as_str()),
            "\"{name}\" does not belong here: {step:#}"
        );
        let (_, holds) = FIELDS.iter().find(|(known, _)| known == name).unwrap();
        assert!(is_held(value, *holds, step), "\"{name}\" is wrong: {step:#}");
    }
}

fn is_held(value: &Value, holds: FieldRule, step: &Value) -> bool {
    let is_number = |value: &Value| value.as_u64().is_some_and(|number| number > 0);
    let has = |names: &[&str], more: &[&str]| {
        value.as_object().is_some_and(|map| {
            names.iter().all(|name| map.contains_key(*name))
                && map
                    .keys()
                    .all(|key| names.contains(&key.as_str()) || more.contains(&key.as_str()))
        })
    };
    match holds {
        FieldRule::Number => is_number(value),
        FieldRule::Earlier => value.as_array().is_some_and(|all| {
            all.iter().all(|number| is_number(number) && number.as_u64() < step["step"].as_u64())
                && all.is_sorted_by(|one, next| one.as_u64() < next.as_u64())
        }),
        FieldRule::Count => value.is_u64(),
        FieldRule::Truth => value.is_boolean(),
        FieldRule::Text => value.is_string(),
        FieldRule::Action => names::<ActionKind>().contains(value),
        FieldRule::Object => {
            has(&["kind", "name"], &["relation"])
                && names::<ObjectKind>().contains(&value["kind"])
                && value["name"].as_str().is_some_and(|name| !name.is_empty())
                && value.get("relation").is_none_or(Value::is_string)
        }
        FieldRule::OnlyIf => {
            has(&["image", "known_after", "changed"], &[])
                && value["image"].is_string()
                && value["changed"].is_boolean()
                && is_number(&value["known_after"])
                && value["known_after"].as_u64() < step["step"].as_u64()
        }
        FieldRule::Image => {
            has(&["name", "id"], &[])
                && value["name"].is_string()
                && (value["id"].is_string() || is_number(&value["id"]["known_after"]))
        }
    }
}

/// The JSON names of an enum's variants.
fn names<K: IntoEnumIterator + Serialize>() -> Vec<Value> {
    K::iter().map(|kind| serde_json::to_value(kind).unwrap()).collect()
}

#[track_caller]
fn has_only(map: &Map<String, Value>, names: &[&str]) {
    let more: Vec<_> = map.keys().filter(|key| !names.contains(&key.as_str())).collect();
    assert!(more.is_empty(), "{more:?} in {map:#?}");
}

/// The names of all fields.
pub fn fields() -> impl Iterator<Item = &'static str> {
    FIELDS.iter().map(|(name, _)| *name)
}

/// The names of all actions and kinds of objects.
pub fn words() -> Vec<String> {
    let names = names::<ActionKind>().into_iter().chain(names::<ObjectKind>());
    names.map(|name| name.as_str().unwrap().to_owned()).collect()
}
