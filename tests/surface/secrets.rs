//! Secrets never appear in any output.

use crate::support::{Answer, Spc, TcpServer};

const VALUE: &str = "correct horse battery";

fn with_secret() -> Spc {
    Spc::new()
        .file("spc.toml", "[allow]\ncommands = [\"sh\"]\ncommand_env = [\"PW\"]\n")
        .file("secrets/db_password", format!("{VALUE}\n"))
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
fn a_secret_value_is_masked_in_every_output() {
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
    // Also masked in the excerpt, because the source contains the value.
    assert!(
        ended.stderr.contains("7 | throw \"[secret db_password]\";\n")
            && !ended.stderr.contains("horse"),
        "{ended}"
    );
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
    assert!(
        !ended.to_string().contains("horse") && !ended.to_string().contains("battery"),
        "{ended}"
    );
    assert_eq!(ended.to_string().matches("[secret db_password]").count(), 3, "{ended}");
}

#[test]
fn a_secret_is_given_out_only_when_exposed() {
    with_secret()
        .runbook("stack(\"spc\", #{ services: #{ db: #{ image: \"x\", environment: #{ PW: secret(\"db_password\") } } } });")
        .code(2)
        .stderr(
            r#"
            error: The secret "db_password" can't be used in the environment of "db" as PW without expose()
             --> scripts/a.rhai:1:69
              |
            1 | stack("spc", #{ services: #{ db: #{ image: "x", environment: #{ PW: secret("db_password") } } } });
              |                                                                     ^^^^^^
              |
              = help: deliver it as a file with `secrets: ["db_password"]`; if it must be there, write expose(secret("db_password"))
            "#,
        )
        .run();
    let ended =
        with_secret().runbook("fs::write(\"out.txt\", `pw: ${secret(\"db_password\")}`);").output();
    assert_eq!(ended.code, 2);
    assert!(
        ended
            .stderr
            .contains("error: The secret \"db_password\" can't be used in the file \"out.txt\"\n"),
        "{ended}"
    );
    let ended = with_secret()
        .runbook("sh([\"sh\", \"-c\", `echo ${expose(secret(\"db_password\"))}`]);")
        .output();
    assert_eq!(ended.code, 2);
    assert!(
        ended.stderr.contains(
            "can't be used in the arguments of a host command: every process can see them\n"
        ),
        "{ended}"
    );
}

#[test]
fn a_secret_in_a_build_argument_or_a_label_is_refused_exposed_or_not() {
    for secret in ["secret(\"db_password\")", "expose(secret(\"db_password\"))"] {
        let column = |before: &str| before.len() + 1;
        let before = "image(\"a\").build(#{ args: #{ TOKEN: ";
        let ended = with_secret().runbook(&format!("{before}{secret} }} }});")).output();
        assert_eq!(ended.code, 2, "{ended}");
        let message = "error: The secret \"db_password\" can't be used in \"args.TOKEN\": build arguments stay in the image's history\n";
        assert!(ended.stderr.starts_with(message), "{ended}");
        assert!(
            ended.stderr.contains(&format!("scripts/a.rhai:1:{}\n", column(before))),
            "{ended}"
        );
        assert!(
            ended.stderr.contains(
                "help: give it to the build with `secrets: [\"db_password\"]` under `build`"
            ),
            "{ended}"
        );
        let before = "stack(\"spc\", #{ services: #{ db: #{ image: \"x\", labels: #{ l: ";
        let ended = with_secret().runbook(&format!("{before}{secret} }} }} }} }});")).output();
        assert_eq!(ended.code, 2, "{ended}");
        assert!(ended.stderr.contains("can't be used in \"services.db.labels.l\": labels are visible to every user of the engine\n"), "{ended}");
        assert!(
            ended.stderr.contains(&format!("scripts/a.rhai:1:{}\n", column(before))),
            "{ended}"
        );
    }
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
              = help: write its value to secrets/db_password, or declare it under "secrets" of a stack that is described before this line
            "#,
        )
        .run();
    let described = "stack(\"spc\", #{ services: #{}, secrets: #{ key: #{ environment: \"API_KEY\" } } });\nprint(secret(\"key\"));";
    let ended = Spc::new().runbook(described).output();
    assert_eq!((ended.code, ended.stdout.as_str()), (1, ""));
    assert!(
        ended
            .stderr
            .starts_with("error: The variable \"API_KEY\" of the secret \"key\" is not set\n"),
        "{ended}"
    );
    Spc::new().runbook(described).env("API_KEY", "0123456789").stdout("[secret key]\n").run();
}

/// A secret with characters that encoders change.
const ODD: &str = "p/ss w\"rd&<é>";

/// A runbook with the secret `odd`, and the address of a server that answers each request with
/// `answer`.
fn asking(server: &TcpServer, script: &str) -> Spc {
    let script = script.replace("SERVER", &format!("http://localhost:{}", server.port()));
    Spc::new()
        .file("spc.toml", "")
        .file("secrets/odd", ODD)
        .runbook(&format!("let s = expose(secret(\"odd\"));\n{script}"))
}

#[test]
fn an_address_with_a_secret_is_in_no_message_and_no_answer() {
    let server = TcpServer::new(|request| match request {
        "GET /moved/p/ss%20w%22rd&%3C%C3%A9%3E" => Answer::of_stranger(302, "")
            .with_header("Location", "/there?token=p%2Fss+w%22rd%26%3c%c3%a9%3e"),
        request => Answer::of_stranger(200, request),
    });
    asking(&server, "let a = http::get(\"SERVER/moved/\" + s);\nprint(a.url);\nprint(a.body);")
        .stdout(&format!(
            "http://localhost:{}/there?token=[secret odd]\nGET /there?token=[secret odd]\n",
            server.port()
        ))
        .run();
    for script in [
        "http::get(\"http://localhost:1/\" + s)",
        "http::get(\"http://localhost:1/?a=\" + s)",
        "http::get(\"http://localhost:1/\", #{ headers: #{ \"x y\": s } })",
        "http::get(\"http://other.example/\" + s)",
        "http::get(\"http://x\" + s)",
        "try { http::get(\"http://localhost:1/\" + s) } catch (e) { print(e.message); throw e }",
    ] {
        for json in [false, true] {
            let run = asking(&server, script);
            let ended = if json { run.args(["--json"]) } else { run }.output();
            assert_ne!(ended.code, 0, "{script}: {ended}");
            for piece in
                ["p/ss", "p%2F", "w%22rd", "w\\\"rd", "%C3%A9", "secret:odd", "exposed:odd", "⟨"]
            {
                assert!(!ended.to_string().contains(piece), "{script}: {piece}: {ended}");
            }
        }
    }
}

#[test]
#[ignore = "slow: `make test` runs it"]
fn a_secret_in_another_encoding_is_masked() {
    let spellings = [
        "p%2Fss%20w%22rd%26%3C%C3%A9%3E",
        "p%2fss+w%22rd%26%3c%c3%a9%3e",
        "p%252Fss%2520w%2522rd%2526%253C%25C3%25A9%253E",
        "p/ss w&quot;rd&amp;&lt;é&gt;",
        "p&#x2F;ss&#32;w&#34;rd&#38;&#60;&eacute;&#062;",
        r#"p\/ss w\"rd&<\u00e9>"#,
        r"p/ss w\u0022rd\u0026\u003C\u00E9\u003E",
        r"p/ss\x20w\x22rd\x26\x3c\xc3\xa9\x3e",
        "702f73732077227264263cc3a93e",
        "70:2F:73:73:20:77:22:72:64:26:3C:C3:A9:3E",
        "cC9zcyB3InJkJjzDqT4=",
        "dXNlcjpwL3NzIHcicmQmPMOpPg==",
        "cC9zcyB3\r\nInJkJjzD\r\nqT4=",
    ];
    for spelling in spellings {
        let server =
            TcpServer::new(move |_| Answer::of_stranger(200, &format!("got {spelling} from you")));
        let ended =
            asking(&server, "let b = http::get(\"SERVER/\").body;\nprint(b);\nlog::warn(b);\nfail(\"exec\", b, #{ hint: b });").output();
        // The text around the value in base64 stays.
        assert_eq!(
            ended.stdout.replace("dXNlcj", "").trim_end(),
            "got [secret odd] from you",
            "{spelling}"
        );
        assert!(
            !ended.stderr.contains(spelling) && ended.stderr.matches("[secret odd]").count() == 3,
            "{spelling}: {ended}"
        );
    }
}

#[test]
fn a_secret_of_three_characters_is_masked_and_a_shorter_one_warned_of_once() {
    let pin = |value: &str| {
        Spc::new()
            .file("spc.toml", "")
            .file("secrets/pin", value)
            .runbook("secret(\"pin\");\nsecret(\"pin\");\nprint(`code ${7}4${1} YWI= NzQx`);")
    };
    pin("741\n").stdout("code [secret pin] YWI= [secret pin]\n").run();
    pin("74\n")
        .stdout("code 741 YWI= NzQx\n")
        .stderr(
            "warning: The secret \"pin\" is not masked in output: it has fewer than 3 characters\n",
        )
        .run();
}

#[test]
fn json_stays_json_where_a_secret_is_one_of_its_words() {
    for word in ["event", "print", "text", "tim", "\":\"", "end"] {
        let run = Spc::new().file("spc.toml", "").file("secrets/word", word).args(["--json"]);
        let ended = run.runbook("secret(\"word\");\nprint(fs::read(\"secrets/word\"));").output();
        let lines: Vec<serde_json::Value> =
            ended.stdout.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
        assert_eq!(
            (lines[0]["event"].as_str(), lines[0]["text"].as_str()),
            (Some("print"), Some("[secret word]")),
            "{ended}"
        );
        assert_eq!(lines[1]["event"].as_str(), Some("end"), "{ended}");
    }
}

#[test]
fn an_encoded_token_is_refused_before_it_is_sent() {
    let server = TcpServer::new(|_| Answer::of_stranger(200, ""));
    let script = "let encoded = \"\";\nfor c in s { encoded += if c == '⟨' { \"%E2%9F%A8\" } else if c == '⟩' { \"%E2%9F%A9\" } else { c } }\n\
                  http::get(\"SERVER/?t=\" + encoded);";
    let ended = asking(&server, script).output();
    assert_eq!(ended.code, 2, "{ended}");
    assert!(
        ended.stderr.starts_with(
            "error: The secret \"odd\" was changed before it reached a request's address: "
        ),
        "{ended}"
    );
}

#[test]
fn no_message_repeats_a_part_of_a_secret_that_was_used_as_a_name() {
    let value = "Geheim:Wort/Ab+cd9-Xyz";
    for misuse in [
        "stack(word, #{})",
        "stack(\"shop\", #{ services: #{ a: #{ image: word } } })",
        "stack(\"shop\", #{ services: #{ a: #{ image: `a:${word}` } } })",
        "stack(\"shop\", #{ services: #{ a: #{ image: `a@${word}` } } })",
        "stack(\"shop\", #{ services: #{ a: #{ image: \"a\", volumes: [word] } } })",
        "stack(\"shop\", #{ services: #{ a: #{ image: \"a\", volumes: [`data:/data:${word}`] } } })",
        "stack(\"shop\", #{ services: #{ a: #{ image: \"a\", volumes: [`${word}:/data`] } } })",
        "stack(\"shop\", #{ services: #{ a: #{ image: \"a\", extra_hosts: [word] } } })",
        "stack(\"shop\", #{ services: #{ a: #{ image: \"a\", ports: [word] } } })",
        "image(word).id",
        "http::get(word)",
        "http::get(`http://${word}/`)",
    ] {
        let ended = Spc::new()
            .file("spc.toml", "")
            .file("secrets/key", value)
            .file(".env", format!("WORD={value}\n"))
            .runbook(&format!("let key = secret(\"key\");\nlet word = env(\"WORD\");\n{misuse};\n"))
            .output();
        let said = ended.stderr.to_lowercase();
        assert_eq!(ended.code, if misuse.starts_with("http") { 5 } else { 2 }, "{misuse}: {ended}");
        assert!(said.contains("[secret key]"), "{misuse}: {ended}");
        for part in ["geheim", "wort", "ab+cd", "abcd9", "xyz"] {
            assert!(!said.contains(part), "{misuse}: {part}: {ended}");
        }
    }
}
