//! Secrets are in no output, whoever prints them.

use crate::support::Spc;

const VALUE: &str = "correct horse battery";

fn with_secret() -> Spc {
    Spc::new().file("spc.toml", "[allow]\ncommands = [\"sh\"]\n").file("secrets/db_password", format!("{VALUE}\n"))
}

#[test]
fn a_secret_is_masked_in_results_messages_and_errors() {
    with_secret()
        .runbook(
            "let s = secret(\"db_password\");\nprint(s);\nprint(`is ${s}`);\nprint([expose(s), #{ pw: s }]);\nlog::warn(expose(s));\n\
             fail(\"exec\", `bad ${s}`, #{ hint: `not ${expose(s)}` });",
        )
        .code(1)
        .stdout(
            r#"
            [secret db_password]
            is [secret db_password]
            ["[secret db_password]", #{"pw": [secret db_password]}]
            "#,
        )
        .stderr(
            r#"
            warning: [secret db_password]
            error: bad [secret db_password]
             --> scripts/a.rhai:6:1
              |
            6 | fail("exec", `bad ${s}`, #{ hint: `not ${expose(s)}` });
              | ^^^^
              |
              = help: not [secret db_password]
            "#,
        )
        .run();
}

#[test]
fn a_secrets_value_is_masked_however_it_comes_back() {
    let script = format!(
        "secret(\"db_password\");\nprint(\"{VALUE}\");\nprint(fs::read(\"secrets/db_password\"));\nprint(`user:{VALUE}`);\n\
         print(\"Y29ycmVjdCBob3JzZSBiYXR0ZXJ5\");\nprint(\"correct%20horse%20battery\");\nthrow \"{VALUE}\";"
    );
    let ended = with_secret().runbook(&script).output();
    assert_eq!(ended.code, 1);
    assert_eq!(
        ended.stdout,
        "[secret db_password]\n[secret db_password]\n\nuser:[secret db_password]\n[secret db_password]\n[secret db_password]\n"
    );
    // The excerpt too: the value stands in the source.
    assert!(ended.stderr.contains("7 | throw \"[secret db_password]\";\n") && !ended.stderr.contains("horse"), "{ended}");
}

#[test]
fn a_secret_is_masked_in_json() {
    let ended = with_secret()
        .args(["--json"])
        .runbook("let s = secret(\"db_password\");\nprint(expose(s));\nfail(\"exec\", expose(s), #{ hint: `x ${s}`, given: [s, #{ pw: expose(s) }] });")
        .output();
    assert_eq!(ended.code, 1);
    assert!(!ended.stdout.contains("horse") && !ended.stdout.contains('⟨'), "{ended}");
    assert_eq!(ended.stdout.matches("[secret db_password]").count(), 5, "{ended}");
}

#[test]
fn a_secret_is_masked_in_what_a_host_command_prints_also_in_pieces() {
    let ended = with_secret()
        .runbook(
            "let s = secret(\"db_password\");\n\
             let answer = sh([\"sh\", \"-c\", \"printf correct; printf ' horse'; echo \\\" battery\\\"; echo $PW >&2\"], #{ environment: #{ PW: expose(s) } });\n\
             print(answer.stdout);",
        )
        .output();
    assert_eq!(ended.code, 0, "{ended}");
    assert!(!ended.to_string().contains("horse") && !ended.to_string().contains("battery"), "{ended}");
    assert_eq!(ended.to_string().matches("[secret db_password]").count(), 3, "{ended}");
}

#[test]
fn a_secret_is_given_out_only_when_exposed() {
    with_secret()
        .runbook("stack(\"spc\", #{ services: #{ db: #{ image: \"x\", environment: #{ PW: secret(\"db_password\") } } } });")
        .code(2)
        .stderr(
            r#"
            error: The secret "db_password" would stand in the environment of "db" as PW
             --> scripts/a.rhai:1:1
              |
            1 | stack("spc", #{ services: #{ db: #{ image: "x", environment: #{ PW: secret("db_password") } } } });
              | ^^^^^
              |
              = help: deliver it as a file with `secrets: ["db_password"]`; if it must be there, write expose(secret("db_password"))
            "#,
        )
        .run();
    let ended = with_secret().runbook("fs::write(\"out.txt\", `pw: ${secret(\"db_password\")}`);").output();
    assert_eq!(ended.code, 2);
    assert!(ended.stderr.contains("error: The secret \"db_password\" would stand in the file \"out.txt\"\n"), "{ended}");
    let ended = with_secret().runbook("sh([\"sh\", \"-c\", `echo ${expose(secret(\"db_password\"))}`]);").output();
    assert_eq!(ended.code, 2);
    assert!(ended.stderr.contains("would stand in the arguments of a host command, which every process can see\n"), "{ended}");
}

#[test]
fn a_secret_that_is_not_there_says_where_it_could_be() {
    Spc::new()
        .runbook("secret(\"db_password\");")
        .code(1)
        .stderr(
            r#"
            error: There is no secret "db_password"
             --> scripts/a.rhai:1:1
              |
            1 | secret("db_password");
              | ^^^^^^
              |
              = help: declare it under "secrets" in the description, or write it to secrets/db_password
            "#,
        )
        .run();
    let described = "stack(\"spc\", #{ services: #{}, secrets: #{ key: #{ environment: \"API_KEY\" } } });\nprint(secret(\"key\"));";
    let ended = Spc::new().runbook(described).output();
    assert_eq!((ended.code, ended.stdout.as_str()), (1, ""));
    assert!(ended.stderr.starts_with("error: The variable \"API_KEY\" of the secret \"key\" is not set\n"), "{ended}");
    Spc::new().runbook(described).env("API_KEY", "0123456789").stdout("[secret key]\n").run();
}
