//! Resources that pass from one container to another within one plan.

use similar_asserts::assert_eq;

use super::*;
use crate::model::Kind;
use crate::model::observed_state::OtherContainer;

fn described(services: Value) -> Project {
    project(json!({ "services": services }))
}

fn web(ports: &[&str]) -> Value {
    json!({"image": "x", "ports": ports})
}

/// The plan from one description to another, with orphans removed.
fn from_to(before: &Project, after: &Project) -> Result<Plan, Failure> {
    let mut observed = applied(before);
    observed.images.insert("x:latest".into(), "id of x".into());
    plan_with(after, &observed, UpRequest { remove_orphans: true, ..UpRequest::default() })
}

fn way_back(plan: &Plan) -> Vec<String> {
    assert_eq!(plan.rollbacks.len(), 1, "{plan}");
    plan.rollbacks.values().flat_map(|back| &back.undo).map(undone).collect()
}

#[test]
fn a_port_that_moves_to_a_new_service_is_released_first() {
    let before = described(json!({"web": web(&["8000:80"])}));
    let after = described(json!({"web": web(&[]), "proxy": web(&["8000:80"])}));
    let plan = from_to(&before, &after).unwrap();
    assert_eq!(
        plan.to_string(),
        "  1  create container spc-proxy-1  (missing)
  2  create container spc-web-1.new  (ports changed)
  3  stop container spc-web-1  after 2
  4  start container spc-proxy-1  after 1, 3
  5  wait until ready container spc-proxy-1  after 4
  6  start container spc-web-1.new  after 2, 3
  7  wait until ready container spc-web-1.new  after 6
  8  remove container spc-web-1  after 5, 7
  9  rename container spc-web-1.new to spc-web-1  after 8
"
    );
    assert_eq!(
        way_back(&plan),
        [
            "stop container spc-web-1.new (of 6)",
            "stop container spc-proxy-1 (of 4)",
            "start container spc-web-1 (of 3)",
            "remove container spc-web-1.new (of 2)",
            "remove container spc-proxy-1 (of 1)",
            "wait until ready container spc-web-1 (of 3)",
        ]
    );
}

#[test]
fn swapped_ports_stop_both_before_either_starts() {
    let of = |a: &str, b: &str| described(json!({"a": web(&[a]), "b": web(&[b])}));
    let plan = from_to(&of("1:80", "2:80"), &of("2:80", "1:80")).unwrap();
    assert_eq!(
        plan.to_string(),
        "  1  create container spc-a-1.new  (ports changed)
  2  stop container spc-a-1  after 1
  3  create container spc-b-1.new  (ports changed)
  4  stop container spc-b-1  after 3
  5  start container spc-a-1.new  after 1, 2, 4
  6  wait until ready container spc-a-1.new  after 5
  7  start container spc-b-1.new  after 2, 3, 4
  8  wait until ready container spc-b-1.new  after 7
  9  remove container spc-a-1  after 6, 8
 10  rename container spc-a-1.new to spc-a-1  after 9
 11  remove container spc-b-1  after 6, 8
 12  rename container spc-b-1.new to spc-b-1  after 11
"
    );
    let back = way_back(&plan);
    let last_stop = back.iter().rposition(|line| line.starts_with("stop")).unwrap();
    assert!(
        back.iter().position(|line| line.starts_with("start")).unwrap() > last_stop,
        "{back:?}"
    );
}

#[test]
fn a_swap_between_services_that_depend_on_each_other_gives_up_serving_meanwhile() {
    let of = |a: &str, b: &str| {
        described(json!({
            "a": {"image": "x", "ports": [a], "depends_on": {"b": {"condition": "service_healthy"}}},
            "b": web(&[b]),
        }))
    };
    let plan = from_to(&of("1:80", "2:80"), &of("2:80", "1:80")).unwrap().to_string();
    assert!(plan.contains("stop container spc-a-1  after"), "{plan}");
    let line = |what: &str| {
        plan.lines()
            .position(|line| line.contains(what))
            .unwrap_or_else(|| panic!("{what} in\n{plan}"))
    };
    assert!(line("stop container spc-a-1") < line("start container spc-b-1.new"));
    assert!(line("wait until ready container spc-b-1.new") < line("start container spc-a-1.new"));
}

#[test]
fn an_orphan_that_gave_up_its_port_and_name_is_restored_if_the_new_container_fails() {
    let named = |service: &str| {
        described(json!({service: {"image": "x", "ports": ["80:80"], "container_name": "edge"}}))
    };
    let (before, after) = (named("old"), named("fresh"));
    let mut observed = applied(&before);
    observed.images.insert("x:latest".into(), "id of x".into());
    observed.containers[0].name = "edge".into();
    let plan =
        plan_with(&after, &observed, UpRequest { remove_orphans: true, ..UpRequest::default() })
            .unwrap();
    assert_eq!(
        plan.to_string(),
        "  1  create container edge.new  (missing)
  2  stop container edge  (no longer described)
  3  start container edge.new  after 1, 2
  4  wait until ready container edge.new  after 3
  5  remove container edge  (no longer described)  after 2, 4
  6  rename container edge.new to edge  after 4, 5
"
    );
    assert_eq!(
        way_back(&plan),
        [
            "stop container edge.new (of 3)",
            "start container edge (of 2)",
            "remove container edge.new (of 1)",
            "wait until ready container edge (of 2)",
        ]
    );
    let refused = plan_with(&after, &observed, UpRequest::default()).unwrap_err();
    assert_eq!(
        refused.message,
        "The service \"fresh\" needs the host port 80, which is taken by the container \"edge\""
    );
    assert!(refused.hint.unwrap().contains("`--remove-orphans` removes it first"));
    assert_eq!(refused.path.unwrap().to_string(), "services.fresh.ports");
}

#[test]
fn a_name_that_an_orphan_keeps_is_refused_with_the_way_out() {
    let named =
        |service: &str| described(json!({service: {"image": "x", "container_name": "the-one"}}));
    let mut observed = applied(&named("old"));
    observed.containers[0].name = "the-one".into();
    let failure = asked(&named("fresh"), &observed).unwrap_err();
    assert_eq!(
        failure.message,
        "The service \"fresh\" needs the container name \"the-one\", which is taken by the container of the service \"old\""
    );
    let hint = "it belongs to no described service: `--remove-orphans` removes it first; or choose another `container_name`";
    assert_eq!(failure.hint.as_deref(), Some(hint));
    let removed = plan_with(
        &named("fresh"),
        &observed,
        UpRequest { remove_orphans: true, ..UpRequest::default() },
    )
    .unwrap();
    assert!(
        place(&removed, "remove container the-one")
            < place(&removed, "rename container the-one.new"),
        "{removed}"
    );
}

#[test]
fn a_name_that_two_profiles_share_is_refused_with_the_call_that_frees_it() {
    let service =
        |profile: &str| json!({"image": "x", "container_name": "edge", "profiles": [profile]});
    let of = |profile: &str| {
        let value = json!({"services": {"dev": service("dev"), "prod": service("prod")}, "profiles": [profile]});
        project(value)
    };
    let mut observed = applied(&of("dev"));
    observed.containers.retain(|container| container.service == "dev");
    observed.containers[0].name = "edge".into();
    for (state, stop) in
        [(ContainerState::Exited, ""), (ContainerState::Running, "`stop([\"dev\"])`, then ")]
    {
        observed.containers[0].state = state;
        let failure = asked(&of("prod"), &observed).unwrap_err();
        assert_eq!(
            failure.message,
            "The service \"prod\" needs the container name \"edge\", which is taken by the container of the service \"dev\""
        );
        let hint = format!(
            "{stop}`container(\"edge\").remove()` in a runbook frees the name; or choose another `container_name`"
        );
        assert_eq!(
            (failure.hint, failure.path.unwrap().to_string()),
            (Some(hint), "services.prod.container_name".to_owned())
        );
    }
}

#[test]
fn swapped_names_are_free_before_they_are_given() {
    let of = |a: &str, b: &str| {
        described(
            json!({"a": {"image": "x", "container_name": a}, "b": {"image": "x", "container_name": b}}),
        )
    };
    let before = of("one", "two");
    let mut observed = applied(&before);
    observed.images.insert("x:latest".into(), "id of x".into());
    (observed.containers[0].name, observed.containers[1].name) = ("one".into(), "two".into());
    let plan = plan_with(&of("two", "one"), &observed, UpRequest::default()).unwrap().to_string();
    let line = |what: &str| {
        plan.lines()
            .position(|line| line.contains(what))
            .unwrap_or_else(|| panic!("{what} in\n{plan}"))
    };
    for (rename, removed) in [
        ("rename container two.new to two", "remove container two"),
        ("rename container one.new to one", "remove container one"),
    ] {
        assert!(line(removed) < line(rename), "{plan}");
    }
    assert!(line("wait until ready container two.new") < line("remove container two"), "{plan}");
    assert!(line("wait until ready container one.new") < line("remove container two"), "{plan}");
}

fn on(network: &str, address: Option<&str>) -> Value {
    let attachment = address.map_or(json!({}), |address| json!({"ipv4_address": address}));
    json!({"image": "x", "networks": {network: attachment}})
}

fn needing(mut service: Value, others: Value) -> Value {
    service["depends_on"] = others;
    service
}

fn with_subnets(services: Value, subnets: &[(&str, &str)]) -> Project {
    let networks: serde_json::Map<String, Value> = subnets
        .iter()
        .map(|(name, subnet)| {
            ((*name).to_owned(), json!({"ipam": {"config": [{"subnet": subnet}]}}))
        })
        .collect();
    project(json!({ "services": services, "networks": networks }))
}

#[test]
fn a_static_address_is_handed_over_too() {
    let net = [("n", "10.7.0.0/24")];
    let before = with_subnets(json!({"a": on("n", Some("10.7.0.9")), "b": on("n", None)}), &net);
    let after = with_subnets(json!({"a": on("n", None), "b": on("n", Some("10.7.0.9"))}), &net);
    let plan = from_to(&before, &after).unwrap().to_string();
    assert!(plan.contains("start container spc-b-1.new  after 2, 3, 4\n"), "{plan}");
}

fn asked(project: &Project, observed: &ObservedState) -> Result<Plan, Failure> {
    plan_with(project, observed, UpRequest::default())
}

fn place(plan: &Plan, line: &str) -> usize {
    let plan = plan.to_string();
    plan.lines()
        .position(|there| there.contains(line))
        .unwrap_or_else(|| panic!("{line} is not in {plan}"))
}

#[test]
fn containers_with_a_fixed_address_start_before_those_without() {
    let net = [("n", "10.7.0.0/24")];
    let fresh = with_subnets(
        json!({"a": on("n", None), "b": on("n", None), "z": on("n", Some("10.7.0.2"))}),
        &net,
    );
    let plan = asked(&fresh, &ObservedState::default()).unwrap();
    let own = place(&plan, "start container spc-z-1");
    assert!(
        own < place(&plan, "start container spc-a-1")
            && own < place(&plan, "start container spc-b-1"),
        "{plan}"
    );
    assert!(plan.notes.is_empty(), "{plan}");
    // Only if no other dependency orders them. Otherwise the plan contains a note.
    let with_dependency = |address: &str, ipam: Value| {
        let late = needing(on("n", Some(address)), json!(["a"]));
        project(
            json!({"services": {"a": on("n", None), "b": on("n", None), "z": late}, "networks": {"n": {"ipam": {"config": [ipam]}}}}),
        )
    };
    let subnet = json!({"subnet": "10.7.0.0/24"});
    let plan =
        asked(&with_dependency("10.7.0.2", subnet.clone()), &ObservedState::default()).unwrap();
    assert!(
        place(&plan, "start container spc-a-1") < place(&plan, "start container spc-z-1"),
        "{plan}"
    );
    assert!(
        place(&plan, "start container spc-z-1") < place(&plan, "start container spc-b-1"),
        "{plan}"
    );
    let note = "a starts before z, and the engine may give it 10.7.0.2, the address of z: give the network \"n\" an `ip_range` without \
                the addresses that services name";
    assert_eq!(plan.notes, [note]);
    // Far behind the first addresses, or outside of the range.
    let range = json!({"subnet": "10.7.0.0/24", "ip_range": "10.7.0.128/25"});
    for (address, ipam) in [("10.7.0.9", subnet), ("10.7.0.2", range)] {
        let plan = asked(&with_dependency(address, ipam), &ObservedState::default()).unwrap();
        assert!(plan.notes.is_empty(), "{plan}");
    }
}

#[test]
fn two_static_and_two_given_addresses_that_need_each_other_crosswise_are_ordered() {
    let needs = |address: Option<&str>, other: &str| needing(on("n", address), json!([other]));
    let services = json!({
        "s1": needs(Some("10.7.0.8"), "d2"), "s2": needs(Some("10.7.0.9"), "d1"),
        "d1": on("n", None), "d2": on("n", None),
    });
    let plan =
        asked(&with_subnets(services, &[("n", "10.7.0.0/24")]), &ObservedState::default()).unwrap();
    assert_eq!(plan.to_string().matches("start container").count(), 4, "{plan}");
}

#[test]
fn an_address_that_was_given_to_another_service_has_a_way_out() {
    let net = [("n", "10.7.0.0/24")];
    let before = with_subnets(json!({"a": on("n", None)}), &net);
    for (needs, hint) in [
        (
            json!([]),
            "the engine gave it that address: `stop([\"a\"])`, then `up` starts \"z\" first; for good, give the network \"n\" an \
                     `ip_range` without the addresses that services name",
        ),
        (
            json!(["a"]),
            "the engine gave it that address: give the network \"n\" an `ip_range` without the addresses that services name, \
                        then run `down` and `up`",
        ),
    ] {
        let late = needing(on("n", Some("10.7.0.2")), needs);
        let after = with_subnets(json!({"a": on("n", None), "z": late}), &net);
        let mut observed = applied(&before);
        let network = "id of n".to_owned();
        observed.containers[0].addresses = BTreeSet::from([(network, "10.7.0.2".parse().unwrap())]);
        let failure = asked(&after, &observed).unwrap_err();
        assert_eq!(
            failure.message,
            "The service \"z\" needs the address 10.7.0.2 on the network \"spc_n\", which is taken by the container \"spc-a-1\""
        );
        assert_eq!(failure.hint.as_deref(), Some(hint));
    }
}

#[test]
fn a_renamed_network_gives_its_subnet_to_the_new_one_once_all_are_off_it() {
    let before = with_subnets(json!({"a": on("old", None)}), &[("old", "10.7.0.0/24")]);
    let after = with_subnets(json!({"a": on("fresh", None)}), &[("fresh", "10.7.0.0/24")]);
    let plan = from_to(&before, &after).unwrap();
    assert_eq!(
        plan.to_string(),
        "  1  stop container spc-a-1
  2  remove network spc_old  (no longer described, and \"spc_fresh\" takes its subnet 10.7.0.0/24)  after 1
  3  create network spc_fresh  (missing)  after 2
  4  create container spc-a-1.new  (networks changed)  after 3
  5  start container spc-a-1.new  after 1, 4
  6  wait until ready container spc-a-1.new  after 5
  7  remove container spc-a-1  after 6
  8  rename container spc-a-1.new to spc-a-1  after 7
"
    );
    assert_eq!(
        way_back(&plan),
        [
            "stop container spc-a-1.new (of 5)",
            "restore network spc_old (of 2)",
            "start container spc-a-1 (of 1)",
            "remove container spc-a-1.new (of 4)",
            "wait until ready container spc-a-1 (of 1)",
        ]
    );
    // An orphan that stays connected to it.
    let more = with_subnets(
        json!({"a": on("old", None), "b": on("old", None)}),
        &[("old", "10.7.0.0/24")],
    );
    let mut observed = applied(&more);
    observed.images.insert("x:latest".into(), "id of x".into());
    let refused = plan_with(&after, &observed, UpRequest::default()).unwrap_err();
    assert_eq!(
        refused.message,
        "The network \"spc_fresh\" needs the subnet 10.7.0.0/24, which overlaps 10.7.0.0/24 of the network \"spc_old\" of the project \"spc\", which \"spc-b-1\" keeps using"
    );
    assert_eq!(refused.path.unwrap().to_string(), "networks.fresh.ipam");
}

#[test]
fn a_conflict_with_another_container_is_rejected_before_any_change() {
    let mut observed = applied(&described(json!({"web": web(&["8000:80"])})));
    observed.images.insert("x:latest".into(), "id of x".into());
    let port = |host_ip: &str| PublishedPort {
        host_ip: host_ip.into(),
        published: 9000,
        target: 80,
        protocol: "tcp".into(),
    };
    observed.others.push(OtherContainer {
        id: "id of other".into(),
        name: "holder".into(),
        owner: Some("shop".into()),
        ports: vec![port("0.0.0.0"), port("::")],
        volumes: BTreeSet::new(),
        addresses: BTreeSet::new(),
    });
    let plan = |ports: &[&str]| {
        plan_with(&described(json!({"web": web(ports)})), &observed, UpRequest::default())
    };
    let refused = plan(&["127.0.0.1:9000:80"]).unwrap_err();
    assert_eq!(
        refused.message,
        "The service \"web\" needs the host port 9000 on 127.0.0.1, which is taken by the container \"holder\" of the project \"shop\""
    );
    assert_eq!(refused.kind, Kind::Conflict);
    assert!(plan(&["9000:80/udp"]).is_ok());
    assert!(plan(&["8000:80"]).unwrap().steps.is_empty(), "what stays as it is takes nothing");
}

#[test]
fn a_hand_over_against_the_dependencies_is_refused_with_the_circle() {
    // "web" stops only once its successor is ready, which waits for "proxy", which takes web's
    // port.
    let order = json!({"update_config": {"order": "start-first"}});
    let before = described(json!({"web": {"image": "x", "ports": ["80:80"]}}));
    let after = described(json!({
        "web": {"image": "x", "deploy": order, "depends_on": {"proxy": {"condition": "service_healthy"}}},
        "proxy": web(&["80:80"]),
    }));
    let refused = from_to(&before, &after).unwrap_err();
    assert_eq!(
        refused.message,
        "The host port 80 can't move to another service in one run: the steps would wait for each other"
    );
    assert!(
        refused.details[0].text.contains("start container spc-proxy-1, which waits for"),
        "{:?}",
        refused.details
    );
}

#[test]
fn a_completed_job_holds_no_resources() {
    let after = described(json!({
        "migrate": web(&["80:80"]),
        "web": {"image": "x", "ports": ["80:80"], "depends_on": {"migrate": {"condition": "service_completed_successfully"}}},
    }));
    assert!(plan_with(&after, &ObservedState::default(), UpRequest::default()).is_ok());
}
