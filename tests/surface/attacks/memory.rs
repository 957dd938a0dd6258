//! Runbooks that use too much memory, in a process with limited memory. Each ends with a message,
//! and the system does not kill the process.

use std::net::TcpListener;

use crate::support::{Answer, Spc};

/// A run with this limit of the address space. Excludes the memory that the allocator reserves for
/// threads.
fn bounded(mebibytes: usize) -> Spc {
    let limit = format!("ulimit -v {} && exec \"$@\"", mebibytes << 10);
    Spc::new().under(&["sh", "-c", &limit, "sh"]).env("MALLOC_ARENA_MAX", "1")
}

/// Asserts that spc ended the run with a message.
#[track_caller]
fn ends(run: Spc, script: &str, says: &str) {
    let ended = run.runbook(&format!("{script}\nprint(\"went on\");")).output();
    assert!(ended.code > 0 && ended.stdout.is_empty(), "{script}: {ended}");
    assert!(ended.stderr.contains(says), "{script}: {ended}");
}

/// The limit for a value of 64 MiB, at most twice, and a stack of 256 MiB.
const VALUE: usize = 900;
/// The limit for all memory of a run, copied once.
const RUN: usize = 2_900;

#[test]
#[ignore = "slow: `make test` runs it"]
fn one_call_that_makes_a_huge_value_is_refused_before_it_does() {
    let large = "let s = \"x\"; s.pad(20_000_000, \"y\");";
    for (script, says) in [
        ("let s = \"x\"; loop { s += s; }", "The value is too large"),
        ("let s = \"x\"; loop { s = s + s; }", "The value is too large"),
        ("let s = \"ab\"; loop { s = `${s}${s}`; }", "The value is too large"),
        ("let s = \"\"; s.pad(4_000_000_000, 'y');", "The value is too large"),
        ("let s = \"\"; s.pad(4_000_000_000, \"yz\");", "The value is too large"),
        ("let b = blob(4_000_000_000);", "The value is too large"),
        ("let b = blob(); b.pad(4_000_000_000, 1);", "The value is too large"),
        ("blob(60_000_000).to_array();", "The value is too large"),
        ("let a = []; a.pad(400_000_000, 0);", "The value is too large"),
        ("let a = []; a.pad(900_000, [1, 2, 3]);", "The value is too large"),
        ("LARGE s.to_chars();", "The value is too large"),
        ("LARGE s.split(\"\");", "The value is too large"),
        ("LARGE s.split('y');", "The value is too large"),
        ("LARGE s.split_rev(\"y\");", "The value is too large"),
        ("LARGE s.replace(\"y\", \"yy\\n\"); s.lines();", "The value is too large"),
        ("LARGE s.replace(\"y\", \"yyyy\");", "The value is too large"),
        (
            "LARGE let l = [s, s, s, s, s, s, s, s]; let l = [l, l, l, l, l, l, l, l]; print(l);",
            "The value is too large",
        ),
        (
            "LARGE let l = [s, s, s, s, s, s, s, s]; let l = [l, l, l, l, l, l, l, l]; l.join(\", \");",
            "The value is too large",
        ),
        (
            "LARGE let l = [s, s, s, s, s, s, s, s]; #{ l: [l, l, l, l, l, l, l] }.to_json();",
            "The value is too large",
        ),
        (
            "LARGE let l = [s, s, s, s, s, s, s, s]; json::text([l, l, l, l, l, l, l]);",
            "The value is too large",
        ),
        (
            "LARGE let l = [s, s, s, s, s, s, s, s]; yaml::text([l, l, l, l, l, l, l]);",
            "The value is too large",
        ),
        (
            "LARGE let l = [s, s, s, s, s, s, s, s]; table([#{ a: l, b: l, c: l, d: l, e: l, f: l }]);",
            "The value is too large",
        ),
        (
            "let w = \"x\"; w.pad(1_000_000, \"y\"); let l = [#{ a: w, b: 1 }]; for i in 0..100_000 { l.push(#{ a: 1, b: 1 }); } table(l);",
            "The value is too large",
        ),
        (
            "let l = []; for i in 0..30_000 { let m = #{}; m[`k${i}`] = 1; l.push(m); } table(l);",
            "The table is too large: 30000 rows of 30000 columns",
        ),
        (
            "let l = []; l.pad(1_000, #{ a: 1 }); let c = []; c.pad(900_000, \"a\"); table(l, c);",
            "The table is too large",
        ),
        (
            "LARGE throw #{ message: \"x\", a: [s, s, s, s, s, s, s], b: [s, s, s, s, s, s] };",
            "The value is too large",
        ),
        (
            "LARGE let m = #{}; for i in 0..40 { m[`k${i}`] = s; } sh([\"true\"], #{ environment: m });",
            "The value is too large",
        ),
        (
            "let s = \"[],\"; for i in 0..24 { s += s; } json::parse(`[${s}1]`);",
            "The value is too large",
        ),
        (
            "let s = \"[],\"; for i in 0..24 { s += s; } yaml::parse(`[${s}1]`);",
            "it holds more than 200000 values",
        ),
        (
            "let s = \"x\"; s.pad(1 << 20, 'x'); let a = \"*a, \"; for i in 0..10 { a += a; } yaml::parse(`[&a ${s}, ${a}1]`);",
            "aliases repeat",
        ),
        (
            "let a = []; loop { let b = []; b.push(take(a)); a = take(b); }",
            "nested more than 2,000 deep",
        ),
        (
            "let l = []; let s = \"x\"; s.pad(1_000_000, \"y\"); loop { l.push(s + l.len); }",
            "The value is too large",
        ),
        ("let l = []; loop { l.push(1); }", "The value is too large"),
    ] {
        ends(bounded(VALUE), &script.replace("LARGE", large), says);
    }
}

#[test]
#[ignore = "slow: `make test` runs it"]
fn a_growing_script_fails_at_the_memory_limit_of_a_run() {
    for script in [
        "let m = #{}; let s = \"x\"; s.pad(1_000_000, \"y\"); loop { m[`k${m.len()}`] = s + m.len(); }",
        "let a = [1]; loop { a = [a, a]; }",
        "let m = #{ a: 1 }; loop { m = #{ a: m, b: m }; }",
        "let m = #{ s: \"ab\" }; loop { m.s = `${m.s}${m.s}`; }",
    ] {
        ends(bounded(RUN), script, "The script uses too much memory");
    }
}

#[test]
#[ignore = "slow: `make test` runs it"]
fn parallel_tasks_share_the_memory_limit_of_a_run() {
    // Each has a stack of 256 MiB of addresses; only the used part counts.
    for work in [
        "let s = \"\"; s.pad(60_000_000, 'y'); sleep(\"5s\"); s",
        "let b = blob(60_000_000, 1); sleep(\"5s\"); b",
        "let t = fs::read(\"large\"); sleep(\"5s\"); t",
    ] {
        let run = Spc::new().file("spc.toml", "").file("large", vec![b'x'; 60_000_000]);
        let run = run.under(&["sh", "-c", "ulimit -v 60000000 && exec \"$@\"", "sh"]);
        let script = format!(
            "let work = || {{ {work} }}; let all = []; for i in 0..64 {{ all.push(work); }} parallel(all);"
        );
        ends(run, &script, "The script uses too much memory");
    }
}

#[test]
fn an_answer_without_end_is_not_read_to_its_end() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = server.local_addr().unwrap();
    std::thread::spawn(move || {
        for connection in server.incoming() {
            let mut connection = connection.unwrap();
            // Reads the request, then sends an endless response.
            let _ = std::io::Read::read(&mut connection, &mut [0; 4096]);
            let _ = Answer::of_stranger(200, "").endless(vec![b'x'; 1 << 16]).write(connection);
        }
    });
    ends(bounded(VALUE), &format!("http::get(\"http://{address}/\");"), "is larger than 64 MiB");
}

#[test]
#[ignore = "slow: `make test` runs it"]
fn a_file_of_a_container_without_end_is_not_read_to_its_end() {
    let engine = |request: &str| match request {
        "GET /_ping" => Answer::of_api("1.41", "OK"),
        "GET /containers/c/json" => Answer::of_api(
            "1.41",
            r#"{"Id":"c","Name":"/c","Config":{"Labels":{"dev.spc.project":"project"}}}"#,
        ),
        request if request.starts_with("GET /containers/c/archive") => {
            Answer::of_api("1.41", "").endless(vec![b'x'; 1 << 16])
        }
        _ => Answer::of_api("1.41", r#"{"message":"not found"}"#).with_status(404),
    };
    let run = bounded(VALUE).env("COMPOSE_PROJECT_NAME", "project").engine(engine);
    ends(
        run,
        "container(\"c\").read(\"/etc/passwd\");",
        "\"/etc/passwd\" in the container is larger than 64 MiB",
    );
}

#[test]
#[ignore = "slow: `make test` runs it"]
fn an_answer_of_the_engine_without_end_is_not_read_to_its_end() {
    // White space, and values that need much more memory than their text.
    for chunk in [
        vec![b' '; 1 << 16],
        b"{},".repeat(1 << 14),
        b"{\"\":\"\"},".repeat(1 << 12),
        b"1,".repeat(1 << 14),
    ] {
        for (script, path) in [
            ("container(\"c\").inspect();", "GET /containers/c/json"),
            (
                "stack(\"project\", #{ services: #{ a: #{ image: \"a\" } } }).up();",
                "GET /containers/json",
            ),
            ("image(\"a\").exists();", "GET /images/a/json"),
        ] {
            let chunk = chunk.clone();
            let engine = move |request: &str| match request {
                "GET /_ping" => Answer::of_api("1.41", "OK"),
                request if request.starts_with(path) => {
                    Answer::of_api("1.41", "[").endless(chunk.clone())
                }
                request if request.starts_with("GET /volumes") => {
                    Answer::of_api("1.41", r#"{"Volumes":[]}"#)
                }
                _ => Answer::of_api("1.41", "[]"),
            };
            ends(
                bounded(VALUE).file("spc.toml", "").engine(engine),
                script,
                "it is larger than 64 MiB, or holds more than 500,000 objects",
            );
        }
    }
}

#[test]
#[ignore = "slow: `make test` runs it"]
fn an_image_with_millions_of_labels_is_refused() {
    let engine = |request: &str| match request {
        "GET /_ping" => Answer::of_api("1.41", "OK"),
        request if request.starts_with("GET /images/a") => {
            Answer::of_api("1.41", r#"{"Id":"sha256:a","Config":{"Labels":{"#).endless(labels())
        }
        _ => Answer::of_api("1.41", r#"{"message":"not found"}"#).with_status(404),
    };
    let run = bounded(VALUE).file("spc.toml", "").engine(engine);
    ends(
        run,
        "image(\"a\").inspect();",
        "it is larger than 64 MiB, or holds more than 500,000 objects or 1,000,000 values",
    );
}

/// Many short labels with different names.
fn labels() -> Vec<u8> {
    (0..1_000_000).flat_map(|number| format!("\"{number:x}\":\"\",").into_bytes()).collect()
}

#[test]
fn a_compressed_answer_is_not_unpacked() {
    // spc requests no compression, and does not decompress an answer, so no compression bomb works.
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = server.local_addr().unwrap();
    std::thread::spawn(move || {
        for connection in server.incoming() {
            let mut connection = connection.unwrap();
            let mut asked = vec![0; 4096];
            let count = std::io::Read::read(&mut connection, &mut asked).unwrap_or_default();
            let asked = String::from_utf8_lossy(&asked[..count]).to_lowercase();
            let body = if asked.contains("accept-encoding") { "asked for" } else { "as it is" };
            let _ = Answer::of_stranger(200, body)
                .with_header("Content-Encoding", "gzip")
                .write(connection);
        }
    });
    bounded(VALUE)
        .runbook(&format!("print(http::get(\"http://{address}/\").body);"))
        .stdout("as it is\n")
        .run();
}

#[test]
fn a_line_of_a_build_without_end_is_not_read_to_its_end() {
    let engine = |request: &str| match request {
        "GET /_ping" => Answer::of_api("1.41", "OK"),
        request if request.starts_with("POST /build") => {
            Answer::of_api("1.41", "{\"stream\":\"").endless(vec![b'x'; 1 << 16])
        }
        _ => Answer::of_api("1.41", r#"{"message":"not found"}"#).with_status(404),
    };
    let run =
        bounded(VALUE).file("spc.toml", "").file("Dockerfile", "FROM scratch\n").engine(engine);
    ends(run, "image(\"a\").build(#{ context: \".\" });", "a line of more than 16 MiB");
}

/// A project with files that need more memory than their size suggests.
fn with_bombs() -> Spc {
    let levels = |first: &str, level: &dyn Fn(usize) -> String| {
        (1..12).fold(first.to_owned(), |text, at| text + level(at).as_str())
    };
    let env = levels("A0=xxxxxxxxxx\n", &|at| {
        format!("A{at}={}\n", format!("${{A{}}}", at - 1).repeat(10))
    });
    let many = format!("A={}\nB={}\n", "x".repeat(1_000_000), "$A".repeat(1_000));
    let services = |image: &str| format!("services:\n  a:\n    image: \"{image}\"\n");
    let map: String = (0..20_000).map(|key| format!("k{key}: 1, ")).collect();
    let merged = format!(
        "x-a: &a {{{map}}}\n{}{}",
        services("a"),
        (0..3_000).map(|at| format!("  b{at}: {{ <<: *a }}\n")).collect::<String>()
    );
    Spc::new()
        .file("spc.toml", "")
        .file("bomb.env", env)
        .file("many.env", many)
        .file("large.env", format!("A={}\n", "x".repeat(4 << 20)))
        .file("list.rhai", format!("let x = [{}1];", "1,".repeat(30_000_000)))
        .file(
            "list_test.rhai",
            format!("fn test_a() {{ let x = [{}1]; }}", "1,".repeat(30_000_000)),
        )
        .file("wide.yaml", format!("x-a: [{}1]\n{}", "1,".repeat(1_500_000), services("a")))
        .file(
            "deep.yaml",
            format!("x-a: {}{}\n{}", "[".repeat(50_000), "]".repeat(50_000), services("a")),
        )
        .file("large.yaml", format!("x-a: \"{}\"\n{}", "y".repeat(4 << 20), services("a")))
        .file("merged.yaml", merged)
        .file("repeated.yaml", services(&"${LONG}".repeat(10_000)))
        .env("LONG", "x".repeat(100_000))
}

#[test]
#[ignore = "slow: `make test` runs it"]
fn a_file_that_is_more_than_it_seems_is_refused_by_every_command() {
    for (words, says) in [
        (
            &["--env-file", "bomb.env", "run", "a.rhai"][..],
            "larger than 4 MiB with its variables replaced",
        ),
        (
            &["--env-file", "many.env", "plan", "a.rhai"],
            "The text is larger than 4 MiB with its variables replaced",
        ),
        (&["--env-file", "large.env", "check", "a.rhai"], ""),
        (&["--env-file", "large.env", "ps"], "it is larger than 4 MiB"),
        (&["run", "list.rhai"], "it is larger than 4 MiB"),
        (&["plan", "list.rhai"], "it is larger than 4 MiB"),
        (&["check", "list.rhai"], "it is larger than 4 MiB"),
        (&["test", "list_test.rhai"], "it is larger than 4 MiB"),
        (&["test", "--crash-sweep", "list.rhai"], "it is larger than 4 MiB"),
        (&["run", "-e", "compose(\"wide.yaml\")"], "it holds more than 200000 values"),
        (&["run", "-e", "compose(\"deep.yaml\")"], "it is nested too deeply"),
        (&["run", "-e", "compose(\"large.yaml\")"], "it is larger than 4 MiB"),
        (&["run", "-e", "compose(\"merged.yaml\")"], "it holds more than 200000 values"),
        (
            &["run", "-e", "compose(\"repeated.yaml\")"],
            "The text is larger than 4 MiB with its variables replaced",
        ),
    ] {
        let run = with_bombs().file("a.rhai", "print(1);").under(&[
            "sh",
            "-c",
            "ulimit -v 900000 && exec \"$@\"",
            "sh",
        ]);
        let ended = run.env("MALLOC_ARENA_MAX", "1").args(words.iter().copied()).output();
        let said = format!("{}{}", ended.stdout, ended.stderr);
        assert!(
            said.contains(says) && (says.is_empty() || [1, 2].contains(&ended.code)),
            "{words:?}: {ended}"
        );
    }
    let script = format!("let x = [{}1];", "1,".repeat(30_000_000));
    let ended = Spc::new().args(["repl"]).stdin(&script).output();
    assert!(ended.code == 2 && ended.stderr.contains("it is larger than 4 MiB"), "{ended}");
}

#[test]
fn a_system_out_of_threads_is_an_error() {
    let limited = |threads: usize| {
        let limit = format!("--nproc={threads}");
        Spc::new().by_nobody().under(&["prlimit", &limit])
    };
    let ended = limited(60)
        .runbook("let all = []; for i in 0..200 { all.push(|| 1); } parallel(all);")
        .output();
    assert_eq!((ended.code, ended.stdout.as_str()), (1, ""), "{ended}");
    assert!(
        ended.stderr.starts_with(
            "error: Could not start 200 tasks at once: the system can't create more threads\n"
        ),
        "{ended}"
    );
    assert!(ended.stderr.contains("help: run fewer at once"), "{ended}");
    for threads in 1..12 {
        let ended = limited(threads).runbook("print(1 + 1);").output();
        assert!(
            !ended.stderr.contains("panicked") && !ended.stderr.contains("a fault of spc"),
            "{threads}: {ended}"
        );
        assert!(
            ended.code == 0 || ended.stderr.contains("error: Could not "),
            "{threads}: {ended}"
        );
    }
}
