//! The records of releases: written, kept, removed, restored.

use super::*;
use crate::apply::releases::{self, ReleaseDetails};
use crate::engine::sim::CallSide;
use crate::model::names::HOLDS_RELEASE;
use crate::model::release::{Release, kept_image};

/// A service of this release, whose image is always `web:1`.
fn web(release: &str) -> Value {
    json!({"services": {"web": {"image": "web:1", "restart": "always", "x-spc-release": release}}})
}

fn record(machine: &Machine, description: &Value) -> Option<Release> {
    let project = project(description);
    machine.run(releases::record(&machine.ctx(), &project, ReleaseDetails::default())).unwrap()
}

fn recorded(machine: &Machine) -> Vec<Release> {
    machine.run(releases::read(&machine.ctx(), PROJECT)).unwrap().releases
}

fn ids(machine: &Machine) -> Vec<u64> {
    recorded(machine).iter().map(|release| release.id).collect()
}

fn image_id(machine: &Machine, name: &str) -> Option<String> {
    machine.run(super::super::observe::image_id(&*machine.ctx().engine, name)).unwrap()
}

/// Brings up and records the releases `v1`, `v2` and so on.
fn released(machine: &Machine, releases: std::ops::RangeInclusive<u32>) {
    for number in releases {
        let description = web(&format!("v{number}"));
        machine.up(&description).unwrap();
        record(machine, &description).unwrap();
    }
}

#[test]
fn a_release_is_recorded_once_from_what_runs() {
    let machine = machine();
    machine.up(&web("v1")).unwrap();
    let first = record(&machine, &web("v1")).unwrap();
    assert_eq!((first.id, first.name().as_str()), (1, "v1"));
    let calls = machine.calls();
    assert_eq!(record(&machine, &web("v1")), None);
    let changing = machine.calls_from(calls).into_iter().filter(|call| call.mutates);
    assert_eq!(changing.count(), 0, "not even the lock");
    assert_eq!(ids(&machine), [1]);
    assert_eq!(recorded(&machine)[0].services["web"].image, "web:1");
}

#[test]
fn what_is_described_and_does_not_run_is_not_recorded() {
    let machine = machine();
    machine.up(&web("v1")).unwrap();
    assert_eq!(record(&machine, &web("v2")), None);
    assert_eq!(ids(&machine), Vec::<u64>::new());
}

#[test]
fn nothing_of_the_releases_is_left_after_down_with_volumes() {
    let machine = machine();
    released(&machine, 1..=2);
    let kept = kept_image(PROJECT, &image_id(&machine, "web:1").unwrap());
    let down = |volumes| {
        let options = DownOptions { volumes, adopt: false };
        machine.run(verbs::down(&machine.ctx(), PROJECT, options)).unwrap();
    };
    down(false);
    assert_eq!((ids(&machine), image_id(&machine, &kept).is_some()), (vec![1, 2], true));
    down(true);
    assert_eq!((ids(&machine), image_id(&machine, &kept)), (vec![], None));
}

#[test]
fn old_records_and_the_names_of_their_images_go() {
    let machine = machine();
    released(&machine, 1..=7);
    assert_eq!(ids(&machine), [3, 4, 5, 6, 7]);
    let image = image_id(&machine, "web:1").unwrap();
    assert_eq!(image_id(&machine, &kept_image(PROJECT, &image)), Some(image), "others need it");
    machine.run(machine.ctx().engine.image_tag("db:1", "web:1")).unwrap();
    released(&machine, 8..=12);
    assert_eq!(
        machine.run(super::super::releases::read(&machine.ctx(), PROJECT)).unwrap().releases.len(),
        5
    );
    let images = machine.run(machine.ctx().engine.image_list(&BTreeMap::default())).unwrap();
    let kept = images.iter().flat_map(|image| &image.repo_tags);
    assert_eq!(kept.filter(|name| name.starts_with("spc-releases:")).count(), 1);
}

#[test]
fn a_kept_image_outlives_its_tag_and_a_restored_release_has_the_tag_again() {
    let machine = machine();
    released(&machine, 1..=1);
    let image = image_id(&machine, "web:1").unwrap();
    let ctx = machine.ctx();
    machine.run(ctx.engine.image_tag("redis:1", "web:1")).unwrap();
    assert_eq!(image_id(&machine, &kept_image(PROJECT, &image)).as_deref(), Some(&*image));
    let release = recorded(&machine).remove(0);
    machine.run(releases::restore_images(&machine.ctx(), PROJECT, &release)).unwrap();
    assert_eq!(image_id(&machine, "web:1"), Some(image));
}

#[test]
fn a_release_without_its_image_changes_nothing() {
    let machine = machine();
    released(&machine, 1..=1);
    let mut release = recorded(&machine).remove(0);
    let gone = release.services.get_mut("web").unwrap();
    gone.image_id = "sha256:0000".to_owned();
    let calls = machine.calls();
    let failure =
        machine.run(releases::restore_images(&machine.ctx(), PROJECT, &release)).unwrap_err();
    assert_eq!(failure.kind, Kind::Image);
    assert!(
        failure.message.contains("\"web:1\"") && failure.message.contains("release 1"),
        "{failure}"
    );
    assert!(machine.calls_from(calls).iter().all(|call| !call.mutates));
}

#[test]
fn records_outlive_down_and_go_with_the_volumes() {
    let machine = machine();
    released(&machine, 1..=1);
    machine.down(false).unwrap();
    assert_eq!(ids(&machine), [1]);
    machine.down(true).unwrap();
    assert_eq!(ids(&machine), Vec::<u64>::new());
}

#[test]
fn a_record_that_cannot_be_read_is_named_and_its_number_not_used_again() {
    let machine = machine();
    let ctx = machine.ctx();
    for (id, content) in [(3, "{"), (4, r#"{"format": 99}"#)] {
        let labels =
            [(label::PROJECT, PROJECT), (label::HOLDS, HOLDS_RELEASE), (label::RECORD, content)];
        let body = bollard::models::VolumeCreateRequest {
            name: Some(format!("shop.spc-release.{id}")),
            labels: Some(labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into()),
            ..Default::default()
        };
        machine.run(ctx.engine.volume_create(body)).unwrap();
    }
    let found = machine.run(releases::read(&machine.ctx(), PROJECT)).unwrap();
    assert!(found.releases.is_empty());
    assert_eq!(found.unreadable.len(), 2);
    assert!(found.unreadable[1].1.contains("a newer version of spc"), "{:?}", found.unreadable);
    machine.up(&web("v1")).unwrap();
    assert_eq!(record(&machine, &web("v1")).unwrap().id, 5);
}

/// A volume of this name with this record.
fn volume(machine: &Machine, id: u64, labels: &[(&str, &str)]) {
    let labels = labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    let body = bollard::models::VolumeCreateRequest {
        name: Some(format!("shop.spc-release.{id}")),
        labels: Some(labels.collect()),
        ..Default::default()
    };
    machine.run(machine.ctx().engine.volume_create(body)).unwrap();
}

#[test]
fn a_volume_of_others_with_the_name_of_the_next_record_is_passed_over() {
    let machine = machine();
    volume(&machine, 1, &[("owner", "somebody else")]);
    released(&machine, 1..=2);
    assert_eq!(ids(&machine), [2, 3]);
}

#[test]
fn a_record_with_a_name_in_place_of_an_id_or_a_huge_number_is_not_read() {
    let machine = machine();
    released(&machine, 1..=1);
    let mut release = recorded(&machine).remove(0);
    release.services.get_mut("web").unwrap().image_id = "db:1".to_owned();
    for (id, reason) in [(2, "is no id of an image"), (u64::MAX, "too large")] {
        release.id = id;
        let content = serde_json::to_string(&release).unwrap();
        let labels = [(label::PROJECT, PROJECT), (label::HOLDS, HOLDS_RELEASE)];
        volume(&machine, id, &[&labels[..], &[(label::RECORD, &content)]].concat());
        let found = machine.run(releases::read(&machine.ctx(), PROJECT)).unwrap();
        let reasons: Vec<_> = found.unreadable.iter().map(|(_, reason)| reason.clone()).collect();
        assert!(reasons.iter().any(|it| it.contains(reason)), "{reasons:?}");
        assert_eq!(found.releases.len(), 1);
    }
}

#[test]
fn images_stay_while_a_record_cannot_be_read() {
    let machine = machine();
    released(&machine, 1..=1);
    let kept = kept_image(PROJECT, &image_id(&machine, "web:1").unwrap());
    let ctx = machine.ctx();
    machine.run(ctx.engine.volume_remove("shop.spc-release.1", false)).unwrap();
    let content = r#"{"format": 99}"#;
    let labels = [(label::PROJECT, PROJECT), (label::HOLDS, HOLDS_RELEASE)];
    volume(&machine, 1, &[&labels[..], &[(label::RECORD, content)]].concat());
    machine.run(releases::drop_images_without_record(&ctx, PROJECT)).unwrap();
    assert!(image_id(&machine, &kept).is_some());
    machine.run(ctx.engine.volume_remove("shop.spc-release.1", false)).unwrap();
    machine.run(releases::drop_images_without_record(&ctx, PROJECT)).unwrap();
    assert_eq!(image_id(&machine, &kept), None);
}

#[test]
fn a_record_takes_the_place_of_another_one() {
    let machine = machine();
    released(&machine, 1..=2);
    let failed = |failed: &str, replaces| ReleaseDetails {
        strategy: "rollback".to_owned(),
        failed: Some(([].into(), failed.to_owned())),
        restores: Some(1),
        replaces,
        ..ReleaseDetails::default()
    };
    let write = |details| {
        let project = project(&web("v2"));
        machine.run(releases::record(&machine.ctx(), &project, details)).unwrap().unwrap()
    };
    let begun = write(failed("it did not end", None));
    assert_eq!((begun.id, begun.left), (3, Some(2)));
    assert_eq!(begun.services["web"].release, "v1", "what the rollback goes to");
    assert_eq!(write(failed("never healthy", Some(3))).id, 4);
    assert_eq!(ids(&machine), [1, 2, 4]);
}

#[test]
fn a_failed_deployment_is_recorded_with_its_reason_and_without_secrets() {
    let machine = machine();
    released(&machine, 1..=1);
    let details = ReleaseDetails {
        strategy: "canary".to_owned(),
        failed: Some((["web".to_owned()].into(), "error rate 0.2 with a secret value".to_owned())),
        ..ReleaseDetails::default()
    };
    let ctx = machine.ctx();
    ctx.secrets.add("TOKEN", &Secrets::token("TOKEN", [1; 16]), "a secret value");
    let release =
        machine.run(releases::record(&ctx, &project(&web("v2")), details)).unwrap().unwrap();
    assert_eq!(release.services["web"].release, "v2");
    let reason = release.failed.unwrap();
    assert!(reason.starts_with("error rate 0.2") && !reason.contains("secret value"), "{reason}");
}

#[test]
fn a_record_is_complete_or_not_there_after_a_kill_at_any_call() {
    let calls = {
        let machine = machine();
        machine.up(&web("v1")).unwrap();
        let before = machine.calls();
        record(&machine, &web("v1")).unwrap();
        machine.calls() - before
    };
    for at in 0..calls {
        let machine = machine();
        machine.up(&web("v1")).unwrap();
        machine.engine.crash_at((machine.calls() + at) as u64 + 1, CallSide::After);
        let ctx = machine.ctx();
        let description = project(&web("v1"));
        let _ = machine.killed(releases::record(&ctx, &description, ReleaseDetails::default()));
        machine.pass(secs(60));
        record(&machine, &web("v1"));
        assert_eq!(ids(&machine), [1], "killed at call {at}");
    }
}
