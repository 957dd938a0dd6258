//! Restarts of the engine, as after a reboot. The engine chooses the order and the addresses of the
//! containers.

use std::time::Duration;

use super::clients::HEALTHY;
use super::heavy;
use super::project::Project;
use super::second_engine::SecondEngine;
use super::until::until;

const LIMIT: Duration = Duration::from_secs(300);
const SOON: Duration = Duration::from_secs(120);
/// The maximum number of restarts until the backend gets another address.
const RESTARTS: usize = 6;

#[test]
fn nginx_finds_the_backend_at_its_new_address_after_a_reboot() {
    let _alone = heavy();
    let project = Project::whole_reference("rebooted");
    project.spc(&["run", "scripts/build.rhai", "--target", "production"]).within(LIMIT).ends(0);
    let mut engine = SecondEngine::new();
    engine.load(&[
        "local/postgres:15-alpine",
        "local/redis:7-alpine",
        "local/nginx:alpine",
        "spc-backend:spct-production",
        "spc-frontend:spct-production",
    ]);
    let up = project.spc(&[
        "run",
        "scripts/up.rhai",
        "--target",
        "production",
        "--profile",
        "production",
        "nginx",
    ]);
    up.env("DOCKER_HOST", engine.host()).within(LIMIT).ends(0);

    let (nginx, backend) = (project.container("nginx"), project.container("backend"));
    let ask = |engine: &SecondEngine| {
        engine.docker(&[
            "exec",
            &nginx,
            "curl",
            "--silent",
            "--fail",
            "http://127.0.0.1/api/health/",
        ])
    };
    assert_eq!(ask(&engine).as_deref(), Ok(HEALTHY));
    let mut address = engine.address(&backend);
    let moved = (0..RESTARTS).any(|_| {
        engine.restart();
        until("nginx reaches the backend after the restart", SOON, || {
            ask(&engine).ok().filter(|answer| answer == HEALTHY)
        });
        let before = std::mem::replace(&mut address, engine.address(&backend));
        address != before
    });
    assert!(moved, "in {RESTARTS} restarts the backend's address was {address:?} again and again");
    // The containers match their description, so `up` only waits until they are ready.
    let up = project
        .spc(&["run", "scripts/up.rhai", "nginx"])
        .env("DOCKER_HOST", engine.host())
        .within(LIMIT)
        .ends(0);
    up.does_not_print(&["created", "started", "stopped", "removed"]);
}
