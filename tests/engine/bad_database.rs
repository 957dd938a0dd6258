//! Failed replacements of a database: the old database runs again and has every row.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::clients::{assert_healthy, database};
use super::docker::{containers, docker, inspect};
use super::heavy;
use super::images::image;
use super::project::Project;
use super::until::until;

/// The number of rows before the replacement.
const ROWS: i64 = 10_000;
/// The time limit of a failed replacement with its rollback.
const LIMIT: Duration = Duration::from_secs(300);

/// A reference stack with rows in its database.
fn stack_with_rows(name: &str) -> Project {
    let project = Project::reference(name);
    project.up().within(LIMIT).ends(0);
    let table = format!(
        "CREATE TABLE witness (id bigint PRIMARY KEY); INSERT INTO witness SELECT generate_series(1, {ROWS})"
    );
    database(&project).unwrap().batch_execute(&table).unwrap();
    project
}

fn rows(project: &Project) -> BTreeSet<i64> {
    database(project)
        .unwrap()
        .query("SELECT id FROM witness", &[])
        .unwrap()
        .iter()
        .map(|row| row.get(0))
        .collect()
}

/// Inserts rows until `stop` is set. Reconnects after an outage. `committed` contains each
/// committed row.
fn write(project: &Project, stop: &AtomicBool, committed: &Mutex<BTreeSet<i64>>) {
    let mut client = None;
    let mut id = ROWS;
    while !stop.load(Ordering::Acquire) {
        id += 1;
        let written = match &mut client {
            None => {
                client = database(project).ok();
                continue;
            }
            Some(client) => client.execute("INSERT INTO witness VALUES ($1)", &[&id]),
        };
        if written.is_ok() {
            committed.lock().unwrap().insert(id);
        } else {
            client = None;
        }
    }
}

#[test]
fn a_database_that_exits_is_rolled_back_with_every_row() {
    let _alone = heavy();
    let bad =
        image("no-database", &[r#"CMD ["sh", "-c", "echo this is no database >&2; exit 3"]"#]);
    let project = stack_with_rows("bad-db");
    let before = containers(&project.name);
    project.edit(
        "examples/spc/.env",
        "POSTGRES_IMAGE=local/postgres:15-alpine",
        &format!("POSTGRES_IMAGE={bad}"),
    );

    let (stop, committed) = (AtomicBool::new(false), Mutex::new(BTreeSet::new()));
    let count = || committed.lock().unwrap().len();
    std::thread::scope(|scope| {
        scope.spawn(|| write(&project, &stop, &committed));
        until("rows are written", LIMIT, || (count() > 100).then_some(()));
        // Catches a panic, so that the writer also ends if this fails.
        let result = std::panic::catch_unwind(|| {
            project.up().within(LIMIT).ends(1).prints(&[
                "\"db\" exited",
                "with code 3",
                "this is no database",
                "db: the previous container is running again",
            ]);
            assert_healthy(&project);
            let then = count();
            until("the old database takes rows", LIMIT, || (count() > then).then_some(()));
        });
        stop.store(true, Ordering::Release);
        result.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    });

    assert_eq!(containers(&project.name), before);
    let rows = rows(&project);
    let lost = committed.lock().unwrap().difference(&rows).count();
    assert_eq!(lost, 0, "committed rows are lost");
    assert!((1..=ROWS).all(|id| rows.contains(&id)));

    project.edit("examples/spc/.env", &bad, "local/postgres:15-alpine");
    project.up().ends(0).prints(&["unchanged"]);
}

#[test]
fn an_unavailable_database_image_changes_nothing() {
    let _alone = heavy();
    let project = stack_with_rows("no-db-image");
    let before = containers(&project.name);
    let started = || inspect(&project.container("db"))["State"]["StartedAt"].clone();
    let at = started();
    project.edit(
        "examples/spc/.env",
        "POSTGRES_IMAGE=local/postgres:15-alpine",
        "POSTGRES_IMAGE=127.0.0.1:1/spct/none:15",
    );
    project
        .up()
        .ends(1)
        .prints(&["127.0.0.1:1/spct/none:15", "could not be pulled", "connection refused"])
        .does_not_print(&["stopped"]);
    assert_eq!(containers(&project.name), before);
    assert_eq!(started(), at);
    assert_healthy(&project);
    assert_eq!(rows(&project).len(), usize::try_from(ROWS).unwrap());
}

#[test]
fn a_password_that_differs_from_the_volume_s_password_is_reported() {
    let _alone = heavy();
    let project = Project::reference("bad-password");
    // Shortens the health check, so that it fails sooner.
    let patient = r#"interval: "30s", timeout: "10s", retries: 3, start_period: "40s""#;
    project.edit(
        "scripts/stack.rhai",
        patient,
        r#"interval: "5s", timeout: "5s", retries: 1, start_period: "10s""#,
    );
    project.up().within(LIMIT).ends(0);
    project.edit(
        "examples/spc/.env",
        "POSTGRES_PASSWORD=POSTGRES_PASSWORD-of-a-test",
        "POSTGRES_PASSWORD=another-one",
    );
    project.up().within(LIMIT).ends(1).prints(&[
        "the database has another password for \"postgres\": it keeps the one that its volume was first made with",
        "ALTER USER \"postgres\" PASSWORD",
    ]);
    project.edit(
        "examples/spc/.env",
        "POSTGRES_PASSWORD=another-one",
        "POSTGRES_PASSWORD=POSTGRES_PASSWORD-of-a-test",
    );
    project.up().within(LIMIT).ends(0);
    assert_healthy(&project);
}

#[test]
fn a_volume_of_another_postgres_major_version_is_reported() {
    let _alone = heavy();
    let project = Project::reference("old-volume");
    project.up().within(LIMIT).ends(0);
    let volume = format!("{}_postgres_data:/var/lib/postgresql/data", project.name);
    project.spc(&["--yes", "run", "scripts/down.rhai"]).ends(0);
    docker(&[
        "run",
        "--rm",
        "--volume",
        &volume,
        "--entrypoint",
        "sh",
        "local/postgres:15-alpine",
        "-c",
        "echo 14 > /var/lib/postgresql/data/PG_VERSION",
    ]);
    project
        .up()
        .within(LIMIT)
        .ends(1)
        .prints(&["the volume was made by PostgreSQL 14, and this image is PostgreSQL 15: use an image of PostgreSQL 14"]);
}
