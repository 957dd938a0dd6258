//! Shows the value of a line, for people and programs.

use rhai::{Array, Dynamic, EvalAltResult, FnPtr, Map};
use serde_json::Value;

use crate::api::logs::{Line, LogStream};
use crate::model::table::Table;
use crate::model::visible::visible;
use crate::script::Printer;
use crate::ui::Terminal;
use crate::ui::json_lines::JsonLines;
use crate::value::Record;
use crate::value::json::to_json;
use crate::value::size::check_text;

/// The columns for containers, as in `spc ps`; the records contain the rest.
const OF_CONTAINERS: [&str; 6] = ["name", "service", "state", "health", "status", "ports"];

/// A wider list is written on several lines.
const WIDTH: usize = 100;

/// Writes a value to the terminal. A stream of log lines is written as they arrive.
pub fn show(
    terminal: &Terminal,
    printer: &Printer<'_>,
    value: &Dynamic,
) -> Result<(), Box<EvalAltResult>> {
    let shape =
        ValueLayout { width: terminal.width(), mask: &|text| terminal.secrets().mask(text) };
    each_line(value, &mut |value| terminal.out(&visible(&text(printer, value, &shape))))
}

/// Writes a value as JSON.
pub fn show_json(
    lines: &JsonLines,
    printer: &Printer<'_>,
    value: &Dynamic,
) -> Result<(), Box<EvalAltResult>> {
    each_line(value, &mut |value| lines.value(&data(printer, value)))
}

fn each_line(value: &Dynamic, show: &mut dyn FnMut(&Dynamic)) -> Result<(), Box<EvalAltResult>> {
    let stream = value.read_lock::<LogStream>().map(|stream| stream.clone());
    let Some(stream) = stream else {
        show(value);
        return Ok(());
    };
    for line in stream {
        show(&line?);
    }
    Ok(())
}

/// The layout of values.
struct ValueLayout<'a> {
    width: Option<usize>,
    mask: &'a dyn Fn(&str) -> String,
}

fn text(printer: &Printer<'_>, value: &Dynamic, shape: &ValueLayout<'_>) -> String {
    if let Some(text) = value.read_lock::<rhai::ImmutableString>() {
        return text.strip_suffix('\n').unwrap_or(&text).to_owned();
    }
    if let Some(list) = value.read_lock::<Array>() {
        return list_text(printer, &list, shape);
    }
    if let Some(record) = value.read_lock::<Record>() {
        let rows =
            record.fields().iter().map(|(name, value)| (name.to_string(), cell(printer, value)));
        let rows =
            rows.map(|(name, value)| row([("field", name.into()), ("value", value)])).collect();
        return table(rows, &["field", "value"], shape).unwrap_or_else(|| printer.text(value));
    }
    plain(printer, value)
}

fn list_text(printer: &Printer<'_>, list: &Array, shape: &ValueLayout<'_>) -> String {
    let rows: Option<Vec<_>> = list.iter().map(fields).collect();
    if let Some(rows) = rows.filter(|rows| !rows.is_empty()) {
        let rows = rows
            .into_iter()
            .map(|map| {
                map.iter().map(|(name, value)| (name.to_string(), cell(printer, value))).collect()
            })
            .collect();
        let are_containers = list.iter().all(|item| {
            item.read_lock::<Record>().is_some_and(|record| record.what() == "container")
        });
        if let Some(text) = table(rows, if are_containers { &OF_CONTAINERS } else { &[] }, shape) {
            return text;
        }
    }
    let items: Vec<String> = list.iter().map(|item| literal(printer, item)).collect();
    if !list.is_empty() && list.iter().all(Dynamic::is::<Line>) {
        return items.join("\n");
    }
    let line = format!("[{}]", items.join(", "));
    let fits = unicode_width::UnicodeWidthStr::width(line.as_str()) <= shape.width.unwrap_or(WIDTH);
    if fits {
        line
    } else {
        format!("[\n{}]", items.iter().map(|item| format!("    {item},\n")).collect::<String>())
    }
}

/// Rows as a table; `None` if no row has these columns.
fn table(
    rows: Vec<serde_json::Map<String, Value>>,
    columns: &[&str],
    shape: &ValueLayout<'_>,
) -> Option<String> {
    let columns =
        (!columns.is_empty()).then(|| columns.iter().map(|name| (*name).to_owned()).collect());
    let table = Table::new(rows, columns).ok()?;
    if shape.width.is_none() {
        // One wide cell makes all rows wide: then the list is written as a literal.
        check_text(table.filled_bytes()).ok()?;
    }
    (!table.columns.is_empty()).then(|| table.text(shape.width, shape.mask))
}

fn row<const N: usize>(cells: [(&str, Value); N]) -> serde_json::Map<String, Value> {
    cells.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// The fields of a map or a record.
fn fields(value: &Dynamic) -> Option<Map> {
    if let Some(map) = value.read_lock::<Map>() {
        return Some(map.clone());
    }
    value.read_lock::<Record>().map(|record| record.fields().clone())
}

/// A value in a table. For a list of objects with names, the names.
fn cell(printer: &Printer<'_>, value: &Dynamic) -> Value {
    if let Some(list) = value.read_lock::<Array>() {
        let named = |item: &Dynamic| {
            fields(item).and_then(|map| map.get("name").map(|name| cell(printer, name)))
        };
        return list
            .iter()
            .map(|item| named(item).unwrap_or_else(|| cell(printer, item)))
            .collect();
    }
    if value.is_unit() || value.is_bool() || value.is_int() || value.is_float() || value.is_string()
    {
        return to_json(value).unwrap_or_else(|_| printer.text(value).into());
    }
    plain(printer, value).into()
}

fn plain(printer: &Printer<'_>, value: &Dynamic) -> String {
    if value.is::<FnPtr>() { "(function)".to_owned() } else { printer.text(value) }
}

/// The form inside a list.
fn literal(printer: &Printer<'_>, value: &Dynamic) -> String {
    match value.read_lock::<rhai::ImmutableString>() {
        Some(text) => format!("{:?}", text.as_str()),
        None if value.is_unit() => "()".to_owned(),
        None => plain(printer, value),
    }
}

/// A value as data; if it isn't data, its text.
fn data(printer: &Printer<'_>, value: &Dynamic) -> Value {
    if let Some(list) = value.read_lock::<Array>() {
        return list.iter().map(|item| data(printer, item)).collect();
    }
    if let Some(map) = fields(value) {
        return map.iter().map(|(name, value)| (name.to_string(), data(printer, value))).collect();
    }
    to_json(value).unwrap_or_else(|_| plain(printer, value).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::harness::Harness;
    use crate::script::{Session, on_script_thread};
    use similar_asserts::assert_eq;
    use std::path::Path;

    /// The text and the JSON of a line's value.
    fn shown(line: &str, width: Option<usize>) -> (String, String) {
        let context = Harness::new().context;
        let shown = on_script_thread(&context, || {
            let mut shown = Default::default();
            Session::new(&context, Path::new("/project"))?.eval(line, &mut |printer, value| {
                shown = (
                    text(printer, value, &ValueLayout { width, mask: &str::to_owned }),
                    data(printer, value).to_string(),
                );
                Ok(())
            })?;
            Ok(shown)
        });
        shown.unwrap()
    }

    #[test]
    fn a_string_is_itself_and_other_values_are_written_as_in_a_script() {
        for (line, text, json) in [
            ("\"a \\\"b\\\"\\n\"", "a \"b\"", r#""a \"b\"\n""#),
            ("40 + 2;", "42", "42"),
            ("1.0", "1.0", "1.0"),
            ("[\"a\", 1, (), [true]]", "[\"a\", 1, (), [true]]", r#"["a",1,null,[true]]"#),
            ("[]", "[]", "[]"),
            ("#{ a: 1, b: \"x\" }", "#{\"a\": 1, \"b\": \"x\"}", r#"{"a":1,"b":"x"}"#),
            ("|x| x", "(function)", "\"(function)\""),
            ("duration(\"90s\")", "1m30s", "\"1m30s\""),
            ("stack()", "stack project", "\"stack project\""),
            (
                "[stack(), stack(\"shop\", #{ services: #{} })]",
                "[stack project, stack shop]",
                r#"["stack project","stack shop"]"#,
            ),
            ("#{ s: stack() }", "#{\"s\": stack project}", r#"{"s":"stack project"}"#),
            ("'x'", "x", "\"x\""),
        ] {
            assert_eq!(shown(line, None), (text.to_owned(), json.to_owned()), "{line}");
        }
    }

    #[test]
    fn lists_of_maps_and_records_are_tables() {
        let rows = r#"[#{ name: "db", ready_ms: 1210, ports: [1, 2], f: || 1 }, #{ name: "web", of: #{ a: 1 }, all: [#{ name: "x" }, #{ name: "y" }] }]"#;
        let expected = "\
ALL    F            NAME   OF          PORTS   READY MS
       (function)   db                 1, 2        1210
x, y                web    #{\"a\": 1}";
        assert_eq!(shown(rows, None).0, expected);
        assert_eq!(shown("attempt(|| 5)", None).0, "FIELD   VALUE\nerror\nok      true\nvalue   5");
        assert_eq!(shown("[attempt(|| 5)]", None).0, "ERROR   OK     VALUE\n        true       5");
        assert_eq!(shown("[#{}]", None).0, "[#{}]");
        let narrow = shown(rows, Some(30)).0;
        assert!(
            narrow.lines().all(|line| line.chars().count() <= 30) && narrow.contains('…'),
            "{narrow}"
        );
    }

    #[test]
    fn a_list_too_wide_for_a_line_has_one_for_each_element() {
        assert_eq!(
            shown("[\"0123456789\", \"0123456789\"]", Some(20)).0,
            "[\n    \"0123456789\",\n    \"0123456789\",\n]"
        );
        assert_eq!(
            shown("[\"0123456789\", \"0123456789\"]", Some(80)).0,
            "[\"0123456789\", \"0123456789\"]"
        );
    }
}
