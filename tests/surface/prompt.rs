//! The prompt at a terminal: typed keys and the resulting screen.

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use rustix::process::Signal;

use crate::support::{Answer, DEADLINE, RunningSpc, Spc};

const CTRL_C: &str = "\x03";
const CTRL_D: &str = "\x04";
const TAB: &str = "\t";
const UP: &str = "\x1b[A";

/// The time from a signal to the end.
const AT_ONCE: Duration = Duration::from_secs(2);

fn spc() -> Spc {
    Spc::new().at_terminal().env("TERM", "xterm").env("NO_COLOR", "1").args(["repl", "--quiet"])
}

/// Starts spc and waits for the prompt.
fn prompt(spc: Spc) -> RunningSpc {
    let mut run = spc.start();
    run.until_shown("spc> ");
    run
}

/// Types lines that have no value.
#[track_caller]
fn tell(run: &mut RunningSpc, line: &str) {
    run.says_at_prompt(&format!("{line}; \"told\""), "told");
}

#[test]
fn the_prompt_greets_and_ends_with_ctrl_d_or_exit() {
    let mut run = Spc::new().at_terminal().env("TERM", "xterm").args(["repl"]).start();
    run.until_shown(concat!(
        "spc ",
        env!("CARGO_PKG_VERSION"),
        ", project \"project\"; type help for help, Ctrl-D to exit"
    ));
    run.until_shown("spc> ");
    run.types_keys(CTRL_D);
    assert_eq!(run.ends().code, 0);
    for word in ["exit", "quit", ":exit", "exit();"] {
        let mut run = prompt(spc());
        run.types_keys(&format!("{word}\r"));
        assert_eq!(run.ends().code, 0, "{word}");
    }
}

#[test]
fn the_prompt_keeps_definitions_and_shows_values() {
    let mut run =
        prompt(spc().file("spc.toml", "").file("scripts/app.rhai", "fn name() { \"shop\" }"));
    tell(&mut run, "import \"app\" as app; let n = 41; const ONE = 1");
    tell(&mut run, "fn more(x) { x + global::ONE }");
    run.says_at_prompt("more(n);", "42\r\n");
    tell(&mut run, "let g = || app::name()");
    run.says_at_prompt("g.call()", "shop\r\n");
    run.says_at_prompt(
        "[#{ name: \"db\", state: \"up\" }, #{ name: \"web\", state: \"down\" }]",
        "NAME   STATE\r\ndb     up\r\nweb    down\r\n",
    );
    run.says_at_prompt("stack()", "stack project\r\n");
    run.says_at_prompt("args(#{ tag: arg::text(\"v1\", \"Tag\") }).tag", "v1\r\n");
    run.types_keys(CTRL_D);
    assert_eq!(run.ends().code, 0);
}

#[test]
fn a_function_is_typed_over_several_lines_and_called() {
    let mut run = prompt(spc());
    run.types_keys("fn twice(x) {\r    let y = x * 2;\r    y\r}\r");
    tell(&mut run, "let text = `a\rb`");
    run.says_at_prompt("twice(21)", "42\r\n");
    run.says_at_prompt("text.lines().len()", "2\r\n");
}

#[test]
fn an_error_is_shown_with_its_position_and_the_session_continues() {
    let mut run = prompt(spc());
    tell(&mut run, "let apple = 20");
    run.says_at_prompt("apple / 0", "error: Division by zero: 20 / 0\r\n --> repl:2:1:7\r\n  |\r\n1 | apple / 0\r\n  |       ^\r\n");
    run.says_at_prompt("aple", "error: There is no variable \"aple\"\r\n");
    // This is the first request to the engine.
    run.says_at_prompt("stack().ps()", "error: No Docker Engine answers at ");
    run.says_at_prompt("apple + 2", "22\r\n");
    run.types_keys(CTRL_D);
    assert_eq!(run.ends().code, 0);
}

#[test]
fn ctrl_c_ends_what_runs_and_keeps_the_session() {
    for line in [
        "sleep(\"1h\")",
        "loop { }",
        "parallel([|| sleep(\"1h\"), || loop { }])",
        "wait_until(\"1h\", || false)",
    ] {
        let mut run = prompt(spc());
        tell(&mut run, "let kept = 41");
        run.types_keys(&format!("print(\"begun\"); {line}\r"));
        run.until_shown("\nbegun\r\n");
        run.types_keys(CTRL_C);
        run.until_shown(
            "interrupted: finishing the steps that have started; press Ctrl-C again to exit now",
        );
        run.until_shown("error: Interrupted");
        run.until_shown("spc> ");
        run.says_at_prompt("kept + 1", "42\r\n");
        run.types_keys(CTRL_D);
        assert_eq!(run.ends().code, 0, "{line}");
    }
}

#[test]
fn a_second_ctrl_c_leaves_what_the_first_let_finish() {
    let (engine, asked, _answer) = Answer::never_to("POST /networks/create");
    let mut run = prompt(spc().engine(engine));
    run.types_keys("network(\"front\").create()\r");
    asked.recv_timeout(DEADLINE).unwrap();
    run.types_keys(CTRL_C);
    run.until_shown("press Ctrl-C again to exit now");
    run.types_keys(CTRL_C);
    let ended = run.ends_within(AT_ONCE);
    assert_eq!(ended.code, 130, "{ended}");
}

#[test]
fn ctrl_c_at_the_prompt_gives_the_line_up() {
    let mut run = prompt(spc());
    run.types_keys("fail(\"exec\", \"not run");
    run.until_shown("not run");
    run.types_keys(CTRL_C);
    run.until_shown("spc> ");
    run.types_keys("fn f() {\r");
    // spc shows the prompt again for the next line.
    run.until_shown("spc> fn f() {");
    run.types_keys(CTRL_C);
    run.until_shown("spc> ");
    run.interrupt();
    run.until_shown("spc> ");
    run.says_at_prompt("40 + 2", "42\r\n");
}

#[test]
fn sigterm_ends_the_prompt_and_restores_the_terminal() {
    let run = prompt(spc());
    run.signal(Signal::TERM);
    let ended = run.ends_within(AT_ONCE);
    assert_eq!(ended.code, 130, "{ended}");
    let mut run = prompt(spc());
    run.types_keys("print(\"begun\"); sleep(\"1h\")\r");
    run.until_shown("\nbegun\r\n");
    run.signal(Signal::TERM);
    assert_eq!(run.ends_within(AT_ONCE).code, 130);
}

#[test]
fn tab_completes_functions_members_and_variables() {
    let mut run = prompt(spc());
    run.types_keys(&format!("sta{TAB}"));
    run.until_shown("ck(");
    run.types_keys(&format!("\"shop\", #{{}}).nam{TAB}"));
    run.until_shown("name");
    run.types_keys("\r");
    run.until_shown("\nshop\r\n");
    run.until_shown("spc> ");
    tell(&mut run, "let elephants = 42");
    run.types_keys(&format!("eleph{TAB}\r"));
    run.until_shown("\n42\r\n");
    run.until_shown("spc> ");
    // Shows all candidates if several match.
    run.types_keys(&format!("http::{TAB}{TAB}"));
    run.until_shown("get(");
    run.until_shown("post(");
}

#[test]
fn lines_are_kept_for_their_owner_alone_and_found_again() {
    let spc = spc().folder("state");
    let file = spc.project().join("state/spc/history");
    let state = spc.project().join("state").display().to_string();
    let mut run = prompt(spc.env("XDG_STATE_HOME", state).file("secrets/key", "hunter2hunter2"));
    tell(&mut run, "let a = 1");
    run.types_keys("fn f() {\r  2\r}\r");
    run.says_at_prompt(" 40 + 2", "42\r\n");
    run.says_at_prompt("[a]", "[1]\r\n");
    run.types_keys(&format!("{UP}{UP}"));
    run.until_shown("fn f()");
    run.types_keys(CTRL_C);
    run.until_shown("spc> ");
    // The line itself may declare the secret.
    run.says_at_prompt("secret(\"key\"); \"hunter2hunter2\".len()", "14\r\n");
    run.types_keys(UP);
    run.until_shown("[a]");
    run.types_keys(CTRL_C);
    run.until_shown("spc> ");
    assert_eq!(
        std::fs::read_to_string(&file).unwrap(),
        "#V2\nlet a = 1; \"told\"\nfn f() {\\n  2\\n}\n[a]\n"
    );
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    run.types_keys(CTRL_D);
    assert_eq!(run.ends().code, 0);
}

#[test]
fn history_uses_the_configured_file_and_reports_a_failure_once() {
    let spc = spc().env("SPC_HISTORY", "typed").file("typed", "#V2\n6 * 7\n");
    let file = spc.project().join("typed");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    let mut run = prompt(spc);
    run.types_keys(&format!("{UP}\r"));
    run.until_shown("\n42\r\n");
    run.until_shown("spc> ");
    run.says_at_prompt("2 + 3", "5\r\n");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "#V2\n6 * 7\n2 + 3\n");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);

    for nowhere in ["", "/dev/null"] {
        let spc = self::spc().env("SPC_HISTORY", nowhere);
        let home = spc.root().join("home");
        let mut run = prompt(spc);
        run.says_at_prompt("2 + 3", "5\r\n");
        assert_eq!(std::fs::read_dir(&home).unwrap().count(), 0, "{nowhere}");
    }
    assert_eq!(
        std::fs::metadata("/dev/null").unwrap().permissions().mode() & 0o777,
        0o666,
        "a device is left as it is"
    );

    let unwritable = Spc::new()
        .at_terminal()
        .env("TERM", "xterm")
        .env("NO_COLOR", "1")
        .env("SPC_HISTORY", "file/typed")
        .file("file", "");
    let mut run = prompt(unwritable.args(["repl"]));
    run.types_keys("2 + 3\r");
    run.until_shown("\n5\r\nwarning: The history is not saved in ");
    run.until_shown("spc> ");
    run.says_at_prompt("2 + 4", "6\r\n");
    run.types_keys(CTRL_D);
    assert_eq!(run.ends().stdout.matches("warning").count(), 1);
}

#[test]
fn colours_are_for_those_who_want_them() {
    let said = |spc: Spc| {
        let mut run = prompt(spc);
        run.says_at_prompt("help attempt", "");
        run.says_at_prompt("log::warn(\"x\"); nonsense", "");
        run.types_keys(CTRL_D);
        run.ends().stdout
    };
    let styles = |text: &str| {
        text.split("\x1b[")
            .skip(1)
            .filter(|rest| {
                rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';').starts_with('m')
            })
            .count()
    };
    assert!(styles(&said(spc().without_env("NO_COLOR"))) > 0);
    for plain in [spc(), spc().without_env("NO_COLOR").env("CLICOLOR", "0")] {
        let plain = said(plain);
        assert_eq!(styles(&plain), 0, "{plain:?}");
    }
}

#[test]
fn the_prompt_works_without_line_editing() {
    let mut run = Spc::new().at_terminal().env("TERM", "dumb").args(["repl", "--quiet"]).start();
    run.until_shown("spc> ");
    run.types("fn f(x) {");
    run.until_shown("...> ");
    run.types("x * 2 }");
    run.until_shown("spc> ");
    run.types("nonsense");
    run.until_shown("error: There is no variable \"nonsense\"");
    run.until_shown("spc> ");
    run.types("print(\"begun\"); loop { }");
    run.until_shown("\nbegun\r\n");
    run.types_keys(CTRL_C);
    run.until_shown("error: Interrupted");
    run.until_shown("spc> ");
    run.types_keys(CTRL_C);
    run.until_shown("spc> ");
    run.types("f(21)");
    run.until_shown("\n42\r\n");
    run.until_shown("spc> ");
    run.types_keys(CTRL_D);
    assert_eq!(run.ends().code, 0);
}

#[test]
fn results_go_where_standard_output_goes() {
    let mut run = Spc::new().asks().args(["repl", "--quiet"]).start();
    run.until_stderr("spc> ");
    run.types("40 + 2");
    run.until_stdout("42\n");
    run.types("exit");
    let ended = run.ends();
    assert_eq!((ended.code, ended.stdout.as_str()), (0, "42\n"), "{ended}");
}

#[test]
fn json_is_for_piped_lines() {
    let ended = Spc::new().asks().args(["repl", "--json"]).output();
    assert_eq!(ended.code, 2);
    assert!(
        ended
            .stdout
            .contains("--json is for lines that are piped in, not for those typed at a terminal"),
        "{ended}"
    );
}
