//! Values that the engine would reject. `check`, `plan` and `run` reject them before they connect
//! to an engine, in compose files and in maps.

use crate::support::Spc;

/// A field of a service in YAML, the same in a map, and the position of the wrong value in the
/// line.
const FIELDS: &[(&str, &str, &str)] = &[
    ("working_dir: rel", r#"working_dir: "rel""#, "rel"),
    ("stop_signal: SIGFOO", r#"stop_signal: "SIGFOO""#, "SIGFOO"),
    ("container_name: \"a b\"", r#"container_name: "a b""#, "\"a b\""),
    ("user: \"-1\"", r#"user: "-1""#, "\"-1\""),
    (
        "logging: {driver: local, options: {max-sizex: 1m}}",
        r#"logging: #{driver: "local", options: #{"max-sizex": "1m"}}"#,
        "max-sizex",
    ),
    ("volumes: [\"./file.txt/sub:/x\"]", r#"volumes: ["./file.txt/sub:/x"]"#, "\"./file.txt/sub"),
    ("volumes: [\"./data:/\"]", r#"volumes: ["./data:/"]"#, "\"./data"),
    ("environment: {A=B: c}", r#"environment: #{"A=B": "c"}"#, "A=B"),
    (
        "healthcheck: {test: \"true\", interval: 1us}",
        r#"healthcheck: #{test: "true", interval: "1us"}"#,
        "1us",
    ),
    ("ports: [null]", "ports: [()]", "null"),
];

fn project(field: &str, map: &str) -> Spc {
    Spc::new()
        .file("spc.toml", "spc = \"0.1\"\n")
        .file("file.txt", "x")
        .file("compose.yaml", format!("name: shop\nservices:\n  a:\n    image: x\n    {field}\n"))
        .file("file.rhai", "compose().up();\n")
        .file("map.rhai", format!("stack(\"shop\", #{{ services: #{{\n  a: #{{ image: \"x\",\n    {map}\n}} }} }}).up();\n"))
}

#[test]
#[ignore = "slow: `make test` runs it"]
fn a_value_that_the_engine_refuses_is_refused_with_its_place_before_anything_is_done() {
    for (field, map, wrong) in FIELDS {
        let column = 5 + field.find(wrong).unwrap();
        let place = format!("compose.yaml:5:{column}\n");
        for words in
            [vec!["check", "compose.yaml"], vec!["plan", "file.rhai"], vec!["run", "file.rhai"]]
        {
            let ended = project(field, map).args(words.clone()).output();
            assert!(
                ended.code == 2 && ended.to_string().contains(&place),
                "{field}: {words:?}: {ended}"
            );
            assert!(
                field.starts_with("ports") || ended.to_string().contains("help: "),
                "{field}: {words:?}: {ended}"
            );
        }
        // `check` does not read an empty value as a literal.
        let checked: &[&[&str]] =
            &[&["check", "map.rhai"], &["plan", "map.rhai"], &["run", "map.rhai"]];
        for words in &checked[usize::from(field.starts_with("ports"))..] {
            let ended = project(field, map).args(words.to_vec()).output();
            assert!(
                ended.code == 2 && ended.to_string().contains("map.rhai:3:"),
                "{map}: {words:?}: {ended}"
            );
        }
    }
}

#[test]
fn a_missing_file_or_variable_in_a_description_exits_with_code_2() {
    for (fields, top) in [
        ("configs: [k]", "configs: {k: {file: ./none}}"),
        ("configs: [k]", "configs: {k: {environment: SPC_NONE}}"),
        ("env_file: [none.env]", ""),
    ] {
        let file = format!("name: shop\nservices:\n  a:\n    image: x\n    {fields}\n{top}\n");
        for words in [["check", "compose.yaml"], ["plan", "a.rhai"], ["run", "a.rhai"]] {
            let spc = Spc::new()
                .file("spc.toml", "spc = \"0.1\"\n")
                .file("compose.yaml", &file)
                .file("a.rhai", "compose().up();\n");
            let ended = spc.args(words).output();
            assert!(
                ended.code == 2 && ended.to_string().contains("compose.yaml:"),
                "{file}: {words:?}: {ended}"
            );
        }
    }
    for verb in ["run", "plan"] {
        let ended = Spc::new()
            .file("a.rhai", "compose(\"none.yaml\").up();\n")
            .args([verb, "a.rhai"])
            .output();
        assert!(
            ended.code == 2 && ended.stderr.contains("There is no compose file \"none.yaml\""),
            "{verb}: {ended}"
        );
    }
}

#[test]
fn check_and_run_report_syntax_errors_before_unknown_names() {
    for (text, place, message) in [
        ("let a = foo;\nlet b = ;\n", "a.rhai:2:9\n", "Unexpected \";\""),
        (
            "let a = 1;\n/* never\nclosed\nprint(a);\n",
            "a.rhai:2:1\n",
            "The comment is not closed: nothing after it is read",
        ),
        (
            "if true {\n  /* never\n}\n",
            "a.rhai:2:3\n",
            "The comment is not closed: nothing after it is read",
        ),
    ] {
        for verb in ["check", "run", "plan"] {
            let ended = Spc::new().file("a.rhai", text).args([verb, "a.rhai"]).output();
            let shown = ended.to_string();
            assert!(
                ended.code == 2 && shown.contains(place) && shown.contains(message),
                "{text}: {verb}: {ended}"
            );
        }
    }
}
