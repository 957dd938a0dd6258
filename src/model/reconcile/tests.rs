mod hand_over;
mod secrets;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::{Value, json};
use similar_asserts::assert_eq;

use super::*;
use crate::model::image_reference::canonical;
use crate::model::observed_state::{
    Container, ContainerState, Health, Network, ObservedState, OneOffContainer, OwnerState,
    PublishedPort, TakenSubnet, Volume,
};
use crate::model::plan::{Plan, RollbackAction};
use crate::model::secret::Secrets;
use crate::model::spec::{Port, Project, ReadOptions};
use crate::model::step::ObjectKind;
use crate::model::storage::Storages;
use crate::model::{Failure, hash, names};

fn project(description: Value) -> Project {
    Project::read(
        "spc",
        &description,
        &ReadOptions { directory: Path::new("/srv"), lookup: &|_| None },
    )
    .unwrap()
}

/// db and redis behind a backend: the shape of the reference stack.
fn stack() -> Value {
    json!({
        "services": {
            "db": {"image": "postgres:15", "volumes": ["data:/data"], "secrets": ["pw"], "environment": {"A": "1"}},
            "redis": {"image": "redis:7"},
            "backend": {"image": "backend:dev", "build": "./backend", "depends_on": {"db": {"condition": "service_healthy"}, "redis": {"condition": "service_started"}}},
        },
        "volumes": {"data": {}},
        "secrets": {"pw": {"environment": "PW"}},
    })
}

fn published(port: &Port) -> Option<PublishedPort> {
    Some(PublishedPort {
        host_ip: port.host_ip.clone().unwrap_or_default(),
        published: port.published?,
        target: port.target,
        protocol: port.protocol.clone(),
    })
}

fn subnets(id: &str, network: &crate::model::spec::Network) -> Vec<TakenSubnet> {
    let owner = Some("spc".to_owned());
    let taken = |net| TakenSubnet {
        net,
        network: id.to_owned(),
        name: network.name.clone(),
        owner: owner.clone(),
    };
    network.ipam.iter().filter_map(|pool| pool.subnet).map(taken).collect()
}

/// The engine after `project` was brought up.
fn applied(project: &Project) -> ObservedState {
    let secrets = Secrets::new();
    let network_id = |key: &str| format!("id of {key}");
    ObservedState {
        delivered_secrets: BTreeMap::new(),
        containers: project
            .services
            .values()
            .flat_map(|service| (1..=service.scale).map(move |number| (service, number)))
            .map(|(service, number)| Container {
                id: format!("id of {}-{number}", service.name),
                name: names::container(&project.name, &service.name, number),
                service: service.name.clone(),
                number,
                ours: true,
                hash: Some(hash::service(service, project, &secrets)),
                parts: Some(hash::parts(service, project, &secrets)),
                secrets: (!service.secrets.is_empty()).then(|| "key:one".to_owned()),
                image_id: format!("id of {}", service.image),
                state: ContainerState::Running,
                health: Health::Healthy,
                exit_code: None,
                networks: service.networks.keys().map(|key| network_id(key)).collect(),
                addresses: service
                    .networks
                    .iter()
                    .filter_map(|(key, attachment)| {
                        Some((network_id(key), attachment.ipv4_address?.into()))
                    })
                    .collect(),
                static_addresses: service
                    .networks
                    .iter()
                    .filter_map(|(key, attachment)| {
                        Some((network_id(key), attachment.ipv4_address?.into()))
                    })
                    .collect(),
                has_anonymous_volumes: false,
                depends_on: service
                    .depends_on
                    .iter()
                    .map(|(name, how)| (name.clone(), how.condition))
                    .collect(),
                ports: service.ports.iter().filter_map(published).collect(),
                writes: service
                    .writable_volumes()
                    .map(|key| project.volumes[key].name.clone())
                    .collect(),
                folders: service
                    .writable_binds()
                    .map(|path| path.to_string_lossy().into_owned())
                    .collect(),
                volumes: service
                    .writable_volumes()
                    .map(|key| project.volumes[key].name.clone())
                    .collect(),
                created: 0,
                status: String::new(),
                restarts: 0,
                image: String::new(),
            })
            .collect(),
        networks: project
            .networks
            .iter()
            .map(|(key, network)| Network {
                id: network_id(key),
                name: network.name.clone(),
                ours: true,
                compose: true,
                owner: Some(project.name.clone()),
                hash: Some(hash::network(network)),
                created: 0,
                restored: false,
                key: key.clone(),
                settings: network.clone(),
            })
            .collect(),
        volumes: project
            .volumes
            .values()
            .map(|volume| Volume {
                name: volume.name.clone(),
                ours: true,
                compose: true,
                owner: Some(project.name.clone()),
                hash: Some(hash::volume(volume)),
                shared: volume.shared,
                settings: volume.clone(),
            })
            .collect(),
        storages: Storages::default(),
        locked: false,
        others: Vec::new(),
        subnets: project
            .networks
            .iter()
            .flat_map(|(key, network)| subnets(&network_id(key), network))
            .collect(),
        one_offs: Vec::new(),
        unreadable: None,
        orphaned_secrets: BTreeSet::new(),
        folders: BTreeSet::new(),
        moves: Vec::new(),
        network_ids: project.networks.keys().map(|key| network_id(key)).collect(),
        unchecked_images: BTreeSet::new(),
        images: project
            .services
            .values()
            .map(|service| (canonical(&service.image), format!("id of {}", service.image)))
            .collect(),
    }
}

fn images_only(project: &Project) -> ObservedState {
    ObservedState { images: applied(project).images, ..ObservedState::default() }
}

struct UpRequest {
    names: Option<Vec<String>>,
    fingerprint: &'static str,
    stopped: BTreeSet<String>,
    remove_orphans: bool,
    adopt: bool,
    adopted: BTreeSet<String>,
    build: bool,
    renew: bool,
}

impl Default for UpRequest {
    fn default() -> Self {
        Self {
            names: None,
            fingerprint: "key:one",
            stopped: BTreeSet::new(),
            remove_orphans: false,
            adopt: false,
            adopted: BTreeSet::new(),
            build: false,
            renew: false,
        }
    }
}

fn plan_with(
    project: &Project,
    observed: &ObservedState,
    asked: UpRequest,
) -> Result<Plan, Failure> {
    let with_secrets = project.services.values().filter(|service| !service.secrets.is_empty());
    up(
        &DesiredState {
            project,
            services: project.select(asked.names.as_deref())?,
            secrets: &Secrets::new(),
            fingerprints: with_secrets
                .map(|service| (service.name.clone(), asked.fingerprint.to_owned()))
                .collect::<BTreeMap<_, _>>(),
            asked: asked.names.into_iter().flatten().collect(),
            stopped: asked.stopped,
            remove_orphans: asked.remove_orphans,
            adopt: asked.adopt,
            adopted: asked.adopted,
            build: asked.build,
            bases: &|_| BTreeSet::new(),
            renew_anonymous_volumes: asked.renew,
        },
        observed,
    )
}

fn plan(project: &Project, observed: &ObservedState) -> String {
    plan_with(project, observed, UpRequest::default()).unwrap().to_string()
}

#[test]
fn on_an_empty_engine_everything_is_made_and_waits_only_for_what_it_names() {
    let project = project(stack());
    assert_eq!(
        plan(&project, &ObservedState::default()),
        "  1  pull image postgres:15  (not there)
  2  create network spc_default  (not there)
  3  create volume spc_data  (not there)
  4  create container spc-db-1  (not there)  after 1, 2, 3
  5  deliver secrets to container spc-db-1  after 4
  6  start container spc-db-1  after 4, 5
  7  wait until ready container spc-db-1  after 6
  8  pull image redis:7  (not there)
  9  create container spc-redis-1  (not there)  after 2, 8
 10  start container spc-redis-1  after 9
 11  wait until ready container spc-redis-1  after 10
 12  build image backend:dev  (not there)
 13  create container spc-backend-1  (not there)  after 2, 12
 14  start container spc-backend-1  after 7, 10, 13
 15  wait until ready container spc-backend-1  after 14
"
    );
}

#[test]
fn what_is_there_and_unchanged_is_left_alone() {
    let project = project(stack());
    assert_eq!(plan(&project, &applied(&project)), "spc: nothing to do\n");
}

fn undone(undo: &RollbackAction) -> String {
    let of = undo.of.map(|step| format!(" (of {})", step + 1)).unwrap_or_default();
    format!("{} {}{of}", undo.action.kind(), undo.action.object())
}

#[test]
fn a_changed_variable_replaces_its_container_only_and_is_named() {
    let before = applied(&project(stack()));
    let mut description = stack();
    description["services"]["db"]["environment"]["A"] = json!("2");
    let project = project(description);
    let plan = plan_with(&project, &before, UpRequest::default()).unwrap();
    assert_eq!(
        plan.to_string(),
        "  1  create container spc-db-1.new  (environment A changed)
  2  deliver secrets to container spc-db-1.new  after 1
  3  stop container spc-db-1  after 1, 2
  4  start container spc-db-1.new  after 1, 2, 3
  5  wait until ready container spc-db-1.new  after 4
  6  remove container spc-db-1  after 5
  7  rename container spc-db-1.new to spc-db-1  after 6
"
    );
    let way_back: Vec<String> = plan.rollbacks[&0].undo.iter().map(undone).collect();
    assert_eq!(
        way_back,
        [
            "stop container spc-db-1.new (of 4)",
            "start container spc-db-1 (of 3)",
            "remove container spc-db-1.new (of 1)",
            "wait until ready container spc-db-1 (of 3)"
        ]
    );
}

#[test]
fn a_changed_image_is_told_from_a_changed_description() {
    let project = project(stack());
    let mut observed = applied(&project);
    observed.images.insert("redis:7".into(), "another id".into());
    assert!(
        plan(&project, &observed)
            .starts_with("  1  create container spc-redis-1.new  (image changed)\n")
    );
}

#[test]
fn a_changed_secret_replaces_its_container() {
    let project = project(stack());
    let observed = applied(&project);
    let asked = |fingerprint| UpRequest { fingerprint, ..UpRequest::default() };
    let changed = plan_with(&project, &observed, asked("key:two")).unwrap();
    assert!(
        changed
            .to_string()
            .starts_with("  1  create container spc-db-1.new  (a secret's value changed)\n")
    );
}

#[test]
fn start_first_serves_beside_the_old_one_and_takes_the_alias_when_ready() {
    let described = |value: &str| {
        project(
            json!({"services": {"web": {"image": "web", "environment": {"A": value}, "scale": 2, "deploy": {"update_config": {"order": "start-first"}}}}}),
        )
    };
    let mut observed = applied(&described("1"));
    observed.images.insert("web:latest".into(), "id of web".into());
    assert_eq!(
        plan(&described("2"), &observed),
        "  1  create container spc-web-1.new  (environment A changed)
  2  start container spc-web-1.new  after 1
  3  wait until ready container spc-web-1.new  after 2
  4  attach container spc-web-1.new  after 3
  5  wait until ready container spc-web-1.new  after 4
  6  stop container spc-web-1  after 5
  7  remove container spc-web-1  after 5, 6
  8  rename container spc-web-1.new to spc-web-1  after 7
  9  create container spc-web-2.new  (environment A changed)  after 8
 10  start container spc-web-2.new  after 9
 11  wait until ready container spc-web-2.new  after 10
 12  attach container spc-web-2.new  after 11
 13  wait until ready container spc-web-2.new  after 12
 14  stop container spc-web-2  after 13
 15  remove container spc-web-2  after 13, 14
 16  rename container spc-web-2.new to spc-web-2  after 15
"
    );
}

fn only_redis(description: Value, change: impl Fn(&mut Container)) -> (Project, ObservedState) {
    let project = project(description);
    let mut observed = applied(&project);
    observed
        .containers
        .iter_mut()
        .filter(|container| container.service == "redis")
        .for_each(change);
    (project, observed)
}

#[test]
fn a_stopped_container_is_started_and_one_that_still_starts_is_waited_for() {
    let (project, observed) = only_redis(stack(), |redis| {
        redis.state = ContainerState::Exited;
        redis.exit_code = Some(137);
    });
    assert_eq!(
        plan(&project, &observed),
        "  1  start container spc-redis-1  (exited with code 137)\n  2  wait until ready container spc-redis-1  after 1\n"
    );
    let (project, observed) = only_redis(stack(), |redis| redis.health = Health::Starting);
    let waits = plan_with(&project, &observed, UpRequest::default()).unwrap();
    assert_eq!(
        waits.to_string(),
        "  1  wait until ready container spc-redis-1  (is not ready yet)\n"
    );
    assert!(!waits.changes());
}

#[test]
fn a_container_that_was_never_started_gets_its_secrets_again() {
    let project = project(stack());
    let mut observed = applied(&project);
    let db = observed.containers.iter_mut().find(|container| container.service == "db").unwrap();
    db.state = ContainerState::Created;
    db.health = Health::None;
    assert!(plan(&project, &observed).starts_with(
        "  1  deliver secrets to container spc-db-1  (never started)\n  2  start container spc-db-1"
    ));
}

#[test]
fn a_job_that_exited_with_0_is_done_until_its_description_changes() {
    let description = |command: &str| {
        json!({"services": {
            "migrate": {"image": "x", "command": command},
            "web": {"image": "x", "restart": "always", "depends_on": {"migrate": {"condition": "service_completed_successfully"}}},
        }})
    };
    let described = project(description("one"));
    assert!(
        plan(&described, &ObservedState::default())
            .contains("wait until completed container spc-migrate-1")
    );
    let mut observed = applied(&described);
    observed.images.insert("x:latest".into(), "id of x".into());
    let migrate =
        observed.containers.iter_mut().find(|container| container.service == "migrate").unwrap();
    migrate.state = ContainerState::Exited;
    migrate.health = Health::None;
    migrate.exit_code = Some(0);
    assert_eq!(plan(&described, &observed), "spc: nothing to do\n");
    assert!(plan(&project(description("two")), &observed).contains("command changed"));
    let failed =
        observed.containers.iter_mut().find(|container| container.service == "migrate").unwrap();
    failed.exit_code = Some(3);
    assert!(plan(&described, &observed).starts_with(
        "  1  start container spc-migrate-1  (exited with code 3)\n  2  wait until completed"
    ));
}

#[test]
fn a_job_that_is_done_is_run_again_where_it_is_asked_for_by_name() {
    let reporter = |depends: Value| {
        project(json!({"services": {
            "report": {"image": "x"},
            "web": {"image": "x", "restart": "always", "depends_on": depends},
        }}))
    };
    for (depends, wait) in [
        (json!({}), "ready"),
        (json!({"report": {"condition": "service_completed_successfully"}}), "completed"),
    ] {
        let described = reporter(depends);
        let mut observed = applied(&described);
        observed.images.insert("x:latest".into(), "id of x".into());
        let report =
            observed.containers.iter_mut().find(|container| container.service == "report").unwrap();
        (report.state, report.health, report.exit_code) =
            (ContainerState::Exited, Health::None, Some(0));
        let named =
            |name: &str| UpRequest { names: Some(vec![name.to_owned()]), ..UpRequest::default() };
        let again = format!(
            "  1  start container spc-report-1  (asked for by name)\n  2  wait until {wait} container spc-report-1  after 1\n"
        );
        assert_eq!(plan_with(&described, &observed, named("report")).unwrap().to_string(), again);
        // One that another service only needs is done.
        for asked in [named("web"), UpRequest::default()] {
            assert!(plan_with(&described, &observed, asked).unwrap().steps.is_empty());
        }
        // One that runs is the run that is asked for.
        let report =
            observed.containers.iter_mut().find(|container| container.service == "report").unwrap();
        (report.state, report.exit_code) = (ContainerState::Running, None);
        let running = plan_with(&described, &observed, named("report")).unwrap().to_string();
        assert!(!running.contains("start container"), "{running}");
    }
}

#[test]
fn a_service_that_spc_stopped_is_no_finished_job() {
    let (project, observed) = only_redis(stack(), |redis| {
        redis.state = ContainerState::Exited;
        redis.exit_code = Some(0);
    });
    let why = "note: spc-redis-1 exited with code 0 and is taken for a job that is done, so it stays as it is: `up([\"redis\"])` starts it, and \
               `restart: \"unless-stopped\"` is for what runs on";
    assert_eq!(plan(&project, &observed), format!("spc: nothing to do\n{why}\n"));
    let stopped =
        UpRequest { stopped: BTreeSet::from(["id of redis-1".to_owned()]), ..UpRequest::default() };
    assert!(
        plan_with(&project, &observed, stopped)
            .unwrap()
            .to_string()
            .contains("start container spc-redis-1")
    );
}

#[test]
fn a_killed_replacement_goes_on_where_the_new_one_runs_and_is_undone_where_it_does_not() {
    let described = project(stack());
    let with_new = |state: ContainerState| {
        let mut observed = applied(&described);
        let db =
            observed.containers.iter_mut().find(|container| container.service == "db").unwrap();
        let mut new = db.clone();
        db.state = ContainerState::Exited;
        db.hash = Some("of the old description".into());
        new.name = "spc-db-1.new".into();
        new.id = "id of new".into();
        new.state = state;
        observed.containers.push(new);
        observed
    };
    assert_eq!(
        plan(&described, &with_new(ContainerState::Running)),
        "  1  wait until ready container spc-db-1.new
  2  remove container spc-db-1  after 1
  3  rename container spc-db-1.new to spc-db-1  after 2
"
    );
    let undone = plan(&described, &with_new(ContainerState::Created));
    assert!(
        undone.starts_with("  1  remove container spc-db-1.new  (left by an interrupted run)\n  2  create container spc-db-1.new"),
        "{undone}"
    );
    let mut removed = with_new(ContainerState::Running);
    removed.containers.retain(|container| container.name != "spc-db-1");
    assert_eq!(
        plan(&described, &removed),
        "  1  rename container spc-db-1.new to spc-db-1  (left by an interrupted run)\n"
    );
}

#[test]
fn an_image_that_is_not_here_leaves_the_steps_behind_it_conditional() {
    let project = project(stack());
    let mut observed = applied(&project);
    observed.images.remove("redis:7");
    assert_eq!(
        plan(&project, &observed),
        "  1  pull image redis:7  (not there)
  2  create container spc-redis-1.new  (image changed)  if image redis:7 changed, unknown until step 1  after 1
  3  stop container spc-redis-1  if image redis:7 changed, unknown until step 1  after 2
  4  start container spc-redis-1.new  if image redis:7 changed, unknown until step 1  after 2, 3
  5  wait until ready container spc-redis-1.new  if image redis:7 changed, unknown until step 1  after 4
  6  remove container spc-redis-1  if image redis:7 changed, unknown until step 1  after 5
  7  rename container spc-redis-1.new to spc-redis-1  if image redis:7 changed, unknown until step 1  after 6
"
    );
}

#[test]
fn scale_adds_and_removes_the_highest_numbers() {
    let described =
        |scale: u32| project(json!({"services": {"web": {"image": "web:1", "scale": scale}}}));
    assert!(
        plan(&described(2), &applied(&described(1)))
            .starts_with("  1  create container spc-web-2  (not there)\n")
    );
    assert_eq!(
        plan(&described(1), &applied(&described(2))),
        "  1  stop container spc-web-2  (scale is 1)\n  2  remove container spc-web-2  (scale is 1)  after 1\n"
    );
}

#[test]
fn what_is_no_longer_described_is_reported_and_removed_only_when_asked() {
    let mut description = stack();
    let observed = applied(&project(stack()));
    description["services"].as_object_mut().unwrap().remove("backend");
    let project = project(description);
    assert_eq!(
        plan(&project, &observed),
        "spc: nothing to do\nnote: spc-backend-1 belongs to no described service; --remove-orphans removes it\n"
    );
    let asked = UpRequest { remove_orphans: true, ..UpRequest::default() };
    assert!(
        plan_with(&project, &observed, asked)
            .unwrap()
            .to_string()
            .starts_with("  1  stop container spc-backend-1  (no longer described)\n")
    );
}

#[test]
fn a_compose_project_of_the_same_name_is_only_adopted_when_asked() {
    let (project, mut observed) = only_redis(stack(), |redis| redis.ours = false);
    for network in &mut observed.networks {
        network.ours = false;
    }
    let refused = plan_with(&project, &observed, UpRequest::default()).unwrap_err();
    assert_eq!(
        refused.message,
        "A project \"spc\" that spc did not make is on this engine: spc-redis-1"
    );
    let adopted = plan_with(&project, &observed, UpRequest { adopt: true, ..UpRequest::default() })
        .unwrap()
        .to_string();
    assert!(
        adopted
            .starts_with("  1  create container spc-redis-1.new  (adopted from Docker Compose)\n"),
        "{adopted}"
    );
}

#[test]
fn a_running_container_that_was_taken_off_its_network_is_replaced() {
    let (project, observed) = only_redis(stack(), |redis| redis.networks.clear());
    let plan = plan_with(&project, &observed, UpRequest::default()).unwrap().to_string();
    assert!(
        plan.starts_with(
            "  1  create container spc-redis-1.new  (it is not on the network \"spc_default\")\n"
        ),
        "{plan}"
    );
    // The engine's list does not say it of others.
    let (project, observed) = only_redis(stack(), |redis| {
        redis.networks.clear();
        redis.state = ContainerState::Created;
    });
    let plan = plan_with(&project, &observed, UpRequest::default()).unwrap().to_string();
    assert!(plan.starts_with("  1  start container spc-redis-1  (never started)\n"), "{plan}");
}

#[test]
fn what_was_adopted_once_stays_adopted() {
    let mut observed = applied(&project(stack()));
    observed
        .volumes
        .iter_mut()
        .for_each(|volume| (volume.ours, volume.compose, volume.hash) = (false, true, None));
    observed
        .networks
        .iter_mut()
        .for_each(|network| (network.ours, network.compose, network.hash) = (false, true, None));
    let refused = plan_with(&project(stack()), &observed, UpRequest::default()).unwrap_err();
    assert!(
        refused.message.ends_with("was made by Docker Compose, for a project of this name"),
        "{refused}"
    );
    assert_eq!(
        refused.hint.unwrap(),
        "--adopt takes it over as it is, with what is in it; or choose another `name`"
    );
    let adopted = ["spc_data", "spc_default"].map(str::to_owned).into();
    let plan =
        plan_with(&project(stack()), &observed, UpRequest { adopted, ..UpRequest::default() })
            .unwrap();
    assert_eq!(plan.to_string(), "spc: nothing to do\n");
}

#[test]
fn a_volume_or_network_with_other_settings_is_refused_rather_than_lost() {
    let observed = applied(&project(stack()));
    let mut description = stack();
    description["volumes"]["data"]["driver"] = json!("other");
    let refused = plan_with(&project(description), &observed, UpRequest::default()).unwrap_err();
    assert_eq!(
        refused.message,
        "The volume \"spc_data\" was made with other settings than these: driver: local → other"
    );
    let mut foreign = images_only(&project(stack()));
    foreign.volumes.push(Volume {
        name: "spc_data".into(),
        ours: false,
        compose: false,
        owner: Some("other".into()),
        hash: None,
        shared: false,
        settings: crate::model::spec::Volume::default(),
    });
    let refused = plan_with(&project(stack()), &foreign, UpRequest::default()).unwrap_err();
    assert_eq!(refused.message, "The volume \"spc_data\" belongs to the project \"other\"");
    assert!(
        refused.hint.unwrap().contains("mark it `external: true` and name \"other\" in `projects`")
    );
    foreign.volumes[0].owner = None;
    let refused = plan_with(&project(stack()), &foreign, UpRequest::default()).unwrap_err();
    assert_eq!(refused.message, "A volume \"spc_data\" that spc did not make is on this engine");
}

#[test]
fn down_stops_dependents_first_and_keeps_volumes_unless_asked() {
    let observed = applied(&project(stack()));
    let kept =
        down("spc", &observed, DownOptions { volumes: false, adopt: false }, &BTreeSet::new())
            .to_string();
    assert_eq!(
        kept,
        "  1  stop container spc-backend-1
  2  stop container spc-db-1  after 1
  3  stop container spc-redis-1  after 1
  4  remove container spc-backend-1  after 1
  5  remove container spc-db-1  after 2
  6  remove container spc-redis-1  after 3
  7  remove network spc_default  after 4, 5, 6
"
    );
    assert!(
        down("spc", &observed, DownOptions { volumes: true, adopt: false }, &BTreeSet::new())
            .to_string()
            .ends_with("  8  remove volume spc_data  after 4, 5, 6\n")
    );
}

#[test]
fn down_removes_one_offs_before_the_networks_and_volumes_they_hang_on() {
    let mut observed =
        ObservedState { networks: applied(&project(stack())).networks, ..ObservedState::default() };
    observed.one_offs.push(OneOffContainer {
        id: "id of it".into(),
        name: "spc-db-run-1a2b".into(),
        is_up: true,
        writes: BTreeSet::new(),
        owner: String::new(),
        run: OwnerState::Unknown,
    });
    assert_eq!(
        down("spc", &observed, DownOptions { volumes: false, adopt: false }, &BTreeSet::new())
            .to_string(),
        "  1  remove container spc-db-run-1a2b  (a one-off)\n  2  remove network spc_default  after 1\n"
    );
    observed.one_offs[0].writes.insert("spc_data".into());
    let planned =
        down("spc", &observed, DownOptions { volumes: false, adopt: false }, &BTreeSet::new())
            .to_string();
    assert!(
        planned
            .starts_with("  1  stop container spc-db-run-1a2b  (a one-off)\n  2  remove container"),
        "a writer is stopped: {planned}"
    );
}

#[test]
fn secrets_whose_container_is_gone_are_removed() {
    let project = project(stack());
    let mut observed = applied(&project);
    observed.orphaned_secrets.insert("0a1b".into());
    let wanted = "  1  remove volume 0a1b  (left by an interrupted run)\n";
    assert_eq!(plan(&project, &observed), wanted);
    let alone =
        ObservedState { orphaned_secrets: observed.orphaned_secrets, ..ObservedState::default() };
    assert_eq!(
        down("spc", &alone, DownOptions { volumes: false, adopt: false }, &BTreeSet::new())
            .to_string(),
        wanted
    );
}

#[test]
fn stop_start_and_restart_follow_the_dependencies() {
    let services = BTreeSet::from(["backend".to_owned(), "db".to_owned()]);
    let mut observed = applied(&project(stack()));
    assert_eq!(
        stop("spc", &observed, &services).to_string(),
        "  1  stop container spc-backend-1\n  2  stop container spc-db-1  after 1\n"
    );
    assert!(
        restart("spc", &observed, &services, &BTreeSet::new())
            .unwrap()
            .to_string()
            .contains("restart container spc-backend-1  after 2")
    );
    for container in &mut observed.containers {
        container.state = ContainerState::Exited;
    }
    assert!(
        start("spc", &observed, &services, &BTreeSet::new())
            .unwrap()
            .to_string()
            .contains("start container spc-backend-1  after 2")
    );
}

/// Two services that name one image, which one of them builds.
fn shared_build(builder: &str, user: &str) -> Project {
    let mut services = serde_json::Map::new();
    services.insert(builder.into(), json!({"image": "shop/api", "build": "./api"}));
    services.insert(user.into(), json!({"image": "docker.io/shop/api:latest"}));
    project(json!({ "services": services }))
}

#[test]
fn an_image_that_one_service_builds_is_built_once_for_all_that_name_it() {
    for (builder, user) in [("api", "worker"), ("worker", "api")] {
        let project = shared_build(builder, user);
        for names in [None, Some(vec![user.to_owned()])] {
            let plan = plan_with(
                &project,
                &ObservedState::default(),
                UpRequest { names, ..UpRequest::default() },
            )
            .unwrap();
            let images: Vec<String> = plan
                .steps
                .iter()
                .filter(|step| step.action.object().kind == ObjectKind::Image)
                .map(|step| step.action.kind().word().into())
                .collect();
            assert_eq!(images, ["build"], "{plan}");
            let created = plan.steps.iter().filter(|step| {
                matches!(step.action, crate::model::plan::Action::CreateContainer { .. })
            });
            assert!(
                created.clone().count() > 0 && created.clone().all(|step| step.after.contains(&0)),
                "{plan}"
            );
        }
    }
}

#[test]
fn a_build_that_is_asked_for_is_done_where_an_image_is_there_too() {
    let project = shared_build("api", "worker");
    let mut observed = applied(&project);
    let id = observed.images["shop/api:latest"].clone();
    observed.containers.iter_mut().for_each(|container| container.image_id.clone_from(&id));
    assert!(plan_with(&project, &observed, UpRequest::default()).unwrap().steps.is_empty());
    let plan =
        plan_with(&project, &observed, UpRequest { build: true, ..UpRequest::default() }).unwrap();
    let plan = plan.to_string();
    assert!(plan.starts_with("  1  build image shop/api  (asked for)\n"), "{plan}");
    assert_eq!(plan.matches(" create container").count(), 2, "{plan}");
    assert_eq!(
        plan.matches("image changed").count(),
        plan.matches("(image changed)  if image").count(),
        "{plan}"
    );
}

#[test]
fn an_image_is_there_under_every_spelling_of_its_name() {
    let digest = format!("sha256:{}", "0a".repeat(32));
    let mut observed = ObservedState::default();
    for name in [canonical("redis:7"), canonical(&format!("redis@{digest}")), digest.clone()] {
        observed.images.insert(name, digest.clone());
    }
    let names = [
        "redis:7".to_owned(),
        "docker.io/library/redis:7".into(),
        format!("redis:7@{digest}"),
        digest.clone(),
        digest[7..19].to_owned(),
    ];
    for name in names {
        let project = project(json!({ "services": {"cache": {"image": name}} }));
        let plan = plan_with(&project, &observed, UpRequest::default()).unwrap().to_string();
        assert!(!plan.contains("image"), "{name}: {plan}");
    }
    let unknown = format!("sha256:{}", "0b".repeat(32));
    let project = project(json!({ "services": {"cache": {"image": unknown}} }));
    let failure = plan_with(&project, &observed, UpRequest::default()).unwrap_err();
    assert_eq!(failure.message, format!("The image \"{unknown}\" is not on this engine"));
}

#[test]
fn containers_with_anonymous_volumes_are_replaced_where_those_are_renewed() {
    let project = project(stack());
    let mut observed = applied(&project);
    let asked = || UpRequest { renew: true, ..UpRequest::default() };
    assert!(plan_with(&project, &observed, asked()).unwrap().steps.is_empty());
    observed.containers[0].has_anonymous_volumes = true;
    assert!(plan_with(&project, &observed, UpRequest::default()).unwrap().steps.is_empty());
    let plan = plan_with(&project, &observed, asked()).unwrap().to_string();
    assert!(plan.contains("(its anonymous volumes are renewed)"), "{plan}");
}
