//! Two running containers never write to one storage, under any name.

use proptest::prelude::*;

use super::*;
use crate::engine::Engine;
use bollard::models;

fn bound(folder: &str) -> Value {
    json!({"driver_opts": {"type": "none", "o": "bind", "device": folder}})
}

/// Services with the given volumes, some of which bind folders.
fn described(services: &[(&str, &[&str])]) -> Value {
    let service =
        |mounts: &[&str]| json!({"image": "db:1", "volumes": mounts, "restart": "unless-stopped"});
    let services: serde_json::Map<String, Value> =
        services.iter().map(|(name, mounts)| ((*name).to_owned(), service(mounts))).collect();
    json!({
        "services": services,
        "volumes": {
            "one": bound("/srv/x"), "two": bound("/srv/x/"), "part": bound("/srv/x/sub"), "link": bound("/link"),
            "shared": {"driver_opts": {"type": "none", "o": "bind", "device": "/srv/x"}, "x-spc-shared": true},
            "other": bound("/srv/other"), "plain": {},
        },
    })
}

/// A machine with the folders and a symlink to one of them.
fn machine_with_folders(seed: u64) -> Machine {
    let mut machine = machine_with(seed, |builder| builder);
    let host = ["/srv/x/sub", "/srv/other"]
        .into_iter()
        .fold(SimHost::new(machine.executor.clone()), SimHost::with_folder);
    machine.host = Arc::new(host.with_symlink("/link", "/srv/x"));
    machine
}

fn removing_orphans() -> UpOptions {
    UpOptions { remove_orphans: true, ..UpOptions::default() }
}

#[test]
fn two_services_on_one_folder_are_refused_at_the_description() {
    let options = ReadOptions { directory: Path::new(DIRECTORY), lookup: &|_| None };
    let refusal = |services: &[(&str, &[&str])]| {
        Project::read(PROJECT, &described(services), &options).err().map(|failure| failure.message)
    };
    for (mount, who) in [
        ("two:/d", "b (by the volume \"shop_two\" at \"/srv/x\")"),
        ("part:/d", "b (by the volume \"shop_part\" at \"/srv/x/sub\")"),
        ("shared:/d", "b (by the volume \"shop_shared\" at \"/srv/x\")"),
        ("/srv/x:/d", "b (by the folder \"/srv/x\")"),
        ("/srv/x/deep/in:/d", "b (by the folder \"/srv/x/deep/in\")"),
    ] {
        let message = refusal(&[("a", &["one:/d"]), ("b", &[mount])])
            .unwrap_or_else(|| panic!("{mount} was taken"));
        assert_eq!(
            message,
            format!("2 containers would write to the volume \"one\" at once: a, {who}")
        );
    }
    for mount in ["two:/d:ro", "/srv/x:/d:ro", "other:/d", "/srv/xy:/d", "plain:/d"] {
        assert_eq!(refusal(&[("a", &["one:/d"]), ("b", &[mount])]), None, "{mount}");
    }
    assert_eq!(
        refusal(&[("a", &["one:/d", "/srv/x/sub:/e"])]),
        None,
        "one container may write by two names"
    );
    assert_eq!(
        refusal(&[("a", &["/srv/x:/d"]), ("b", &["/srv/x:/d"])]),
        None,
        "services may share a folder"
    );
    assert_eq!(refusal(&[("a", &["shared:/d"]), ("b", &["/srv/x:/d"])]), None, "it may be shared");
}

#[test]
fn a_folder_by_its_symlink_is_the_folder() {
    let machine = machine_with_folders(1);
    let events = machine.events();
    let failure = machine.up(&described(&[("a", &["one:/d"]), ("b", &["link:/d"])])).unwrap_err();
    assert_eq!(failure.kind, Kind::Conflict);
    let expected = "The service \"b\" would write to the volume \"shop_link\" at \"/srv/x\" beside the container \"shop-a-1\", which writes \
                    to the same storage as the volume \"shop_one\" at \"/srv/x\"";
    assert!(failure.message.starts_with(expected), "{failure}");
    assert_eq!(machine.happened_from(events), Vec::<String>::new(), "nothing was touched");
}

#[test]
fn a_storage_that_moves_under_another_name_is_released_before_it_is_used() {
    for (old, new) in [
        ("one:/d", "two:/d"),
        ("one:/d", "/srv/x:/d"),
        ("/srv/x:/d", "part:/d"),
        ("/link:/d", "one:/d"),
        ("one:/d", "link:/d"),
    ] {
        let machine = machine_with_folders(1);
        machine.up(&described(&[("old", &[old])])).unwrap();
        let failure = machine.up(&described(&[("new", &[new])])).unwrap_err();
        assert_eq!(
            failure.hint.as_deref(),
            Some("--remove-orphans stops and removes that container first"),
            "{old} {new}: {failure}"
        );
        machine
            .up_with(&described(&[("new", &[new])]), &removing_orphans())
            .unwrap_or_else(|failure| panic!("{old} {new}: {failure}"));
        let log = machine.engine.event_trace().join("\n");
        let at = |line: &str| log.rfind(line).unwrap_or_else(|| panic!("{line}: {log}"));
        assert!(
            at("stop shop-old-1") < at("start shop-new-1")
                && at("start shop-new-1") < at("destroy shop-old-1"),
            "{log}"
        );
    }
}

#[test]
fn a_one_off_is_no_second_writer_by_another_name() {
    let machine = machine_with_folders(1);
    machine.up(&described(&[("a", &["one:/d"])])).unwrap();
    stranger(&machine, "backup", "/link:/data");
    let ctx = machine.ctx();
    let both = project(&described(&[("a", &["one:/d"]), ("b", &["/srv/xy:/d"])]));
    let observed = machine.run(verbs::look(&ctx, PROJECT)).unwrap();
    let all = machine.run(crate::apply::observe::bystanders(&*ctx.engine)).unwrap();
    machine.run(crate::apply::writers::check_new(&ctx, &both, "b", &observed, &all)).unwrap();
    let failure = machine
        .run(crate::apply::writers::check_new(&ctx, &both, "a", &observed, &all))
        .unwrap_err();
    assert!(failure.message.contains("beside the container"), "{failure}");
    machine
        .run(machine.engine.container_stop("backup", &crate::engine::StopRequest::default()))
        .unwrap();
}

/// A running container without labels that mounts the folder or volume.
fn stranger(machine: &Machine, name: &str, mount: &str) {
    let host =
        models::HostConfig { binds: Some(vec![mount.to_owned()]), ..models::HostConfig::default() };
    let body = models::ContainerCreateBody {
        image: Some("redis:1".into()),
        host_config: Some(host),
        ..Default::default()
    };
    machine.run(async {
        machine.engine.container_create(name, None, body).await.unwrap();
        machine.engine.container_start(name).await.unwrap();
    });
}

#[test]
fn a_foreign_container_that_uses_the_folder_is_reported_and_kept() {
    for mount in ["/srv/x:/data", "/link/sub:/data"] {
        let machine = machine_with_folders(1);
        stranger(&machine, "backup", mount);
        let events = machine.events();
        let failure = machine.up(&described(&[("a", &["one:/d"])])).unwrap_err();
        assert!(
            failure.message.contains(
                "beside the container \"backup\", which writes to the same storage as the folder"
            ),
            "{failure}"
        );
        assert_eq!(machine.happened_from(events), Vec::<String>::new(), "nothing was touched");
        let reader = machine_with_folders(1);
        stranger(&reader, "backup", &format!("{mount}:ro"));
        stranger(&reader, "monitor", "/:/host");
        reader.up(&described(&[("a", &["one:/d"])])).unwrap();
    }
}

const MOUNTS: [&str; 9] = [
    "one:/d",
    "two:/d",
    "part:/d",
    "/srv/x:/d",
    "/srv/x/sub:/d",
    "one:/d:ro",
    "other:/d",
    "plain:/d",
    "/srv/x:/d:ro",
];
const NAMES: [&str; 3] = ["a", "b", "c"];

fn drawn() -> impl Strategy<Value = Vec<(usize, Vec<usize>)>> {
    prop::collection::vec((0..NAMES.len(), prop::collection::vec(0..MOUNTS.len(), 0..2)), 1..4)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    /// The invariant is checked at each event: services and storages change from one description to
    /// the next.
    #[test]
    #[ignore = "slow: `make test` runs it"]
    fn whatever_is_described_no_storage_ever_has_two_writers(
        steps in prop::collection::vec((drawn(), any::<bool>()), 1..5),
        killed in prop::option::of(1..60u64),
        seed in any::<u64>(),
    ) {
        let machine = machine_with_folders(seed);
        let options = ReadOptions { directory: Path::new(DIRECTORY), lookup: &|_| None };
        let mut went_well = 0;
        for (number, (services, orphans)) in steps.iter().enumerate() {
            let services: BTreeMap<&str, Vec<&str>> =
                services.iter().map(|(name, mounts)| (NAMES[*name], mounts.iter().map(|mount| MOUNTS[*mount]).collect())).collect();
            let services: Vec<(&str, &[&str])> = services.iter().map(|(name, mounts)| (*name, mounts.as_slice())).collect();
            let description = described(&services);
            if Project::read(PROJECT, &description, &options).is_err() {
                continue;
            }
            let up = UpOptions { remove_orphans: *orphans, ..UpOptions::default() };
            if let (Some(call), true) = (killed, number == 1) {
                machine.engine.crash_at(call, crate::engine::sim::CallSide::After);
                let _ = machine.killed(verbs::up(&machine.ctx(), &project(&description), &up));
                machine.engine.recover();
                machine.pass(secs(40));
            }
            went_well += usize::from(machine.up_with(&description, &up).is_ok());
            let all = BTreeSet::from(NAMES.map(str::to_owned));
            for verb in [verbs::Lifecycle::Stop, verbs::Lifecycle::Start, verbs::Lifecycle::Restart] {
                let _ = machine.run(verbs::lifecycle(&machine.ctx(), PROJECT, &all, verb, None));
            }
        }
        prop_assert_eq!(machine.engine.violations().iter().map(ToString::to_string).collect::<Vec<_>>(), Vec::<String>::new());
        prop_assert!(went_well > 0 || steps.len() < 5 || killed.is_some());
    }
}
