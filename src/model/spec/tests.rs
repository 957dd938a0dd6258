use std::path::Path;

use serde_json::{Value, json};

use super::*;
use crate::model::hash;
use crate::model::secret::Secrets;
use crate::model::{Failure, Kind};

mod unset;
mod update;

fn read(description: Value) -> Result<Project, Failure> {
    let options = ReadOptions {
        directory: Path::new("/srv/app"),
        lookup: &|name| (name == "SET").then(|| "set".to_owned()),
    };
    Project::read("spc", &description, &options)
}

fn message(description: Value) -> String {
    let failure = read(description).unwrap_err();
    let path = failure.path.as_ref().map(ToString::to_string).unwrap_or_default();
    format!("{path}: {} ({})", failure.message, failure.hint.unwrap_or_default())
}

fn service(map: Value) -> Service {
    read(json!({"services": {"a": map}, "volumes": {"v": {}}, "networks": {"n": {}}, "secrets": {"s": {"environment": "S"}}}))
        .unwrap()
        .services["a"]
        .clone()
}

#[test]
fn short_and_long_forms_make_equal_services() {
    let short = service(json!({
        "image": "x", "environment": ["A=1", "SET", "UNSET"], "ports": ["80:80"], "volumes": ["v:/d"], "networks": ["n"],
        "secrets": ["s"], "command": "run 'two words'", "healthcheck": {"test": "true"},
    }));
    let long = service(json!({
        "image": "x", "environment": {"A": 1, "SET": "set"}, "ports": [{"target": 80, "published": 80}],
        "volumes": [{"type": "volume", "source": "v", "target": "/d"}], "networks": {"n": {}},
        "secrets": [{"source": "s", "target": "/run/secrets/s"}], "command": ["run", "two words"], "healthcheck": {"test": ["CMD-SHELL", "true"]},
    }));
    assert_eq!(short, long);
}

#[test]
fn an_unknown_key_is_refused_at_its_path_with_the_nearest() {
    assert_eq!(
        message(json!({"services": {"db": {"image": "x", "helthcheck": {}}}})),
        "services.db.helthcheck: Unknown key \"helthcheck\" in \"services.db\" (did you mean \"healthcheck\"?)"
    );
    assert_eq!(
        message(json!({"service": {}})),
        "service: Unknown key \"service\" (did you mean \"services\"?)"
    );
}

#[test]
fn a_key_of_compose_that_is_not_done_is_refused_by_name() {
    assert!(message(json!({"services": {"db": {"image": "x", "gpus": "all"}}})).starts_with(
        "services.db.gpus: The Compose key \"gpus\" in \"services.db\" is not supported yet"
    ));
}

#[test]
fn a_wrong_type_names_path_and_value() {
    assert_eq!(
        message(json!({"services": {"db": {"image": 5}}})),
        "services.db.image: \"services.db.image\" has to be a string, but it is the number 5 (write it in quotes)"
    );
    assert_eq!(
        message(json!({"services": {"db": {"image": "x", "stop_grace_period": 40}}})),
        "services.db.stop_grace_period: \"services.db.stop_grace_period\" needs a unit (write \"40s\" for seconds)"
    );
}

#[test]
fn an_error_about_a_key_with_two_forms_names_both() {
    for (key, wanted) in [
        ("build", "a folder or a map"),
        ("depends_on", "a list of services or a map"),
        ("env_file", "a path, a list of paths or a map"),
        ("extra_hosts", "a list of \"NAME:ADDRESS\" or a map"),
        ("networks", "a list of networks or a map"),
    ] {
        let said = message(json!({"services": {"db": {"image": "x", key: 5}}}));
        assert_eq!(
            said,
            format!(
                "services.db.{key}: \"services.db.{key}\" has to be {wanted}, but it is the number 5 ()"
            )
        );
    }
    for (key, wanted) in [
        ("volumes", "a string like \"SOURCE:TARGET\" or a map"),
        ("ports", "a port, a string like \"HOST:CONTAINER\" or a map"),
        ("secrets", "the name of a secret or a map"),
    ] {
        let said = message(json!({"services": {"db": {"image": "x", key: [true]}}}));
        assert!(
            said.contains(&format!("\"services.db.{key}.0\" has to be {wanted}, but")),
            "{said}"
        );
    }
    assert!(
        message(json!({"services": {"db": {"image": "x", "healthcheck": {"test": 5}}}}))
            .contains("has to be a string or a list, but")
    );
}

#[test]
fn an_unknown_reference_names_the_nearest() {
    let dangling = json!({"services": {"a": {"image": "x", "depends_on": ["b"]}}});
    assert_eq!(read(dangling).unwrap_err().kind, Kind::Usage, "the description is at fault");
    assert_eq!(
        message(
            json!({"services": {"a": {"image": "x", "depends_on": ["bd"]}, "db": {"image": "x"}}})
        ),
        "services.a.depends_on: There is no service \"bd\" (did you mean \"db\"?)"
    );
    assert!(
        message(json!({"services": {"a": {"image": "x", "networks": ["n"]}}}))
            .contains("There is no network \"n\"")
    );
    assert!(
        message(json!({"services": {"a": {"image": "x", "secrets": ["n"]}}})).contains(
            "There is no secret \"n\" (declare it under \"secrets\", beside \"services\")"
        )
    );
    assert!(
        message(json!({"services": {"a": {"image": "x", "volumes": ["n:/x"]}}}))
            .contains("There is no volume \"n\"")
    );
}

#[test]
fn a_circle_of_dependencies_is_named_in_full() {
    let circle = json!({"services": {
        "a": {"image": "x", "depends_on": ["b"]}, "b": {"image": "x", "depends_on": ["c"]}, "c": {"image": "x", "depends_on": ["b"]},
    }});
    assert!(message(circle).contains("in a circle: b → c → b"));
    assert!(
        message(json!({"services": {"a": {"image": "x", "depends_on": ["a"]}}})).contains("a → a")
    );
}

#[test]
fn start_first_is_refused_where_two_at_once_would_break() {
    let order = json!({"update_config": {"order": "start-first"}});
    let refused = |extra: (&str, Value)| {
        let mut map = json!({"image": "x", "deploy": order.clone()});
        map[extra.0] = extra.1;
        message(json!({"services": {"a": map}, "volumes": {"v": {}}, "networks": {"n": {}}}))
    };
    assert!(refused(("volumes", json!(["v:/d"]))).contains("writes to the volume \"v\""));
    assert!(refused(("volumes", json!(["./d:/d"]))).contains("writes to the bind mount"));
    assert!(refused(("ports", json!(["80:80"]))).contains("fixed host port"));
    assert!(
        refused(("networks", json!({"n": {"ipv4_address": "10.0.0.2"}})))
            .contains("static address")
    );
    assert!(refused(("container_name", json!("a"))).contains("container_name"));
    assert!(
        read(json!({"services": {"a": {"image": "x", "deploy": order, "volumes": ["v:/d"]}}, "volumes": {"v": {"x-spc-shared": true}}}))
            .is_ok()
    );
}

#[test]
fn profiles_decide_what_is_selected_and_a_named_service_brings_what_it_needs() {
    let mut project = read(json!({"services": {
        "db": {"image": "x"}, "web": {"image": "x", "depends_on": ["db"]}, "proxy": {"image": "x", "profiles": ["production"], "depends_on": ["web"]}, "other": {"image": "x"},
    }}))
    .unwrap();
    let names = |project: &Project, names: Option<&[&str]>| {
        let names: Option<Vec<String>> =
            names.map(|names| names.iter().map(|&name| name.to_owned()).collect());
        project.select(names.as_deref()).unwrap().into_iter().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(names(&project, None), "db other web");
    assert_eq!(names(&project, Some(&["web"])), "db web");
    assert_eq!(names(&project, Some(&["proxy"])), "db proxy web");
    assert_eq!(names(&project, Some(&[])), "");
    project.profiles.insert("production".into());
    assert_eq!(names(&project, None), "db other proxy web");
    assert_eq!(
        project.select(Some(&["wbe".to_owned()])).unwrap_err().hint.unwrap(),
        "did you mean \"web\"?"
    );
}

#[test]
fn an_empty_profile_is_active_where_none_is() {
    let services = json!({"a": {"image": "x", "profiles": [""]}, "b": {"image": "x", "profiles": ["debug", ""]}, "c": {"image": "x", "profiles": ["debug"]}});
    let active = |profiles: Value| {
        let project = read(json!({"profiles": profiles, "services": services})).unwrap();
        project.select(None).unwrap().into_iter().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(active(json!([])), "a b");
    assert_eq!(active(json!(["debug"])), "b c");
    assert_eq!(active(json!(["*"])), "a b c");
}

#[test]
fn only_services_that_may_run_at_once_count_as_writers_of_a_volume() {
    let writers = |more: Value| {
        let mut services = serde_json::Map::from_iter([(
            "other".to_owned(),
            json!({"image": "x", "profiles": ["dev"]}),
        )]);
        for (name, more) in more.as_object().unwrap() {
            let mut service = json!({"image": "x", "volumes": ["v:/v"]});
            service.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            services.insert(name.clone(), service);
        }
        read(json!({"services": services, "volumes": {"v": {}}, "profiles": ["dev"]}))
            .map(drop)
            .map_err(|failure| failure.message)
    };
    let refused =
        |names: &str| Err(format!("2 containers would write to the volume \"v\" at once: {names}"));
    let after = |condition: &str, required: bool| json!({"depends_on": {"a": {"condition": condition, "required": required}}});
    let of = |profile: &str| json!({"profiles": [profile]});
    assert_eq!(writers(json!({"a": {}, "b": {}})), refused("a, b"));
    assert_eq!(writers(json!({"a": of("dev"), "b": of("prod")})), Ok(()));
    assert_eq!(writers(json!({"a": of("dev"), "b": of("dev")})), refused("a, b"));
    assert_eq!(writers(json!({"a": of("dev"), "b": {}})), refused("a, b"));
    assert_eq!(writers(json!({"a": {}, "b": {"scale": 0}})), Ok(()));
    assert_eq!(writers(json!({"a": of("prod"), "b": {"scale": 2}})), refused("b"));
    assert_eq!(
        writers(json!({"a": {}, "b": after("service_completed_successfully", true)})),
        Ok(())
    );
    assert_eq!(
        writers(json!({"a": {}, "b": after("service_completed_successfully", false)})),
        refused("a, b")
    );
    assert_eq!(writers(json!({"a": {}, "b": after("service_started", true)})), refused("a, b"));
    // Not at the same time as the job, but at the same time as each other.
    let b = after("service_completed_successfully", true);
    assert_eq!(writers(json!({"a": {}, "b": b, "c": b})), refused("b, c"));
    // If the wait is given up while the job runs, the service in between does not delay the last
    // one.
    let between = json!({"depends_on": {"b": {"condition": "service_started", "required": false}}, "volumes": ["v:/v"]});
    let b = json!({"depends_on": {"a": {"condition": "service_completed_successfully"}}, "volumes": []});
    assert_eq!(writers(json!({"a": {}, "b": b, "c": between})), refused("a, c"));
}

#[test]
fn an_active_profile_that_no_service_has_is_refused_with_the_nearest() {
    let with = |profiles: Value, services: Value| {
        read(json!({"profiles": profiles, "services": services}))
    };
    let proxy = json!({"proxy": {"image": "x", "profiles": ["production"]}});
    let failure = with(json!(["prodution"]), proxy.clone()).unwrap_err();
    assert_eq!(failure.message, "No service has the profile \"prodution\"");
    assert_eq!(failure.hint.unwrap(), "did you mean \"production\"?");
    let none = with(json!(["debug"]), json!({"db": {"image": "x"}})).unwrap_err();
    assert_eq!(none.hint.unwrap(), "no service has a profile: remove it");
    assert!(with(json!(["*"]), json!({"db": {"image": "x"}})).is_ok());
    assert!(with(json!(["production"]), proxy).is_ok());
}

#[test]
fn a_changed_key_is_named_and_an_unchanged_description_hashes_the_same() {
    let secrets = Secrets::new();
    let of = |environment: Value, scale: u32| {
        let project =
            read(json!({"services": {"a": {"image": "x", "environment": environment, "scale": scale, "depends_on": []}}})).unwrap();
        let service = &project.services["a"];
        (hash::service(service, &project, &secrets), hash::parts(service, &project, &secrets))
    };
    let (hash, parts) = of(json!({"DEBUG": "1", "OLD": "x"}), 1);
    assert_eq!(of(json!(["OLD=x", "DEBUG=1"]), 3), (hash.clone(), parts.clone()));
    let (other, changed) = of(json!({"DEBUG": "2", "NEW": "x"}), 1);
    assert_ne!(hash, other);
    assert_eq!(
        hash::changed_parts(&parts, &changed),
        ["environment DEBUG", "environment NEW", "environment OLD"]
    );
}

#[test]
fn an_exposed_secret_is_in_the_hash_by_name_only() {
    let project = |token: &str| {
        read(json!({"services": {"a": {"image": "x", "environment": {"PW": token}}}})).unwrap()
    };
    let hash_with = |nonce: u8| {
        let secrets = Secrets::new();
        let token = Secrets::token("db_password", [nonce; 16]);
        secrets.add("db_password", &token, "hunter22");
        let project = project(&Secrets::exposed(&token));
        hash::service(&project.services["a"], &project, &secrets)
    };
    assert_eq!(hash_with(1), hash_with(2));
}

#[test]
fn a_config_is_a_file_at_its_name_and_never_in_a_mount() {
    let with = |service: Value, config: Value| json!({"services": {"a": service}, "volumes": {"v": {}}, "configs": {"c": config}});
    let text = json!({"content": "x"});
    for (service, config, said) in [
        (json!({"image": "x", "configs": ["d"]}), text.clone(), "There is no config \"d\""),
        (
            json!({"image": "x", "configs": ["c"], "volumes": ["v:/c"]}),
            text.clone(),
            "would lie in the volume at \"/c\"",
        ),
        (
            json!({"image": "x", "configs": [{"source": "c", "target": "/v/c"}], "volumes": ["v:/v"]}),
            text.clone(),
            "in the volume at \"/v\"",
        ),
        (
            json!({"image": "x", "configs": ["c"], "read_only": true}),
            text,
            "read-only service \"a\" can't be at \"/c\"",
        ),
        (json!({"image": "x"}), json!({"external": true}), "can't be external"),
        (json!({"image": "x"}), json!({"content": "x", "file": "y"}), "needs exactly one of"),
    ] {
        let found = message(with(service, config));
        assert!(found.contains(said), "{found}");
    }
}

#[test]
fn the_name_of_an_external_object_defaults_to_its_key() {
    let project = read(json!({
        "networks": {"made": {}, "outside": {"external": true}, "other": {"external": true, "name": "edge"}},
        "volumes": {"made": {}, "outside": {"external": true}, "other": {"external": true, "name": "data"}},
    }))
    .unwrap();
    let networks: Vec<&str> = project.networks.values().map(|it| it.name.as_str()).collect();
    let volumes: Vec<&str> = project.volumes.values().map(|it| it.name.as_str()).collect();
    assert_eq!(
        (networks.as_slice(), volumes.as_slice()),
        (&["spc_made", "edge", "outside"][..], &["spc_made", "data", "outside"][..],)
    );
    let of_the_engine = message(json!({"networks": {"bridge": {"external": true}}}));
    assert!(of_the_engine.contains("it is a network of the engine itself"), "{of_the_engine}");
}

#[test]
fn a_builds_secrets_are_read_in_both_forms_and_have_to_be_there() {
    let with = |secrets: Value| {
        read(
            json!({"services": {"a": {"build": {"context": ".", "secrets": secrets}}}, "secrets": {"key": {"file": "k"}, "ca": {"file": "c"}}}),
        )
    };
    let project = with(json!(["key", {"source": "ca", "target": "ca.pem"}])).unwrap();
    let secrets: Vec<_> = project.services["a"]
        .build
        .iter()
        .flat_map(|build| &build.secrets)
        .map(|secret| (secret.source.as_str(), secret.id.as_str()))
        .collect();
    assert_eq!(secrets, [("key", "key"), ("ca", "ca.pem")]);
    for (secrets, message, hint) in [
        (json!(["kez"]), "There is no secret \"kez\"", "did you mean \"key\"?"),
        (
            json!(["key", {"source": "ca", "target": "key"}]),
            "The build has two secrets named \"key\"",
            "give one of them another `target`",
        ),
        (
            json!([{"source": "key", "uid": "1000"}]),
            "\"uid\" of a build's secret can't be set here: builders read it from the Dockerfile only",
            "remove it, and write `RUN --mount=type=secret,id=key,uid=…`",
        ),
        (
            json!([{"source": "key", "target": "k", "mode": "0400"}]),
            "\"mode\" of a build's secret can't be set here: builders read it from the Dockerfile only",
            "remove it, and write `RUN --mount=type=secret,id=k,mode=…`",
        ),
        (
            json!([{"source": "key", "taget": "k"}]),
            "Unknown key \"taget\" in \"services.a.build.secrets.0\"",
            "did you mean \"target\"?",
        ),
    ] {
        let failure = with(secrets).unwrap_err();
        assert_eq!((failure.message.as_str(), failure.hint.as_deref().unwrap()), (message, hint));
        assert!(failure.path.unwrap().keys.starts_with(&[
            "services".into(),
            "a".into(),
            "build".into(),
            "secrets".into()
        ]));
    }
}

#[test]
fn hosts_have_one_address_or_several_with_or_without_brackets() {
    let read = |hosts: Value| {
        let description = json!({ "services": { "a": { "image": "x", "extra_hosts": hosts } } });
        let options = ReadOptions { directory: Path::new("/p"), lookup: &|_| None };
        Project::read("shop", &description, &options)
            .map(|project| project.services["a"].extra_hosts.clone())
            .map_err(|failure| failure.message)
    };
    let expected =
        |hosts: &[&str]| Ok(hosts.iter().map(|host| (*host).to_owned()).collect::<Vec<_>>());
    assert_eq!(
        read(json!(["v6=[::2]", "v6b:::3", "gate=host-gateway"])),
        expected(&["gate:host-gateway", "v6:::2", "v6b:::3"])
    );
    assert_eq!(
        read(json!({"z": ["9.9.9.9", "[::1]"], "y": "1.1.1.1"})),
        expected(&["y:1.1.1.1", "z:9.9.9.9", "z:::1"])
    );
    assert_eq!(
        read(json!({"z": "nowhere"})).unwrap_err(),
        "The address of the host in \"nowhere\" is not an IP address"
    );
}

#[test]
fn a_service_awaited_for_completion_must_not_always_restart() {
    let described = |restart: &str, condition: &str, required: bool| {
        let web = json!({"image": "web:1", "depends_on": {"job": {"condition": condition, "required": required}}});
        let description =
            json!({"services": {"web": web, "job": {"image": "job:1", "restart": restart}}});
        let options = ReadOptions { directory: Path::new("/project"), lookup: &|_| None };
        Project::read("shop", &description, &options)
    };
    for restart in ["always", "unless-stopped"] {
        for required in [true, false] {
            let failure =
                described(restart, "service_completed_successfully", required).unwrap_err();
            let message =
                "\"web\" waits for \"job\" to complete, but \"job\" restarts whenever it ends";
            assert_eq!(
                (failure.message.as_str(), failure.path.unwrap().keys.join(".").as_str()),
                (message, "services.job.restart")
            );
        }
        assert!(described(restart, "service_started", true).is_ok());
    }
    for restart in ["no", "on-failure", "on-failure:3"] {
        assert!(described(restart, "service_completed_successfully", true).is_ok(), "{restart}");
    }
}

#[test]
fn the_guide_lists_the_keys_of_a_service_that_are_read_and_those_that_are_not() {
    let guide = include_str!("../../../docs/compose.md");
    let listed_after = |opening: &str| -> Vec<&str> {
        let (_, list) = guide.split_once(opening).unwrap();
        let (list, _) = list.split_once('.').unwrap();
        list.split('`').skip(1).step_by(2).collect()
    };
    let refusal = |key: &str| {
        let mut service = json!({"image": "web:1"});
        service[key] = Value::Null;
        read(json!({"services": {"web": service}}))
            .map_or_else(|failure| failure.message, |_| String::new())
    };
    let supported = listed_after("spc supports these keys of a service: ");
    assert!(supported.len() > 20, "{supported:?}");
    for key in supported {
        let refused = refusal(key);
        assert!(
            !refused.contains("nknown key") && !refused.contains("not supported"),
            "{key}: {refused}"
        );
    }
    let unsupported = listed_after("**Container settings of a service**: ");
    assert!(unsupported.len() > 20, "{unsupported:?}");
    for key in unsupported {
        let refused = refusal(key);
        assert!(refused.contains("not supported yet"), "{key}: {refused}");
    }
}
