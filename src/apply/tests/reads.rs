//! How often the verbs read the records.

use similar_asserts::assert_eq;

use super::*;
use crate::apply::exec::{Exec, Input, exec};
use crate::engine::ExecRequest;
use crate::engine::sim::ExecAnswer;

const STATE: &str = "/project/.spc/shop/state.json";
const KEY: &str = "/project/.spc/shop/key.json";

fn two() -> Value {
    json!({"services": {"web": {"image": "web:1"}, "db": {"image": "db:1"}}})
}

/// How often `verb` reads the records, and how often it writes them.
fn reads(machine: &Machine, verb: impl FnOnce() -> Result<(), Failure>) -> (usize, usize) {
    let writes = || {
        let changes = machine.host.changes();
        changes
            .iter()
            .filter(|change| change.method == "write" && change.target == Path::new(STATE))
            .count()
    };
    let before = (machine.host.reads_of(STATE), writes());
    verb().unwrap();
    (machine.host.reads_of(STATE) - before.0, writes() - before.1)
}

/// A verb reads the records once before it plans, once more under the lock (another run may have
/// changed them until then), and once before each change that it may make to them.
#[test]
fn a_verb_reads_the_records_once_and_once_more_under_the_lock() {
    let answers = Process::new().on_exec(|_, _| Some(ExecAnswer::default()));
    let machine = machine_with(1, |builder| builder.process("web", answers));
    let up = |description: &Value| machine.up(description).map(drop);
    let lifecycle = |verb| {
        let services = BTreeSet::from(["web".to_owned(), "db".to_owned()]);
        machine.run(verbs::lifecycle(&machine.ctx(), PROJECT, &services, verb, None)).map(drop)
    };
    let stop = || lifecycle(verbs::Lifecycle::Stop);
    let start = || lifecycle(verbs::Lifecycle::Start);
    let restart = || lifecycle(verbs::Lifecycle::Restart);
    let changed = with(two(), "services.web.command", "other");
    let scale = || {
        let (ctx, project) = (machine.ctx(), project(&changed));
        machine.run(verbs::scale(&ctx, &project, "web", 2)).map(drop)
    };
    let command = || {
        let request = ExecRequest { command: vec!["true".to_owned()], ..ExecRequest::default() };
        let (container, name, input) = ("shop-web-1", "web", Input::None);
        let command = Exec { container, name, request, input, output: None, timeout: None };
        machine.run(exec(&machine.ctx(), command)).map(drop)
    };
    let look = || machine.run(verbs::look(&machine.ctx(), PROJECT)).map(drop);
    let down = || machine.down(false).map(drop);
    let found = [
        ("up of what is not there", reads(&machine, || up(&two()))),
        ("up of what is unchanged", reads(&machine, || up(&two()))),
        ("deploy of one service", reads(&machine, || up(&changed))),
        ("stop", reads(&machine, stop)),
        ("stop of what is stopped", reads(&machine, stop)),
        ("start", reads(&machine, start)),
        ("restart", reads(&machine, restart)),
        ("scale", reads(&machine, scale)),
        ("exec", reads(&machine, command)),
        ("ps", reads(&machine, look)),
        ("down", reads(&machine, down)),
    ];
    let expected = [
        ("up of what is not there", (5, 1)),
        ("up of what is unchanged", (1, 0)),
        ("deploy of one service", (5, 2)),
        ("stop", (5, 2)),
        ("stop of what is stopped", (1, 0)),
        ("start", (5, 3)),
        ("restart", (5, 1)),
        ("scale", (5, 2)),
        ("exec", (0, 0)),
        ("ps", (1, 0)),
        ("down", (7, 5)),
    ];
    assert_eq!(found, expected);
}

#[test]
fn a_verb_reads_the_key_of_the_fingerprints_once() {
    let mut machine = machine();
    for name in ["ONE", "TWO"] {
        machine.environment.insert(name.to_owned(), format!("value of {name}"));
    }
    let service = |secret: &str| json!({"image": "web:1", "secrets": [secret]});
    let description = json!({
        "services": {"web": service("one"), "db": service("two")},
        "secrets": {"one": {"environment": "ONE"}, "two": {"environment": "TWO"}},
    });
    machine.up(&description).unwrap();
    let before = machine.host.reads_of(KEY);
    machine.up(&description).unwrap();
    assert_eq!(machine.host.reads_of(KEY) - before, 1);
}

#[test]
fn a_change_of_the_records_keeps_what_another_run_remembered_meanwhile() {
    let machine = machine();
    machine.up(&two()).unwrap();
    let (ctx, other) = (machine.ctx(), machine.ctx());
    let records = ctx.records(PROJECT);
    assert!(records.state().stopped.is_empty());
    let remember = |records: &records::Records<'_>, id: &str| {
        let stop = |state: &mut records::State| {
            state.stopped.insert(id.to_owned());
        };
        records.update(stop).unwrap();
    };
    remember(&other.records(PROJECT), "a");
    assert!(records.state().stopped.is_empty(), "what this verb has read");
    remember(&records, "b");
    assert_eq!(records.state().stopped, ["a", "b"].map(str::to_owned).into());
    remember(&other.records(PROJECT), "c");
    records.read_again();
    assert_eq!(records.state().stopped, ["a", "b", "c"].map(str::to_owned).into());
}
