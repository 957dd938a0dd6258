//! The small examples, as their first user runs them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::clients::ask;
use super::project::{Project, free_port};

#[test]
fn hello_prints_the_page_that_it_serves() {
    let project = Project::example("hello");
    let port = free_port().to_string();
    let run = project.spc(&["run", "hello.rhai", "--port", &port]).ends(0);
    assert_eq!(run.stdout, "Hello from spc\n");
}

#[test]
fn cache_counts_its_visits() {
    let project = Project::example("cache");
    let port = free_port().to_string();
    for visit in ["visit 1\n", "visit 2\n"] {
        let run = project.spc(&["run", "cache.rhai", "--port", &port]).ends(0);
        assert!(run.stdout.starts_with(visit), "{}", run.stdout);
    }
}

#[test]
fn job_loads_its_schema() {
    let project = Project::example("job");
    let run = project.spc(&["run", "job.rhai"]).ends(0);
    assert!(run.stdout.ends_with("\n2 products\n"), "{}", run.stdout);
}

/// Requests on new connections while `work` runs. Returns their number, and those that failed.
fn with_requests(port: u16, work: impl FnOnce()) -> (usize, Vec<String>) {
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let client = scope.spawn(|| {
            let (mut sent, mut failed) = (0, Vec::new());
            while !is_over.load(Ordering::Relaxed) {
                sent += 1;
                match ask(port, "GET", "/", "") {
                    Ok(answer) if answer.status == 200 => {}
                    other => failed.push(format!("{other:?}")),
                }
                std::thread::sleep(Duration::from_millis(20));
            }
            (sent, failed)
        });
        work();
        is_over.store(true, Ordering::Relaxed);
        client.join().unwrap()
    })
}

#[test]
fn deploy_replaces_its_release_and_goes_back_without_a_failed_request() {
    let project = Project::example("deploy");
    let port = free_port();
    let number = port.to_string();
    let run = |words: &[&str]| {
        let spc = project.spc(&[&["run"], words, &["--port", &number]].concat());
        spc.within(Duration::from_secs(300)).ends(0);
    };
    let serves = |release: &str| {
        let answer = ask(port, "GET", "/", "").unwrap();
        assert_eq!(answer.body, format!("release {release}\n"));
    };
    run(&["up.rhai"]);
    serves("v1");
    let (sent, failed) = with_requests(port, || {
        run(&["deploy.rhai", "--tag", "v2"]);
        serves("v2");
        run(&["deploy.rhai", "--tag", "v3", "--canary", "--bake", "3s", "--steps", "100"]);
        serves("v3");
        run(&["rollback.rhai"]);
        serves("v2");
    });
    assert!(sent > 200, "{sent}");
    assert_eq!(failed, Vec::<String>::new());
}
