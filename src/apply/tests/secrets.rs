//! Secrets reach only the container that they are for.

use super::*;
use crate::host::HostErrorKind;
use crate::model::cause::Cause;
use crate::policy::Settings;

const VALUE: &str = "correct horse battery staple";

fn with_value(value: &str) -> Machine {
    let mut machine = machine();
    machine.environment.insert("TOKEN".into(), value.into());
    machine
}

fn web() -> Value {
    json!({
        "services": {"web": {"image": "web:1", "secrets": ["token", {"source": "token", "target": "/etc/other", "mode": "0400"}], "healthcheck": check("curl"), "restart": "always"}},
        "secrets": {"token": {"environment": "TOKEN"}},
    })
}

/// Everything that a run writes, except the files in containers.
fn written(machine: &Machine) -> String {
    format!(
        "{:?}\n{:?}\n{:?}\n{}",
        machine.engine.calls(),
        machine.engine.past_events(),
        machine.state(),
        machine.reported()
    )
}

fn up(machine: &Machine, description: &Value) -> Result<Outcome, Failure> {
    machine.run(verbs::up(&machine.ctx(), &project(description), &UpOptions::default()))
}

fn file(machine: &Machine, path: &str) -> Option<String> {
    machine
        .engine
        .file("shop-web-1", path)
        .map(|content| String::from_utf8(content.to_vec()).unwrap())
}

fn causes(machine: &Machine) -> Vec<String> {
    let cause = |event: &Event| {
        if let Event::StepStarted { cause, .. } = event {
            cause.as_ref().map(Cause::to_string)
        } else {
            None
        }
    };
    machine.seen.0.lock().iter().filter_map(cause).collect()
}

#[test]
fn a_secret_is_only_in_a_file_of_its_container() {
    for read_only in [false, true] {
        let machine = with_value(VALUE);
        let mut description = with(web(), "services.web.read_only", read_only);
        if read_only {
            description = with(description, "services.web.secrets", json!(["token"]));
        }
        up(&machine, &description).unwrap();
        assert_eq!(file(&machine, "/run/secrets/token").as_deref(), Some(VALUE));
        assert_eq!(file(&machine, "/etc/other").is_some(), !read_only);
        up(&machine, &with(description.clone(), "services.web.environment", json!({"LEVEL": "2"})))
            .unwrap();
        assert_eq!(
            file(&machine, "/run/secrets/token").as_deref(),
            Some(VALUE),
            "also after it was replaced"
        );
        machine.engine.set_process("shop-web-1.new", Process::new().cannot_start("no"));
        up(&machine, &with(description, "services.web.environment", json!({"LEVEL": "3"})))
            .unwrap_err();
        assert!(written(&machine).contains("dev.spc.secrets"));
        assert!(!written(&machine).contains("horse"));
        machine.down(true).unwrap();
        assert_eq!(machine.footprint(), Footprint::default());
    }
}

#[test]
fn an_exposed_secret_is_only_in_the_environment_of_its_container() {
    let machine = with_value(VALUE);
    let run = |value: &str| {
        let ctx = machine.ctx();
        let token = Secrets::token("token", [7; 16]);
        ctx.secrets.add("token", &token, value);
        let described = with(
            web(),
            "services.web.environment",
            json!({"DSN": format!("postgres://x:{}@db", Secrets::exposed(&token))}),
        );
        machine
            .run(verbs::up(
                &ctx,
                &project(&with(described, "services.web.secrets", json!([]))),
                &UpOptions::default(),
            ))
            .unwrap()
    };
    run(VALUE);
    assert_eq!(
        machine.state().container("shop-web-1").unwrap().environment,
        [format!("DSN=postgres://x:{VALUE}@db")]
    );
    let text = written(&machine).replace(&format!("DSN=postgres://x:{VALUE}@db"), "");
    assert!(!text.contains("horse"));
    assert_eq!(run(VALUE).changes, 0, "the same value is the same container");
    assert!(run("another value").changes > 0);
    assert!(causes(&machine).contains(&"a secret's value changed".to_owned()));
}

#[test]
fn another_value_replaces_the_container_and_says_why() {
    let mut machine = with_value(VALUE);
    up(&machine, &web()).unwrap();
    assert_eq!(up(&machine, &web()).unwrap().changes, 0);
    machine.environment.insert("TOKEN".into(), "new value".into());
    up(&machine, &web()).unwrap();
    assert_eq!(causes(&machine).last().unwrap(), "a secret's value changed");
    assert_eq!(file(&machine, "/run/secrets/token").as_deref(), Some("new value"));
}

#[test]
fn the_same_value_gives_another_fingerprint_on_another_machine() {
    let print = |seed| {
        let mut machine = machine_with(seed, |builder| builder);
        machine.environment.insert("TOKEN".into(), "1234".into());
        up(&machine, &web()).unwrap();
        machine.state().container("shop-web-1").unwrap().labels[label::SECRETS].clone()
    };
    assert_ne!(print(1), print(2));
}

#[test]
fn a_secret_without_a_value_is_named_before_anything_is_done() {
    let mut machine = machine();
    machine.environment.clear();
    let failure = up(&machine, &web()).unwrap_err();
    assert_eq!(
        failure.message,
        "The secret \"token\" has no value: the variable \"TOKEN\" is not set"
    );
    assert!(machine.engine.calls().is_empty());
}

#[test]
fn secrets_that_can_not_be_delivered_stop_nothing() {
    let machine = with_value(VALUE);
    let description =
        with(with(web(), "services.web.read_only", true), "services.web.secrets", json!(["token"]));
    up(&machine, &description).unwrap();
    let elsewhere = with(
        description,
        "services.web.secrets",
        json!([{"source": "token", "target": "/etc/token"}]),
    );
    let failure = up(&machine, &elsewhere).unwrap_err();
    assert_eq!(
        failure.message,
        "The secret \"token\" of the read-only service \"web\" can't be at \"/etc/token\""
    );
    let web = machine.state().container("shop-web-1").unwrap().clone();
    assert_eq!((web.state, web.starts, machine.footprint().anonymous), ("running", 1, 1));
}

#[test]
fn records_are_kept_where_a_symlink_leads_only_if_scripts_may_write_there() {
    for (allowed, kept) in [(vec![], false), (vec!["/records".to_owned()], true)] {
        let mut machine = with_value(VALUE);
        let host = SimHost::new(machine.executor.clone())
            .with_folder("/records")
            .with_symlink("/project/.spc", "/records");
        machine.host = Arc::new(host);
        let settings = Settings { write: allowed, ..Settings::default() };
        let policy =
            Policy::new(Path::new(DIRECTORY), settings, &|path| resolve(&*machine.host, path))
                .unwrap();
        let records = records::Records::new(&*machine.host, &policy, PROJECT);
        let written = records.update(|state| state.stopped.extend(["a".to_owned()]));
        assert_eq!(
            written.as_ref().err().map(|error| error.kind),
            (!kept).then_some(HostErrorKind::SymlinkInPath)
        );
        assert_eq!(records.state().stopped.contains("a"), kept);
        assert_eq!(
            machine.host.list(&CheckedPath::root_itself("/records")).unwrap().is_empty(),
            !kept
        );
    }
}

#[test]
fn a_symlink_among_the_records_is_not_followed() {
    for link in [".spc/shop", ".spc/shop/state.json"] {
        let mut machine = with_value(VALUE);
        let host = SimHost::new(machine.executor.clone())
            .with_file("/outside/state.json", "{}")
            .with_symlink(format!("/project/{link}"), "/outside");
        machine.host = Arc::new(host);
        let _ = up(&machine, &web());
        let outside = machine.host.list(&CheckedPath::root_itself("/outside")).unwrap();
        assert_eq!(
            outside.iter().map(|entry| entry.name.as_str()).collect::<Vec<_>>(),
            ["state.json"],
            "{link}"
        );
        assert_eq!(
            machine.host.read(&CheckedPath::trusted("/outside/state.json")).unwrap(),
            "{}",
            "{link}"
        );
    }
}
