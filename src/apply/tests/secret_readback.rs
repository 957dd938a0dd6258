//! Secrets of containers whose labels were made with a key that is missing here: in another folder,
//! or after `.spc/` was removed.

use similar_asserts::assert_eq;

use super::*;
use crate::engine::sim::{Fault, FaultEffect, FaultPoint};
use crate::engine::{Engine, EngineError, EngineErrorKind};
use crate::model::cause::Cause;
use crate::policy::CheckedPath;

const VALUE: &str = "correct horse battery staple";

/// A machine with these values on which `description` was brought up; its key is lost since then.
fn moved(description: &Value, values: &[(&str, &str)]) -> Machine {
    let mut machine = machine();
    machine.environment =
        values.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    machine.up(description).unwrap();
    machine.host.remove(&CheckedPath::trusted("/project/.spc/shop/key.json")).unwrap();
    machine
}

fn web(secrets: Value) -> Value {
    json!({
        "services": {"web": {"image": "web:1", "secrets": secrets, "healthcheck": check("curl"), "restart": "always"}},
        "secrets": {"token": {"environment": "TOKEN"}, "other": {"environment": "OTHER"}},
    })
}

const VALUES: [(&str, &str); 2] = [("TOKEN", VALUE), ("OTHER", "another value")];

fn descriptions() -> [Value; 3] {
    let everywhere =
        web(json!(["other", {"source": "token", "target": "/etc/token", "mode": "0400"}]));
    [
        web(json!(["token"])),
        everywhere,
        with(web(json!(["token", "other"])), "services.web.read_only", true),
    ]
}

fn causes(machine: &Machine) -> BTreeSet<String> {
    let cause = |event: &Event| {
        if let Event::StepStarted { cause, .. } = event {
            cause.as_ref().map(Cause::to_string)
        } else {
            None
        }
    };
    machine
        .seen
        .0
        .lock()
        .iter()
        .filter_map(cause)
        .filter(|cause| cause.starts_with("the value"))
        .collect()
}

/// Nothing is changed or reported.
fn is_unchanged(machine: &Machine, description: &Value) {
    let (said, calls) = (machine.logged().len(), machine.calls());
    assert_eq!(machine.up(description).unwrap().changes, 0);
    assert_eq!(machine.logged()[said..], [""; 0]);
    assert!(machine.calls_from(calls).iter().all(|call| !call.mutates));
}

/// Replaces the secret `token`.
fn tamper(machine: &Machine, kind: tar::EntryType, content: &[u8]) {
    let mut archive = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_size(content.len() as u64);
    header.set_mode(0o644);
    if kind.is_symlink() {
        archive.append_link(&mut header, "token", "/run/elsewhere").unwrap();
    } else {
        archive.append_data(&mut header, "token", content).unwrap();
    }
    machine
        .run(machine.engine.container_upload(
            "shop-web-1",
            "/run/secrets",
            archive.into_inner().unwrap().into(),
        ))
        .unwrap();
}

#[test]
fn secrets_that_have_their_values_are_known_to_without_the_key() {
    for description in descriptions() {
        let machine = moved(&description, &VALUES);
        is_unchanged(&machine, &description);
        // Also with the key that exists here since then.
        is_unchanged(&machine, &description);
    }
}

#[test]
fn a_secret_that_was_rotated_since_is_delivered_without_the_key() {
    for description in descriptions() {
        let mut machine = moved(&description, &VALUES);
        // With the same length: the content is compared.
        machine.environment.insert("TOKEN".into(), VALUE.to_uppercase());
        machine.up(&description).unwrap();
        assert_eq!(
            causes(&machine),
            BTreeSet::from(["the value of the secret \"token\" changed".to_owned()])
        );
        let path = if description["services"]["web"]["secrets"][1].is_object() {
            "/etc/token"
        } else {
            "/run/secrets/token"
        };
        assert_eq!(machine.engine.file("shop-web-1", path).unwrap(), VALUE.to_uppercase());
        assert_eq!(machine.logged(), [""; 0]);
        is_unchanged(&machine, &description);
    }
}

#[test]
fn an_exposed_secret_is_compared_without_the_key() {
    let values = |dsn: &str| {
        let mut machine = machine();
        machine.environment.clear();
        let run = |machine: &Machine, value: &str| {
            let ctx = machine.ctx();
            let token = Secrets::token("token", [7; 16]);
            ctx.secrets.add("token", &token, value);
            let described = with(
                web(json!([])),
                "services.web.environment",
                json!({"A": "1", "DSN": format!("x:{}@db", Secrets::exposed(&token))}),
            );
            machine
                .run(verbs::up(&ctx, &project(&described), &UpOptions::default()))
                .unwrap()
                .changes
        };
        run(&machine, VALUE);
        machine.host.remove(&CheckedPath::trusted("/project/.spc/shop/key.json")).unwrap();
        let changes = run(&machine, dsn);
        assert_eq!((run(&machine, dsn), machine.logged()), (0, Vec::new()));
        (changes > 0, causes(&machine))
    };
    assert_eq!(values(VALUE), (false, BTreeSet::new()));
    assert_eq!(
        values("another"),
        (true, BTreeSet::from(["the value of the secret \"token\" changed".to_owned()]))
    );
}

#[test]
fn an_unreadable_secret_is_reported_with_a_suggested_fix() {
    let refused = |kind, words: &str| FaultEffect::FailBefore(EngineError::new(kind, words));
    for (effect, why) in [
        (refused(EngineErrorKind::NotFound, "gone"), "there is no \"/run/secrets/token\" in it"),
        (
            refused(EngineErrorKind::Failed, "no such driver"),
            "\"/run/secrets/token\" in it could not be read (no such driver)",
        ),
        (FaultEffect::Hang, "the engine did not answer within 10 s when they were read"),
    ] {
        let description = web(json!(["token"]));
        let machine = moved(&description, &VALUES);
        machine.engine.fault(Fault { on: FaultPoint::method("container_download", 1), effect });
        let begun = machine.executor.now();
        assert_eq!(machine.up(&description).unwrap().changes, 0);
        assert!(
            machine.executor.now().saturating_sub(begun) < secs(15),
            "a hanging engine is given up"
        );
        let said = format!(
            "the secrets of shop-web-1 were not compared: it was created from another folder, or before `.spc/` was lost, and {why}. If a value has changed, it still uses the old one: change a label of the service \"web\", and `up` replaces it"
        );
        assert_eq!(machine.logged(), [said]);
        // The suggested next step.
        let labelled = with(description, "services.web.labels", json!({"secrets": "2"}));
        assert!(machine.up(&labelled).unwrap().changes > 0);
        let said = machine.logged().len();
        is_unchanged(&machine, &labelled);
        assert_eq!(machine.logged().len(), said);
    }
}

#[test]
fn each_container_is_read_once_in_a_verb() {
    let description = with(
        with(web(json!(["token"])), "services.web.scale", 2),
        "services.other",
        json!({"image": "redis:1"}),
    );
    let machine = moved(&description, &VALUES);
    let reads = |machine: &Machine, description: &Value, services: Option<Vec<String>>| {
        let calls = machine.calls();
        machine.up_with(description, &UpOptions { services, ..UpOptions::default() }).unwrap();
        machine.calls_from(calls).iter().filter(|call| call.method == "container_download").count()
    };
    // Observed twice before and twice after the lock and the execution.
    let changed = with(description.clone(), "services.other.environment", json!({"A": "1"}));
    assert_eq!(reads(&machine, &changed, None), 2);
    assert_eq!(
        reads(&machine, &description, Some(vec!["other".into()])),
        0,
        "no service that is not meant"
    );
    assert_eq!(reads(&machine, &description, Some(vec!["web".into()])), 2);
}

#[test]
fn a_secret_file_that_its_container_replaced_is_delivered_again() {
    let description = web(json!(["token"]));
    // Whatever its size is, it is not what would be delivered.
    for content in [vec![b'x'; 5 << 20], Vec::new(), VALUE.to_uppercase().into_bytes()] {
        let machine = moved(&description, &VALUES);
        tamper(&machine, tar::EntryType::Regular, &content);
        assert!(machine.up(&description).unwrap().changes > 0);
        assert_eq!(machine.engine.file("shop-web-1", "/run/secrets/token").unwrap(), VALUE);
        is_unchanged(&machine, &description);
    }
    let machine = moved(&description, &VALUES);
    tamper(&machine, tar::EntryType::Symlink, &[]);
    assert_eq!(machine.up(&description).unwrap().changes, 0);
    let said = machine.logged().concat();
    assert!(
        said.contains(
            "and \"/run/secrets/token\" in it is not a regular file. If a value has changed"
        ),
        "{said}"
    );
}
