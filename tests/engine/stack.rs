//! The complete reference stack with its nine services, in development and in production, and what
//! a user does with it.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, TcpListener};
use std::time::Duration;

use serde_json::{Value, json};

use super::browser::{charts_are_drawn_and_live, flower_lists};
use super::docker::{containers, docker, exec, inspect};
use super::heavy;
use super::images::busybox;
use super::project::Project;
use super::site::{SOON, Site};
use super::spc::Spc;
use super::until::until;
use super::webdriver::Browser;

const LIMIT: Duration = Duration::from_secs(300);

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

const DEVELOPMENT: [&str; 8] =
    ["backend", "celery-beat", "celery-worker", "db", "flower", "frontend", "redis", "worker"];

#[test]
fn the_stack_switches_between_development_and_production_without_data_loss() {
    let _alone = heavy();
    let project = Project::whole_reference("whole");
    assert_eq!(services(&project.up().within(LIMIT).ends(0).stdout), DEVELOPMENT);
    project.spc(&["run", "scripts/db_init.rhai"]).within(LIMIT).ends(0);

    let page = Site::at(&project, "FRONTEND_PORT");
    page.healthy();
    assert!(page.get("/").body.contains("/src/main.tsx"), "Vite serves the sources");
    assert_eq!(page.get("/").header("X-Release"), Some("spct"));
    let characteristic = page.characteristic(5);
    page.measure_and_see(characteristic);
    let browser = Browser::open();
    charts_are_drawn_and_live(&browser, &page, 531.5, 468.5);
    flower_lists(&browser, &Site::at(&project, "FLOWER_PORT"), &workers(&project));
    development_is_set_up_as_described(&project);
    changed_sources_are_live(&project);

    let measured = page.chart(characteristic, 1)["measurements"].as_i64().unwrap();
    let database = containers(&project.name)[&project.container("db")].clone();
    let to_production = || {
        project
            .up()
            .args(&["--profile", "production"])
            .env("BUILD_TARGET", "production")
            .within(LIMIT)
    };
    taken_ports_of_nginx_are_reported(&project, to_production);
    let production = to_production().ends(0);
    assert_eq!(services(&production.stdout).len(), 9, "{}", production.stdout);
    let edge = Site::at(&project, "NGINX_HTTP_PORT");
    edge.healthy();
    // Without variables and options, the project stays in production.
    project.spc(&["run", "scripts/db_init.rhai"]).within(LIMIT).ends(0);
    edge.chart(characteristic, measured);
    edge.measure_and_see(characteristic);
    charts_are_drawn_and_live(&browser, &edge, 532.5, 467.5);
    production_serves_built_files(&edge);
    assert_eq!(exec(&project.container("backend"), &["id", "-u"]), "1000\n");
    assert!(Site::at(&project, "BACKEND_PORT").connect().is_err(), "nginx alone is published");
    production_mounts_are_read_only(&project);
    nothing_to_do_says_so(&project);

    let back = project.up().env("BUILD_TARGET", "development").within(LIMIT).ends(0);
    assert_eq!(services(&back.stdout).len(), 9, "nginx stays: {}", back.stdout);
    page.healthy();
    page.chart(characteristic, measured + 1);
    assert_eq!(
        containers(&project.name)[&project.container("db")],
        database,
        "nobody touches the database for that"
    );
}

/// Asserts that the networks, names, logs, mounts and secrets of every container match the
/// description.
fn development_is_set_up_as_described(project: &Project) {
    let network: Value = serde_json::from_str(&docker(&[
        "network",
        "inspect",
        &format!("{}_spc-network", project.name),
    ]))
    .unwrap();
    assert_eq!(
        (&network[0]["Driver"], &network[0]["IPAM"]["Config"][0]["Subnet"]),
        (&json!("bridge"), &json!(project.subnet()))
    );
    for service in DEVELOPMENT {
        let found = inspect(&project.container(service));
        let log = json!({"Type": "json-file", "Config": {"max-size": "10m", "max-file": "3"}});
        assert_eq!(found["HostConfig"]["LogConfig"], log, "{service}");
        let address = exec(&project.container("backend"), &["getent", "hosts", service]);
        let networks = found["NetworkSettings"]["Networks"].as_object().unwrap();
        let known: Vec<&str> =
            networks.values().filter_map(|network| network["IPAddress"].as_str()).collect();
        assert_eq!(address.split_whitespace().next(), known.first().copied(), "{service}");
        let environment =
            found["Config"]["Env"].to_string() + found["Config"]["Labels"].to_string().as_str();
        for secret in ["POSTGRES_PASSWORD", "SECRET_KEY", "DJANGO_SUPERUSER_PASSWORD"] {
            assert!(!environment.contains(&project.variable(secret)), "{secret} of {service}");
        }
    }
    assert_eq!(
        mounts(project, "db")["/var/lib/postgresql/data"],
        format!("volume {}_postgres_data", project.name)
    );
    assert_eq!(mounts(project, "redis")["/data"], format!("volume {}_redis_data", project.name));
    let backend = mounts(project, "backend");
    assert_eq!(backend["/app"], format!("bind {}", project.path("examples/spc/backend").display()));
    assert_eq!(backend["/app/staticfiles"], format!("volume {}_backend_static", project.name));
    assert_eq!(backend["/app/media"], format!("volume {}_backend_media", project.name));
    let frontend = mounts(project, "frontend");
    assert_eq!(
        frontend["/app"],
        format!("bind {}", project.path("examples/spc/frontend").display())
    );
    let anonymous = frontend["/app/node_modules"].strip_prefix("volume ").unwrap();
    assert!(
        anonymous.len() == 64 && anonymous.chars().all(|c| c.is_ascii_hexdigit()),
        "{anonymous}"
    );
}

/// Asserts that `up` reports the process or the container that uses nginx's port.
fn taken_ports_of_nginx_are_reported(project: &Project, to_production: impl Fn() -> Spc) {
    let (http, https) = (project.variable("NGINX_HTTP_PORT"), project.variable("NGINX_HTTPS_PORT"));
    let process = TcpListener::bind((Ipv4Addr::UNSPECIFIED, http.parse().unwrap())).unwrap();
    to_production().ends(1).prints(&[
        &format!("The port {http} of \"nginx\" is already taken by the process "),
        &format!("(pid {})", std::process::id()),
        "stop the program that uses it, or set NGINX_HTTP_PORT to another port in .env",
    ]);
    drop(process);
    let container = docker(&[
        "run",
        "--detach",
        "--rm",
        "--publish",
        &format!("{https}:80"),
        busybox(),
        "sleep",
        "1000",
    ]);
    let name =
        inspect(container.trim())["Name"].as_str().unwrap().trim_start_matches('/').to_owned();
    to_production().ends(1).prints(&[
        &format!("The service \"nginx\" needs the host port {https}, which is taken by the container \"{name}\""),
        "stop the program that uses it, or set NGINX_HTTPS_PORT to another port in .env",
    ]);
    docker(&["rm", "--force", &name]);
}

fn production_mounts_are_read_only(project: &Project) {
    let nginx = mounts(project, "nginx");
    for target in
        ["/etc/nginx/templates", "/etc/nginx/certificates", "/var/www/static", "/var/www/media"]
    {
        assert!(nginx[target].ends_with(" (read-only)"), "{nginx:?}");
    }
    assert!(
        mounts(project, "backend").values().all(|mount| mount.starts_with("volume ")),
        "no sources of the machine"
    );
}

/// The mounts of a service: path in the container → source.
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

/// The names of both workers in Celery.
fn workers(project: &Project) -> [String; 2] {
    [("celery", "celery-worker"), ("aps", "worker")].map(|(name, service)| {
        format!(
            "{name}@{}",
            inspect(&project.container(service))["Config"]["Hostname"].as_str().unwrap()
        )
    })
}

fn changed_sources_are_live(project: &Project) {
    let (backend, frontend) =
        (Site::at(project, "BACKEND_PORT"), Site::at(project, "FRONTEND_PORT"));
    let before = (backend.started("backend"), frontend.started("frontend"));
    project.edit(
        "examples/spc/backend/config/urls.py",
        "urlpatterns = [",
        "from django.http import JsonResponse\n\nurlpatterns = [\n    path(\"api/hot/\", lambda request: JsonResponse({\"hot\": True})),",
    );
    until("the changed backend is live", SOON, || {
        backend
            .ask("GET", "/api/hot/", "")
            .ok()
            .filter(|answer| answer.status == 200 && answer.body.contains("true"))
            .map(drop)
    });
    let main = "examples/spc/frontend/src/main.tsx";
    let text = std::fs::read_to_string(project.path(main)).unwrap();
    project.file(main, &format!("{text}\nconsole.log(\"hot witness\");\n"));
    until("the changed frontend is live", SOON, || {
        frontend
            .ask("GET", "/src/main.tsx", "")
            .ok()
            .filter(|answer| answer.body.contains("hot witness"))
            .map(drop)
    });
    assert_eq!(
        (backend.started("backend"), frontend.started("frontend")),
        before,
        "without a restart"
    );
}

fn production_serves_built_files(edge: &Site<'_>) {
    let page = edge.get("/");
    assert_eq!(page.header("Cache-Control"), Some("no-cache"), "{page:?}");
    let script = page
        .body
        .split('"')
        .find(|word| word.starts_with("/assets/") && word.ends_with(".js"))
        .unwrap();
    let asset = edge.get(script);
    assert_eq!(
        asset.header("Cache-Control"),
        Some("public, max-age=31536000, immutable"),
        "{asset:?}"
    );
    for header in ["X-Frame-Options", "X-Content-Type-Options", "X-XSS-Protection"] {
        for answer in [&page, &asset] {
            assert_eq!(
                answer.headers.get_all(header).iter().count(),
                1,
                "{header}: {:?}",
                answer.headers
            );
        }
    }
    assert_eq!(edge.get("/charts/of/nobody").body, page.body, "the page's own routes");
    assert_eq!(edge.get("/static/admin/css/base.css").header("Content-Type"), Some("text/css"));
    assert!(edge.get("/admin/login/").body.contains("csrfmiddlewaretoken"));
    for path in ["/", "/api/health/"] {
        assert_eq!(edge.get(path).header("X-Release"), Some("spct"), "{path}");
    }

    let log = docker(&["logs", "--tail", "50", &edge.project.container("nginx")]);
    let lines: Vec<Value> =
        log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let health =
        lines.iter().find(|line| line["uri"] == "/api/health/").unwrap_or_else(|| panic!("{log}"));
    assert_eq!((&health["release"], &health["status"]), (&json!("spct"), &json!(200)));
}

fn nothing_to_do_says_so(project: &Project) {
    let before = containers(&project.name);
    project
        .up()
        .ends(0)
        .prints(&["unchanged", "nothing to do"])
        .does_not_print(&["created", "started"]);
    assert_eq!(containers(&project.name), before);
}

#[test]
fn nginx_finds_a_replaced_backend() {
    let _alone = heavy();
    let project = Project::whole_reference("behind");
    let up = |level: &str| {
        project
            .up()
            .args(&["--profile", "production", "nginx"])
            .env("LLM_PROVIDER", level)
            .within(LIMIT)
            .ends(0)
    };
    up("demo");
    let edge = Site::at(&project, "NGINX_HTTP_PORT");
    edge.healthy();
    let nginx = edge.started("nginx");
    let address = |service: &str| {
        let networks = inspect(&project.container(service))["NetworkSettings"]["Networks"].clone();
        networks.as_object().unwrap().values().next().unwrap()["IPAddress"].clone()
    };
    let before = address("backend");
    // Another container takes its address, so the new backend gets a different one.
    docker(&["stop", "--time", "0", &project.container("backend")]);
    let network = format!("{}_spc-network", project.name);
    let somebody =
        docker(&["run", "--detach", "--rm", "--network", &network, busybox(), "sleep", "1000"]);
    up("other").prints(&["environment LLM_PROVIDER changed"]);
    assert_ne!(address("backend"), before);
    until("nginx finds the new backend", SOON, || {
        edge.ask("GET", "/api/health/", "").ok().filter(|answer| answer.status == 200).map(drop)
    });
    assert_eq!(edge.started("nginx"), nginx, "nobody touched nginx");
    docker(&["rm", "--force", somebody.trim()]);
}

#[test]
fn a_frontend_that_does_not_compile_shows_the_error_of_vite() {
    let _alone = heavy();
    let project = Project::whole_reference("broken");
    project.file(
        "examples/spc/frontend/src/main.tsx",
        "import { missing } from \"./nowhere\";\nmissing(;\n",
    );
    project
        .spc(&["run", "scripts/build.rhai", "--target", "production", "frontend"])
        .within(LIMIT)
        .ends(1)
        .prints(&["RUN npm run build", "src/main.tsx:2:9", "Unexpected token", "exit code 1"])
        .does_not_print(&["\u{1b}["]);
}
