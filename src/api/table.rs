//! `table`: rows as text in columns.

use rhai::Array;
use rhai::plugin::{Dynamic, Engine, ImmutableString, NativeCallContext, export_module};
use serde_json::{Map, Value};

use super::Raw;
use super::context::Context;
use super::growth::text_room;
use crate::model::Failure;
use crate::model::table::Table;
use crate::value::json::to_json;
use crate::value::size::SizeBudget;
use crate::value::{Record, type_names};

/// Registers the functions of this file.
pub fn register(engine: &mut Engine) {
    engine.register_global_module(shared_module!(functions));
}

/// A row's fields; `index` counts from 0. `()` becomes an empty cell.
fn fields(index: usize, row: &Dynamic) -> Result<Map<String, Value>, Failure> {
    let cells = |map: &rhai::Map| {
        map.iter().map(|(name, value)| Ok((name.to_string(), to_json(value)?))).collect()
    };
    if let Some(map) = row.read_lock::<rhai::Map>() {
        return cells(&map);
    }
    match row.read_lock::<Record>() {
        Some(record) => cells(record.fields()),
        None => Err(Failure::usage(format!(
            "Row {} of the table is {}, not a map",
            index + 1,
            type_names::a(row)
        ))
        .hint("write rows as maps: [#{ name: \"db\" }]")),
    }
}

fn text(call: &NativeCallContext, rows: &Array, columns: Option<Vec<String>>) -> Raw<String> {
    let context = Context::of(call)?;
    SizeBudget::new().list(rows)?;
    let rows: Result<Vec<_>, Failure> =
        rows.iter().enumerate().map(|(index, row)| fields(index, row)).collect();
    let table = Table::new(rows?, columns)?;
    // On a terminal no cell is wider than the terminal. Elsewhere one wide cell makes all rows this
    // wide.
    let _room =
        if context.width.is_none() { Some(text_room(call, table.filled_bytes())?) } else { None };
    Ok(table.text(context.width, &|text| context.secrets.mask(text)))
}

fn names(columns: &Array) -> Result<Vec<String>, Failure> {
    columns
        .iter()
        .map(|name| {
            let text = name.read_lock::<ImmutableString>().map(|text| text.to_string());
            text.ok_or_else(|| {
                Failure::usage(format!(
                    "A column of a table is a string, not {}",
                    type_names::a(name)
                ))
            })
        })
        .collect()
}

#[export_module]
mod functions {
    /// Rows (maps or records) as text in columns, with all their fields sorted by name. Numbers are
    /// right-aligned; on a terminal rows are fitted to its width. Without rows the text is
    /// `(none)`.
    ///
    /// ```rhai
    /// print(table([#{ name: "db", state: "ready" }]));
    /// ```
    #[rhai_fn(return_raw)]
    pub fn table(call: NativeCallContext, rows: Array) -> Raw<String> {
        text(&call, &rows, None)
    }

    /// Rows as text in the named columns, in this order.
    ///
    /// Throws `usage` if no row has a field with such a name.
    ///
    /// ```rhai
    /// let rows = [#{ name: "db", ready_ms: 1210 }, #{ name: "backend", ready_ms: 98 }];
    /// assert(table(rows, ["name", "ready_ms"]).starts_with("NAME      READY MS"));
    /// ```
    #[rhai_fn(name = "table", return_raw)]
    pub fn table_of(call: NativeCallContext, rows: Array, columns: Array) -> Raw<String> {
        text(&call, &rows, Some(names(&columns)?))
    }
}

#[cfg(test)]
mod tests {
    use super::super::harness::Harness;

    #[test]
    fn maps_and_records_become_rows_and_what_is_not_set_an_empty_cell() {
        let script = r#"table([#{ name: "db", url: (), took: duration("90s") }, #{ name: "web", url: "http://localhost" }], ["name", "url", "took"])"#;
        let expected = "NAME   URL                TOOK\ndb                        1m30s\nweb    http://localhost";
        assert_eq!(Harness::new().text(script), expected);
        assert_eq!(
            Harness::new().text(r#"table([attempt(|| 5)], ["ok", "value", "error"])"#),
            "OK     VALUE   ERROR\ntrue       5"
        );
    }

    #[test]
    fn rows_are_fitted_to_the_terminal() {
        let narrow = Harness::with_width(20);
        let text = narrow.text(r#"table([#{ a: "0123456789abcdef", b: "0123456789abcdef" }])"#);
        assert!(
            text.lines().all(|line| line.chars().count() <= 20) && text.contains('…'),
            "{text}"
        );
    }

    #[test]
    fn a_wrong_row_or_column_is_named() {
        let trial = Harness::new();
        assert_eq!(
            trial.fails(r"table([#{ a: 1 }, 5])").message,
            "Row 2 of the table is an integer, not a map"
        );
        assert_eq!(
            trial.fails(r#"table([#{ name: 1 }], ["nmae"])"#).hint.unwrap(),
            "did you mean \"name\"?"
        );
        assert_eq!(
            trial.fails(r"table([#{ a: 1 }], [5])").message,
            "A column of a table is a string, not an integer"
        );
        assert_eq!(trial.text("table([])"), "(none)");
    }
}
