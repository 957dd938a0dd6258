//! The reference stack has two descriptions, `scripts/stack.rhai` and
//! `examples/spc/docker-compose.yml`, which have to be equal.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use futures::FutureExt;

use super::super::fixture::Scripts;
use super::super::run::Outcome;
use super::super::standard_library::EMBEDDED;
use crate::api::context::{ProjectSettings, RunContext};
use crate::api::harness::Harness;
use crate::api::stack::Stack;
use crate::engine::Engine;
use crate::engine::sim::SimEngine;
use crate::host::sim::executor::SimTaskExecutor;
use crate::model::spec::{Project, Service};
use similar_asserts::assert_eq;

const RUNBOOK: &str = "\
import \"stack\" as app;
[app::describe(args(app::options())), compose(\"docker-compose.yml\")]
";

/// The project of the script and that of the compose file, with these variables.
fn described(variables: &[(&str, &str)]) -> [Arc<Project>; 2] {
    let environment =
        variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let directory = PathBuf::from("/project/examples/spc");
    let scripts = Some(PathBuf::from("/project/scripts"));
    // `released` asks it for containers, and there are none.
    let sim = SimTaskExecutor::new(1);
    let engine: Arc<dyn Engine> = Arc::new(SimEngine::builder(sim.clone()).build());
    let run = Harness::connected(
        &sim,
        |host| host,
        "",
        |run| {
            let project =
                ProjectSettings { directory, environment, scripts, ..ProjectSettings::default() };
            let (host, executor) = (run.host.clone(), run.executor.clone());
            *run = RunContext::new(host, executor, run.events.clone(), project);
        },
        Box::new(move || std::future::ready(Ok(engine.clone())).boxed()),
    );
    for (path, text) in [
        ("/project/scripts/stack.rhai", include_str!("../../../scripts/stack.rhai")),
        ("/project/scripts/main.rhai", RUNBOOK),
        (
            "/project/examples/spc/docker-compose.yml",
            include_str!("../../../examples/spc/docker-compose.yml"),
        ),
    ] {
        run.host.add_file(path, text);
    }
    let scripts = Scripts { run, standard: EMBEDDED };
    let outcome =
        scripts.outcome("main.rhai").unwrap_or_else(|diagnostic| panic!("{diagnostic:?}"));
    let Outcome::Value(value) = outcome else { panic!("{outcome:?}") };
    let stacks: Vec<Stack> = value.into_typed_array().unwrap();
    assert_eq!(scripts.run.events(), [], "nothing is worth a warning");
    [0, 1].map(|index| stacks[index].described().unwrap().clone())
}

/// The common parts of a service's two descriptions, in a form that shows a difference.
fn shared(service: &Service, other: &Service) -> String {
    let common: BTreeMap<_, _> = service
        .environment
        .iter()
        .filter(|(name, _)| other.environment.contains_key(*name))
        .collect();
    let profiles: BTreeSet<_> = service.profiles.iter().collect();
    let build = service
        .build
        .as_ref()
        .map(|build| (&build.context, &build.dockerfile, &build.target, &build.args));
    let service = (
        (
            &service.image,
            build,
            &service.healthcheck,
            profiles,
            &service.networks,
            &service.secrets,
        ),
        (service.restart, &service.logging, service.init, service.stop_grace_period, common),
    );
    format!("{service:#?}")
}

fn agree(variables: &[(&str, &str)]) -> [Arc<Project>; 2] {
    let [script, file] = described(variables);
    assert_eq!(script.name, file.name);
    let services: Vec<&str> = file.services.keys().map(String::as_str).collect();
    assert_eq!(
        services,
        [
            "backend",
            "celery-beat",
            "celery-worker",
            "db",
            "flower",
            "frontend",
            "nginx",
            "redis",
            "worker"
        ]
    );
    assert_eq!(script.services.keys().collect::<Vec<_>>(), services);
    for (name, service) in &script.services {
        let other =
            file.services.get(name).unwrap_or_else(|| panic!("the compose file has no {name}"));
        assert_eq!(shared(service, other), shared(other, service), "{name}");
    }
    assert_eq!((&script.networks, &script.secrets), (&file.networks, &file.secrets));
    for (name, volume) in &script.volumes {
        assert_eq!(Some(volume), file.volumes.get(name), "{name}");
    }
    [script, file]
}

#[test]
fn both_descriptions_of_the_reference_stack_agree_in_development() {
    for variables in [
        &[][..],
        &[
            ("POSTGRES_USER", "spc"),
            ("TAG", "v2"),
            ("BACKEND_PORT", "8001"),
            ("REDIS_IMAGE", "local/redis:7-alpine"),
        ],
    ] {
        let [script, file] = agree(variables);
        for (name, service) in &script.services {
            assert_eq!(service.ports, file.services[name].ports, "{name}");
            assert_eq!(service.volumes, file.services[name].volumes, "{name}");
        }
        let active = file.select(None).unwrap();
        assert!(!active.contains("nginx"));
        assert_eq!(
            script.select(None).unwrap(),
            active.into_iter().filter(|name| script.services.contains_key(name)).collect()
        );
    }
}

#[test]
fn both_descriptions_of_the_reference_stack_agree_in_production() {
    let variables = [
        ("BUILD_TARGET", "production"),
        ("DEBUG", "False"),
        ("CODE_MOUNT", "/mnt/code"),
        ("COMPOSE_PROFILES", "production"),
    ];
    let [script, file] = agree(&variables);
    assert_eq!((&script.profiles, file.select(None).unwrap().len()), (&file.profiles, 9));
    let covers = |service: &Service| service.volumes.iter().any(|mount| mount.target == "/app");
    let covered: Vec<&str> = file
        .services
        .values()
        .filter(|service| covers(service))
        .map(|service| service.name.as_str())
        .collect();
    // The production image of the frontend has its files at another path.
    assert_eq!(covered, ["frontend"]);
}
