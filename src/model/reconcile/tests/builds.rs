//! Images: pulled, built, shared by services, and with different spellings of a name.

use similar_asserts::assert_eq;

use super::*;

#[test]
fn an_image_that_is_not_here_leaves_the_steps_behind_it_conditional() {
    let project = project(stack());
    let mut observed = applied(&project);
    observed.images.remove("redis:7");
    assert_eq!(
        plan(&project, &observed),
        "  1  pull image redis:7  (missing)
  2  create container spc-redis-1.new  (image changed)  if image redis:7 changed, unknown until step 1  after 1
  3  stop container spc-redis-1  if image redis:7 changed, unknown until step 1  after 2
  4  start container spc-redis-1.new  if image redis:7 changed, unknown until step 1  after 2, 3
  5  wait until ready container spc-redis-1.new  if image redis:7 changed, unknown until step 1  after 4
  6  remove container spc-redis-1  if image redis:7 changed, unknown until step 1  after 5
  7  rename container spc-redis-1.new to spc-redis-1  if image redis:7 changed, unknown until step 1  after 6
"
    );
}

/// Two services with one image, which one of them builds.
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
fn a_requested_build_runs_even_if_the_image_exists() {
    let project = shared_build("api", "worker");
    let mut observed = applied(&project);
    let id = observed.images["shop/api:latest"].clone();
    observed.containers.iter_mut().for_each(|container| container.image_id.clone_from(&id));
    assert!(plan_with(&project, &observed, UpRequest::default()).unwrap().steps.is_empty());
    let plan =
        plan_with(&project, &observed, UpRequest { build: true, ..UpRequest::default() }).unwrap();
    let plan = plan.to_string();
    assert!(plan.starts_with("  1  build image shop/api  (requested)\n"), "{plan}");
    assert_eq!(plan.matches(" create container").count(), 2, "{plan}");
    assert_eq!(
        plan.matches("image changed").count(),
        plan.matches("(image changed)  if image").count(),
        "{plan}"
    );
}

#[test]
fn an_image_exists_under_every_spelling_of_its_name() {
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
