//! Projects in a moved folder, with the guard.

use similar_asserts::assert_eq;

use super::ownership::{adopt, composed, described, left_by_compose};
use super::*;
use crate::engine::Engine;
use crate::engine::Guard;
use crate::engine::sim::CallSide;
use crate::model::names::is_former_folders_volume;

/// A machine with the folders of the project, one after another.
fn moving() -> Machine {
    let mut machine = machine();
    let host = SimHost::new(machine.executor.clone());
    machine.host =
        Arc::new(["/srv/one", "/srv/two", "/srv/three"].iter().fold(host, SimHost::with_folder));
    machine
}

/// `db` on a volume.
fn stored() -> Value {
    json!({"services": {"db": {"image": "db:1", "volumes": ["data:/data"]}}, "volumes": {"data": {}}})
}

impl Machine {
    /// A run in `folder` with the limits of `policy`.
    fn guarded(&self, policy: Policy, folder: &str) -> VerbContext {
        let mut ctx = self.ctx();
        ctx.engine = Arc::new(Guard::new(ctx.engine, policy.clone(), self.host.clone()));
        let run = Arc::make_mut(&mut ctx.run);
        run.policy = policy;
        run.project.directory = folder.into();
        ctx
    }

    /// A run in `folder`; `given`: with `--project`.
    fn around_in(&self, folder: &str, given: bool) -> VerbContext {
        let policy = Policy::of_folder(Path::new(folder), &|path| resolve(&*self.host, path));
        let policy = policy.with_given_project(given.then(|| PROJECT.to_owned()));
        self.guarded(policy, folder)
    }

    fn up_in(&self, folder: &str, given: bool, description: &Value) -> Result<Outcome, Failure> {
        self.run(verbs::up(
            &self.around_in(folder, given),
            &project(description),
            &UpOptions::default(),
        ))
    }

    fn down_in(&self, folder: &str, given: bool, volumes: bool) -> Result<Outcome, Failure> {
        self.run(verbs::down(
            &self.around_in(folder, given),
            PROJECT,
            DownOptions { volumes, adopt: false },
        ))
    }

    /// The names of the records of moves, and of the folders in them.
    fn moves(&self) -> Vec<String> {
        let volumes = self.run(self.engine.volume_list(&crate::engine::Filters::new())).unwrap();
        let records = volumes.iter().filter(|volume| is_former_folders_volume(&volume.name));
        let mut moves: Vec<String> = records
            .map(|volume| {
                let text = |key: &str| volume.labels.get(key).cloned().unwrap_or_default();
                format!("{} -> {}", text(label::FORMER_FOLDERS), text(compose_label::WORKING_DIR))
            })
            .collect();
        moves.sort();
        moves
    }
}

#[track_caller]
fn refused<T>(result: Result<T, Failure>, folder: &str) {
    let failure = result.err().expect("another folder's project is refused");
    assert_eq!(failure.kind, Kind::Policy, "{failure}");
    assert!(failure.message.contains(&format!("made from \"{folder}\"")), "{failure}");
    assert!(failure.hint.as_deref().unwrap().contains("--project shop"), "{failure:?}");
}

#[test]
fn a_project_named_once_after_a_move_needs_no_name_again() {
    let machine = moving();
    machine.up_in("/srv/one", false, &stored()).unwrap();
    let stamp = machine.state().volume("shop_data").unwrap().stamp;
    let calls = machine.calls();
    // Also if nothing differs.
    refused(machine.up_in("/srv/two", false, &stored()), "/srv/one");
    refused(machine.down_in("/srv/two", false, true), "/srv/one");
    assert!(machine.calls_from(calls).iter().all(|call| !call.mutates));
    let (events, containers) = (machine.events(), machine.footprint().containers);
    machine.up_in("/srv/two", true, &stored()).unwrap();
    let happened: Vec<_> = machine
        .happened_from(events)
        .into_iter()
        .filter(|line| !line.contains("shop.spc-"))
        .collect();
    assert_eq!(
        (happened, machine.footprint().containers),
        (Vec::<String>::new(), containers),
        "the stack itself is not touched"
    );
    assert_eq!(machine.moves(), [r#"["/srv/one"] -> /srv/two"#]);
    let said = "The project \"shop\" is in \"/srv/two\" from now on, not in \"/srv/one\": --project is not needed here again";
    assert!(machine.logged().iter().any(|text| text == said), "{:?}", machine.logged());
    let calls = machine.calls();
    machine.up_in("/srv/two", false, &stored()).unwrap();
    machine.up_in("/srv/two", true, &stored()).unwrap();
    assert!(machine.calls_from(calls).iter().all(|call| !call.mutates), "it is recorded once");
    // `down` keeps the volume. Its label still names the old folder.
    machine.down_in("/srv/two", false, false).unwrap();
    assert_eq!(machine.moves().len(), 1);
    machine
        .up_in("/srv/two", false, &with(stored(), "services.db.environment", json!({"A": "1"})))
        .unwrap();
    assert_eq!(machine.state().volume("shop_data").unwrap().stamp, stamp);
    machine.down_in("/srv/two", false, true).unwrap();
    assert_eq!((machine.footprint(), machine.moves()), (Footprint::default(), Vec::new()));
    machine.up_in("/srv/three", false, &stored()).unwrap();
}

/// A verb by its name, with a run of it.
type Verb<'a> = (&'a str, &'a dyn Fn(&Machine));

#[test]
fn every_verb_of_a_run_that_names_the_project_records_the_move() {
    let verbs: [Verb<'_>; 4] = [
        ("down", &|machine| drop(machine.down_in("/srv/two", true, false).unwrap())),
        ("stop", &|machine| {
            let (ctx, db) =
                (machine.around_in("/srv/two", true), BTreeSet::from(["db".to_owned()]));
            drop(
                machine
                    .run(verbs::lifecycle(&ctx, PROJECT, &db, verbs::Lifecycle::Stop, None))
                    .unwrap(),
            );
        }),
        ("up", &|machine| {
            drop(
                machine
                    .up_in("/srv/two", true, &with(stored(), "services.db.image", "redis:1"))
                    .unwrap(),
            )
        }),
        ("scale", &|machine| {
            let description = json!({"services": {"db": {"image": "redis:1"}}});
            drop(
                machine
                    .run(verbs::scale(
                        &machine.around_in("/srv/two", true),
                        &project(&description),
                        "db",
                        2,
                    ))
                    .unwrap(),
            );
        }),
    ];
    for (verb, run) in verbs {
        let machine = moving();
        machine.up_in("/srv/one", false, &stored()).unwrap();
        run(&machine);
        assert_eq!(machine.moves(), [r#"["/srv/one"] -> /srv/two"#], "{verb}");
        machine.down_in("/srv/two", false, false).unwrap();
    }
}

#[test]
fn the_project_has_to_be_named_again_in_every_other_folder() {
    let machine = moving();
    machine.up_in("/srv/one", false, &stored()).unwrap();
    machine.up_in("/srv/two", true, &stored()).unwrap();
    for folder in ["/srv/one", "/srv/three"] {
        for changed in [stored(), with(stored(), "services.db.environment", json!({"A": "1"}))] {
            let calls = machine.calls();
            refused(machine.up_in(folder, false, &changed), "/srv/two");
            assert!(machine.calls_from(calls).iter().all(|call| !call.mutates), "{folder}");
        }
    }
    // Moved on, and back again.
    let changed = with(stored(), "services.db.environment", json!({"A": "1"}));
    machine.up_in("/srv/three", true, &changed).unwrap();
    assert_eq!(
        machine.moves(),
        [r#"["/srv/one"] -> /srv/three"#],
        "one record: nothing names the second folder"
    );
    let said = "The project \"shop\" is in \"/srv/three\" from now on, not in \"/srv/two\": --project is not needed here again";
    assert!(machine.logged().iter().any(|text| text == said), "{:?}", machine.logged());
    refused(machine.up_in("/srv/two", false, &changed), "/srv/three");
    machine.up_in("/srv/one", true, &changed).unwrap();
    assert_eq!(machine.moves(), [r#"["/srv/three"] -> /srv/one"#]);
    machine.up_in("/srv/one", false, &stored()).unwrap();
    assert_eq!(machine.moves(), Vec::<String>::new(), "its last container from there is gone");
}

#[test]
fn the_record_goes_with_the_last_that_names_a_former_folder() {
    let machine = moving();
    let described = json!({"services": {"web": {"image": "web:1"}}});
    machine.up_in("/srv/one", false, &described).unwrap();
    machine.up_in("/srv/two", true, &described).unwrap();
    assert_eq!(machine.moves().len(), 1);
    machine.down_in("/srv/two", false, false).unwrap();
    assert_eq!((machine.footprint(), machine.moves()), (Footprint::default(), Vec::new()));
}

#[test]
#[ignore = "slow: `make test` runs it"]
fn a_run_that_is_killed_while_it_records_a_move_leaves_one_that_can_be_gone_on_from() {
    let set_up = || {
        let machine = moving();
        machine.up_in("/srv/one", false, &stored()).unwrap();
        machine.up_in("/srv/two", true, &stored()).unwrap();
        machine
    };
    let machine = set_up();
    let changed = with(stored(), "services.db.environment", json!({"A": "1"}));
    let before = machine.calls();
    machine.up_in("/srv/three", true, &changed).unwrap();
    let calls = machine.calls_from(before);
    let mut kills = 0;
    for (at, _) in calls.iter().enumerate().filter(|(_, call)| call.mutates) {
        let machine = set_up();
        machine.engine.crash_at(at as u64 + 1, CallSide::After);
        let ctx = machine.around_in("/srv/three", true);
        assert!(
            machine.killed(verbs::up(&ctx, &project(&changed), &UpOptions::default())).is_none()
        );
        machine.engine.recover();
        machine.up_in("/srv/three", true, &changed).unwrap();
        assert_eq!(machine.moves(), [r#"["/srv/one"] -> /srv/three"#]);
        machine.up_in("/srv/three", false, &changed).unwrap();
        one_writer_each(&machine.state());
        kills += 1;
    }
    assert!(kills > 5, "{kills}");
}

#[test]
fn a_move_that_can_not_be_recorded_is_a_warning() {
    let machine = moving();
    machine.up_in("/srv/one", false, &stored()).unwrap();
    let body = bollard::models::VolumeCreateRequest::default();
    let squatted = super::super::moved_project::name_of_record(
        PROJECT,
        Path::new("/srv/two"),
        &BTreeSet::from(["/srv/one".to_owned()]),
    );
    machine
        .run(
            machine.engine.volume_create(bollard::models::VolumeCreateRequest {
                name: Some(squatted),
                ..body
            }),
        )
        .unwrap();
    machine.up_in("/srv/two", true, &stored()).unwrap();
    let said = machine.logged().join("\n");
    assert!(
        said.contains("Could not record that the project \"shop\" was moved: the volume \"shop.spc-former-folders."),
        "{said}"
    );
    refused(machine.up_in("/srv/two", false, &stored()), "/srv/one");
}

#[test]
fn adopted_objects_belong_to_the_adopting_folder_until_they_are_removed() {
    let mut machine = left_by_compose();
    let host = SimHost::new(machine.executor.clone());
    machine.host = Arc::new(["/srv/one", "/srv/two"].iter().fold(host, SimHost::with_folder));
    let up = |folder: &str, adopts: bool| {
        machine.engine.allow_adoption();
        let policy = Policy::of_folder(Path::new(folder), &|path| resolve(&*machine.host, path))
            .with_adoption(adopts);
        let ctx = machine.guarded(policy, folder);
        let options = if adopts { adopt() } else { UpOptions::default() };
        machine.run(verbs::up(&ctx, &project(&described()), &options))
    };
    let stamp = machine.state().volume("shop_data").unwrap().stamp;
    let failure = up("/srv/one", false).unwrap_err();
    assert_eq!(failure.kind, Kind::Conflict);
    assert!(
        failure.hint.as_deref().unwrap().starts_with("use --adopt to use it as it is"),
        "{failure:?}"
    );
    assert_eq!(machine.moves(), Vec::<String>::new());
    up("/srv/one", true).unwrap();
    assert_eq!(machine.moves(), ["[] -> /srv/one"]);
    assert!(
        machine.logged().iter().any(|line| line.ends_with("--adopt is not needed again")),
        "{:?}",
        machine.logged()
    );
    machine.down_in("/srv/one", false, false).unwrap();
    // The network is gone, but the volume and its owner stay.
    refused(up("/srv/two", false), "/srv/one");
    refused(up("/srv/two", true), "/srv/one");
    up("/srv/one", false).unwrap();
    assert_eq!(machine.state().volume("shop_data").unwrap().stamp, stamp);
    machine.down_in("/srv/one", false, false).unwrap();
    machine.down_in("/srv/one", false, true).unwrap();
    assert_eq!((machine.footprint(), machine.moves()), (Footprint::default(), Vec::new()));
}

#[test]
fn another_folders_project_is_refused_before_anything_is_advised() {
    let mut machine = composed();
    let host = SimHost::new(machine.executor.clone());
    machine.host = Arc::new(host.with_folder("/srv/one").with_folder(DIRECTORY));
    for adopts in [false, true] {
        let policy =
            Policy::of_folder(Path::new("/srv/one"), &|path| resolve(&*machine.host, path))
                .with_adoption(adopts);
        let ctx = machine.guarded(policy, "/srv/one");
        let options = if adopts { adopt() } else { UpOptions::default() };
        refused(machine.run(verbs::up(&ctx, &project(&described()), &options)), DIRECTORY);
        let services = BTreeSet::from(["db".to_owned()]);
        for verb in [verbs::Lifecycle::Stop, verbs::Lifecycle::Start, verbs::Lifecycle::Restart] {
            refused(machine.run(verbs::lifecycle(&ctx, PROJECT, &services, verb, None)), DIRECTORY);
        }
        refused(
            machine.run(verbs::down(&ctx, PROJECT, DownOptions { volumes: false, adopt: adopts })),
            DIRECTORY,
        );
    }
    assert_eq!(machine.logged(), Vec::<String>::new());
}

#[test]
fn the_engine_remembers_what_was_taken_over_and_only_up_takes_over() {
    let mut machine = left_by_compose();
    let fresh = |machine: &Machine| {
        Arc::new(SimHost::new(machine.executor.clone()).with_folder("/srv/one"))
    };
    machine.host = fresh(&machine);
    let ctx = |machine: &Machine, adopts: bool| {
        machine.engine.allow_adoption();
        let policy =
            Policy::of_folder(Path::new("/srv/one"), &|path| resolve(&*machine.host, path))
                .with_adoption(adopts);
        machine.guarded(policy, "/srv/one")
    };
    let services = BTreeSet::from(["db".to_owned()]);
    machine
        .run(verbs::lifecycle(
            &ctx(&machine, true),
            PROJECT,
            &services,
            verbs::Lifecycle::Stop,
            None,
        ))
        .unwrap();
    assert_eq!(machine.moves(), Vec::<String>::new(), "stop takes nothing over");
    machine.run(verbs::up(&ctx(&machine, true), &project(&described()), &adopt())).unwrap();
    machine.run(verbs::down(&ctx(&machine, false), PROJECT, DownOptions::default())).unwrap();
    // `.spc/` is lost.
    machine.host = fresh(&machine);
    machine
        .run(verbs::up(&ctx(&machine, false), &project(&described()), &UpOptions::default()))
        .unwrap();
    machine.host = fresh(&machine);
    machine
        .run(verbs::down(
            &ctx(&machine, false),
            PROJECT,
            DownOptions { volumes: true, adopt: false },
        ))
        .unwrap();
    assert_eq!((machine.footprint(), machine.moves()), (Footprint::default(), Vec::new()));
}
