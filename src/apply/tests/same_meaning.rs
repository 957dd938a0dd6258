//! Equivalent descriptions replace nothing, however they are written.

use super::*;

fn described(more: &Value) -> Value {
    let mut service = json!({"image": "web:1"});
    service.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!({"services": {"a": service, "b": {"image": "redis:1"}}, "volumes": {"v": {}}, "networks": {"n": {"ipam": {"config": [{"subnet": "fd00:1::/64"}]}}},
        "secrets": {"s": {"environment": "TOKEN"}}, "configs": {"c": {"content": "x"}}})
}

/// The events of containers, after `first` and then `second` was brought up.
fn happened(machine: &Machine, first: &Value, second: &Value) -> Vec<String> {
    machine.up(&described(first)).unwrap();
    let events = machine.events();
    machine
        .up(&described(second))
        .unwrap_or_else(|failure| panic!("{first} then {second}: {failure}"));
    machine.happened_from(events).into_iter().filter(|line| !line.contains("spc-lock")).collect()
}

#[test]
fn a_network_keeps_what_it_has_where_that_is_written_too() {
    let network = |pool: Value| json!({"services": {"a": {"image": "web:1", "networks": ["n"]}}, "networks": {"n": {"ipam": {"config": [pool]}}}});
    let pool = |more: Value| {
        let mut pool = json!({"subnet": "10.7.0.0/24"});
        pool.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        network(pool)
    };
    let plain = || pool(json!({}));
    let in_range = json!({"ip_range": "10.7.0.128/25"});
    let pairs = [
        (plain(), pool(json!({"gateway": "10.7.0.1"}))),
        (plain(), pool(json!({"ip_range": "10.7.0.0/24"}))),
        (plain(), pool(json!({"ip_range": "10.7.0.9/24", "gateway": "10.7.0.1"}))),
        (
            pool(in_range.clone()),
            pool(json!({"ip_range": "10.7.0.128/25", "gateway": "10.7.0.128"})),
        ),
    ];
    for (one, other) in &pairs {
        for (first, second) in [(one, other), (other, one)] {
            let machine = machine();
            machine.up(first).unwrap();
            let calls = machine.calls();
            machine.up(second).unwrap_or_else(|failure| panic!("{first} then {second}: {failure}"));
            assert!(
                machine.calls_from(calls).iter().all(|call| !call.mutates),
                "{first} then {second}"
            );
        }
    }
    for other in [
        pool(json!({"gateway": "10.7.0.9"})),
        pool(in_range),
        network(json!({"subnet": "10.7.0.0/25"})),
    ] {
        let machine = machine();
        machine.up(&plain()).unwrap();
        let failure = machine.up(&other).unwrap_err();
        assert!(failure.message.contains("created with other settings"), "{other}: {failure}");
    }
}

fn sizes(options: Value) -> Value {
    json!({"logging": {"driver": "json-file", "options": options}})
}

fn asked(more: Value) -> Value {
    let mut check = json!({"test": "ask"});
    check.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!({ "healthcheck": check })
}

fn same() -> Vec<Vec<Value>> {
    let all = |key: &str, values: &[&str]| {
        values.iter().map(|value| json!({ key: value })).collect::<Vec<_>>()
    };
    let mount = |targets: &[&str]| {
        targets.iter().map(|target| json!({"volumes": [format!("v:{target}")]})).collect::<Vec<_>>()
    };
    vec![
        all("stop_signal", &["SIGTERM", "15", "TERM", "sigterm", "015"]),
        all("stop_signal", &["SIGRTMIN+3", "37"]),
        all("working_dir", &["/tmp", "/tmp/", "//tmp", "/a/../tmp/."]),
        all("user", &["1000", "1000"]),
        vec![json!({}), json!({"user": ""}), json!({"working_dir": ""}), json!({"command": []})],
        vec![
            json!({}),
            json!({"restart": "no"}),
            json!({"restart": false}),
            json!({"stop_grace_period": "10s"}),
            json!({"restart": ""}),
        ],
        vec![json!({"restart": "on-failure"}), json!({"restart": "on-failure:0"})],
        ["1m", "1000k", "1M", "1mb", "1MB", "1000000", "1 m"]
            .iter()
            .map(|size| sizes(json!({"max-size": size, "max-file": 3})))
            .collect(),
        ["3", "+3", "03"]
            .iter()
            .map(|files| sizes(json!({"max-size": "10m", "max-file": files})))
            .collect(),
        ["true", "1", "T"]
            .iter()
            .map(|compress| sizes(json!({"max-size": "10m", "max-file": 3, "compress": compress})))
            .collect(),
        ["1m", "1024k", "1048576"]
            .iter()
            .map(|size| sizes(json!({"mode": "non-blocking", "max-buffer-size": size})))
            .collect(),
        mount(&["/data", "/data/", "/data/../data", "/data/.", "//data", "/x/../data//"]),
        vec![
            json!({"volumes": ["/srv/x:/data:ro"]}),
            json!({"volumes": ["/srv/./y/../x/:/data/./:ro"]}),
        ],
        vec![
            json!({"volumes": ["/data"]}),
            json!({"volumes": ["/data/"]}),
            json!({"volumes": ["/x/../data"]}),
        ],
        ["64m", "65536k", "67108864"].iter().map(|size| tmpfs(json!({ "size": size }))).collect(),
        vec![tmpfs(json!({})), tmpfs(json!({"size": 0}))],
        vec![
            json!({"secrets": ["s"]}),
            json!({"secrets": [{"source": "s", "target": "/run/./secrets//s"}]}),
        ],
        vec![json!({"configs": ["c"]}), json!({"configs": [{"source": "c", "target": "/x/../c"}]})],
        vec![json!({"ports": ["[::1]:8000:80"]}), json!({"ports": ["[0:0::1]:8000:80/tcp"]})],
        vec![
            json!({"ports": ["80"]}),
            json!({"ports": [{"target": 80, "protocol": "tcp"}]}),
            json!({"ports": [":80/"]}),
        ],
        vec![json!({"extra_hosts": ["h:::1"]}), json!({"extra_hosts": ["h:[0:0::1]"]})],
        vec![json!({"networks": ["n"]}), json!({"networks": {"n": {"aliases": ["a"]}}})],
        vec![
            asked(json!({})),
            asked(json!({"start_period": "0s", "interval": "0s", "timeout": "0s", "retries": 0})),
            asked(json!({"interval": "30s", "timeout": "30s", "retries": 3})),
            asked(json!({"interval": "30s"})),
            asked(json!({"timeout": "0.5m", "retries": "3"})),
        ],
        vec![
            json!({"healthcheck": {"disable": true}}),
            json!({"healthcheck": {"test": "NONE", "disable": true, "interval": "7s"}}),
            json!({"healthcheck": {"test": ["NONE"], "retries": 9}}),
        ],
        vec![
            json!({}),
            json!({"healthcheck": {"start_period": "0s"}}),
            json!({"healthcheck": {"test": []}}),
        ],
    ]
}

fn tmpfs(options: Value) -> Value {
    json!({"volumes": [{"type": "tmpfs", "target": "/t", "tmpfs": options}]})
}

#[test]
#[ignore = "slow: `make test` runs it"]
fn a_container_is_not_replaced_by_one_that_is_described_in_other_words() {
    for spellings in same() {
        // Each of them existed once, and is written once.
        for (at, first) in spellings.iter().enumerate() {
            let second = &spellings[(at + 1) % spellings.len()];
            let machine = machine();
            assert_eq!(
                happened(&machine, first, second),
                Vec::<String>::new(),
                "{first} then {second}"
            );
        }
    }
}

#[test]
fn a_container_is_replaced_where_the_words_mean_something_else() {
    for (first, second) in [
        // Sizes of log files use powers of 1000.
        (sizes(json!({"max-size": "1m"})), sizes(json!({"max-size": "1024k"}))),
        (json!({}), json!({"stop_signal": "SIGTERM"})),
        (json!({}), json!({"working_dir": "/"})),
        (json!({}), json!({"entrypoint": []})),
        (json!({"stop_signal": "15"}), json!({"stop_signal": "SIGINT"})),
        (json!({"volumes": ["v:/data"]}), json!({"volumes": ["v:/data/data"]})),
        (asked(json!({})), asked(json!({"interval": "31s"}))),
        (asked(json!({"retries": 3})), asked(json!({"retries": 4}))),
        (asked(json!({})), json!({"healthcheck": {"disable": true}})),
    ] {
        assert_ne!(
            happened(&machine(), &first, &second),
            Vec::<String>::new(),
            "{first} then {second}"
        );
    }
}

#[test]
fn default_values_of_a_health_check_are_no_change_unless_the_image_has_a_check() {
    let image = ImageSpec::command(&["serve"]).with_health_test("ask");
    let machine = machine_with(1, |builder| builder.image("web:1", image));
    let happened = happened(&machine, &asked(json!({"interval": "30s"})), &asked(json!({})));
    assert!(happened.iter().any(|line| line.contains("create")), "{happened:?}");
}

#[test]
fn an_anonymous_volume_is_kept_by_whichever_name_of_its_place() {
    for target in ["/data/", "/x/../data", "/data"] {
        let machine = machine();
        machine.up(&described(&json!({"volumes": [target]}))).unwrap();
        let volume = |machine: &Machine| {
            machine.state().volumes.iter().map(|volume| volume.name.clone()).collect::<Vec<_>>()
        };
        let before = volume(&machine);
        machine.up(&described(&json!({"volumes": [target], "environment": {"A": "1"}}))).unwrap();
        assert_eq!(volume(&machine), before, "{target}");
        assert!(
            !machine.logged().iter().any(|line| line.contains("has no anonymous volume any more")),
            "{target}"
        );
    }
}

#[test]
fn one_place_is_not_mounted_twice_by_two_names() {
    let options = ReadOptions { directory: Path::new(DIRECTORY), lookup: &|_| None };
    let failure = Project::read(
        PROJECT,
        &described(&json!({"volumes": ["v:/data", "/x/../data/"]})),
        &options,
    )
    .unwrap_err();
    assert_eq!(failure.message, "The service \"a\" mounts \"/x/../data/\" twice");
}
