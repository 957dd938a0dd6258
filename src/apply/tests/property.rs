//! Whatever is described: what `up` made is what is wanted, seen through create and inspect.

use proptest::prelude::*;

use super::*;
use crate::apply::observe::{observe, wanted_names};
use crate::apply::secrets;
use crate::engine::ApiVersion;
use crate::model::reconcile::{self, Wanted};

/// What is drawn for one service.
#[derive(Debug, Clone)]
struct Drawn {
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
    /// For each service before it: nothing, or a condition.
    needs: Vec<usize>,
    start_first: bool,
}

fn drawn() -> impl Strategy<Value = Drawn> {
    let first = (0..4usize, 0..3u8, 0..5usize, 0..4usize, 0..3u32, any::<u8>(), any::<u8>());
    let second = (any::<bool>(), any::<bool>(), 0..3usize, any::<u8>(), prop::collection::vec(0..5usize, 4), any::<bool>());
    (first, second).prop_map(
        |((image, level, health, restart, scale, mounts, networks), (published, ephemeral, secret, flags, needs, start_first))| Drawn {
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

/// Every second service is a job, which nobody needs to be healthy.
fn is_job(number: usize) -> bool {
    number % 2 == 1
}

fn name(number: usize) -> String {
    if is_job(number) { format!("job{number}") } else { format!("run{number}") }
}

fn described(services: &[Drawn]) -> Value {
    let services: serde_json::Map<String, Value> =
        services.iter().enumerate().map(|(number, drawn)| (name(number), service(number, drawn))).collect();
    json!({
        "services": services,
        "networks": {"back": {}, "front": {"ipam": {"config": [{"subnet": "10.9.0.0/24"}]}, "labels": {"zone": "front"}}},
        "volumes": {"shared": {"x-spc-shared": true}, "own0": {}, "own1": {}, "own2": {}, "own3": {}, "own4": {}},
        "secrets": {"token": {"environment": "TOKEN"}, "file": {"file": "/project/secret.txt"}},
    })
}

#[expect(clippy::too_many_lines, reason = "a key of Compose after the other")]
fn service(number: usize, drawn: &Drawn) -> Value {
    let has = |flags: u8, bit: u8| flags & (1 << bit) != 0;
    let job = is_job(number);
    let mut single = false;
    let mut mounts = Vec::new();
    if has(drawn.mounts, 0) {
        mounts.push(json!("shared:/shared"));
    }
    if has(drawn.mounts, 1) {
        mounts.push(json!(format!("own{number}:/own")));
        single = true;
    }
    let mut anonymous = drawn.image % 2 == 1;
    if has(drawn.mounts, 2) {
        mounts.push(json!("/anonymous"));
        anonymous = true;
    }
    if has(drawn.mounts, 3) {
        mounts.push(json!("./src:/src:ro"));
    }
    if has(drawn.mounts, 4) {
        mounts.push(json!({"type": "tmpfs", "target": "/tmp", "tmpfs": {"size": "8m"}}));
    }
    if has(drawn.mounts, 5) {
        mounts.push(json!(format!("own{}:/others:ro", (number + 1) % 5)));
    }
    let mut map = serde_json::Map::new();
    let fixed_address = has(drawn.networks, 2);
    match drawn.networks % 4 {
        0 => {}
        1 => drop(map.insert("networks".into(), json!(["back"]))),
        two => {
            let mut front = json!({"aliases": [format!("alias{number}")]});
            if fixed_address {
                front["ipv4_address"] = json!(format!("10.9.0.{}", 10 + number));
                single = true;
            }
            map.insert("networks".into(), if two == 2 { json!({"front": front}) } else { json!({"front": front, "back": {}}) });
        }
    }
    let mut ports = Vec::new();
    if drawn.published && !job {
        ports.push(json!(format!("127.0.0.1:{}:8000", 8100 + number)));
        single = true;
    }
    if drawn.ephemeral && !job {
        ports.push(json!("9000/udp"));
    }
    let needs = drawn.needs.iter().enumerate().take(number).filter_map(|(other, how)| {
        let condition = match (how, is_job(other)) {
            (0 | 1, _) => return None,
            (2, _) => "service_started",
            (_, true) => "service_completed_successfully",
            (_, false) => "service_healthy",
        };
        Some((name(other), json!({"condition": condition})))
    });
    map.insert("depends_on".into(), Value::Object(needs.collect()));
    map.insert("image".into(), json!(["plain:1", "volume:1", "checked:1", "both:1"][drawn.image]));
    map.insert("environment".into(), json!({"LEVEL": drawn.level, "EMPTY": ""}));
    map.insert("volumes".into(), json!(mounts));
    if !ports.is_empty() {
        map.insert("ports".into(), json!(ports));
    }
    match drawn.health {
        0 => drop(map.insert("healthcheck".into(), json!({"disable": true}))),
        1 if !job => drop(map.insert("healthcheck".into(), json!({"test": ["CMD", "ask"], "interval": "2s", "retries": 5}))),
        2 if !job => drop(map.insert("healthcheck".into(), json!({"test": "ask", "timeout": "2s", "start_interval": "1s"}))),
        _ => {}
    }
    if !job {
        map.insert("restart".into(), json!(["no", "always", "unless-stopped", "on-failure:3"][drawn.restart]));
    }
    match drawn.secret {
        1 => drop(map.insert("secrets".into(), json!(["token"]))),
        2 => drop(map.insert("secrets".into(), json!(["token", {"source": "file", "target": "deep.txt", "mode": "0400", "uid": "7"}]))),
        _ => {}
    }
    map.insert("scale".into(), json!(if single { drawn.scale.min(1) } else { drawn.scale }));
    if has(drawn.flags, 0) {
        map.insert("read_only".into(), json!(true));
    }
    if has(drawn.flags, 1) {
        map.insert("user".into(), json!("1000:1000"));
    }
    if has(drawn.flags, 2) {
        map.insert("stop_grace_period".into(), json!("1500ms"));
    }
    if has(drawn.flags, 3) {
        map.insert("labels".into(), json!({"own": "label"}));
    }
    if has(drawn.flags, 4) {
        map.insert("logging".into(), json!({"driver": "json-file", "options": {"max-size": "10m"}}));
    }
    if has(drawn.flags, 5) {
        map.insert("extra_hosts".into(), json!(["other:10.0.0.7"]));
    }
    if has(drawn.flags, 6) && !job {
        map.insert("command".into(), json!("serve --workers 2"));
    }
    if drawn.start_first && !single && !anonymous {
        map.insert("deploy".into(), json!({"update_config": {"order": "start-first"}}));
    }
    Value::Object(map)
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
    machine.host = Arc::new(SimHost::new(machine.conductor.clone()).with_file("/project/secret.txt", "in a file"));
    machine
}

/// The plan for what is already there.
fn plan_now(machine: &Machine, description: &Value) -> String {
    let around = machine.around();
    let project = project(description);
    let records = records::Records::new(&*around.host, &around.directory, &project.name);
    let state = records.state();
    let observed = machine.run(observe(&*around.engine, &project.name, &wanted_names(&project), &state)).unwrap();
    let services = project.select(None).unwrap();
    let fingerprints = secrets::fingerprints(&around, &records, &project, project.services.values()).unwrap();
    let wanted = Wanted {
        project: &project,
        services,
        secrets: &around.secrets,
        fingerprints,
        stopped: state.stopped,
        remove_orphans: true,
        adopt: false,
        adopted: state.adopted,
    };
    reconcile::up(&wanted, &observed).unwrap().to_string()
}

/// Fingerprints made on one machine are those made on the other.
fn same_key(from: &Machine, to: &Machine) {
    let key = Path::new("/project/.spc/shop/key.json");
    if let Ok(content) = from.host.read(key) {
        to.host.create_folder(key.parent().unwrap()).unwrap();
        to.host.write(key, &content, None).unwrap();
    }
}

const NOTHING: &str = "shop: nothing to do\n";

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_up_made_reconciles_to_an_empty_plan(
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
        // The jobs that nobody waits for end.
        machine.pass(secs(1));
        fresh.pass(secs(1));
        let (changed, made) = (machine.footprint(), fresh.footprint());
        prop_assert_eq!(changed.containers, made.containers, "changed into it or made anew is the same");

        machine.down(true).unwrap();
        let left = machine.footprint();
        prop_assert!(left.containers.is_empty() && left.networks.is_empty() && left.volumes.is_empty() && !left.locked);
    }
}
