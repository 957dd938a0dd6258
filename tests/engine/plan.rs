//! `spc plan` on a real engine. A plan changes nothing, and the run makes exactly the requests that
//! were planned. A relay records them.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use similar_asserts::assert_eq;
use spc::model::step::ActionKind;
use strum::IntoEnumIterator;

use super::docker::{docker, try_docker};
use super::images::{busybox, image};
use super::project::Project;
use super::relay::{Relay, Request};

/// A step of a plan that changes something.
#[derive(Debug, Clone)]
struct Step {
    number: u64,
    /// The action and its object, such as `create container spct-plan-web-1`.
    what: String,
    cause: String,
    after: Vec<u64>,
}

struct Harness {
    project: Project,
    relay: Relay,
    _folder: tempfile::TempDir,
}

impl Harness {
    fn of(project: Project) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { relay: Relay::at_socket(folder.path()), project, _folder: folder }
    }

    /// Plans a runbook. Returns the steps and the event `plan`. Asserts that the plan changes
    /// neither files nor the engine.
    fn plan(&self, words: &[&str]) -> (Vec<Step>, Value) {
        let files = digest(self.project.path(""));
        self.relay.take();
        let ended = self
            .project
            .spc(&["plan", "--json"])
            .args(words)
            .env("DOCKER_HOST", self.relay.docker_host())
            .ends(0);
        let asked = self.relay.take();
        let posted: Vec<&String> = asked
            .iter()
            .filter(|line| !line.starts_with("GET ") && !line.starts_with("HEAD "))
            .collect();
        assert_eq!(posted, Vec::<&String>::new());
        assert_eq!(digest(self.project.path("")), files, "files are as they were");
        let plan: Value = ended
            .stdout
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap())
            .find(|it| it["event"] == "plan")
            .unwrap();
        assert_eq!(plan["ends"], Value::Null, "{plan:#}");
        let steps = plan["items"]
            .as_array()
            .unwrap()
            .iter()
            .flat_map(|item| item["steps"].as_array().cloned().unwrap_or_default());
        let steps = steps.filter(|step| step["changes"] == true).map(|step| Step {
            number: step["step"].as_u64().unwrap(),
            what: what(&step),
            cause: step["cause"].as_str().unwrap().to_owned(),
            after: step["after"].as_array().unwrap().iter().filter_map(Value::as_u64).collect(),
        });
        (steps.collect(), plan)
    }

    /// Plans a runbook and runs it. Asserts that the run takes the planned steps and respects their
    /// dependencies.
    fn plan_and_run(&self, words: &[&str]) -> Vec<Step> {
        let (steps, plan) = self.plan(words);
        assert!(steps.iter().all(|step| !step.cause.is_empty()), "{steps:?}");
        let before = names();
        self.project
            .spc(&["run"])
            .args(words)
            .env("DOCKER_HOST", self.relay.docker_host())
            .within(Duration::from_secs(300))
            .ends(0);
        let done = done(&self.relay.take_whole(), &before);
        let wanted: Vec<&Step> = steps.iter().filter(|step| on_engine(&step.what)).collect();
        let (mut found, mut expected) =
            (done.clone(), wanted.iter().map(|step| shortened(&step.what)).collect::<Vec<_>>());
        found.sort();
        expected.sort();
        assert_eq!(found, expected, "{plan:#}");
        for step in &wanted {
            let at =
                |step: &Step| done.iter().position(|line| *line == shortened(&step.what)).unwrap();
            for before in wanted.iter().filter(|before| step.after.contains(&before.number)) {
                assert!(at(before) < at(step), "{} before {}: {done:?}", before.what, step.what);
            }
        }
        steps
    }

    fn nothing(&self, words: &[&str]) {
        assert!(self.plan(words).0.is_empty());
        let spc = self.project.spc(&["plan", "--exit-code"]).args(words);
        spc.ends(0).printed(&["nothing to do"]);
    }
}

/// Whether a step is a request to the engine, not a change of a file.
fn on_engine(what: &str) -> bool {
    !what.starts_with("write ") && !what.starts_with("make ") && !what.starts_with("append ")
}

/// The text of a step, as in the plan for people.
fn what(step: &Value) -> String {
    let action = ActionKind::iter().find(|kind| serde_json::json!(kind) == step["action"]).unwrap();
    let object = &step["object"];
    let kind = object["kind"].as_str().filter(|kind| *kind != "request");
    let texts = [Some(action.word()), kind, object["name"].as_str(), object["relation"].as_str()];
    texts.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

/// Removes the details that the request does not contain.
fn shortened(what: &str) -> String {
    match what
        .strip_prefix("deliver secrets to ")
        .or_else(|| what.strip_prefix("deliver configs to "))
    {
        Some(container) => format!("deliver {container}"),
        None => what.split(" to ").next().unwrap_or_default().to_owned(),
    }
}

fn names() -> BTreeMap<String, String> {
    let containers = docker(&["ps", "--all", "--no-trunc", "--format", "{{.ID}} {{.Names}}"]);
    let list =
        [containers, docker(&["network", "ls", "--no-trunc", "--format", "{{.ID}} {{.Name}}"])]
            .concat();
    list.lines()
        .filter_map(|line| line.split_once(' '))
        .map(|(id, name)| (id.to_owned(), name.to_owned()))
        .collect()
}

/// The changes among the requests, in the words of a plan. Excludes spc's lock and health checks.
fn done(requests: &[Request], before: &BTreeMap<String, String>) -> Vec<String> {
    let after = names();
    let created: Vec<String> = requests
        .iter()
        .filter_map(|request| {
            request.line.split_once("/containers/create?").map(|(_, rest)| query(rest, "name"))
        })
        .collect();
    let name = |id: &str| {
        before.get(id).cloned().unwrap_or_else(|| {
            // The only container that was created and removed meanwhile is the lock.
            let name = after.get(id).cloned().unwrap_or_else(|| "the.spc-lock".to_owned());
            let new = format!("{name}.new");
            if created.contains(&new) { new } else { name }
        })
    };
    requests
        .iter()
        .filter_map(|request| one(request, &name))
        .filter(|line| !line.ends_with(".spc-lock"))
        .collect()
}

fn query(text: &str, key: &str) -> String {
    let value =
        text.split('&').find_map(|part| part.strip_prefix(&format!("{key}="))).unwrap_or_default();
    value.replace("%3A", ":").replace("%2F", "/")
}

fn one(request: &Request, name: &dyn Fn(&str) -> String) -> Option<String> {
    let (method, path) = request.line.split_once(' ')?;
    let path = path
        .split_once("/v1.")
        .map_or(path, |(_, rest)| rest.split_once('/').map_or("", |(_, rest)| rest));
    let (path, rest) =
        path.trim_start_matches('/').split_once('?').unwrap_or((path.trim_start_matches('/'), ""));
    let parts: Vec<&str> = path.split('/').collect();
    let body: Value = serde_json::from_str(&request.body).unwrap_or_default();
    Some(match (method, parts.as_slice()) {
        ("POST", ["containers", "create"]) => format!("create container {}", query(rest, "name")),
        ("POST", ["containers", id, action @ ("start" | "stop" | "restart" | "rename")]) => {
            format!("{action} container {}", name(id))
        }
        ("DELETE", ["containers", id]) => format!("remove container {}", name(id)),
        ("POST", ["containers", id, "exec"]) => {
            let words: Vec<&str> =
                body["Cmd"].as_array()?.iter().filter_map(Value::as_str).collect();
            if !words.concat().contains("manage.py") {
                return None;
            }
            format!("run command {} in container {}", words.join(" "), name(id))
        }
        ("PUT", ["containers", id, "archive"]) if !name(id).ends_with(".spc-lock") => {
            format!("deliver container {}", name(id))
        }
        ("POST", ["networks", "create"]) => format!("create network {}", body["Name"].as_str()?),
        ("POST", ["volumes", "create"]) => format!("create volume {}", body["Name"].as_str()?),
        ("DELETE", ["networks", id]) => format!("remove network {}", name(id)),
        ("DELETE", ["volumes", volume]) => format!("remove volume {volume}"),
        ("POST", ["images", "create"]) if rest.contains("fromImage") => "pull image".to_owned(),
        ("POST", ["build"]) => format!("build image {}", query(rest, "t")),
        _ => return None,
    })
}

/// The files below a folder: paths and contents.
fn digest(folder: impl AsRef<Path>) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    let mut folders = vec![folder.as_ref().to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push((path.display().to_string(), std::fs::read(&path).unwrap_or_default()));
            }
        }
    }
    found.sort();
    found
}

/// Describes a service with a volume, an env file and configs, and optionally a worker.
fn describe(project: &Project, image: &str, colour: &str, worker: bool) {
    let sleeps = |image: &str| {
        format!(r#"image: "{image}", command: ["sleep", "1000"], stop_grace_period: "0s""#)
    };
    let more =
        if worker { format!("worker: #{{ {} }},", sleeps(busybox())) } else { String::new() };
    project.stack(&format!(
        r#"volumes: #{{ data: #{{}} }},
        configs: #{{ "site.conf": #{{ file: "./site.conf" }} }},
        services: #{{
            web: #{{ {}, environment: #{{ COLOUR: "{colour}" }}, env_file: ["web.env"], configs: ["site.conf", #{{ source: "site.conf", target: "/etc/site/own.conf", uid: "5", mode: 0o400 }}], volumes: ["data:/data"], healthcheck: #{{ test: "true", interval: "1h" }} }},
            {more}
        }}"#,
        sleeps(image)
    ));
}

#[test]
fn a_plan_runs_a_read_only_command_only_if_the_policy_allows_it() {
    let project = Project::new("plan-read-only");
    project.stack(&format!(r#"services: #{{ web: #{{ image: "{}", command: ["sleep", "1000"], stop_grace_period: "0s" }} }}"#, busybox()));
    let code = "import \"stack\" as app;\nlet web = app::describe().service(\"web\");\n\
                let lines = web.exec(\"echo ran >> /tmp/ran; wc -l < /tmp/ran\", #{ read_only: true, assume: 40 }).int();\n\
                if lines < 40 { fs::write(`n${lines}`, \"x\"); }\n";
    project.file("scripts/ask.rhai", code);
    project.spc(&["run", "scripts/up.rhai"]).ends(0);
    let plan = || project.spc(&["plan", "--all-steps", "scripts/ask.rhai"]).ends(0);
    let container = format!("{}-web-1", project.name);
    assert!(plan().stdout.contains("from `assume`"));
    assert!(try_docker(&["exec", &container, "cat", "/tmp/ran"]).is_err(), "nothing ran");
    project.file("spc.toml", "spc = \"0.1\"\n[allow]\nread_only_execs = true\n");
    for count in 1..=2 {
        let said = plan().stdout;
        assert!(
            said.contains("run (read-only) command")
                && said.contains(&format!("write file n{count}")),
            "{said}"
        );
        assert_eq!(docker(&["exec", &container, "cat", "/tmp/ran"]).lines().count(), count);
    }
    assert!(!project.path("n1").exists());
}

#[test]
fn a_run_does_exactly_what_was_planned() {
    let project = Project::new("plan");
    project.file("web.env", "SIZE=1\n").file("site.conf", "first of a config");
    let own = format!("local/{}:1", project.name);
    docker(&["tag", busybox(), &own]);
    describe(&project, &own, "red", true);
    let trial = Harness::of(project);
    let project = &trial.project;
    let up = ["scripts/up.rhai"];
    let causes = |steps: &[Step]| steps.iter().map(|step| step.cause.clone()).collect::<Vec<_>>();

    let first = trial.plan_and_run(&up);
    assert!(causes(&first).iter().all(|cause| cause == "missing"), "{first:?}");
    trial.nothing(&up);

    describe(project, &own, "blue-of-a-test", true);
    let (steps, plan) = trial.plan(&up);
    assert!(
        causes(&steps).contains(&"environment COLOUR changed".to_owned())
            && !plan.to_string().contains("blue-of-a-test"),
        "{plan:#}"
    );
    project
        .spc(&["plan", "--exit-code", "scripts/up.rhai"])
        .ends(3)
        .printed(&["environment COLOUR", "1 to replace"]);
    trial.plan_and_run(&up);

    docker(&["tag", &image("other", &["CMD [\"sh\"]", "LABEL other=1"]), &own]);
    assert!(
        causes(&trial.plan_and_run(&up)).iter().any(|cause| cause.starts_with("image changed"))
    );

    project.file("web.env", "SIZE=2\n");
    assert!(causes(&trial.plan_and_run(&up)).contains(&"environment SIZE changed".to_owned()));

    let inside = |path: &str| {
        let command = format!("cat {path}; stat -c ' %u %a' {path}");
        docker(&["exec", &project.container("web"), "sh", "-c", &command]).trim_end().to_owned()
    };
    assert_eq!(inside("/site.conf"), "first of a config 0 444");
    let worker = project.container("worker");
    project.file("site.conf", "second of a config");
    let (_, plan) = trial.plan(&up);
    assert!(!plan.to_string().contains("of a config"), "{plan:#}");
    assert!(causes(&trial.plan_and_run(&up)).contains(&"config site.conf changed".to_owned()));
    assert_eq!(
        (inside("/etc/site/own.conf"), project.container("worker")),
        ("second of a config 5 400".to_owned(), worker)
    );

    for (count, number) in [(3, 2), (2, 1)] {
        let file = format!("scripts/scale{count}.rhai");
        project.file(
            &file,
            &format!(
                "import \"stack\" as app;\napp::describe().service(\"worker\").scale({count});\n"
            ),
        );
        let steps = trial.plan_and_run(&[&file]);
        assert_eq!(
            steps.iter().filter(|step| step.what.contains(" container spct-plan-worker-")).count(),
            2 * number,
            "{steps:?}"
        );
        trial.nothing(&up);
    }

    describe(project, &own, "blue-of-a-test", false);
    trial.nothing(&up);
    let steps = trial.plan_and_run(&["--remove-orphans", "scripts/up.rhai"]);
    assert!(steps.iter().all(|step| step.cause == "no longer described"), "{steps:?}");

    let steps = trial.plan_and_run(&["scripts/down.rhai"]);
    let down: Vec<&str> = steps.iter().map(|step| step.what.as_str()).collect();
    assert_eq!(
        down,
        [
            "stop container spct-plan-web-1",
            "remove container spct-plan-web-1",
            "remove network spct-plan_default",
            "remove volume spct-plan_data"
        ]
    );
    assert!(super::docker::objects("spct-plan").is_empty());
    trial.nothing(&["scripts/down.rhai"]);
    let _ = try_docker(&["rmi", &own]);
}

#[test]
fn the_image_of_a_planned_build_is_unknown_until_its_step() {
    let project = Project::new("plan-build");
    let image = format!("local/{}:1", project.name);
    let _ = try_docker(&["rmi", &image]);
    project.file(
        "app/Dockerfile",
        &format!(
            "# small\nARG BASE={}\nFROM ${{BASE}}\nCOPY note \\\n  # where\n  /note\n",
            busybox()
        ),
    );
    project.file("app/note", "one");
    project.stack(&format!(
        r#"services: #{{ web: #{{ image: "{image}", build: "./app", command: ["sleep", "1000"], stop_grace_period: "0s" }} }}"#
    ));
    project.file(
        "scripts/build.rhai",
        "import \"stack\" as app;\nlet all = app::describe();\nall.build();\nall.up();\n",
    );
    let trial = Harness::of(project);
    let (project, words) = (&trial.project, ["scripts/build.rhai"]);
    let made = |plan: &Value, name: &str| {
        let steps = plan["items"]
            .as_array()
            .unwrap()
            .iter()
            .flat_map(|item| item["steps"].as_array().cloned().unwrap_or_default());
        steps
            .into_iter()
            .find(|step| step["object"]["kind"] == "container" && step["object"]["name"] == name)
            .unwrap()
    };

    let (steps, plan) = trial.plan(&words);
    assert_eq!(
        (steps[0].number, steps[0].what.as_str()),
        (1, format!("build image {image}").as_str())
    );
    let container = made(&plan, "spct-plan-build-web-1");
    assert!(
        container["image"].to_string().contains(&image)
            && !container["image"].to_string().contains("sha256:"),
        "{container:#}"
    );
    let text = project.spc(&["plan"]).args(&words).ends(0);
    text.printed(&["its image is unknown until it is built", "1 to build"]);
    trial.plan_and_run(&words);
    // The image's labels match its build inputs, so spc does not build it again.
    assert!(trial.plan_and_run(&words).is_empty());

    project.file("app/note", "two");
    let (steps, plan) = trial.plan(&words);
    let replaced = made(&plan, "spct-plan-build-web-1.new");
    assert_eq!(
        (&replaced["only_if"]["known_after"], &replaced["only_if"]["changed"]),
        (&Value::from(1), &Value::from(true))
    );
    assert!(steps.len() > 3, "{steps:?}");
    trial.plan_and_run(&words);
    assert_eq!(docker(&["exec", &project.container("web"), "cat", "/note"]), "two");

    // A new build may result in the same image. Then the run does less than planned.
    project.edit("app/Dockerfile", "# small", "# still small");
    let planned: Vec<String> =
        trial.plan(&words).0.iter().map(|step| shortened(&step.what)).collect();
    let before = names();
    project
        .spc(&["run"])
        .args(&words)
        .env("DOCKER_HOST", trial.relay.docker_host())
        .within(Duration::from_secs(300))
        .ends(0);
    let done = done(&trial.relay.take_whole(), &before);
    assert!(done.iter().all(|line| planned.contains(line)), "{done:?} of {planned:?}");
    project.spc(&["run", "scripts/down.rhai"]).ends(0);
    let _ = try_docker(&["rmi", &image]);
}

#[test]
fn a_plan_of_db_init_marks_what_depends_on_command_output() {
    let trial = Harness::of(Project::reference("plan-db"));
    let (_, plan) = trial.plan(&["scripts/db_init.rhai"]);
    let assumed: Vec<String> = plan["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|item| item["kind"] == "assumption")
        .map(|item| item["answer_of"].to_string())
        .collect();
    assert!(assumed[0].contains("makemigrations --check"), "{plan:#}");
    let text = trial.project.spc(&["plan", "scripts/db_init.rhai"]).ends(0);
    text.printed(&[
        "the steps below depend on the command",
        "scripts/database.rhai:",
        "exit code 0, no output",
    ]);
    trial.plan_and_run(&["scripts/db_init.rhai"]);
    trial.nothing(&["scripts/db_init.rhai"]);
}

#[test]
fn a_plan_works_while_services_are_unhealthy() {
    let project = Project::new("plan-ill");
    // `loops` exits again and again. `ill` never passes its health check, because the file is
    // missing.
    let describe = |project: &Project, colour: &str| {
        project.stack(&format!(
            r#"services: #{{
                loops: #{{ image: "{image}", command: ["sh", "-c", "sleep 0.4; exit 3"], restart: "always", stop_grace_period: "0s",
                    healthcheck: #{{ test: "test -e /tmp/well", interval: "200ms", retries: 1, timeout: "1s" }} }},
                ill: #{{ image: "{image}", command: ["sleep", "1000"], stop_grace_period: "0s", "x-spc-probe": "engine",
                    healthcheck: #{{ test: "test -e /tmp/well", interval: "200ms", retries: 1, timeout: "1s" }} }},
                web: #{{ image: "{image}", command: ["sleep", "1000"], stop_grace_period: "0s", environment: #{{ COLOUR: "{colour}" }},
                    depends_on: #{{ ill: #{{ condition: "service_healthy" }}, loops: #{{ condition: "service_started" }} }} }},
            }}"#,
            image = busybox()
        ));
    };
    describe(&project, "red");
    for service in ["loops", "ill"] {
        project
            .file("scripts/one.rhai", &format!("import \"stack\" as app;\napp::describe().up([\"{service}\"], #{{ timeout: \"2s\" }});\n"));
        project.spc(&["run", "scripts/one.rhai"]).ends(1);
    }
    let trial = Harness::of(project);
    // Repeats until the container `loops` was seen in both of its states.
    let mut seen = std::collections::BTreeSet::new();
    while seen.len() < 2 {
        let before = docker(&[
            "inspect",
            "--format",
            "{{.State.Status}}",
            &trial.project.container("loops"),
        ]);
        let (steps, _) = trial.plan(&["scripts/up.rhai"]);
        let what: Vec<&str> = steps.iter().map(|step| step.what.as_str()).collect();
        assert_eq!(
            what,
            ["create container spct-plan-ill-web-1", "start container spct-plan-ill-web-1"]
        );
        seen.insert(before);
    }
}
