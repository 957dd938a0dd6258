//! A secret in every place where a script can write text: spc rejects it or delivers it, and its
//! token reaches no engine.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rhai::Map;
use serde_json::{Value, json};
use similar_asserts::assert_eq;

use super::describe::project;
use super::harness::Harness;
use super::stack::Stack;
use crate::compose::faults::ComparisonScope;
use crate::engine::calls::Piece;
use crate::engine::observer::Observer;
use crate::engine::sim::{ImageSpec, Process, SimEngine};
use crate::host::sim::executor::SimTaskExecutor;
use crate::model::Failure;
use crate::model::secret::Secrets;

const VALUE: &str = "correct horse battery";

/// A project with a secret `key`, an engine, and a record of all calls to the engine.
struct Bench {
    trial: Harness,
    engine: SimEngine,
    sent: Arc<Mutex<Vec<String>>>,
}

impl Bench {
    fn new() -> Self {
        let sim = SimTaskExecutor::new(1);
        let engine = SimEngine::builder(sim.clone())
            .image("app:1", ImageSpec::command(&["serve"]))
            .process("true", Process::new().exits_after(Duration::ZERO, 0))
            .build();
        let sent: Arc<Mutex<Vec<String>>> = Arc::default();
        let noted = sent.clone();
        let watched = Observer::new(Arc::new(engine.clone()), move |call| {
            let mut sent = format!("{} {}", call.method(), call.text());
            let mut delivered = Vec::new();
            call.pieces(&mut |piece| {
                if let Piece::Delivery(bytes) = piece {
                    delivered.push(String::from_utf8_lossy(bytes).into_owned());
                }
            });
            sent.push_str(&format!(" {delivered:?}"));
            noted.lock().push(sent);
            Ok(())
        });
        let files = |host: crate::host::sim::SimHost| {
            host.with_file("/project/secrets/key", VALUE)
                .with_file(
                    "/project/app/Dockerfile",
                    "FROM app:1\nRUN --mount=type=secret,id=key,required make\n",
                )
                .with_file("/project/root.tar", "")
        };
        let trial = Harness::on_engine(
            &sim,
            Arc::new(watched),
            files,
            "[allow]\ncommands = [\"*\"]\nnetwork = [\"*\"]\n",
        );
        Self { trial, engine, sent }
    }

    /// The token of the secret, and its exposed form.
    fn tokens(&self) -> [String; 2] {
        let hidden = self.trial.text("`${secret(\"key\")}`");
        let exposed = Secrets::exposed(&hidden);
        [hidden, exposed]
    }

    fn describe(&self, description: &Value) -> Result<Stack, Failure> {
        let context = &self.trial.context;
        Ok(Stack::of(
            context,
            "shop".to_owned(),
            project(context, "shop", description, Path::new("/project"), ComparisonScope::Whole)?,
        ))
    }

    #[track_caller]
    fn sent_no_token(&self, what: &str) {
        let sent = self.sent.lock();
        let found: Vec<_> = sent.iter().filter(|call| call.contains('\u{27e8}')).collect();
        assert!(found.is_empty(), "{what}: {found:?}");
    }
}

/// A description with every possible key, whose values are texts, numbers or booleans.
fn everything() -> Value {
    let update = json!({
        "order": "stop-first", "parallelism": 1, "delay": "1s", "monitor": "1s", "failure_action": "pause", "max_failure_ratio": 0.5,
    });
    json!({
        "name": "shop", "version": "3.9", "profiles": ["extra"],
        "services": {
            "app": {
                "image": "app:1",
                "build": {
                    "context": "./app", "dockerfile": "Dockerfile", "target": "a", "args": {"A": "a"}, "labels": {"l": "a"}, "no_cache": true,
                    "pull": false, "network": "none", "tags": ["app:2"], "secrets": ["key", {"source": "key", "target": "other"}],
                },
                "command": ["a", "b"], "entrypoint": "a b", "environment": {"A": "a"}, "env_file": [{"path": ".env", "required": false}],
                "ports": ["127.0.0.1::80", {"target": 81, "published": 8081, "host_ip": "127.0.0.1", "protocol": "tcp", "name": "a", "mode": "host", "app_protocol": "http"}],
                "volumes": [
                    "data:/a:ro", {"type": "bind", "source": "./app", "target": "/b", "read_only": true, "bind": {"create_host_path": false}},
                    {"type": "volume", "source": "data", "target": "/c", "read_only": true, "volume": {"nocopy": true}},
                    {"type": "tmpfs", "target": "/d", "tmpfs": {"size": "1m"}},
                ],
                "networks": {"net": {"aliases": ["a"], "ipv4_address": "10.1.0.5", "ipv6_address": "fd00::5"}},
                "secrets": ["key", {"source": "key", "target": "b", "uid": "1", "gid": "1", "mode": "0440"}],
                "configs": [{"source": "conf", "target": "/e", "uid": "1", "gid": "1", "mode": "0440"}],
                "depends_on": {"db": {"condition": "service_started", "required": true, "restart": false}},
                "healthcheck": {"test": ["CMD", "a"], "interval": "1s", "timeout": "1s", "retries": 1, "start_period": "1s", "start_interval": "1s"},
                "restart": "always", "logging": {"driver": "local", "options": {"a": "b"}}, "profiles": ["extra"], "user": "a",
                "working_dir": "/a", "hostname": "a", "init": true, "scale": 1, "stop_grace_period": "1s", "stop_signal": "TERM",
                "labels": {"a": "b"}, "extra_hosts": ["a:10.0.0.1"], "read_only": false, "container_name": "a",
                "deploy": {"replicas": 1, "update_config": update, "rollback_config": update}, "x-spc-probe": "own", "x-spc-verify": {"url": "http://localhost/", "header": {"X-A": "b"}}, "x-note": "a",
            },
            "db": {"image": "app:1", "environment": ["A=a"], "healthcheck": {"disable": true}, "profiles": ["extra"]},
        },
        "networks": {"net": {
            "name": "a", "driver": "bridge", "driver_opts": {"a": "b"}, "internal": true, "attachable": true, "enable_ipv6": true, "labels": {"a": "b"},
            "external": false, "ipam": {"driver": "default", "config": [{"subnet": "10.1.0.0/16", "gateway": "10.1.0.1", "ip_range": "10.1.1.0/24"}]},
        }},
        "volumes": {"data": {"name": "a", "driver": "local", "driver_opts": {"a": "b"}, "labels": {"a": "b"}, "external": false, "x-spc-shared": true}},
        "secrets": {"key": {"file": "./secrets/key", "name": "a"}, "other": {"environment": "OTHER"}},
        "configs": {"conf": {"content": "a", "name": "b"}, "more": {"file": "./a"}, "env": {"environment": "A"}},
    })
}

/// The keys and indexes that lead to every entry of `value`.
fn paths(value: &Value) -> Vec<Vec<String>> {
    let children: Vec<(String, &Value)> = match value {
        Value::Object(fields) => fields.iter().map(|(key, value)| (key.clone(), value)).collect(),
        Value::Array(items) => {
            items.iter().enumerate().map(|(at, item)| (at.to_string(), item)).collect()
        }
        _ => return vec![Vec::new()],
    };
    let below = |(key, value): (String, &Value)| {
        paths(value).into_iter().map(move |path| [vec![key.clone()], path].concat())
    };
    std::iter::once(Vec::new()).chain(children.into_iter().flat_map(below)).collect()
}

fn at<'a>(value: &'a mut Value, path: &[String]) -> &'a mut Value {
    path.iter().fold(value, |value, key| match value {
        Value::Array(items) => &mut items[key.parse::<usize>().unwrap()],
        other => &mut other[key.as_str()],
    })
}

/// The descriptions in which the text at `path`, or the key there, is replaced by `text`.
fn with_text(path: &[String], text: &str) -> Vec<Value> {
    let mut changed = Vec::new();
    let mut value = everything();
    *at(&mut value, path) = Value::from(text);
    changed.push(value);
    let (key, ctx) = path.split_last().unwrap();
    let mut value = everything();
    if let Value::Object(fields) = at(&mut value, ctx) {
        let moved = fields.remove(key).unwrap();
        fields.insert(text.to_owned(), moved);
        changed.push(value);
    }
    changed
}

/// Whether `text` is the value of a variable in `environment`.
fn is_variables_value(description: &Value, text: &str) -> bool {
    let services = &description["services"];
    services["app"]["environment"]["A"] == *text
        || services["db"]["environment"][0] == *text && text.starts_with("A=")
}

#[test]
fn a_secret_anywhere_in_a_description_is_rejected_with_its_name() {
    let bench = Bench::new();
    let mut count = 0;
    for path in paths(&everything()).into_iter().filter(|path| !path.is_empty()) {
        for token in bench.tokens() {
            for text in [token.clone(), format!("a{token}b"), format!("A={token}")] {
                for description in with_text(&path, &text) {
                    if token.contains("exposed:") && is_variables_value(&description, &text) {
                        continue;
                    }
                    let failure = bench
                        .describe(&description)
                        .err()
                        .unwrap_or_else(|| panic!("{path:?} took {text}"));
                    let message = failure.message;
                    let is_named = message.starts_with("The secret \"key\" can't be used in ")
                        || message.contains("takes the name of a secret")
                        || message.contains("names the source of the secret");
                    assert!(
                        is_named && failure.hint.is_some() && failure.path.is_some(),
                        "{path:?}: {message}"
                    );
                    count += 1;
                }
            }
        }
    }
    assert!(count > 1000, "{count} places");
    assert!(bench.sent.lock().is_empty());
}

/// The walk above sees a key only if the description has it.
#[test]
fn every_key_that_is_read_of_a_description_is_walked() {
    let sources = [
        include_str!("../model/spec/build.rs"),
        include_str!("../model/spec/config.rs"),
        include_str!("../model/spec/health.rs"),
        include_str!("../model/spec/mount.rs"),
        include_str!("../model/spec/network.rs"),
        include_str!("../model/spec/port.rs"),
        include_str!("../model/spec/project.rs"),
        include_str!("../model/spec/secret.rs"),
        include_str!("../model/spec/service.rs"),
        include_str!("../model/spec/volume.rs"),
    ];
    let text = everything().to_string();
    let keys = sources.iter().flat_map(|source| {
        ["read(\"", "get(\"", "required(\""]
            .into_iter()
            .flat_map(|call| source.split(call).skip(1))
            .filter_map(|rest| rest.split('"').next())
    });
    let missing: Vec<&str> = keys.filter(|key| !text.contains(&format!("\"{key}\":"))).collect();
    assert_eq!(missing, Vec::<&str>::new());
}

#[test]
fn the_engine_gets_secret_values_and_never_a_token() {
    let bench = Bench::new();
    let script = r#"
        let key = secret("key");
        let shop = stack("shop", #{
            services: #{ app: #{ build: #{ context: "app", secrets: ["key"] }, environment: #{ PW: `a${expose(key)}b` }, secrets: ["key"] } },
            secrets: #{ key: #{ file: "secrets/key" } },
        });
        shop.up();
        container("shop-app-1").write("/pw", `is ${key}`);
        exec(container("shop-app-1"), ["true"], #{ environment: #{ PW: expose(key) }, stdin: key });
        run("app:1", ["true"], #{ environment: #{ PW: expose(key) } });
        image("local/a:1").build(#{ context: "app", secrets: ["key"] });
    "#;
    bench.trial.text(script);
    bench.sent_no_token("delivered");
    let environment =
        |container: &str| bench.engine.state().container(container).unwrap().environment.clone();
    assert_eq!(environment("shop-app-1"), [format!("PW=a{VALUE}b")]);
    assert_eq!(bench.engine.file("shop-app-1", "/pw").unwrap(), format!("is {VALUE}"));
    assert_eq!(bench.engine.file("shop-app-1", "/run/secrets/key").unwrap(), VALUE);
    let sent = bench.sent.lock();
    let builds: Vec<&String> = sent.iter().filter(|call| call.starts_with("image_build")).collect();
    assert_eq!(builds.len(), 2);
    for build in builds {
        let (arguments, delivered) = build.rsplit_once(" [").unwrap();
        assert!(!arguments.contains(VALUE) && delivered.contains(VALUE), "{build}");
    }
}

/// Lines of a script that have to fail in a project with a container `app`. `S` is the token of a
/// secret, or its exposed form.
const REFUSED: [&str; 49] = [
    r#"stack(S, #{ services: #{} })"#,
    r#"stack(#{ name: S, services: #{} })"#,
    r#"stack("shop", #{ services: #{ a: #{ image: S } } })"#,
    r#"compose("services: {a: {image: x}}", #{ project: S })"#,
    r#"compose("services: {a: {image: x}}", #{ profiles: [S] })"#,
    r#"image(S)"#,
    r#"image("a").tag(S)"#,
    r#"image("a").build(#{ context: S })"#,
    r#"image("a").build(#{ args: #{ A: S } })"#,
    r#"image("a").build(#{ args: [`A=${S}`] })"#,
    r#"image("a").build(#{ labels: #{ a: S } })"#,
    r#"image("a").build(#{ target: S })"#,
    r#"image("a").build(#{ tags: [S] })"#,
    r#"image("a").build(#{ network: S })"#,
    r#"image("a").build(#{ secrets: [S] })"#,
    r#"image("a").build(#{ secrets: [#{ source: "key", target: S }] })"#,
    r#"image("a").import_tar(fs::file("root.tar"), #{ changes: [`LABEL a=${S}`] })"#,
    r#"container(S)"#,
    r#"container("app").kill(S)"#,
    r#"container("app").read(S)"#,
    r#"container("app").write(S, "text")"#,
    r#"container("app").logs(#{ since: S })"#,
    r#"exec(container("app"), S)"#,
    r#"exec(container("app"), `echo ${S}`)"#,
    r#"exec(container("app"), ["echo", S])"#,
    r#"exec(container("app"), ["echo"], #{ user: S })"#,
    r#"exec(container("app"), ["echo"], #{ working_dir: S })"#,
    r#"let e = #{}; e[`${S}`] = "x"; exec(container("app"), ["echo"], #{ environment: e })"#,
    r#"run(S, ["echo"])"#,
    r#"run("app:1", ["echo", S])"#,
    r#"run("app:1", `echo ${S}`)"#,
    r#"run("app:1", ["echo"], #{ user: S })"#,
    r#"run("app:1", ["echo"], #{ working_dir: S })"#,
    r#"let e = #{}; e[`${S}`] = "x"; run("app:1", ["echo"], #{ environment: e })"#,
    r#"network(S)"#,
    r#"network("a").create(#{ driver: S })"#,
    r#"network("a").create(#{ labels: #{ a: S } })"#,
    r#"network("a").connect(S)"#,
    r#"network("a").connect("b", #{ aliases: [S] })"#,
    r#"network("a").disconnect(S)"#,
    r#"volume(S)"#,
    r#"volume("a").create(#{ driver_opts: #{ o: S } })"#,
    r#"volume("a").create(#{ labels: #{ a: S } })"#,
    r#"healthcheck(container("app"), #{ test: ["CMD", S] })"#,
    r#"sh(["echo", S])"#,
    r#"sh(["echo"], #{ working_dir: S })"#,
    r#"fs::write(S, "text")"#,
    r#"fs::read(S)"#,
    r#"let h = #{}; h[`${S}`] = "x"; http::get("http://localhost/", #{ headers: h })"#,
];

#[test]
#[ignore = "slow: `make test` runs it"]
fn a_secret_in_a_name_an_option_a_path_or_an_argument_is_refused() {
    for attempt in REFUSED {
        for secret in ["`${secret(\"key\")}`", "expose(secret(\"key\"))"] {
            let bench = Bench::new();
            bench.trial.text(r#"stack("project", #{ services: #{ app: #{ image: "app:1", container_name: "app" } } }).up()"#);
            let failure = bench.trial.fails(&format!("let S = {secret}; {attempt}"));
            let message = &failure.message;
            assert!(
                message.contains("secret") && !message.contains('\u{27e8}'),
                "{attempt}: {message}"
            );
            bench.sent_no_token(attempt);
            assert!(bench.trial.host.commands().is_empty());
        }
    }
}

#[test]
fn a_secret_itself_is_refused_like_its_text() {
    for attempt in REFUSED {
        let bench = Bench::new();
        // These functions expect a string, and a secret has another type.
        bench.trial.fails(&format!("let S = secret(\"key\"); {attempt}"));
        bench.sent_no_token(attempt);
    }
}

#[test]
fn up_with_a_secret_everywhere_it_may_be_is_unchanged_the_second_time() {
    let bench = Bench::new();
    let [_, exposed] = bench.tokens();
    let description =
        json!({"services": {"app": {"image": "app:1", "environment": {"PW": exposed}}}});
    let up = || bench.describe(&description).unwrap().up(None, Map::new()).unwrap();
    up();
    let before = bench.sent.lock().len();
    up();
    let changed =
        bench.sent.lock()[before..].iter().filter(|call| call.contains("_create")).count();
    assert_eq!(changed, 0);
}
