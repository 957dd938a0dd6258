//! The whole reference stack: its nine services in development and in production, and what a user does with it.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::clients::HEALTHY;
use super::docker::{containers, docker, exec, inspect};
use super::heavy;
use super::images::busybox;
use super::project::Project;
use super::until::until;

const LIMIT: Duration = Duration::from_secs(300);
/// More than a Celery job, a reload or a restart takes on a busy machine.
const SOON: Duration = Duration::from_secs(60);

/// The stack at the port that a browser would ask.
struct Site<'a> {
    project: &'a Project,
    port: u16,
}

/// What a web server answered.
#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.split_once(": ").filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value))
    }
}

impl<'a> Site<'a> {
    fn at(project: &'a Project, port: &str) -> Self {
        Self { project, port: project.variable(port).parse().unwrap() }
    }

    fn connect(&self) -> std::io::Result<TcpStream> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))?;
        stream.set_read_timeout(Some(SOON))?;
        Ok(stream)
    }

    fn ask(&self, method: &str, path: &str, body: &str) -> std::io::Result<Answer> {
        let mut stream = self.connect()?;
        let host = format!("localhost:{}", self.port);
        let length = body.len();
        write!(
            stream,
            "{method} {path} HTTP/1.0\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        )?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        let text = String::from_utf8_lossy(&answer).into_owned();
        let (head, body) = text.split_once("\r\n\r\n").ok_or(std::io::ErrorKind::UnexpectedEof)?;
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).ok_or(std::io::ErrorKind::InvalidData)?;
        Ok(Answer { status, head: head.to_owned(), body: body.to_owned() })
    }

    #[track_caller]
    fn get(&self, path: &str) -> Answer {
        let answer = self.ask("GET", path, "").unwrap_or_else(|error| panic!("GET {path} at {}: {error}", self.port));
        assert_eq!(answer.status, 200, "GET {path}: {answer:?}");
        answer
    }

    fn healthy(&self) {
        assert_eq!(self.get("/api/health/").body, HEALTHY);
    }

    /// The first characteristic's id.
    fn characteristic(&self) -> i64 {
        self.get("/api/characteristics/").json()["results"][0]["id"].as_i64().unwrap()
    }

    /// The chart of a characteristic, once a Celery job has computed one of at least so many measurements.
    fn chart(&self, characteristic: i64, measurements: i64) -> Value {
        until("a job computes the chart", SOON, || {
            let answer = self.ask("GET", &format!("/api/charts/{characteristic}/"), "").ok().filter(|answer| answer.status == 200)?;
            Some(answer.json()).filter(|chart| chart["measurements"].as_i64().unwrap() >= measurements)
        })
    }

    /// A measurement posted is seen: the WebSocket tells of the chart that a job computed with it, and the chart has it.
    fn measure_and_see(&self, characteristic: i64) {
        let before = self.chart(characteristic, 1)["measurements"].as_i64().unwrap();
        let mut live = self.listen();
        let posted =
            self.ask("POST", "/api/measurements/", &json!({"characteristic": characteristic, "value": 10.01}).to_string()).unwrap();
        assert_eq!(posted.status, 201, "{posted:?}");
        live.until_told(&[r#""type":"chart""#, &format!(r#""characteristic":{characteristic}"#)]);
        self.chart(characteristic, before + 1);
    }

    /// Opens the WebSocket, as the page does.
    fn listen(&self) -> Live {
        let mut stream = self.connect().unwrap();
        let host = format!("localhost:{}", self.port);
        write!(
            stream,
            "GET /ws/live/ HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: c3BjIHRlc3RzIG5vbmNlIQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        .unwrap();
        let mut live = Live { stream, heard: String::new() };
        live.until_told(&["\r\n\r\n"]);
        assert!(live.heard.starts_with("HTTP/1.1 101"), "{}", live.heard);
        live
    }

    /// Container → when it was started.
    fn started(&self, service: &str) -> Value {
        inspect(&self.project.container(service))["State"]["StartedAt"].clone()
    }
}

/// An open WebSocket. What the server says is not masked: its texts are in the stream as they are.
struct Live {
    stream: TcpStream,
    heard: String,
}

impl Live {
    fn until_told(&mut self, texts: &[&str]) {
        let end = Instant::now() + SOON;
        while !texts.iter().all(|text| self.heard.replace("\": ", "\":").contains(text)) {
            assert!(Instant::now() < end, "the WebSocket told only {:?}", self.heard);
            let mut bytes = [0; 4096];
            let length = self.stream.read(&mut bytes).unwrap();
            assert_ne!(length, 0, "the WebSocket was closed after {:?}", self.heard);
            self.heard.push_str(&String::from_utf8_lossy(&bytes[..length]));
        }
    }
}

fn services(printed: &str) -> Vec<String> {
    let rows = printed.lines().skip_while(|line| !line.starts_with("SERVICE")).skip(1);
    let mut services: Vec<String> = rows
        .map(|row| {
            assert!(row.contains(" running "), "{printed}");
            row.split(' ').next().unwrap().to_owned()
        })
        .collect();
    services.dedup();
    services
}

const DEVELOPMENT: [&str; 8] = ["backend", "celery-beat", "celery-worker", "db", "flower", "frontend", "redis", "worker"];

#[test]
fn the_stack_serves_in_development_switches_to_production_and_back_and_loses_nothing() {
    let _alone = heavy();
    let project = Project::whole_reference("whole");
    assert_eq!(services(&project.up().within(LIMIT).ends(0).stdout), DEVELOPMENT);
    project.spc(&["run", "scripts/db_init.rhai"]).within(LIMIT).ends(0);

    let page = Site::at(&project, "FRONTEND_PORT");
    page.healthy();
    assert!(page.get("/").body.contains("/src/main.tsx"), "Vite serves the sources");
    assert_eq!(page.get("/").header("X-Release"), Some("spct"));
    let characteristic = page.characteristic();
    page.measure_and_see(characteristic);
    flower_lists_both_workers(&project);
    development_is_set_up_as_described(&project);
    changed_sources_are_live(&project);

    let measured = page.chart(characteristic, 1)["measurements"].as_i64().unwrap();
    let database = containers(&project.name)[&project.container("db")].clone();
    let production = project.up().args(&["--profile", "production"]).env("BUILD_TARGET", "production").within(LIMIT).ends(0);
    assert_eq!(services(&production.stdout).len(), 9, "{}", production.stdout);
    let edge = Site::at(&project, "NGINX_HTTP_PORT");
    edge.healthy();
    // No variable and no option: it stays production.
    project.spc(&["run", "scripts/db_init.rhai"]).within(LIMIT).ends(0);
    edge.chart(characteristic, measured);
    edge.measure_and_see(characteristic);
    production_serves_built_files(&edge);
    assert_eq!(exec(&project.container("backend"), &["id", "-u"]), "1000\n");
    assert!(Site::at(&project, "BACKEND_PORT").connect().is_err(), "nginx alone is published");
    production_mounts_are_read_only(&project);
    nothing_to_do_says_so(&project);

    let back = project.up().env("BUILD_TARGET", "development").within(LIMIT).ends(0);
    assert_eq!(services(&back.stdout).len(), 9, "nginx stays: {}", back.stdout);
    page.healthy();
    page.chart(characteristic, measured + 1);
    assert_eq!(containers(&project.name)[&project.container("db")], database, "nobody touches the database for that");
}

/// Networks, names, logs, mounts and secrets of every container.
fn development_is_set_up_as_described(project: &Project) {
    let network: Value = serde_json::from_str(&docker(&["network", "inspect", &format!("{}_spc-network", project.name)])).unwrap();
    assert_eq!((&network[0]["Driver"], &network[0]["IPAM"]["Config"][0]["Subnet"]), (&json!("bridge"), &json!(project.subnet())));
    for service in DEVELOPMENT {
        let found = inspect(&project.container(service));
        let log = json!({"Type": "json-file", "Config": {"max-size": "10m", "max-file": "3"}});
        assert_eq!(found["HostConfig"]["LogConfig"], log, "{service}");
        let address = exec(&project.container("backend"), &["getent", "hosts", service]);
        let networks = found["NetworkSettings"]["Networks"].as_object().unwrap();
        let known: Vec<&str> = networks.values().filter_map(|network| network["IPAddress"].as_str()).collect();
        assert_eq!(address.split_whitespace().next(), known.first().copied(), "{service}");
        let environment = found["Config"]["Env"].to_string() + found["Config"]["Labels"].to_string().as_str();
        for secret in ["POSTGRES_PASSWORD", "SECRET_KEY", "DJANGO_SUPERUSER_PASSWORD"] {
            assert!(!environment.contains(&project.variable(secret)), "{secret} of {service}");
        }
    }
    assert_eq!(mounts(project, "db")["/var/lib/postgresql/data"], format!("volume {}_postgres_data", project.name));
    assert_eq!(mounts(project, "redis")["/data"], format!("volume {}_redis_data", project.name));
    let backend = mounts(project, "backend");
    assert_eq!(backend["/app"], format!("bind {}", project.path("examples/spc/backend").display()));
    assert_eq!(backend["/app/staticfiles"], format!("volume {}_backend_static", project.name));
    assert_eq!(backend["/app/media"], format!("volume {}_backend_media", project.name));
    let frontend = mounts(project, "frontend");
    assert_eq!(frontend["/app"], format!("bind {}", project.path("examples/spc/frontend").display()));
    let anonymous = frontend["/app/node_modules"].strip_prefix("volume ").unwrap();
    assert!(anonymous.len() == 64 && anonymous.chars().all(|c| c.is_ascii_hexdigit()), "{anonymous}");
}

fn production_mounts_are_read_only(project: &Project) {
    let nginx = mounts(project, "nginx");
    for target in ["/etc/nginx/templates", "/etc/nginx/certificates", "/var/www/static", "/var/www/media"] {
        assert!(nginx[target].ends_with(" (read-only)"), "{nginx:?}");
    }
    assert!(mounts(project, "backend").values().all(|mount| mount.starts_with("volume ")), "no sources of the machine");
}

/// Where in the container → what is mounted there.
fn mounts(project: &Project, service: &str) -> BTreeMap<String, String> {
    let found = inspect(&project.container(service));
    let mount = |mount: &Value| {
        let text = |key: &str| mount[key].as_str().unwrap_or_default().to_owned();
        let what = if mount["Type"] == "volume" { text("Name") } else { text("Source") };
        let mode = if mount["RW"] == true { "" } else { " (read-only)" };
        (text("Destination"), format!("{} {what}{mode}", text("Type")))
    };
    found["Mounts"].as_array().unwrap().iter().map(mount).collect()
}

fn flower_lists_both_workers(project: &Project) {
    let workers = [("celery", "celery-worker"), ("aps", "worker")]
        .map(|(name, service)| format!("{name}@{}", inspect(&project.container(service))["Config"]["Hostname"].as_str().unwrap()));
    let flower = Site::at(project, "FLOWER_PORT");
    until("Flower lists both workers", SOON, || {
        let answer = flower.ask("GET", "/workers?json=1", "").ok().filter(|answer| answer.status == 200)?;
        workers.iter().all(|worker| answer.body.contains(worker)).then_some(())
    });
}

fn changed_sources_are_live(project: &Project) {
    let (backend, frontend) = (Site::at(project, "BACKEND_PORT"), Site::at(project, "FRONTEND_PORT"));
    let before = (backend.started("backend"), frontend.started("frontend"));
    project.edit(
        "examples/spc/backend/config/urls.py",
        "urlpatterns = [",
        "from django.http import JsonResponse\n\nurlpatterns = [\n    path(\"api/hot/\", lambda request: JsonResponse({\"hot\": True})),",
    );
    until("the changed backend is live", SOON, || {
        backend.ask("GET", "/api/hot/", "").ok().filter(|answer| answer.status == 200 && answer.body.contains("true")).map(drop)
    });
    let main = "examples/spc/frontend/src/main.tsx";
    let text = std::fs::read_to_string(project.path(main)).unwrap();
    project.file(main, &format!("{text}\nconsole.log(\"hot witness\");\n"));
    until("the changed frontend is live", SOON, || {
        frontend.ask("GET", "/src/main.tsx", "").ok().filter(|answer| answer.body.contains("hot witness")).map(drop)
    });
    assert_eq!((backend.started("backend"), frontend.started("frontend")), before, "without a restart");
}

fn production_serves_built_files(edge: &Site<'_>) {
    let page = edge.get("/");
    assert_eq!(page.header("Cache-Control"), Some("no-cache"), "{page:?}");
    let script = page.body.split('"').find(|word| word.starts_with("/assets/") && word.ends_with(".js")).unwrap();
    let asset = edge.get(script);
    assert_eq!(asset.header("Cache-Control"), Some("public, max-age=31536000, immutable"), "{}", asset.head);
    for header in ["X-Frame-Options", "X-Content-Type-Options", "X-XSS-Protection"] {
        for answer in [&page, &asset] {
            assert_eq!(answer.head.to_lowercase().matches(&header.to_lowercase()).count(), 1, "{header}: {}", answer.head);
        }
    }
    assert_eq!(edge.get("/charts/of/nobody").body, page.body, "the page's own routes");
    assert_eq!(edge.get("/static/admin/css/base.css").header("Content-Type"), Some("text/css"));
    assert!(edge.get("/admin/login/").body.contains("csrfmiddlewaretoken"));
    for path in ["/", "/api/health/"] {
        assert_eq!(edge.get(path).header("X-Release"), Some("spct"), "{path}");
    }

    let log = docker(&["logs", "--tail", "50", &edge.project.container("nginx")]);
    let lines: Vec<Value> = log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let health = lines.iter().find(|line| line["uri"] == "/api/health/").unwrap_or_else(|| panic!("{log}"));
    assert_eq!((&health["release"], &health["status"]), (&json!("spct"), &json!(200)));
}

fn nothing_to_do_says_so(project: &Project) {
    let before = containers(&project.name);
    project.up().ends(0).told(&["unchanged", "nothing to do"]).not_told(&["created", "started"]);
    assert_eq!(containers(&project.name), before);
}

#[test]
fn a_backend_that_was_replaced_is_found_by_nginx() {
    let _alone = heavy();
    let project = Project::whole_reference("behind");
    let up = |level: &str| project.up().args(&["--profile", "production", "nginx"]).env("LLM_PROVIDER", level).within(LIMIT).ends(0);
    up("demo");
    let edge = Site::at(&project, "NGINX_HTTP_PORT");
    edge.healthy();
    let nginx = edge.started("nginx");
    let address = |service: &str| {
        let networks = inspect(&project.container(service))["NetworkSettings"]["Networks"].clone();
        networks.as_object().unwrap().values().next().unwrap()["IPAddress"].clone()
    };
    let before = address("backend");
    // Somebody takes its address meanwhile: the new one gets another.
    docker(&["stop", "--time", "0", &project.container("backend")]);
    let network = format!("{}_spc-network", project.name);
    let somebody = docker(&["run", "--detach", "--rm", "--network", &network, busybox(), "sleep", "1000"]);
    up("other").told(&["environment LLM_PROVIDER changed"]);
    assert_ne!(address("backend"), before);
    until("nginx finds the new backend", SOON, || edge.ask("GET", "/api/health/", "").ok().filter(|answer| answer.status == 200).map(drop));
    assert_eq!(edge.started("nginx"), nginx, "nobody touched nginx");
    docker(&["rm", "--force", somebody.trim()]);
}

#[test]
fn a_frontend_that_does_not_compile_fails_with_what_vite_says() {
    let _alone = heavy();
    let project = Project::whole_reference("broken");
    project.file("examples/spc/frontend/src/main.tsx", "import { missing } from \"./nowhere\";\nmissing(;\n");
    project
        .spc(&["run", "scripts/build.rhai", "--target", "production", "frontend"])
        .within(LIMIT)
        .ends(1)
        .told(&["RUN npm run build", "src/main.tsx:2:9", "Unexpected token", "exit code 1"])
        .not_told(&["\u{1b}["]);
}
