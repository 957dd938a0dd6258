//! Imports from forbidden folders.

use crate::support::Spc;

/// A project next to a secret file, with paths that lead out of the project.
fn project() -> Spc {
    Spc::new()
        .file("spc.toml", "project_directory = \"own\"\n")
        .folder("own")
        .file("../secret.rhai", "print(\"told\");")
        .file("../outside/secret.rhai", "print(\"told\");")
        .file("scripts/lib/here.rhai", "")
        .link("scripts/file.rhai", "../../secret.rhai")
        .link("scripts/folder", "../../outside")
        .link("scripts/round.rhai", "round.rhai")
}

#[test]
#[ignore = "slow: `make test` runs it"]
fn none_comes_from_outside_of_the_project() {
    for path in [
        "../../secret",
        "lib/../../../secret",
        "./.././../secret",
        "..//../secret",
        "/etc/passwd",
        "//etc/passwd",
        "file",
        "folder/secret",
        "round",
        "std/../../secret",
        "std/",
        "std/./retry",
        "STD/retry",
        "..%2f..%2fsecret",
        "%2e%2e/%2e%2e/secret",
        "file:///etc/passwd",
        "https://example.invalid/a",
        "~/secret",
        "lib/here/",
        "lib",
        "lib/here.rhai",
        "lib\\\\here",
        "lib/here\\x00",
        "lib/HERE",
        "",
        " ",
        ".",
        "..",
    ] {
        let ended =
            project().runbook(&format!("import \"{path}\" as x;\nprint(\"went on\");")).output();
        assert_eq!((ended.code, ended.stdout.as_str()), (2, ""), "{path}: {ended}");
        assert!(ended.stderr.starts_with("error: Could not import"), "{path}: {ended}");
        assert!(!ended.stderr.contains("told"), "{path}: {ended}");
    }
    let long = "a/".repeat(5000);
    let ended = project().runbook(&format!("import \"{long}a\" as x;")).output();
    assert_eq!(ended.code, 2, "{ended}");
}

#[test]
fn none_is_chosen_while_it_runs() {
    for script in [
        "let path = \"../../secret\"; import path as x;",
        "import \"../\" + \"../secret\" as x;",
        "import `../../${\"secret\"}` as x;",
        "fn f() { import \"../../secret\" as x; }\nf();",
        "if true { import \"lib/here\" as x; }",
        "let f = || { import \"../../secret\" as x; }; f.call();",
    ] {
        let ended = project().runbook(script).output();
        assert_eq!((ended.code, ended.stdout.as_str()), (2, ""), "{script}: {ended}");
    }
}

#[test]
fn none_takes_the_place_of_a_module_of_spc() {
    for (module, call) in
        [("fs", "fs::read(\"/etc/hostname\")"), ("http", "http::get(\"http://example.invalid\")")]
    {
        let run = Spc::new()
            .file("scripts/mine.rhai", "fn read(path) { \"mine\" }\nfn get(url) { \"mine\" }");
        let ended = run.runbook(&format!("import \"mine\" as {module};\nprint({call});")).output();
        // In both cases the policy applies to what spc does.
        assert!(
            ended.code == 5 || ended.code == 2 || ended.stdout == "mine\n",
            "{module}: {ended}"
        );
    }
}
