//! Records of moves: only spc creates them, and only if a person named the project.

use super::*;
use crate::model::names::{HOLDS_FORMER_FOLDERS, former_folders_volume};

fn record(project: &str, to: &str, former: &str) -> VolumeCreateRequest {
    let labels = [
        (label::PROJECT, project),
        (label::HOLDS, HOLDS_FORMER_FOLDERS),
        (label::FORMER_FOLDERS, former),
        (compose_label::WORKING_DIR, to),
    ];
    VolumeCreateRequest {
        name: Some(former_folders_volume(project, "0a")),
        labels: Some(labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into()),
        ..VolumeCreateRequest::default()
    }
}

fn given(fixture: GuardFixture, project: &str) -> GuardFixture {
    let GuardFixture { executor, engine, guard } = fixture;
    let policy = guard.policy.clone().with_given_project(Some(project.to_owned()));
    let guard = Guard::new(Arc::new(engine.clone()), policy, guard.host.clone());
    GuardFixture { executor, engine, guard }
}

#[test]
fn a_script_can_not_say_that_a_project_was_moved() {
    let other = r#"["/srv/other"]"#;
    let said = "A script may not create the volume \"own.spc-former-folders.0a\": only spc records that a project was moved";
    // The script's own project, and one that spc.toml allows. The user did not name them with
    // `--project`.
    for toml in ["", "[allow]\nprojects = [\"own\", \"other\"]\n"] {
        let fixture = fixture(toml);
        fixture.made("other", "/srv/other");
        assert!(
            fixture
                .refused(fixture.guard.volume_create(record("own", HERE, other)))
                .starts_with(said)
        );
        assert!(
            fixture
                .refused(fixture.guard.volume_create(record("other", HERE, other)))
                .contains("moved or adopted")
        );
    }
    // The project that the user named, but for another folder or with another name.
    let fixture = given(self::fixture(""), "own");
    assert!(
        fixture
            .refused(fixture.guard.volume_create(record("own", "/srv/own", other)))
            .starts_with(said)
    );
    assert!(
        fixture
            .refused(fixture.guard.volume_create(record("other", HERE, other)))
            .contains("moved or adopted")
    );
    let renamed =
        VolumeCreateRequest { name: Some("own_data".into()), ..record("own", HERE, other) };
    assert!(
        fixture
            .refused(fixture.guard.volume_create(renamed))
            .starts_with("A script may not create the volume \"own_data\"")
    );
    // A container can't create one either.
    let labels = record("own", HERE, other).labels;
    let options = MountVolumeOptions { labels, ..MountVolumeOptions::default() };
    let mount = Mount {
        typ: Some(MountType::VOLUME),
        target: Some("/data".into()),
        volume_options: Some(options),
        ..Mount::default()
    };
    assert!(
        fixture
            .host(HostConfig { mounts: Some(vec![mount]), ..HostConfig::default() })
            .contains("only spc records")
    );
    assert!(fixture.run(fixture.guard.volume_create(record("own", HERE, other))).is_ok());
}

#[test]
fn only_adoption_may_record_former_folders() {
    let said = "A script may not create the volume \"own.spc-former-folders.0a\": only spc records that a project was moved";
    let fixture = fixture("[allow]\nprojects = [\"own\"]\n");
    assert!(
        fixture.refused(fixture.guard.volume_create(record("own", HERE, "[]"))).starts_with(said)
    );
    let GuardFixture { executor, engine, guard } = fixture;
    let policy = guard.policy.clone().with_adoption(true);
    let guard = Guard::new(Arc::new(engine.clone()), policy, guard.host.clone());
    let fixture = GuardFixture { executor, engine, guard };
    // Not for another folder, and without a former folder.
    assert!(
        fixture
            .refused(fixture.guard.volume_create(record("own", "/srv/own", "[]")))
            .starts_with(said)
    );
    for former in [r#"["/srv/other"]"#, "[ ]", "", "null"] {
        assert!(
            fixture
                .refused(fixture.guard.volume_create(record("own", HERE, former)))
                .starts_with(said),
            "{former}"
        );
    }
    assert!(fixture.run(fixture.guard.volume_create(record("own", HERE, "[]"))).is_ok());
}

#[test]
fn a_record_makes_things_of_a_former_folder_the_projects_own_at_every_call() {
    let fixture = fixture("");
    let id = fixture.made("own", "/srv/own");
    let started = |guard: &Guard| fixture.run(guard.container_start(&id)).is_ok();
    let guard = || {
        Guard::new(
            Arc::new(fixture.engine.clone()),
            fixture.guard.policy.clone(),
            fixture.guard.host.clone(),
        )
    };
    assert!(!started(&guard()));
    fixture.run(fixture.engine.volume_create(record("own", HERE, r#"["/srv/own"]"#))).unwrap();
    let knowing = guard();
    for _ in 0..2 {
        assert!(started(&knowing));
        assert!(fixture.run(knowing.container_stop(&id, &StopRequest::default())).is_ok());
    }
    // On a network or a container the label has no meaning.
    let fixture = self::fixture("");
    let id = fixture.made("own", "/srv/own");
    let labels = record("own", HERE, r#"["/srv/own"]"#).labels;
    fixture
        .run(fixture.engine.network_create(NetworkCreateRequest {
            name: "x".into(),
            labels: labels.clone(),
            ..NetworkCreateRequest::default()
        }))
        .unwrap();
    fixture
        .run(fixture.engine.container_create(
            "odd_lamarr",
            None,
            ContainerCreateBody { labels, ..plain() },
        ))
        .unwrap();
    assert!(fixture.refused(fixture.guard.container_start(&id)).contains("made from \"/srv/own\""));
}

#[test]
fn a_rejected_operation_on_a_service_names_the_service() {
    let fixture = fixture("");
    fixture.made("own", "/srv/own");
    let intent = Intent::UseService {
        doing: "run a command in the service",
        service: "web",
        project: "own",
    };
    let said = fixture.refused(fixture.guard.check(intent));
    let expected = "A script may not run a command in the service \"web\": it belongs to the project \"own\", made from \"/srv/own\"";
    assert!(said.starts_with(expected) && said.contains("use --project own"), "{said}");
}
