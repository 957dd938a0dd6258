//! The reference stack with its own runbooks: up, ready, unchanged on another `up`, down.

use std::time::Duration;

use super::clients::{assert_healthy, database};
use super::docker::{containers, objects};
use super::heavy;
use super::project::Project;
use super::watch::{EventWatch, is_exec};

const REQUESTS: usize = 200;
const QUERIES: usize = 50;
const COLD_STARTS: usize = 3;

/// Asserts that the backend and the database answer every request.
fn assert_serves(project: &Project) {
    std::thread::scope(|scope| {
        scope.spawn(|| (0..REQUESTS).for_each(|_| assert_healthy(project)));
        for number in 0..QUERIES {
            let answer = database(project).and_then(|mut client| client.query_one("SELECT 1", &[]));
            let answer = answer
                .unwrap_or_else(|error| panic!("the database answers query {number}: {error}"));
            assert_eq!(answer.get::<_, i32>(0), 1);
        }
    });
}

fn take_down(project: &Project) {
    project.spc(&["--yes", "run", "scripts/down.rhai", "--volumes"]).ends(0);
    assert_eq!(objects(&project.name), [""; 0]);
}

#[test]
fn up_prints_a_table_and_another_up_changes_nothing() {
    let _alone = heavy();
    let project = Project::reference("twice");
    let first = project.up().within(Duration::from_secs(300)).ends(0);
    let (port, database) = (project.variable("BACKEND_PORT"), project.variable("POSTGRES_PORT"));
    let first = first.printed(&[
        "SERVICE",
        "STATE",
        "READY MS",
        "URL",
        &format!("http://localhost:{port}"),
        &format!("localhost:{database}"),
    ]);
    assert_eq!(first.stdout.matches(" running ").count(), 3, "{}", first.stdout);
    assert_healthy(&project);

    let before = containers(&project.name);
    // The engine's health checks are exec events too. So at least one of five runs must see no
    // event at all.
    let quiet = (0..5).any(|_| {
        let mut watch = EventWatch::on(&project.name);
        project
            .up()
            .ends(0)
            .prints(&["unchanged", "nothing to do"])
            .does_not_print(&["created", "started", "ready"]);
        let events = watch.so_far();
        assert!(events.iter().all(|event| is_exec(event)), "{events:?}");
        events.is_empty()
    });
    assert!(quiet, "each of five runs was seen in the engine's events");
    assert_eq!(containers(&project.name), before);
}

#[test]
fn ready_services_answer_every_request() {
    let _alone = heavy();
    let project = Project::reference("cold");
    for _ in 0..COLD_STARTS {
        project.up().within(Duration::from_secs(300)).ends(0);
        assert_serves(&project);
        take_down(&project);
    }
}

#[test]
fn up_waits_for_a_slow_database_initialisation() {
    let _alone = heavy();
    let project = Project::reference("slow-init");
    project.file("examples/spc/initdb/10-slow.sh", "sleep 5\n");
    let data = r#""postgres_data:/var/lib/postgresql/data""#;
    project.edit(
        "scripts/stack.rhai",
        data,
        &format!(r#"{data}, "./initdb:/docker-entrypoint-initdb.d:ro""#),
    );
    let ended = project.up().within(Duration::from_secs(300)).ends(0);
    assert_serves(&project);
    assert!(ended.took > Duration::from_secs(5), "the script ran: {:?}", ended.took);
}

#[test]
fn db_init_can_run_again() {
    let _alone = heavy();
    let project = Project::reference("init");
    let run = || project.spc(&["run", "scripts/db_init.rhai"]).within(Duration::from_secs(300));
    run().ends(0).prints(&["superuser admin created"]);
    run().ends(0).prints(&["nothing changed since"]);
    run().arg("--again").ends(0).prints(&["superuser admin already exists"]);
    let mut client = database(&project).unwrap();
    let admins: i64 =
        client.query_one("SELECT count(*) FROM auth_user WHERE is_superuser", &[]).unwrap().get(0);
    assert_eq!(admins, 1);
}

#[test]
fn down_removes_volumes_only_on_request() {
    let _alone = heavy();
    let project = Project::reference("down");
    project.up().within(Duration::from_secs(300)).ends(0);
    let made = objects(&project.name);
    let volumes: Vec<String> =
        made.iter().filter(|object| object.starts_with("volume ")).cloned().collect();
    assert_eq!((made.len(), volumes.len()), (8, 4), "{made:?}");

    // Standard input is no terminal, so spc can't ask for confirmation.
    let refused = project.spc(&["run", "scripts/down.rhai", "--volumes"]).ends(2);
    refused.prints(&[
        "Remove the volumes of spct-down",
        "standard input is not a terminal",
        "--yes answers every question with yes",
    ]);
    assert_eq!(objects(&project.name), made);

    project.spc(&["run", "scripts/down.rhai"]).ends(0);
    assert_eq!(objects(&project.name), volumes);
    project.spc(&["run", "scripts/down.rhai"]).ends(0).prints(&["unchanged", "nothing to do"]);

    project.spc(&["--yes", "run", "scripts/down.rhai", "--volumes"]).ends(0);
    assert_eq!(objects(&project.name), [""; 0]);
}
