//! A plan in another folder than the one that the containers were made from: their secrets are read
//! from them.

use similar_asserts::assert_eq;

use super::{ROOT, WEB, host, planned, planned_and_run, text, up, world};
use crate::host::Host;
use crate::machine::World;
use crate::policy::CheckedPath;

#[test]
fn a_plan_knows_rotated_secrets_from_others_without_the_key() {
    let up = up(WEB);
    let files = [("up.rhai", up.as_str())];
    let first = world(&files);
    planned_and_run(&first, "up.rhai");
    // A fresh clone without the records.
    let clone = |secret: &str| {
        World::of(
            first.executor.clone(),
            first.engine.clone(),
            host(&first.executor, &files, "red").with_variable("PW", secret),
            7,
        )
    };
    let same = clone("hunter2hunter2");
    assert_eq!(text(&planned(&same, "up.rhai")).trim(), "nothing to do");
    assert!(
        same.host.read(&CheckedPath::root_itself(ROOT).join(".spc/shop/key.json")).is_err(),
        "a plan makes no key"
    );
    let rotated = clone("another2another2");
    let said = text(&planned_and_run(&rotated, "up.rhai"));
    assert!(
        said.contains("the value of the secret \"pw\" changed") && !said.contains("not compared"),
        "{said}"
    );
    assert_eq!(text(&planned(&rotated, "up.rhai")).trim(), "nothing to do");
    assert!(!said.contains("hunter2") && !said.contains("another2"), "{said}");
}
