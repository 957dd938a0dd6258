//! The files that are checked, and those that can't be.

use super::{line, project, report};
use similar_asserts::assert_eq;

#[test]
fn check_without_paths_covers_all_scripts_except_ignored_ones() {
    let run = project(&[
        ("spc.toml", ""),
        (".gitignore", "# made\n/target/\n*.gen.rhai\nlocal/**/x.rhai\n!kept.gen.rhai\n"),
        ("scripts/up.rhai", "a;"),
        ("scripts/made.gen.rhai", "b;"),
        ("scripts/kept.gen.rhai", "c;"),
        ("scripts/target/d.rhai", "d;"),
        ("scripts/.gitignore", "old\n"),
        ("scripts/old/e.rhai", "e;"),
        ("target/f.rhai", "f;"),
        ("node_modules/m/g.rhai", "g;"),
        (".hidden/h.rhai", "h;"),
        ("local/deep/x.rhai", "i;"),
        ("notes.txt", "j;"),
        ("Größe 한/ü.rhai", "k;"),
    ]);
    let all = report(&run, &[]);
    let places: Vec<String> = all
        .findings
        .iter()
        .map(|finding| line(finding).split(':').next().unwrap().to_owned())
        .collect();
    assert_eq!(
        places,
        ["Größe 한/ü.rhai", "scripts/kept.gen.rhai", "scripts/target/d.rhai", "scripts/up.rhai"]
    );
    assert_eq!(all.files, 4);
    assert_eq!(report(&run, &["scripts/old/e.rhai", "scripts/up.rhai", "scripts"]).files, 4);
    // A person who names the file wants it checked.
    assert_eq!(report(&run, &["scripts/old"]).files, 1);
    assert_eq!(report(&run, &["notes.txt"]).findings.len(), 1);
}

#[test]
fn check_includes_imported_files() {
    let run = project(&[
        (
            "a.rhai",
            "import \"b\" as b;\nimport \"c\" as c;\nimport \"std/dotenv\" as dotenv;\nb::f(1);",
        ),
        ("b.rhai", "fn f() { nowhere }\nstack(\"x\", #{ a: 1 });"),
        ("c.rhai", "let x = (;\n"),
        ("d.rhai", "print(y);"),
    ]);
    let all = report(&run, &["a.rhai"]);
    assert_eq!(
        all.findings.iter().map(line).collect::<Vec<_>>(),
        [
            "a.rhai:4:4 argument-count: \"b::f\" is called with 1 argument | it takes b::f()",
            "b.rhai:1:10 undefined-variable: There is no variable \"nowhere\"",
            "b.rhai:2:15 unknown-key: Unknown key \"a\" | available: configs, name, networks, profiles, secrets, services, version, volumes",
            "c.rhai:1:10 syntax: Unexpected \";\"",
        ]
    );
    assert_eq!(all.files, 3);
}

#[test]
fn a_missing_or_unreadable_file_is_a_finding() {
    let run = project(&[("scripts/up.rhai", "1;"), ("scripts/down.rhai", "2;")]);
    run.host.add_file("/project/scripts/latin.rhai", &b"let a = 1;\nlet b = \"\xe9\";\n"[..]);
    run.host.add_file("/project/scripts/closed.rhai", "");
    run.host.set_mode("/project/scripts/closed.rhai", 0);
    let found: Vec<String> =
        report(&run, &["scripts/upp.rhai", "scripts/down", "scirpts", "scripts"])
            .findings
            .iter()
            .map(line)
            .collect();
    assert_eq!(
        found,
        [
            "unreadable: There is no file or folder \"scripts/upp.rhai\" | did you mean \"scripts/up.rhai\"?",
            "unreadable: There is no file or folder \"scripts/down\" | did you mean \"scripts/down.rhai\"?",
            "unreadable: There is no file or folder \"scirpts\" | did you mean \"scripts\"?",
            "unreadable: Could not read \"/project/scripts/closed.rhai\": permission denied",
            "scripts/latin.rhai:2:10 unreadable: Could not read \"scripts/latin.rhai\": line 2 is not UTF-8 text | save the file as UTF-8",
        ]
    );
}

#[test]
fn windows_line_ends_a_byte_order_mark_and_wide_letters_keep_the_columns() {
    let run =
        project(&[("a.rhai", "\u{feff}// 데이터\r\nlet x = \"größe\" + y;\r\nprint(z);\r\n")]);
    let found: Vec<String> = report(&run, &[]).findings.iter().map(line).collect();
    assert_eq!(
        found,
        [
            "a.rhai:2:19 undefined-variable: There is no variable \"y\"",
            "a.rhai:3:7 undefined-variable: There is no variable \"z\""
        ]
    );
}

#[test]
fn the_projects_compose_file_is_checked_with_its_scripts() {
    let file = "services:\n  a:\n    image: x\n    environment:\n      A: 1.10\n      B: \"1.10\"\n      C: 010\n    porst: 1\n";
    let run = project(&[("spc.toml", ""), ("compose.yaml", file), ("docker-compose.yml", "x")]);
    let all = report(&run, &[]);
    let expected = [
        "compose.yaml:5:10 unclear-value: YAML reads 1.10 as a number, and the container gets 1.1: write \"1.10\" in quotes to keep it",
        "compose.yaml:7:10 compose-difference: 010 stays as it is in spc, but Compose turns it into 8: write \"010\" in quotes to get the same value in both",
        "compose.yaml:8:5 unknown-key: Unknown key \"porst\" in \"services.a\" | did you mean \"ports\"?",
    ];
    assert_eq!(all.findings.iter().map(line).collect::<Vec<_>>(), expected);
    assert_eq!(all.files, 1);
    assert_eq!(report(&project(&[("compose.yaml", "services: {a: {image: x}}")]), &[]).files, 1);
}

#[test]
fn each_doubtful_value_of_a_line_is_found() {
    let file = "services: {a: {image: x, environment: {A: 010, B: 1_000, C: '010', D: $NONE, E: \"${NEITHER}\"}}}\n";
    let all = report(&project(&[("compose.yaml", file)]), &[]);
    let found: Vec<String> = all
        .findings
        .iter()
        .map(line)
        .map(|line| line.split(':').take(4).collect::<Vec<_>>().join(":"))
        .collect();
    let expected = [
        "compose.yaml:1:43 compose-difference: 010 stays as it is in spc, but Compose turns it into 8",
        "compose.yaml:1:51 compose-difference: 1_000 stays as it is in spc, but Compose turns it into 1000",
        "compose.yaml:1:71 unclear-value: The variable \"NONE\" is not set, so it is empty",
        "compose.yaml:1:82 unclear-value: The variable \"NEITHER\" is not set, so it is empty",
    ];
    assert_eq!(found, expected);
}

#[test]
fn a_key_that_gives_a_service_its_image_is_found_alone() {
    let file = "services:\n  a:\n    extends: {service: b}\n  b:\n    provider: {type: x}\n  c: {build: 7}\n  d: {}\n";
    let all = report(&project(&[("compose.yaml", file)]), &[]);
    let places: Vec<String> = all
        .findings
        .iter()
        .map(line)
        .map(|line| line.split(' ').next().unwrap_or_default().to_owned())
        .collect();
    assert_eq!(
        places,
        ["compose.yaml:3:5", "compose.yaml:5:5", "compose.yaml:6:14", "compose.yaml:7:3"]
    );
}

#[test]
fn a_compose_file_that_is_named_is_read_as_one() {
    let run = project(&[
        ("spc.toml", ""),
        ("deploy/prod.yml", "services:\n  a:\n    image: x\n    porst: 1\n"),
        ("compose.yaml", "services: {a: 1}"),
    ]);
    let all = report(&run, &["deploy/prod.yml"]);
    let found: Vec<String> = all.findings.iter().map(line).collect();
    assert_eq!(
        found,
        [
            "deploy/prod.yml:4:5 unknown-key: Unknown key \"porst\" in \"services.a\" | did you mean \"ports\"?"
        ]
    );
    assert_eq!(all.files, 1);
}

#[test]
fn a_compose_file_that_a_script_names_is_read_with_the_script() {
    let run = project(&[
        ("spc.toml", ""),
        ("deploy/prod.yml", "services:\n  a:\n    image: x\n    porst: 1\n"),
        ("up.rhai", "compose(\"deploy/prod.yml\").up();\n"),
        (
            "down.rhai",
            "compose(\"deploy/prod.yml\").down();\ncompose(\"deploy/prd.yml\").down();\n",
        ),
        ("made.rhai", "yaml::write(\"made.yml\", #{});\ncompose(\"made.yml\").up();\n"),
        ("up_test.rhai", "fn test_up() { compose(\"of_test.yml\").up(); }\n"),
    ]);
    let all = report(&run, &[]);
    let found: Vec<String> = all.findings.iter().map(line).collect();
    assert_eq!(
        found,
        [
            "deploy/prod.yml:4:5 unknown-key: Unknown key \"porst\" in \"services.a\" | did you mean \"ports\"?",
            "down.rhai:2:9 unreadable: Could not read the compose file \"deploy/prd.yml\" | did you mean \"deploy/prod.yml\"?",
        ]
    );
    assert_eq!(all.files, 5);
}
