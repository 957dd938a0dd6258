//! Code without a file: piped to the prompt, on standard input, on the command line.

use crate::support::Spc;

fn repl(lines: &str) -> Spc {
    Spc::new().args(["repl"]).stdin(lines)
}

#[test]
fn piped_lines_run_as_a_script_and_show_their_values() {
    repl("let a = 41;\na + 1;\nfn f(x) {\n    `${x}!`\n}\nf(\"yes\");\nprint(\"printed\");\nif a > 1 { [a] }\n[#{ name: \"db\", n: 1 }, #{ name: \"web\", n: 20 }];\nlet b = a;\nstack()\n")
        .stdout(
            "
            42
            yes!
            printed
            [41]
             N   NAME
             1   db
            20   web
            stack project
            ",
        )
        .run();
}

#[test]
fn the_first_error_ends_it_with_its_code_and_line() {
    repl("1;\nlet a = 0;\nfail(\"policy\",\n    \"no\");\n2;")
        .code(5)
        .stdout("1\n")
        .stderr(
            r#"
            error: no
             --> <stdin>:3:1
              |
            3 | fail("policy",
              | ^^^^
            "#,
        )
        .run();
}

#[test]
fn nothing_runs_of_what_can_not_be_read() {
    repl("print(\"done\");\nlet = 5;")
        .code(2)
        .stderr(
            "
            error: Expecting name of a variable
             --> <stdin>:2:5
              |
            2 | let = 5;
              |     ^
            ",
        )
        .run();
    repl("print(\"done\");\nfn f() {\n")
        .code(2)
        .stderr(
            "
            error: Nothing closes this \"{\"
             --> <stdin>:2:8
              |
            2 | fn f() {
              |        ^
              |
              = help: write \"}\" at its end
            ",
        )
        .run();
    Spc::new().args(["run", "-"]).stdin("").run();
    repl("").run();
}

#[test]
fn json_has_an_event_for_each_value_and_an_end() {
    repl("let a = [1, ()]; a;\nstack();\n#{ n: 1.5, s: \"ä\\n\" };\nprint(\"x\");")
        .args(["--json"])
        .stdout(
            r#"
            {"time":"[time]","event":"value","value":[1,null]}
            {"time":"[time]","event":"value","value":"stack project"}
            {"time":"[time]","event":"value","value":{"n":1.5,"s":"ä\n"}}
            {"time":"[time]","event":"print","text":"x"}
            {"time":"[time]","event":"end","ok":true,"code":0}
            "#,
        )
        .run();
}

#[test]
fn a_runbook_comes_from_standard_input() {
    Spc::new()
        .args(["run", "-", "--tag", "v2"])
        .stdin("let o = args(#{ tag: arg::text(\"v1\", \"Tag\") });\nprint(o.tag);\n\"not shown\"")
        .stdout("v2\n")
        .run();
    Spc::new()
        .args(["run", "-"])
        .stdin("print(\"a\");\nfail(\"exec\", \"b\");")
        .code(1)
        .stdout("a\n")
        .stderr(
            r#"
            error: b
             --> <stdin>:2:1
              |
            2 | fail("exec", "b");
              | ^^^^
            "#,
        )
        .run();
    Spc::new()
        .args(["run", "-", "--help"])
        .stdin("//! Show a tag.\nargs(#{ tag: arg::text(\"v1\", \"Tag\") });")
        .stdout(
            "
            Show a tag.

            Usage: spc run - [OPTIONS]

            Options:
              --tag <TEXT>  Tag [default: v1]
              --help        Print this help

            Options of spc itself: spc run --help
            ",
        )
        .run();
}

#[test]
fn code_on_the_command_line_runs_and_takes_what_follows() {
    let code = "let o = args(#{ tag: arg::text(\"v1\", \"Tag\"), names: arg::rest(\"Names\") }); print(`${o.tag} ${o.names}`);";
    Spc::new().args(["run", "-e", code]).stdout("v1 \n").run();
    Spc::new().args(["run", "-e", code, "--tag", "v2", "a.rhai"]).stdout("v2 [\"a.rhai\"]\n").run();
    Spc::new().args(["run", "-e", "print(-1)"]).stdout("-1\n").run();
    Spc::new().args(["run", "-e", "-1"]).run();
    Spc::new()
        .args(["run", "-e", code, "--", "--help"])
        .stdout(
            "
            Usage: spc run -e CODE [OPTIONS] [NAMES]...

            Arguments:
              [NAMES]...    Names

            Options:
              --tag <TEXT>  Tag [default: v1]
              --help        Print this help

            Options of spc itself: spc run --help
            ",
        )
        .run();
    Spc::new()
        .args(["run", "-e", "print(1);\nb"])
        .code(2)
        .stderr(
            "
            error: There is no variable \"b\"
             --> <command line>:2:1
              |
            2 | b
              | ^
            ",
        )
        .run();
}

#[test]
fn a_word_after_code_that_takes_none_is_refused() {
    Spc::new()
        .file("up.rhai", "")
        .args(["run", "-e", "print(1)", "up.rhai"])
        .code(2)
        .stderr(
            "
            error: <command line> takes no arguments, but \"up.rhai\" is given
            help: a runbook declares what it takes with args(#{ … })
            ",
        )
        .run();
}

#[test]
fn imports_are_found_in_the_projects_scripts_from_every_folder_of_it() {
    let project = || {
        Spc::new()
            .file("spc.toml", "")
            .file("scripts/app.rhai", "fn name() { \"app\" }")
            .file("deep/down/x", "")
            .started_in("deep/down")
    };
    let code = "import \"app\" as app; print(app::name());";
    project().args(["run", "-e", code]).stdout("app\n").run();
    project().args(["run", "-"]).stdin(code).stdout("app\n").run();
    project().args(["repl"]).stdin("import \"app\" as app;\napp::name()").stdout("app\n").run();
    // Without a folder for scripts, imports start in the project's folder; without a project, in
    // the current folder.
    Spc::new()
        .file("spc.toml", "")
        .file("app.rhai", "fn name() { \"app\" }")
        .args(["run", "-e", code])
        .stdout("app\n")
        .run();
    Spc::new()
        .file("app.rhai", "fn name() { \"app\" }")
        .args(["run", "-e", code])
        .stdout("app\n")
        .run();
    project()
        .args(["run", "-e", "import \"../x\" as x;"])
        .code(2)
        .stderr(
            "
            error: Could not import \"../x\": there is no file \"[project]/scripts/../x.rhai\"
             --> <command line>:1:8
              |
            1 | import \"../x\" as x;
              |        ^^^^^^
            ",
        )
        .run();
}

#[test]
fn standard_input_that_is_no_text_is_rejected() {
    let ended = Spc::new().args(["run", "-"]).stdin("\u{feff}print(\"bom\");\r\n").output();
    assert_eq!(ended.stdout, "bom\n", "{ended}");
}

#[test]
fn help_that_is_piped_in_is_given_as_at_the_prompt() {
    let all = repl("help\n").output();
    assert_eq!((all.code, all.stderr.as_str()), (0, ""), "{all}");
    assert!(all.stdout.contains("stack"), "{all}");
    let one = repl("help stack").output();
    assert!(one.code == 0 && one.stdout.contains("stack("), "{one}");
    let two = repl(":help fs::read\nhelp(\"stack\");\nexit\n").output();
    assert!(two.stdout.contains("fs::read") && two.stdout.contains(one.stdout.trim()), "{two}");
    let json = Spc::new().args(["repl", "--json"]).stdin("help stack\n").output();
    assert!(json.code == 0 && json.stdout.contains("\"value\":\""), "{json}");
    let unknown = repl("help nosuch\n").output();
    assert!(unknown.code == 1 && unknown.stderr.contains("\"nosuch\""), "{unknown}");
    repl("exit\n").run();
}
