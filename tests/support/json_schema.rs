//! Checks JSON output against `docs/json.md`: reads the tables of that page and compares every line
//! of a command with them. [`super::step_schema`] checks steps.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use serde_json::{Map, Value};

use super::step_schema;

/// The page of the guide that documents JSON output.
const PAGE: &str = include_str!("../../docs/json.md");

/// The schema in the page's tables.
static SCHEMA: LazyLock<Schema> = LazyLock::new(|| Schema::read(PAGE));

/// Fields by event and by shape.
struct Schema {
    events: BTreeMap<String, Fields>,
    shapes: BTreeMap<String, Fields>,
}

/// The fields of an event or a shape.
enum Fields {
    /// The fields of a step, which have a table of their own.
    OfStep,
    /// The fields of this shape.
    Of(String),
    These {
        fields: Vec<Field>,
        /// Whether more fields are allowed.
        open: bool,
    },
}

struct Field {
    name: String,
    /// Whether it is omitted if it has no value.
    optional: bool,
    value: FieldType,
}

#[derive(Debug)]
enum FieldType {
    Text,
    /// A whole number from 0.
    Number,
    Truth,
    Any,
    Words(Vec<String>),
    /// An object whose values are numbers.
    Numbers,
    List(Box<FieldType>),
    /// An object with one of these shapes.
    Shapes(Vec<String>),
}

impl Schema {
    fn read(page: &str) -> Self {
        let mut schema = Self { events: BTreeMap::new(), shapes: BTreeMap::new() };
        let mut target = None;
        for line in page.lines() {
            let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
            match (line.starts_with('|'), &cells[..]) {
                (false, _) => target = None,
                (true, [head, ..]) if head.starts_with("Event of ") => {
                    target = Some(&mut schema.events);
                }
                (true, ["Shape", ..]) => target = Some(&mut schema.shapes),
                (true, [name, _, fields]) if !name.starts_with("---") => {
                    if let Some(target) = &mut target {
                        let name = name.trim_matches('`').to_owned();
                        let known = target.insert(name, Fields::read(fields));
                        assert!(known.is_none(), "twice in the guide: {line}");
                    }
                }
                _ => {}
            }
        }
        assert!(schema.events.len() > 20 && schema.shapes.len() > 10, "the tables are not found");
        schema
    }
}

impl Fields {
    fn read(cell: &str) -> Self {
        if cell.starts_with("see [A step]") {
            return Self::OfStep;
        }
        if let Some(link) = cell.strip_prefix("fields of ") {
            return Self::Of(shape_of(link).unwrap_or_else(|| panic!("no shape: {cell}")));
        }
        let (mut fields, mut open) = (Vec::new(), false);
        for item in cell.split("; ") {
            let (name, value) = item.split_once(": ").unwrap_or_else(|| panic!("no type: {item}"));
            if name == "others" {
                open = true;
                continue;
            }
            let optional = name.ends_with('?');
            let name = name.trim_end_matches('?').trim_matches('`').to_owned();
            fields.push(Field { name, optional, value: FieldType::read(value) });
        }
        Self::These { fields, open }
    }
}

impl FieldType {
    fn read(text: &str) -> Self {
        match text {
            "text" => Self::Text,
            "number" => Self::Number,
            "true or false" => Self::Truth,
            "any value" => Self::Any,
            "numbers by name" => Self::Numbers,
            _ => match text.strip_prefix("list of ") {
                Some(rest) => Self::List(Box::new(Self::read(rest))),
                None if text.starts_with('`') => Self::Words(
                    text.split(", ").map(|word| word.trim_matches('`').to_owned()).collect(),
                ),
                None => {
                    let shapes = text.split(" or ").map(shape_of).collect::<Option<Vec<_>>>();
                    Self::Shapes(shapes.unwrap_or_else(|| panic!("no type: {text}")))
                }
            },
        }
    }
}

/// The name in `[error](#shapes)`.
fn shape_of(link: &str) -> Option<String> {
    let (name, _) = link.strip_prefix('[')?.split_once("](#")?;
    Some(name.to_owned())
}

/// The events, shapes and fields in some lines: `event NAME`, `shape NAME`, and each followed by `:
/// FIELD`.
pub type Seen = BTreeSet<String>;

/// All events, shapes and fields that the page describes.
pub fn described() -> Seen {
    let events = SCHEMA.events.iter().map(|(name, fields)| (format!("event {name}"), fields));
    let shapes = SCHEMA.shapes.iter().map(|(name, fields)| (format!("shape {name}"), fields));
    let mut all = Seen::new();
    for (name, fields) in events.chain(shapes) {
        if let Fields::These { fields, .. } = fields {
            all.extend(fields.iter().map(|field| format!("{name}: {}", field.name)));
        }
        all.insert(name);
    }
    all
}

/// Checks the complete output of a command that has ended.
#[track_caller]
pub fn check_output(stdout: &str) -> Seen {
    let mut seen = Seen::new();
    let lines: Vec<&str> = stdout.lines().collect();
    for (index, line) in lines.iter().enumerate() {
        let value: Value =
            serde_json::from_str(line).unwrap_or_else(|error| panic!("no JSON: {error}: {line}"));
        check_line(&value, &mut seen);
        assert_eq!(
            value["event"] == "end",
            index + 1 == lines.len(),
            "`end` is the last:\n{stdout}"
        );
    }
    assert!(!lines.is_empty(), "no last line");
    seen
}

/// Checks one line. Adds its events, shapes and fields to `seen`.
#[track_caller]
pub fn check_line(line: &Value, seen: &mut Seen) {
    let mut fields = line.as_object().unwrap_or_else(|| panic!("no object: {line}")).clone();
    let time = fields.remove("time");
    assert!(time.as_ref().is_some_and(Value::is_string), "no time: {line}");
    let event = fields.remove("event");
    let event =
        event.as_ref().and_then(Value::as_str).unwrap_or_else(|| panic!("no event: {line}"));
    let known = SCHEMA.events.get(event);
    let known = known.unwrap_or_else(|| panic!("\"{event}\" is not in docs/json.md: {line}"));
    step_schema::check(line);
    seen.insert(format!("event {event}"));
    check_fields(&format!("event {event}"), known, &fields, line, seen);
}

#[track_caller]
fn check_fields(
    name: &str,
    known: &Fields,
    fields: &Map<String, Value>,
    line: &Value,
    seen: &mut Seen,
) {
    let (known, open) = match known {
        // `step_schema::check` has checked these.
        Fields::OfStep => return,
        Fields::Of(shape) => {
            check_shape(shape, &Value::Object(fields.clone()), line, seen);
            return;
        }
        Fields::These { fields, open } => (fields, *open),
    };
    for Field { name: field, optional, value } in known {
        match fields.get(field) {
            Some(there) => {
                assert!(
                    fits(value, there, line, seen),
                    "{name}: \"{field}\" is no {value:?}: {there}\n{line}"
                );
                seen.insert(format!("{name}: {field}"));
            }
            None => assert!(optional, "{name}: \"{field}\" is missing: {line}"),
        }
    }
    for field in fields.keys() {
        let is_known = open || known.iter().any(|known| known.name == *field);
        assert!(is_known, "{name}: \"{field}\" is not in docs/json.md: {line}");
    }
}

#[track_caller]
fn check_shape(shape: &str, value: &Value, line: &Value, seen: &mut Seen) {
    // `step_schema::check` has checked these.
    if matches!(shape, "step" | "undo step") {
        return;
    }
    let known = SCHEMA.shapes.get(shape).unwrap_or_else(|| panic!("no shape \"{shape}\""));
    let fields = value.as_object().unwrap_or_else(|| panic!("no {shape}: {value}\n{line}"));
    seen.insert(format!("shape {shape}"));
    check_fields(&format!("shape {shape}"), known, fields, line, seen);
}

#[track_caller]
fn fits(known: &FieldType, value: &Value, line: &Value, seen: &mut Seen) -> bool {
    match known {
        FieldType::Text => value.is_string(),
        FieldType::Number => value.is_i64() || value.is_u64(),
        FieldType::Truth => value.is_boolean(),
        FieldType::Any => true,
        FieldType::Words(words) => words.iter().any(|word| value == word.as_str()),
        FieldType::Numbers => value.as_object().is_some_and(|map| map.values().all(Value::is_u64)),
        FieldType::List(of) => {
            value.as_array().is_some_and(|all| all.iter().all(|one| fits(of, one, line, seen)))
        }
        FieldType::Shapes(shapes) => {
            // If there are several shapes, the field `kind` names the right one.
            let shape = match &shapes[..] {
                [shape] => Some(shape),
                several => several.iter().find(|shape| value["kind"] == shape.as_str()),
            };
            shape.is_some_and(|shape| {
                check_shape(shape, value, line, seen);
                true
            })
        }
    }
}
