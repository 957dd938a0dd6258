//! `deploy.update_config` and `x-spc-verify`: batches, rollback of the whole service, and a request
//! to each new container.

use std::collections::BTreeMap;

use super::docker::{containers, exec, inspect};
use super::images::busybox;
use super::project::Project;
use super::watch::EventWatch;

/// Serves `/cgi-bin/up` with the release in a header.
const SERVER: &str = r#"["sh", "-c", `mkdir -p /www/cgi-bin
printf '#!/bin/sh\nprintf "X-Release: '$RELEASE'\\r\\n\\r\\nok"\n' >/www/cgi-bin/up
chmod +x /www/cgi-bin/up
exec httpd -f -p 80 -h /www`]"#;

/// Gets healthy, except for the third container of release 2.
const TWO_GET_HEALTHY: &str = r#"["sh", "-c", `
[ $RELEASE = 1 ] || mkdir /marks/one 2>/dev/null || mkdir /marks/two 2>/dev/null || exec sleep 1000
touch /tmp/well
exec sleep 1000`]"#;

/// Three containers of `web`, started beside the old ones, two at a time.
fn web(project: &Project, release: &str, command: &str, keys: &str) {
    project.stack(&format!(
        r#"volumes: #{{ marks: #{{ "x-spc-shared": true }} }},
        services: #{{ web: #{{
            image: "{}", command: {command}, environment: #{{ RELEASE: "{release}" }}, stop_grace_period: "0s",
            deploy: #{{ replicas: 3, update_config: #{{ order: "start-first", parallelism: 2, delay: "1s", monitor: "1s" }} }},
            {keys}
        }} }}"#,
        busybox()
    ));
}

fn releases(project: &Project) -> Vec<String> {
    containers(&project.name)
        .into_keys()
        .map(|name| exec(&name, &["sh", "-c", "echo $RELEASE"]).trim().to_owned())
        .collect()
}

/// Name → the time of the start.
fn starts(project: &Project) -> BTreeMap<String, String> {
    let names = containers(&project.name).into_keys();
    names
        .map(|name| {
            let started = inspect(&name)["State"]["StartedAt"].as_str().unwrap().to_owned();
            (name, started)
        })
        .collect()
}

const VERIFIED: &str =
    r#""x-spc-verify": #{ url: "http://web/cgi-bin/up", header: #{ "X-Release": "2" } }"#;

#[test]
fn three_containers_are_replaced_two_at_a_time_and_verified() {
    let project = Project::new("update-batches");
    web(&project, "1", SERVER, "");
    project.up().ends(0);
    let mut watch = EventWatch::on(&project.name);
    web(&project, "2", SERVER, VERIFIED);
    project.up().ends(0).prints(&["verified", "monitored"]);
    assert_eq!(releases(&project), ["2", "2", "2"]);
    let events = watch.so_far();
    let at = |event: &str, number: u32, suffix: &str| {
        let event = format!("container {event} {}-web-{number}{suffix}", project.name);
        events.iter().position(|it| *it == event).unwrap_or_else(|| panic!("{event}: {events:#?}"))
    };
    for number in [1, 2] {
        assert!(at("start", number, ".new") < at("die", number, ""), "{events:#?}");
        assert!(at("die", number, "") < at("create", 3, ".new"), "{events:#?}");
        assert!(at("start", 3, ".new") < at("destroy", number, ""), "{events:#?}");
    }
    project.up().ends(0).prints(&["unchanged"]);
}

#[test]
fn a_version_that_never_gets_healthy_in_the_last_batch_restores_all_three() {
    let project = Project::new("update-back");
    let keys =
        r#"volumes: ["marks:/marks"], healthcheck: #{ test: "test -f /tmp/well", interval: "1h" }"#;
    web(&project, "1", TWO_GET_HEALTHY, keys);
    project.up().ends(0);
    let before = containers(&project.name);
    web(&project, "2", TWO_GET_HEALTHY, keys);
    project.script("app::describe().up(#{ timeout: \"4s\" });").ends(1).prints(&[
        "\"web\" is not ready after 4 s",
        "web: the 3 previous containers are running again",
    ]);
    assert_eq!(containers(&project.name), before);
    assert_eq!(releases(&project), ["1", "1", "1"]);
    web(&project, "1", TWO_GET_HEALTHY, keys);
    project.up().ends(0).prints(&["unchanged"]);
}

#[test]
fn a_container_that_answers_with_the_wrong_header_does_not_take_over() {
    let project = Project::new("update-verify");
    web(&project, "1", SERVER, "");
    project.up().ends(0);
    let before = starts(&project);
    web(&project, "3", SERVER, VERIFIED);
    project.up().ends(1).prints(&[
        "\"web\" was ready, but its verification failed: http://web/cgi-bin/up answered with status 200, but the header \"X-Release: 3\", expected \"2\"",
    ]);
    assert_eq!(starts(&project), before, "the old ones served all the time");
    assert_eq!(releases(&project), ["1", "1", "1"]);
}
