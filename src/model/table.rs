//! A table as data, and as lines of text: Docker's plain columns.

use comfy_table::{Cell, CellAlignment, ContentArrangement, Row, presets};
use serde_json::{Map, Value};

use super::suggest::did_you_mean;
use super::visible::visible_line;
use super::{Failure, Kind};

/// Spaces between two columns.
const GAP: u16 = 3;

/// The maximum number of cells. A field that only one row has still adds a cell to every row.
const CELLS: usize = 1_000_000;

/// Rows with named columns. A cell is any JSON value; `null` is empty.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Table {
    /// The keys of the rows that are shown, in this order.
    pub columns: Vec<String>,
    pub rows: Vec<Vec<Value>>,
}

impl Table {
    /// The table of `rows`, with the named columns, or with all keys in alphabetical order.
    ///
    /// A named column that no row has is a `usage` failure, unless there are no rows.
    pub fn new(
        rows: Vec<Map<String, Value>>,
        columns: Option<Vec<String>>,
    ) -> Result<Self, Failure> {
        let mut known: Vec<String> = rows.iter().flat_map(Map::keys).cloned().collect();
        known.sort_unstable();
        known.dedup();
        let columns = match columns {
            None => known,
            Some(columns) => {
                if let Some(wrong) =
                    columns.iter().find(|column| !rows.is_empty() && !known.contains(column))
                {
                    let failure =
                        Failure::new(Kind::Usage, format!("No row has a field \"{wrong}\""));
                    return Err(match did_you_mean(wrong, known.iter().map(String::as_str)) {
                        Some(hint) => failure.hint(hint),
                        None => failure,
                    });
                }
                columns
            }
        };
        if rows.len().saturating_mul(columns.len()) > CELLS {
            let message = format!(
                "The table is too large: {} rows of {} columns, of 1,000,000 cells at most",
                rows.len(),
                columns.len()
            );
            return Err(Failure::new(Kind::Usage, message)
                .hint("show fewer rows, or name the columns: table(rows, [\"name\"])"));
        }
        let rows = rows
            .into_iter()
            .map(|mut row| columns.iter().map(|key| row.remove(key).unwrap_or_default()).collect())
            .collect();
        Ok(Self { columns, rows })
    }

    /// The table as text, without a line end at its end. Headings are in upper case, numbers are
    /// right-aligned.
    ///
    /// With a `width` (columns of the terminal), cells are shortened with `…` so that each row fits
    /// into one line. `mask` hides secrets in headings and cells before they are shortened or
    /// written in upper case, because afterwards they could not be recognized.
    pub fn text(&self, width: Option<usize>, mask: &dyn Fn(&str) -> String) -> String {
        if self.columns.is_empty() {
            return "(none)".to_owned();
        }
        let mut table = comfy_table::Table::new();
        table.load_style(presets::NOTHING);
        if let Some(width) = width {
            table.set_content_arrangement(ContentArrangement::Dynamic);
            // Trailing spaces of the last column are removed later, so they may exceed the width.
            table.set_width(u16::try_from(width).unwrap_or(u16::MAX).saturating_add(GAP));
        }
        let mut header =
            Row::from(self.columns.iter().map(|name| heading(name, mask)).collect::<Vec<_>>());
        header.max_height(1);
        table.set_header(header);
        for row in &self.rows {
            let mut row = Row::from(
                row.iter().map(|value| Cell::new(mask(&cell_text(value)))).collect::<Vec<_>>(),
            );
            row.max_height(1);
            table.add_row(row);
        }
        for (index, column) in table.column_iter_mut().enumerate() {
            column.set_padding((0, GAP));
            if self.is_numeric(index) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        table.trim_fmt()
    }

    /// The most bytes that the text takes without a width: every cell is padded to the widest one
    /// of its column.
    pub fn filled_bytes(&self) -> usize {
        let widest = |column: usize| {
            self.rows.iter().map(|row| cell_text(&row[column]).len()).max().unwrap_or_default()
        };
        let line = self
            .columns
            .iter()
            .enumerate()
            .map(|(index, name)| name.len().max(widest(index)) + usize::from(GAP));
        line.sum::<usize>().saturating_mul(self.rows.len() + 1)
    }

    /// Whether every non-empty cell of the column is a number, and at least one is.
    fn is_numeric(&self, column: usize) -> bool {
        let mut cells =
            self.rows.iter().map(|row| &row[column]).filter(|value| !value.is_null()).peekable();
        cells.peek().is_some() && cells.all(Value::is_number)
    }
}

/// The heading of a column: its key in upper case, with secrets masked.
fn heading(name: &str, mask: &dyn Fn(&str) -> String) -> String {
    let masked = mask(name);
    let shown = if masked == name { name.to_uppercase().replace('_', " ") } else { masked };
    visible_line(&shown).into_owned()
}

/// A value as one line of plain text.
fn cell_text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => visible_line(text).into_owned(),
        Value::Array(values) => values.iter().map(cell_text).collect::<Vec<_>>().join(", "),
        other => visible_line(&other.to_string()).into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use similar_asserts::assert_eq;

    fn table(rows: Value, columns: &[&str]) -> Table {
        let rows =
            rows.as_array().unwrap().iter().map(|row| row.as_object().unwrap().clone()).collect();
        let columns =
            (!columns.is_empty()).then(|| columns.iter().map(|name| (*name).to_owned()).collect());
        Table::new(rows, columns).unwrap()
    }

    fn services() -> Value {
        json!([
            { "service": "db", "state": "ready", "ready_ms": 1210, "url": null },
            { "service": "backend", "state": "ready", "ready_ms": 98, "url": "http://localhost:8000" },
        ])
    }

    #[test]
    fn headings_are_upper_case_and_numbers_are_right_aligned() {
        let expected = "\
SERVICE   STATE   READY MS   URL
db        ready       1210
backend   ready         98   http://localhost:8000";
        assert_eq!(
            table(services(), &["service", "state", "ready_ms", "url"]).text(None, &str::to_owned),
            expected
        );
    }

    #[test]
    fn a_table_without_column_names_shows_all_fields() {
        let expected = "READY MS   SERVICE   STATE   URL";
        assert_eq!(
            table(services(), &[]).text(None, &str::to_owned).lines().next().unwrap(),
            expected
        );
    }

    #[test]
    fn a_narrow_terminal_shortens_cells_and_keeps_one_line_per_row() {
        let text = table(services(), &["service", "state", "ready_ms", "url"])
            .text(Some(40), &str::to_owned);
        assert_eq!(text.lines().count(), 3);
        assert!(text.contains('…'), "{text}");
        for line in text.lines() {
            assert!(unicode_width::UnicodeWidthStr::width(line) <= 40, "{line}");
        }
    }

    #[test]
    fn a_heading_that_is_a_secret_is_masked_before_it_is_written_in_upper_case() {
        let rows =
            json!([{ "hunter2_hunter2": 1, "of_hunter2_hunter2": 2, "n": "hunter2_hunter2" }]);
        let mask = |text: &str| text.replace("hunter2_hunter2", "[secret key]");
        for width in [None, Some(20)] {
            let text = table(rows.clone(), &[]).text(width, &mask);
            assert!(!text.to_lowercase().contains("hunter"), "{text}");
        }
        assert_eq!(
            table(rows, &[]).text(None, &mask),
            "[secret key]   N              of_[secret key]\n           1   [secret key]                 2"
        );
    }

    #[test]
    fn wide_characters_keep_the_columns_straight() {
        let rows = json!([{ "name": "데이터베이스", "n": 1 }, { "name": "db", "n": 12 }]);
        let expected = "\
NAME            N
데이터베이스    1
db             12";
        assert_eq!(table(rows, &["name", "n"]).text(None, &str::to_owned), expected);
    }

    #[test]
    fn lists_are_joined_and_control_characters_shown() {
        let rows = json!([{ "ports": [80, 443], "note": "\u{1b}[31mred\nnext" }]);
        assert_eq!(
            table(rows, &["ports", "note"]).text(None, &str::to_owned),
            "PORTS     NOTE\n80, 443   ␛[31mred␊next"
        );
    }

    #[test]
    fn no_rows_are_a_heading_or_none() {
        assert_eq!(
            table(json!([]), &["service", "state"]).text(None, &str::to_owned),
            "SERVICE   STATE"
        );
        assert_eq!(table(json!([]), &[]).text(None, &str::to_owned), "(none)");
    }

    #[test]
    fn rows_without_a_common_column_are_no_table_of_all_of_them() {
        let rows = |count: usize| {
            (0..count).map(|at| Map::from_iter([(format!("k{at}"), json!(1))])).collect::<Vec<_>>()
        };
        assert_eq!(Table::new(rows(1000), None).unwrap().rows.len(), 1000);
        let failure = Table::new(rows(1001), None).unwrap_err();
        assert_eq!(
            failure.message,
            "The table is too large: 1001 rows of 1001 columns, of 1,000,000 cells at most"
        );
        let repeated = Table::new(rows(2), Some(vec!["k1".to_owned(); 500_001])).unwrap_err();
        assert!(
            repeated.message.starts_with("The table is too large: 2 rows of 500001 columns"),
            "{}",
            repeated.message
        );
    }

    #[test]
    fn a_text_is_never_longer_than_what_was_counted_for_it() {
        for (rows, columns) in [
            (services(), &["service", "state", "ready_ms", "url"][..]),
            (json!([{ "a": "\u{1b}데이", "b": 1 }, { "b": 22 }]), &[]),
        ] {
            let table = table(rows, columns);
            assert!(table.text(None, &str::to_owned).len() <= table.filled_bytes());
        }
    }

    #[test]
    fn a_column_that_no_row_has_is_refused_with_the_nearest() {
        let rows = vec![json!({ "service": "db", "state": "ready" }).as_object().unwrap().clone()];
        let failure = Table::new(rows, Some(vec!["sate".to_owned()])).unwrap_err();
        assert_eq!(failure.message, "No row has a field \"sate\"");
        assert_eq!(failure.hint.unwrap(), "did you mean \"state\"?");
    }
}
