//! The table of attempts, `attempts.txt`: each line is a runbook that has to be rejected. To add an
//! attempt, add a line.

use super::EngineRequests;
use crate::support::{Answer, Spc};

/// `attempt → rejected by → message`, under headings with the name of the attempt's project.
const TABLE: &str = include_str!("attempts.txt");

struct Attempt {
    /// The line in the table.
    line: usize,
    /// The heading above it.
    project: &'static str,
    script: &'static str,
    /// The exit code, which shows what rejected it.
    code: i32,
    /// The beginning of standard error after `error: `; after a `…`, a text that it contains.
    message: &'static str,
}

fn attempts() -> Vec<Attempt> {
    let mut project = "";
    let mut all = Vec::new();
    for (line, text) in (1..).zip(TABLE.lines()) {
        if let Some(heading) = text.strip_prefix("## ") {
            project = heading.split(':').next().unwrap();
        }
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        let parts: Vec<&str> = text.split("→").map(str::trim).collect();
        let [script, by, message] = parts[..] else {
            panic!("line {line} of the table is no attempt: {text}")
        };
        let code = match by {
            "policy" => 5,
            "check" | "limit" => 2,
            "run" => 1,
            _ => panic!("line {line} of the table: nothing is refused by \"{by}\""),
        };
        all.push(Attempt { line, project, script, code, message });
    }
    all
}

/// The project for a heading of the table.
fn project(heading: &str) -> Spc {
    let run =
        Spc::new().file("../secret", "told").file("../outside/secret.rhai", "print(\"told\");");
    match heading {
        "links" => run
            .file("spc.toml", "project_directory = \"own\"\n")
            .file("own/note", "kept")
            .link("own/file", "../../secret")
            .link("own/folder", "../..")
            .link("own/gone", "../../new")
            .link("own/all", "/")
            .link("own/run", "/var/run")
            .link("own/engine", "/var/run/docker.sock")
            .link("scripts/file.rhai", "../../outside/secret.rhai")
            .link("scripts/folder", "../../outside"),
        "engines" => {
            let context = |name: &str, address: &str| {
                format!(r#"{{"Name":"{name}","Endpoints":{{"docker":{{"Host":"{address}"}}}}}}"#)
            };
            run.file("spc.toml", "[allow]\nnetwork = [\"*\", \"localhost:4000\", \"engine.example:4001\"]\n")
                .file("Dockerfile", "FROM a\nARG FROM\nADD --chown=1:1 $FROM /x\n")
                .file("plain/Dockerfile", "FROM a\n")
                .file("frontend/Dockerfile", "// syntax=own:1\nFROM a\n")
                .file("heredoc/Dockerfile", "FROM a\nRUN true <<X\nADD http://127.0.0.1:4000/containers/json /x\n")
                .file("escape/Dockerfile", "# a=b\n# escape=`\nFROM a\nENV A=x`\nADD http://127.0.0.1:4000/containers/json /x\n")
                .file("split/Dockerfile", "FROM a\nADD ht${E}tp://127.0.0.1:4000/containers/json /x\n")
                .file("root.tar", vec![0; 1024])
                .file("../home/.docker/contexts/meta/1/meta.json", context("here", "tcp://127.0.0.1:4000"))
                .file("../home/.docker/contexts/meta/2/meta.json", context("there", "tcp://engine.example:4001"))
        }
        "nas" => run.file("spc.toml", "[allow]\nnetwork = [\"nas.example\"]\n"),
        "commands" => {
            // spc's own search path leads to the planted programs too.
            super::commands::project(super::commands::ALLOWED)
                .env("PATH", format!("deploy:.:{}", std::env::var("PATH").unwrap()))
        }
        "frontends" => {
            let run = run.file("spc.toml", "[allow]\nfrontends = [\"example/known:1\"]\n");
            run.file("Dockerfile", "FROM a\n").file("root.tar", "an archive")
        }
        "build" => run.file("spc.toml", "").file("Dockerfile", "FROM a\n"),
        "empty" => run.file("spc.toml", ""),
        "own" => run
            .file("spc.toml", "")
            .file(
                "app/Dockerfile",
                "FROM a\nARG KEY=dev.spc.project\nLABEL tier=front ${KEY}=other\n",
            )
            .file(
                "long/Dockerfile",
                format!("FROM a\n{}\nLABEL dev.spc.project=other\n", " ".repeat(5 << 20)),
            )
            .file("plain/Dockerfile", "FROM scratch\n")
            .file("root.tar", "an archive"),
        _ => panic!("no project of the table is called \"{heading}\""),
    }
}

/// As in [`EngineRequests::engine`], but with a container, a volume and a network of the project
/// `other`, and a base image whose builds send requests to an engine.
fn engine(request: &str) -> Option<Answer> {
    if request.starts_with("GET /images/triggers") {
        let config = r#"{"OnBuild":["ADD http://127.0.0.1:4000/containers/json /x"]}"#;
        return Some(Answer::of_api("1.41", &format!(r#"{{"Id":"sha256:aa","Config":{config}}}"#)));
    }
    super::projects::other(request)
}

/// What is wrong with the result of an attempt.
fn complaint(attempt: &Attempt) -> Option<String> {
    let asked = EngineRequests::default();
    let run = project(attempt.project).engine(asked.engine(engine));
    let ended = run.runbook(&format!("{};\nprint(\"went on\");", attempt.script)).output();
    let (begins, holds) = attempt.message.split_once('…').unwrap_or((attempt.message, ""));
    let wrong = if ended.code != attempt.code {
        format!("it ends with code {}, not {}", ended.code, attempt.code)
    } else if !ended.stdout.is_empty() {
        "it went on".to_owned()
    } else if ended.stderr.contains("told") {
        "it tells what it may not know".to_owned()
    } else if !asked.changes().is_empty() {
        format!("the engine was asked for {:?}", asked.changes())
    } else if !ended.stderr.contains(&format!("error: {begins}")) || !ended.stderr.contains(holds) {
        "its message is another".to_owned()
    } else {
        return None;
    };
    Some(format!("attempts.txt:{}: {}: {wrong}\n{}", attempt.line, attempt.script, ended.stderr))
}

#[test]
#[ignore = "slow: `make test` runs it"]
fn every_attempt_of_the_table_is_refused_before_anything_is_done() {
    let attempts = attempts();
    let workers = std::thread::available_parallelism().map_or(2, usize::from);
    let complaints: Vec<String> = std::thread::scope(|scope| {
        let share = |worker: usize| {
            attempts.iter().skip(worker).step_by(workers).filter_map(complaint).collect::<Vec<_>>()
        };
        let shares: Vec<_> =
            (0..workers).map(|worker| scope.spawn(move || share(worker))).collect();
        shares.into_iter().flat_map(|share| share.join().expect("an attempt was made")).collect()
    });
    assert!(
        complaints.is_empty(),
        "{} of {} attempts:\n\n{}",
        complaints.len(),
        attempts.len(),
        complaints.join("\n")
    );
}
