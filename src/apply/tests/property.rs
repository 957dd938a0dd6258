//! For any description, `up` creates what is described, as create calls and inspects show.

use proptest::prelude::*;

use super::*;
use crate::apply::observe::{ObserveScope, observe, wanted_names};
use crate::apply::secrets;
use crate::engine::ApiVersion;
use crate::model::reconcile::{self, DesiredState};
use crate::policy::CheckedPath;

/// The random parts of one service.
#[derive(Debug, Clone)]
struct RandomService {
    image: usize,
    level: u8,
    health: usize,
    restart: usize,
    scale: u32,
    mounts: u8,
    networks: u8,
    published: bool,
    ephemeral: bool,
    secret: usize,
    flags: u8,
    /// For each service before it: no dependency, or a condition.
    needs: Vec<usize>,
    start_first: bool,
}

fn drawn() -> impl Strategy<Value = RandomService> {
    let first = (0..4usize, 0..3u8, 0..5usize, 0..4usize, 0..3u32, any::<u8>(), any::<u8>());
    let second = (
        any::<bool>(),
        any::<bool>(),
        0..3usize,
        any::<u8>(),
        prop::collection::vec(0..5usize, 4),
        any::<bool>(),
    );
    (first, second).prop_map(
        |(
            (image, level, health, restart, scale, mounts, networks),
            (published, ephemeral, secret, flags, needs, start_first),
        )| RandomService {
            image,
            level,
            health,
            restart,
            scale,
            mounts,
            networks,
            published,
            ephemeral,
            secret,
            flags,
            needs,
            start_first,
        },
    )
}

/// Every second service is a job, which no service requires to be healthy.
fn is_job(number: usize) -> bool {
    number % 2 == 1
}

fn name(number: usize) -> String {
    if is_job(number) { format!("job{number}") } else { format!("run{number}") }
}

fn described(services: &[RandomService]) -> Value {
    let services: serde_json::Map<String, Value> = services
        .iter()
        .enumerate()
        .map(|(number, drawn)| (name(number), service(number, drawn)))
        .collect();
    json!({
        "services": services,
        "networks": {"back": {}, "front": {"ipam": {"config": [{"subnet": "10.9.0.0/24"}]}, "labels": {"zone": "front"}}},
        "volumes": {"shared": {"x-spc-shared": true}, "own0": {}, "own1": {}, "own2": {}, "own3": {}, "own4": {}},
        "secrets": {"token": {"environment": "TOKEN"}, "file": {"file": "/project/secret.txt"}},
    })
}

fn service(number: usize, drawn: &RandomService) -> Value {
    let job = is_job(number);
    let mut map = serde_json::Map::new();
    let mut put = |key: &str, value: Value| drop(map.insert(key.to_owned(), value));
    let (mounts, anonymous) = mounts(number, drawn);
    let published = drawn.published && !job;
    let fixed_address = drawn.networks % 4 >= 2 && has(drawn.networks, 2);
    // If something can exist only once, there is one container.
    let single = has(drawn.mounts, 1) || fixed_address || published;
    put("image", json!(["plain:1", "volume:1", "checked:1", "both:1"][drawn.image]));
    put("environment", json!({"LEVEL": drawn.level, "EMPTY": ""}));
    put("volumes", json!(mounts));
    put("depends_on", needs(number, drawn));
    put("scale", json!(if single { drawn.scale.min(1) } else { drawn.scale }));
    if drawn.start_first && !single && !anonymous {
        put("deploy", json!({"update_config": {"order": "start-first"}}));
    }
    let mut front = json!({"aliases": [format!("alias{number}")]});
    if fixed_address {
        front["ipv4_address"] = json!(format!("10.9.0.{}", 10 + number));
    }
    match drawn.networks % 4 {
        0 => {}
        1 => put("networks", json!(["back"])),
        2 => put("networks", json!({"front": front})),
        _ => put("networks", json!({"front": front, "back": {}})),
    }
    match drawn.secret {
        1 => put("secrets", json!(["token"])),
        2 => put(
            "secrets",
            json!(["token", {"source": "file", "target": "deep.txt", "mode": "0400", "uid": "7"}]),
        ),
        _ => {}
    }
    if drawn.health == 0 {
        put("healthcheck", json!({"disable": true}));
    }
    if !job {
        match drawn.health {
            1 => {
                put("healthcheck", json!({"test": ["CMD", "ask"], "interval": "2s", "retries": 5}))
            }
            2 => {
                put("healthcheck", json!({"test": "ask", "timeout": "2s", "start_interval": "1s"}))
            }
            _ => {}
        }
        put("restart", json!(["no", "always", "unless-stopped", "on-failure:3"][drawn.restart]));
        let ports = [
            (published, format!("127.0.0.1:{}:8000", 8100 + number)),
            (drawn.ephemeral, "9000/udp".to_owned()),
        ];
        put(
            "ports",
            ports.into_iter().filter(|(wanted, _)| *wanted).map(|(_, port)| port).collect(),
        );
    }
    let more = [
        ("read_only", json!(true)),
        ("user", json!("1000:1000")),
        ("stop_grace_period", json!("1500ms")),
        ("labels", json!({"own": "label"})),
        ("logging", json!({"driver": "json-file", "options": {"max-size": "10m"}})),
        ("extra_hosts", json!(["other:10.0.0.7"])),
        ("command", json!("serve --workers 2")),
        ("init", json!(true)),
    ];
    for (bit, (key, value)) in more.into_iter().enumerate() {
        if has(drawn.flags, bit) {
            put(key, value);
        }
    }
    Value::Object(map)
}

fn has(flags: u8, bit: usize) -> bool {
    flags & (1 << bit) != 0
}

/// The mounts, and whether one of them or of the image's is anonymous.
fn mounts(number: usize, drawn: &RandomService) -> (Vec<Value>, bool) {
    let all = [
        json!("shared:/shared"),
        json!(format!("own{number}:/own")),
        json!("/anonymous"),
        json!("./src:/src:ro"),
        json!({"type": "tmpfs", "target": "/tmp", "tmpfs": {"size": "8m"}}),
        json!(format!("own{}:/others:ro", (number + 1) % 5)),
    ];
    let mounts = all
        .into_iter()
        .enumerate()
        .filter(|(bit, _)| has(drawn.mounts, *bit))
        .map(|(_, mount)| mount);
    (mounts.collect(), has(drawn.mounts, 2) || drawn.image % 2 == 1)
}

fn needs(number: usize, drawn: &RandomService) -> Value {
    let needs = drawn.needs.iter().enumerate().take(number).filter_map(|(other, how)| {
        let condition = match (how, is_job(other)) {
            (0 | 1, _) => return None,
            (2, _) => "service_started",
            (_, true) => "service_completed_successfully",
            (_, false) => "service_healthy",
        };
        Some((name(other), json!({"condition": condition})))
    });
    Value::Object(needs.collect())
}

fn prepared(seed: u64, modern: bool) -> Machine {
    let mut machine = machine_with(seed, |builder| {
        let image = || ImageSpec::command(&["run"]);
        builder
            .api_version(ApiVersion { major: 1, minor: if modern { 51 } else { 41 } })
            .image("plain:1", image())
            .image("volume:1", image().with_volume("/cache"))
            .image("checked:1", image().with_health_test("ask"))
            .image("both:1", image().with_volume("/cache").with_health_test("ask"))
            .process("run*", Process::new().ready_after(millis(250)).writes("/own"))
            .process("job*", Process::new().exits_after(millis(400), 0))
    });
    machine.host = Arc::new(
        SimHost::new(machine.executor.clone()).with_file("/project/secret.txt", "in a file"),
    );
    machine
}

/// The plan for existing containers.
fn plan_now(machine: &Machine, description: &Value) -> String {
    let ctx = machine.ctx();
    let project = project(description);
    let records = records::Records::new(&*ctx.host, &ctx.policy, &project.name);
    let state = records.state();
    let observed = machine
        .run(observe(
            &*ctx.engine,
            &project.name,
            ObserveScope::Engine,
            &wanted_names(&project),
            &state,
        ))
        .unwrap();
    let services = project.select(None).unwrap();
    let fingerprints =
        secrets::fingerprints(&ctx, &records, &project, project.services.values()).unwrap();
    let wanted = DesiredState {
        project: &project,
        services,
        secrets: &ctx.secrets,
        fingerprints,
        asked: BTreeSet::new(),
        stopped: state.stopped.clone(),
        remove_orphans: true,
        adopt: false,
        adopted: state.adopted.clone(),
        build: false,
        bases: &|_| BTreeSet::new(),
        renew_anonymous_volumes: false,
    };
    let mut plan = reconcile::up(&wanted, &observed).unwrap();
    // A completed job is noted each time.
    plan.notes.clear();
    plan.to_string()
}

/// Fingerprints of one machine equal those of the other.
fn same_key(from: &Machine, to: &Machine) {
    let key = &CheckedPath::trusted("/project/.spc/shop/key.json");
    if let Ok(content) = from.host.read(key) {
        to.host.create_folder(&CheckedPath::trusted("/project/.spc/shop")).unwrap();
        to.host.write(key, &content, None).unwrap();
    }
}

const NOTHING: &str = "shop: nothing to do\n";

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    #[ignore = "slow: `make test` runs it"]
    fn the_result_of_up_reconciles_to_an_empty_plan(
        services in prop::collection::vec(drawn(), 1..=5),
        later in prop::collection::vec(drawn(), 1..=5),
        seed in any::<u64>(),
        modern in any::<bool>(),
    ) {
        let machine = prepared(seed, modern);
        let (first, second) = (described(&services), described(&later));
        machine.up(&first).unwrap();
        prop_assert_eq!(plan_now(&machine, &first), NOTHING);
        machine.pass(secs(100));
        prop_assert_eq!(plan_now(&machine, &first), NOTHING);
        let calls = machine.calls();
        machine.up(&first).unwrap();
        prop_assert!(machine.calls_from(calls).iter().all(|call| !call.mutates), "a second up changes nothing");

        machine.up_with(&second, &UpOptions { remove_orphans: true, ..UpOptions::default() }).unwrap();
        prop_assert_eq!(plan_now(&machine, &second), NOTHING);
        one_writer_each(&machine.state());
        let fresh = prepared(seed, modern);
        same_key(&machine, &fresh);
        fresh.up(&second).unwrap();
        // Jobs that nothing waits for end.
        machine.pass(secs(1));
        fresh.pass(secs(1));
        let (changed, made) = (machine.footprint(), fresh.footprint());
        prop_assert_eq!(changed.containers, made.containers, "changed into it or made anew is the same");

        machine.down(true).unwrap();
        let left = machine.footprint();
        prop_assert!(left.containers.is_empty() && left.networks.is_empty() && left.volumes.is_empty() && !left.locked);
    }
}
