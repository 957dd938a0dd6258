//! Tables.

use crate::support::Spc;

#[test]
fn rows_are_columns_with_numbers_to_the_right() {
    Spc::new()
        .runbook(
            r#"let rows = [#{ name: "db", ready_ms: 1210, url: () }, #{ name: "backend", ready_ms: 98, url: "http://localhost:8000" }];
print(table(rows, ["name", "ready_ms", "url"]));
print(table(rows));
print(table([]));"#,
        )
        .stdout(
            "
            NAME      READY MS   URL
            db            1210
            backend         98   http://localhost:8000
            NAME      READY MS   URL
            db            1210
            backend         98   http://localhost:8000
            (none)
            ",
        )
        .run();
}

#[test]
fn wide_letters_and_what_a_container_wrote_keep_the_columns() {
    Spc::new()
        .runbook("print(table([#{ a: \"데이터\", b: \"x\" }, #{ a: \"\\x1b[31mred\\ttab\", b: \"y\" }]));")
        .stdout(
            "
            A              B
            데이터         x
            ␛[31mred␉tab   y
            ",
        )
        .run();
}

#[test]
fn an_invalid_row_or_column_is_reported() {
    Spc::new()
        .runbook("table([#{ name: \"db\" }, 5]);")
        .code(2)
        .stderr(
            r#"
            error: Row 2 of the table is an integer, not a map
             --> scripts/a.rhai:1:1
              |
            1 | table([#{ name: "db" }, 5]);
              | ^^^^^
              |
              = help: write rows as maps: [#{ name: "db" }]
            "#,
        )
        .run();
    Spc::new()
        .runbook("table([#{ name: \"db\" }], [\"nmae\"]);")
        .code(2)
        .stderr(
            r#"
            error: No row has a field "nmae"
             --> scripts/a.rhai:1:1
              |
            1 | table([#{ name: "db" }], ["nmae"]);
              | ^^^^^
              |
              = help: did you mean "name"?
            "#,
        )
        .run();
}
