//! Images: pulled and built once, compared by their ids.

use super::*;
use crate::apply::images::ImageBuild;
use crate::engine::sim::BuildScript;
use crate::engine::{Call, Engine};
use crate::model::cause::Cause;
use crate::policy::{EngineAddress, EngineAddresses};
use futures::StreamExt;

fn released(words: &[&str]) -> ImageSpec {
    ImageSpec::command(words)
}

/// Two services with one image in a registry.
fn pulled() -> (Machine, Value) {
    let machine =
        machine_with(1, |builder| builder.registry_image("app:1", released(&["one"]), secs(3)));
    let service = json!({"image": "app:1", "healthcheck": check("ask")});
    (machine, json!({"services": {"a": service, "b": service}}))
}

fn count(machine: &Machine, method: &str) -> usize {
    machine.engine.calls().iter().filter(|call| call.method == method).count()
}

#[test]
fn services_that_share_an_image_pull_it_once() {
    let (machine, description) = pulled();
    machine.up(&description).unwrap();
    assert_eq!(count(&machine, "image_pull"), 1);
    assert!(machine.executor.now() < secs(5));
}

#[test]
fn a_base_image_can_not_make_a_build_download_from_an_engine() {
    let mut machine = machine();
    let trigger = "ONBUILD ADD http://127.0.0.1:4000/containers/json /x".to_owned();
    let archive = futures::stream::iter([Ok(vec![0; 1024].into())]).boxed();
    machine.run(machine.engine.image_import("base:1", &[trigger], archive)).unwrap();
    let engines = EngineAddresses::new([EngineAddress::new("127.0.0.1", 4000)]);
    for dockerfile in [
        "FROM base:1\n",
        "FROM base:1 AS a\nFROM redis:1\nCOPY --from=a /x /x\n",
        "FROM redis:1\nRUN true <<CMD\nFROM base:1\nCMD",
    ] {
        machine.host = Arc::new(
            SimHost::new(machine.executor.clone()).with_file("/project/app/Dockerfile", dockerfile),
        );
        let mut ctx = machine.ctx();
        let run = Arc::make_mut(&mut ctx.run);
        run.policy = run.policy.clone().with_engines(engines.clone());
        let description = json!({"services": {"web": {"build": "./app"}}});
        let failure = machine
            .run(verbs::up(&ctx, &project(&description), &UpOptions::default()))
            .unwrap_err();
        assert_eq!(failure.kind, Kind::Policy, "{dockerfile}: {failure}");
        assert!(
            failure.message.starts_with(
                "A script may not let a build download \"http://127.0.0.1:4000/containers/json\""
            ),
            "{failure}"
        );
        assert_eq!(count(&machine, "image_build"), 0);
    }
}

#[test]
fn a_removed_and_restored_image_changes_nothing() {
    let (machine, description) = pulled();
    machine.up(&description).unwrap();
    machine.pass(secs(60));
    machine.run(machine.engine.image_remove("app:1", true)).unwrap();
    let events = machine.events();
    machine.up(&description).unwrap();
    let happened: Vec<_> = machine
        .happened_from(events)
        .into_iter()
        .filter(|line| !line.contains("spc-lock"))
        .collect();
    assert_eq!(happened, Vec::<String>::new());
    assert_eq!(count(&machine, "image_pull"), 2);
}

#[test]
fn a_removed_and_changed_image_replaces_its_containers() {
    let (machine, description) = pulled();
    machine.up(&description).unwrap();
    machine.pass(secs(60));
    machine.run(machine.engine.image_remove("app:1", true)).unwrap();
    machine.engine.publish("app:1", &released(&["two"]), secs(1)).unwrap();
    machine.up(&description).unwrap();
    let state = machine.state();
    let image = &state.image("app:1").unwrap().id;
    for name in ["shop-a-1", "shop-b-1"] {
        assert_eq!(&state.container(name).unwrap().image_id, image);
    }
    let calls = machine.calls();
    machine.up(&description).unwrap();
    assert!(machine.calls_from(calls).iter().all(|call| !call.mutates));
}

#[test]
fn a_name_that_went_to_another_image_replaces_and_says_why() {
    let machine = machine();
    let description = json!({"services": {"web": {"image": "web:1"}}});
    machine.up(&description).unwrap();
    machine.run(machine.engine.image_tag("redis:1", "web:1")).unwrap();
    machine.up(&description).unwrap();
    let caused = |event: &Event| matches!(event, Event::StepStarted { cause, .. } if matches!(cause, Some(Cause::ImageChanged(Some(_)))));
    assert!(machine.seen.0.lock().iter().any(caused));
}

#[test]
fn another_name_of_the_same_image_replaces_nothing() {
    let machine = machine();
    let described = |image: &str| {
        json!({
            "services": {"web": {"image": image, "networks": ["default", "extra"]}},
            "networks": {"extra": {}},
        })
    };
    machine.up(&described("web:1")).unwrap();
    machine.run(machine.engine.image_tag("web:1", "web:stable")).unwrap();
    let events = machine.events();
    machine.up(&described("web:stable")).unwrap();
    assert_eq!(machine.happened_from(events), Vec::<String>::new());
    // It is also started and connected like any other container.
    machine.run(machine.engine.container_kill("shop-web-1", "KILL")).unwrap();
    machine.run(machine.engine.network_disconnect("shop_extra", "shop-web-1", true)).unwrap();
    machine.up(&described("web:stable")).unwrap();
    let state = machine.state();
    assert!(state.container("shop-web-1").unwrap().networks.contains_key("shop_extra"));
    // Another change of the description replaces it as ever, also one that the parts don't show.
    let with_labels = |image: &str, value: &str| json!({"services": {"web": {"image": image, "labels": {"k=1": value, "k_1": "x"}}}});
    machine.up(&with_labels("web:1", "1")).unwrap();
    machine.up(&with_labels("web:stable", "2")).unwrap();
    assert_eq!(machine.state().container("shop-web-1").unwrap().labels["k=1"], "2");
    machine
        .up(&json!({"services": {"web": {"image": "web:stable", "environment": {"A": "1"}}}}))
        .unwrap();
    let replaced = machine.state();
    let id = |state: &EngineState| state.container("shop-web-1").unwrap().id.clone();
    assert_ne!(id(&replaced), id(&state));
}

#[test]
fn the_cause_of_a_changed_image_name_contains_the_old_name() {
    let machine = machine();
    machine.up(&json!({"services": {"web": {"image": "web:1"}}})).unwrap();
    machine
        .up(&json!({"services": {"web": {"image": "redis:1", "environment": {"A": "1"}}}}))
        .unwrap();
    let caused = |event: &Event| matches!(event, Event::StepStarted { cause, .. } if cause.as_ref().is_some_and(|cause| cause.to_string() == "environment A, image changed (web:1 → redis:1)"));
    let events = machine.seen.0.lock();
    assert!(events.iter().any(caused), "{events:?}");
}

#[test]
fn a_missing_image_fails_before_its_containers_are_created() {
    let machine = machine();
    let failure = machine
        .up(&json!({"services": {"web": {"image": "nowhere:1"}, "redis": {"image": "redis:1"}}}))
        .unwrap_err();
    assert_eq!(failure.kind, Kind::Image);
    assert!(
        failure.message.starts_with("The image \"nowhere:1\" is not here and could not be pulled"),
        "{failure}"
    );
    assert!(machine.state().container("shop-web-1").is_none());
    assert!(!machine.footprint().locked);
}

#[test]
fn a_pull_that_fails_says_whether_the_engine_has_the_image() {
    let machine = machine();
    let auth = None;
    let pull = |image: &str| {
        machine.run(super::super::pull::pull(&machine.ctx(), image, auth, &|_| {})).unwrap_err()
    };
    let of_none = pull("nowhere:1");
    assert!(
        of_none
            .message
            .starts_with("The image \"nowhere:1\" is not here and could not be pulled: "),
        "{of_none}"
    );
    assert!(!of_none.hint.as_ref().unwrap().contains("`up` takes"), "{of_none:?}");
    let of_one = pull("web:1");
    assert!(of_one.message.starts_with("The image \"web:1\" could not be pulled: "), "{of_one}");
    assert!(
        of_one.hint.as_ref().unwrap().ends_with("; `up` uses the image that the engine has"),
        "{of_one:?}"
    );
}

/// A service with a build of three seconds, or without one.
fn built(script: BuildScript) -> (Machine, Value) {
    let mut machine = machine_with(1, |builder| builder.on_build("shop-web*", script));
    let host = SimHost::new(machine.executor.clone())
        .with_file("/project/app/Dockerfile", "FROM web:1\nRUN make\nCMD [\"serve\"]\n");
    machine.host = Arc::new(host.with_file("/project/app/main", "main"));
    (machine, json!({"services": {"web": {"build": "./app", "healthcheck": check("curl")}}}))
}

#[test]
fn a_service_is_built_once_and_again_only_when_asked() {
    let (machine, description) = built(BuildScript::new());
    machine.up(&description).unwrap();
    assert_eq!(machine.state().container("shop-web-1").unwrap().image, "shop-web");
    machine.pass(secs(30));
    let calls = machine.calls();
    machine.up(&description).unwrap();
    assert!(machine.calls_from(calls).iter().all(|call| !call.mutates));
    assert_eq!(count(&machine, "image_build"), 1);
}

#[test]
fn a_build_that_fails_says_its_step_and_output_and_stops_what_has_not_begun() {
    let (machine, mut description) =
        built(BuildScript::new().fails_at("make", "no rule to make target", 2));
    description["services"]["late"] = json!({"image": "redis:1", "depends_on": ["web"]});
    let failure = machine.up(&description).unwrap_err();
    assert_eq!(failure.kind, Kind::Build);
    assert!(failure.message.starts_with("The build of \"shop-web\" failed: "), "{failure}");
    assert!(
        failure.details.iter().any(|detail| detail.text.contains("no rule to make target")),
        "{failure:?}"
    );
    assert!(machine.state().container("shop-web-1").is_none());
    assert_ne!(machine.state().container("shop-late-1").map(|late| late.state), Some("running"));
    assert!(!machine.footprint().locked);
}

#[test]
fn a_build_from_the_very_same_is_not_done_again() {
    let (machine, description) = built(BuildScript::new());
    machine.up(&description).unwrap();
    let project = project(&description);
    let build = |change: &dyn Fn(&mut crate::model::spec::Build)| {
        let mut build = project.services["web"].build.clone().unwrap();
        change(&mut build);
        let before = count(&machine, "image_build");
        let building = ImageBuild {
            image: "shop-web",
            build: &build,
            of: Some("web"),
            project: "shop",
            secrets: &project.secrets,
        };
        machine.run(crate::apply::images::build(&machine.ctx(), &building, &|_| {})).unwrap();
        count(&machine, "image_build") - before
    };
    assert_eq!(build(&|_| {}), 0);
    assert_eq!(build(&|build| build.no_cache = true), 1);
    assert_eq!(build(&|_| {}), 0);
    assert_eq!(build(&|build| drop(build.args.insert("A".into(), "1".into()))), 1);
    assert_eq!(build(&|build| build.tags.push("shop-web:2".into())), 1);
    assert_eq!(build(&|_| {}), 0, "the tag is one more name");
    machine.run(machine.engine.image_tag("redis:1", "web:1")).unwrap();
    assert_eq!(build(&|_| {}), 1, "another base");
    crate::host::Host::write(
        &*machine.host,
        &crate::policy::CheckedPath::trusted("/project/app/main"),
        b"other",
        None,
    )
    .unwrap();
    assert_eq!(build(&|_| {}), 1, "another context");
}

/// An image that is built with the secret `key`, whose value is in `TOKEN`.
fn built_with_secret() -> (Machine, Value) {
    let (mut machine, mut description) = built(BuildScript::new());
    machine.environment.insert("TOKEN".into(), "correct horse".into());
    crate::host::Host::write(
        &*machine.host,
        &crate::policy::CheckedPath::trusted("/project/app/Dockerfile"),
        b"FROM web:1\nRUN --mount=type=secret,id=key,required make\nCOPY main /\n",
        None,
    )
    .unwrap();
    description["services"]["web"]["build"] = json!({"context": "./app", "secrets": ["key"]});
    description["secrets"] = json!({"key": {"environment": "TOKEN"}});
    (machine, description)
}

/// The number of builds, and whether they were without the cache.
fn builds_of(machine: &Machine, description: &Value) -> Vec<bool> {
    let asked: Arc<parking_lot::Mutex<Vec<bool>>> = Arc::default();
    let project = project(description);
    let build = project.services["web"].build.as_ref().unwrap();
    let building = ImageBuild {
        image: "shop-web",
        build,
        of: Some("web"),
        project: "shop",
        secrets: &project.secrets,
    };
    let mut ctx = machine.ctx();
    let (noted, values) = (asked.clone(), machine.environment.clone());
    ctx.engine =
        Arc::new(crate::engine::observer::Observer::new(ctx.engine.clone(), move |call| {
            if let Call::ImageBuild { request } = call {
                assert!(!call.text().contains(&values["TOKEN"]), "{}", call.text());
                let delivered: Vec<_> = request.secrets.values().map(|value| &value[..]).collect();
                assert!(delivered == [values["TOKEN"].as_bytes()], "the value as it is");
                noted.lock().push(request.no_cache);
            }
            Ok(())
        }));
    machine.run(crate::apply::images::build(&ctx, &building, &|_| {})).unwrap();
    asked.lock().clone()
}

#[test]
fn a_build_is_done_again_if_a_secret_changed_and_only_then_without_the_cache() {
    let (mut machine, description) = built_with_secret();
    assert_eq!(
        builds_of(&machine, &description),
        [true],
        "nobody knows which value made what the cache holds"
    );
    assert_eq!(builds_of(&machine, &description), [] as [bool; 0]);
    machine.environment.insert("TOKEN".into(), "battery staple".into());
    assert_eq!(builds_of(&machine, &description), [true]);
    assert_eq!(builds_of(&machine, &description), [] as [bool; 0]);
    crate::host::Host::write(
        &*machine.host,
        &crate::policy::CheckedPath::trusted("/project/app/main"),
        b"other",
        None,
    )
    .unwrap();
    assert_eq!(
        builds_of(&machine, &description),
        [false],
        "the same value: what is cached was made of it"
    );
    // Another checkout has another fingerprint key, so spc can't compare the values.
    machine
        .host
        .remove(&crate::policy::CheckedPath::trusted("/project/.spc/shop/key.json"))
        .unwrap();
    assert_eq!(builds_of(&machine, &description), [true]);
    let image = machine.run(machine.engine.image_inspect("shop-web")).unwrap();
    let print = &image.config.unwrap().labels.unwrap()[label::BUILD_SECRETS];
    assert!(
        print.split_once(':').is_some_and(|(key, print)| key.len() == 16 && print.len() == 32),
        "{print}"
    );
}

#[test]
fn a_build_that_no_longer_takes_secrets_is_done_again() {
    let (machine, description) = built_with_secret();
    assert_eq!(builds_of(&machine, &description).len(), 1);
    let project = project(&with(description, "services.web.build", json!("./app")));
    let build = project.services["web"].build.as_ref().unwrap();
    let building = ImageBuild {
        image: "shop-web",
        build,
        of: Some("web"),
        project: "shop",
        secrets: &project.secrets,
    };
    let failure =
        machine.run(crate::apply::images::build(&machine.ctx(), &building, &|_| {})).unwrap_err();
    assert!(failure.message.ends_with("failed: secret key not found: not found"), "{failure}");
    assert_eq!(
        failure.hint.unwrap(),
        "give it to the build with `secrets: [\"key\"]`, or leave `required` of the step's mount out"
    );
}

#[test]
fn a_build_secret_is_in_nothing_that_is_written() {
    let (machine, description) = built_with_secret();
    machine.up(&description).unwrap();
    let written = format!(
        "{:?}\n{:?}\n{:?}\n{}",
        machine.engine.calls(),
        machine.engine.past_events(),
        machine.state(),
        machine.reported()
    );
    assert!(written.contains("build-secrets") && !written.contains("horse"), "{written}");
    assert_eq!(machine.up(&description).unwrap().changes, 0);
}

#[test]
fn a_build_secret_without_a_value_is_named() {
    let (mut machine, description) = built_with_secret();
    machine.environment.clear();
    let failure = machine.up(&description).unwrap_err();
    assert_eq!(
        failure.message,
        "The secret \"key\" has no value: the variable \"TOKEN\" is not set"
    );
    assert_eq!(count(&machine, "image_build"), 0);
}

/// Services whose Dockerfiles each are `FROM` an image.
fn building(services: Value, dockerfiles: &[(&str, &str)]) -> (Machine, Value) {
    let mut machine = machine();
    let mut host = SimHost::new(machine.executor.clone());
    for (folder, from) in dockerfiles {
        host = host.with_file(
            format!("/project/{folder}/Dockerfile"),
            format!("FROM {from}\nCMD [\"serve\"]\n"),
        );
    }
    machine.host = Arc::new(host);
    (machine, json!({ "services": services }))
}

/// The calls that made images, in order.
fn made(machine: &Machine) -> Vec<String> {
    let calls = machine.engine.calls();
    let made = calls.iter().filter(|call| ["image_build", "image_pull"].contains(&call.method));
    made.map(|call| format!("{} {}", call.method, call.target)).collect()
}

#[test]
fn a_build_waits_for_the_build_of_what_it_begins_with() {
    let dockerfiles = [("a", "docker.io/shop/base:latest"), ("z", "web:1")];
    let services = json!({"a": {"build": "./a"}, "m": {"image": "shop/base"}, "z": {"image": "shop/base", "build": "./z"}});
    let (machine, description) = building(services, &dockerfiles);
    machine.up(&description).unwrap();
    assert_eq!(made(&machine), ["image_build shop/base", "image_build shop-a"]);
    let calls = machine.calls();
    machine.up(&description).unwrap();
    assert!(machine.calls_from(calls).iter().all(|call| !call.mutates));
}

#[test]
fn a_one_off_container_builds_its_image_if_a_service_of_the_stack_builds_it() {
    let services =
        json!({"job": {"image": "shop/api:1"}, "api": {"image": "shop/api:1", "build": "./api"}});
    let (machine, description) = building(services, &[("api", "web:1")]);
    let project = project(&description);
    let one_off = crate::apply::one_off::OneOffSpec {
        image: "shop/api:1",
        command: vec!["migrate".into()],
        environment: Vec::new(),
        user: None,
        working_dir: None,
        project: PROJECT,
        service: Some((&project, &project.services["job"])),
        built_by: None,
        with_dependencies: true,
        timeout: None,
    };
    machine.run(crate::apply::one_off::run(&machine.ctx(), &one_off)).unwrap();
    assert_eq!(made(&machine), ["image_build shop/api:1"]);
}

#[test]
fn an_image_named_by_tag_and_digest_is_pulled_once_and_then_here() {
    let machine =
        machine_with(1, |builder| builder.registry_image("app:1", released(&["one"]), secs(3)));
    let digest = machine.run(machine.engine.image_registry_digest("app:1", None)).unwrap();
    let description =
        json!({"services": {"a": {"image": format!("docker.io/library/app:1@{digest}")}}});
    machine.up(&description).unwrap();
    assert_eq!(count(&machine, "image_pull"), 1);
    let calls = machine.calls();
    machine.up(&description).unwrap();
    assert!(machine.calls_from(calls).iter().all(|call| !call.mutates));
}

/// The warnings.
fn warnings(machine: &Machine) -> String {
    let seen = machine.seen.0.lock();
    let texts = seen.iter().filter_map(|event| match event {
        Event::Log { level: crate::model::event::Level::Warning, text } => Some(text.clone()),
        _ => None,
    });
    texts.collect::<Vec<_>>().join("\n")
}

#[test]
fn an_anonymous_volume_that_has_no_place_any_more_is_named() {
    let image = ImageSpec::command(&["one"]).with_volume("/deps");
    let machine = machine_with(1, |builder| {
        builder.image("app:1", image).image("app:2", ImageSpec::command(&["two"]))
    });
    let description = |tag: &str, volumes: Value| json!({"services": {"a": {"image": format!("app:{tag}"), "volumes": volumes}}});
    machine.up(&description("1", json!(["/cache"]))).unwrap();
    let found = machine.run(machine.engine.container_inspect("shop-a-1")).unwrap();
    let volumes: BTreeMap<String, String> = found
        .mounts
        .unwrap()
        .into_iter()
        .map(|mount| (mount.destination.unwrap(), mount.name.unwrap()))
        .collect();
    machine.up(&description("2", json!([]))).unwrap();
    for (target, volume) in volumes {
        let said = format!(
            "a: \"{target}\" has no anonymous volume any more; the old one, \"{volume}\", stays on the engine"
        );
        assert!(warnings(&machine).contains(&said), "{}", warnings(&machine));
        assert!(machine.state().volume(&volume).is_some());
    }
}

#[test]
fn an_anonymous_volume_kept_under_another_image_is_reported_and_can_be_renewed() {
    let image = |word: &str| ImageSpec::command(&[word]).with_volume("/deps");
    let machine = machine_with(1, |builder| {
        builder.image("app:1", image("one")).image("app:2", image("two"))
    });
    let description = |tag: &str| json!({"services": {"a": {"image": format!("app:{tag}")}}});
    let volume = || {
        let found = machine.run(machine.engine.container_inspect("shop-a-1")).unwrap();
        found.mounts.unwrap()[0].name.clone().unwrap()
    };
    machine.up(&description("1")).unwrap();
    let first = volume();
    assert_eq!(warnings(&machine), "");
    machine.up(&description("2")).unwrap();
    assert_eq!(volume(), first, "data first");
    assert!(
        warnings(&machine)
            .contains("a: the image changed, and \"/deps\" still has the anonymous volume"),
        "{}",
        warnings(&machine)
    );
    machine
        .up_with(
            &description("2"),
            &UpOptions { renew_anonymous_volumes: true, ..UpOptions::default() },
        )
        .unwrap();
    assert_ne!(volume(), first);
    assert!(
        warnings(&machine).contains(&format!("the old one, \"{first}\", stays on the engine")),
        "{}",
        warnings(&machine)
    );
    assert!(machine.run(machine.engine.volume_inspect(&first)).is_ok());
}

#[test]
fn a_changed_build_description_is_reported_and_built_on_request() {
    let (machine, description) = built(BuildScript::new());
    machine.up(&description).unwrap();
    machine.up(&description).unwrap();
    assert_eq!(warnings(&machine), "");
    let changed = with(
        description,
        "services.web.build",
        json!({"context": "./app", "target": "t", "args": {"A": "1"}}),
    );
    let changed = with(changed, "services.web.image", "shop-web");
    machine.pass(secs(5));
    crate::host::Host::write(
        &*machine.host,
        &crate::policy::CheckedPath::trusted("/project/app/Dockerfile"),
        b"FROM web:1 AS t\nCMD [\"serve\"]\n",
        None,
    )
    .unwrap();
    let builds = count(&machine, "image_build");
    machine.up(&changed).unwrap();
    let said = "the description of the image \"shop-web\" changed since it was built (target, arguments, context)";
    assert!(warnings(&machine).contains(said), "{}", warnings(&machine));
    assert_eq!(count(&machine, "image_build"), builds);
    machine.up_with(&changed, &UpOptions { build: true, ..UpOptions::default() }).unwrap();
    assert_eq!(count(&machine, "image_build"), builds + 1);
    let before = warnings(&machine).len();
    machine.up(&changed).unwrap();
    assert_eq!(warnings(&machine).len(), before);
}

#[test]
fn nothing_that_runs_is_touched_where_an_image_can_not_be_had() {
    let machine = machine();
    let described = |level: &str, image: &str| {
        let db = json!({"image": "db:1", "environment": {"LEVEL": level}});
        json!({"services": {"db": db, "web": {"image": image}}})
    };
    machine.up(&described("1", "web:1")).unwrap();
    let running = || {
        machine
            .state()
            .containers
            .iter()
            .map(|it| (it.id.clone(), it.state.to_string()))
            .collect::<Vec<_>>()
    };
    let (before, events) = (running(), machine.events());
    machine.up(&described("2", "nowhere:1")).unwrap_err();
    assert_eq!(running(), before);
    let touched = machine
        .happened_from(events)
        .into_iter()
        .find(|line| line.starts_with("stop ") && !line.contains("spc-lock"));
    assert_eq!(touched, None);
    let calls = machine.calls();
    machine.up(&described("1", "web:1")).unwrap();
    assert!(machine.calls_from(calls).iter().all(|call| !call.mutates));
}
