//! `deploy.update_config`: batches, and how they are rolled back.

use similar_asserts::assert_eq;

use super::*;
use crate::model::plan::ServiceUpdate;
use crate::model::spec::FailureAction;

fn described(level: &str, scale: u32, update: Value) -> Project {
    project(json!({"services": {"web": {
        "image": "web", "environment": {"A": level}, "scale": scale, "deploy": {"update_config": update},
    }}}))
}

fn changed(scale: u32, update: &Value) -> Plan {
    let observed = applied(&described("1", scale, update.clone()));
    plan_with(&described("2", scale, update.clone()), &observed, UpRequest::default()).unwrap()
}

fn undo_of(plan: &Plan, group: usize) -> Vec<String> {
    plan.rollbacks[&group].undo.iter().map(undone).collect()
}

#[test]
fn containers_are_replaced_in_batches_and_the_old_ones_stay_until_all_are_proven() {
    let plan = changed(3, &json!({"parallelism": 2, "delay": "10s", "monitor": "5s"}));
    assert_eq!(
        plan.to_string(),
        "  1  create container spc-web-1.new  (environment A changed)
  2  stop container spc-web-1  after 1
  3  start container spc-web-1.new  after 1, 2
  4  wait until ready container spc-web-1.new  after 3
  5  monitor container spc-web-1.new for 5s  after 4
  6  create container spc-web-2.new  (environment A changed)
  7  stop container spc-web-2  after 6
  8  start container spc-web-2.new  after 6, 7
  9  wait until ready container spc-web-2.new  after 8
 10  monitor container spc-web-2.new for 5s  after 9
 11  delay batch 2 by 10s  after 5, 10
 12  create container spc-web-3.new  (environment A changed)  after 11
 13  stop container spc-web-3  after 12
 14  start container spc-web-3.new  after 12, 13
 15  wait until ready container spc-web-3.new  after 14
 16  monitor container spc-web-3.new for 5s  after 15
 17  remove container spc-web-1  after 5, 10, 16
 18  rename container spc-web-1.new to spc-web-1  after 17
 19  remove container spc-web-2  after 5, 10, 16
 20  rename container spc-web-2.new to spc-web-2  after 19
 21  remove container spc-web-3  after 5, 10, 16
 22  rename container spc-web-3.new to spc-web-3  after 21
"
    );
    assert_eq!(
        undo_of(&plan, 0),
        [
            "stop container spc-web-1.new (of 3)",
            "start container spc-web-1 (of 2)",
            "remove container spc-web-1.new (of 1)",
            "wait until ready container spc-web-1 (of 2)"
        ]
    );
    for group in 0..3 {
        assert_eq!(plan.rollbacks[&group].until, [4, 9, 15], "all of them");
    }
    let [update] = &plan.updates[..] else { panic!("{:?}", plan.updates) };
    assert_eq!(
        (&update.groups, update.tolerated, update.on_failure),
        (&BTreeSet::from([0, 1, 2]), 0, FailureAction::Rollback)
    );
}

#[test]
fn a_paused_update_keeps_what_it_replaced() {
    let plan = changed(2, &json!({"failure_action": "pause", "monitor": "0s"}));
    assert_eq!(
        plan.to_string(),
        "  1  create container spc-web-1.new  (environment A changed)
  2  stop container spc-web-1  after 1
  3  start container spc-web-1.new  after 1, 2
  4  wait until ready container spc-web-1.new  after 3
  5  remove container spc-web-1  after 4
  6  rename container spc-web-1.new to spc-web-1  after 5
  7  create container spc-web-2.new  (environment A changed)  after 6
  8  stop container spc-web-2  after 7
  9  start container spc-web-2.new  after 7, 8
 10  wait until ready container spc-web-2.new  after 9
 11  remove container spc-web-2  after 10
 12  rename container spc-web-2.new to spc-web-2  after 11
"
    );
    assert_eq!(
        (&plan.rollbacks[&0].until[..], &plan.rollbacks[&1].until[..]),
        (&[3][..], &[9][..])
    );
}

#[test]
fn an_update_that_goes_on_tolerates_the_failure_of_a_container() {
    let plan = changed(2, &json!({"failure_action": "continue", "delay": "1s", "monitor": "0s"}));
    let tolerating: Vec<String> = plan
        .steps
        .iter()
        .filter(|step| !step.tolerates.is_empty())
        .map(|step| {
            format!("{} {}: {:?}", step.action.kind(), step.action.object(), step.tolerates)
        })
        .collect();
    assert_eq!(tolerating, ["delay batch 2 by 1s: [5]"]);
    let plan = changed(3, &json!({"max_failure_ratio": 0.34, "monitor": "0s"}));
    let tolerating: Vec<usize> = plan.steps.iter().map(|step| step.tolerates.len()).collect();
    assert_eq!(tolerating, [0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 2, 0, 2, 0, 2, 0]);
    assert!(matches!(&plan.updates[..], [ServiceUpdate { tolerated: 1, .. }]));
}

#[test]
fn start_first_goes_back_without_a_gap_unless_the_rollback_has_its_own_order() {
    let undo = |rollback: Value| {
        let described = |level: &str| {
            project(json!({"services": {"web": {
                "image": "web", "environment": {"A": level}, "scale": 2,
                "deploy": {"update_config": {"order": "start-first"}, "rollback_config": rollback},
            }}}))
        };
        let observed = applied(&described("1"));
        let plan = plan_with(&described("2"), &observed, UpRequest::default()).unwrap();
        undo_of(&plan, 0)
    };
    assert_eq!(
        undo(json!({"monitor": "3s"})),
        [
            "start container spc-web-1 (of 7)",
            "wait until ready container spc-web-1 (of 7)",
            "stop container spc-web-1.new (of 7)",
            "remove container spc-web-1.new (of 1)",
            "monitor container spc-web-1 for 3s (of 7)",
        ]
    );
    assert_eq!(
        undo(json!({"order": "stop-first"})),
        [
            "stop container spc-web-1.new (of 7)",
            "start container spc-web-1 (of 7)",
            "remove container spc-web-1.new (of 1)",
            "wait until ready container spc-web-1 (of 7)",
        ]
    );
}

#[test]
fn all_at_once_is_one_batch_and_one_container_needs_no_rules() {
    let plan = changed(3, &json!({"parallelism": 0, "delay": "10s", "monitor": "0s"}));
    let creates = plan.steps.iter().filter(|step| step.after.is_empty()).count();
    assert_eq!((creates, plan.to_string().contains("delay")), (3, false));
    assert!(changed(1, &json!({})).updates.is_empty());
    assert_eq!(changed(1, &json!({"failure_action": "continue"})).updates.len(), 1);
}

/// The state after a run that was killed when it had replaced the containers 1 and 2 of 3.
fn killed_midway(update: &Value) -> ObservedState {
    let mut observed = applied(&described("1", 3, update.clone()));
    let new = applied(&described("2", 3, update.clone()));
    for number in [1, 2] {
        let old = observed.containers.iter_mut().find(|it| it.number == number).unwrap();
        old.state = ContainerState::Exited;
        old.exit_code = Some(0);
        let mut new = new.containers.iter().find(|it| it.number == number).unwrap().clone();
        new.id = format!("id of new web-{number}");
        new.name = format!("{}.new", new.name);
        observed.containers.push(new);
    }
    observed
}

fn stopped() -> UpRequest {
    let stopped = BTreeSet::from(["id of web-1".to_owned(), "id of web-2".to_owned()]);
    UpRequest { stopped, ..UpRequest::default() }
}

#[test]
fn the_next_run_finishes_a_killed_update_and_can_still_roll_all_of_it_back() {
    let update = json!({"monitor": "0s"});
    let plan =
        plan_with(&described("2", 3, update.clone()), &killed_midway(&update), stopped()).unwrap();
    assert_eq!(
        plan.to_string(),
        "  1  wait until ready container spc-web-1.new
  2  wait until ready container spc-web-2.new
  3  create container spc-web-3.new  (environment A changed)
  4  stop container spc-web-3  after 3
  5  start container spc-web-3.new  after 3, 4
  6  wait until ready container spc-web-3.new  after 5
  7  remove container spc-web-1  after 1, 2, 6
  8  rename container spc-web-1.new to spc-web-1  after 7
  9  remove container spc-web-2  after 1, 2, 6
 10  rename container spc-web-2.new to spc-web-2  after 9
 11  remove container spc-web-3  after 1, 2, 6
 12  rename container spc-web-3.new to spc-web-3  after 11
"
    );
    assert_eq!(
        undo_of(&plan, 0),
        [
            "stop container spc-web-1.new",
            "start container spc-web-1",
            "remove container spc-web-1.new",
            "wait until ready container spc-web-1"
        ]
    );
}

#[test]
fn a_killed_update_that_is_called_off_goes_back_in_batches_without_a_gap() {
    let update = json!({"order": "start-first"});
    let plan =
        plan_with(&described("1", 3, update.clone()), &killed_midway(&update), stopped()).unwrap();
    assert_eq!(
        plan.to_string(),
        "  1  start container spc-web-1  (left by an interrupted run)
  2  wait until ready container spc-web-1  after 1
  3  stop container spc-web-1.new  (left by an interrupted run)  after 2
  4  remove container spc-web-1.new  (left by an interrupted run)  after 3
  5  start container spc-web-2  (left by an interrupted run)  after 4
  6  wait until ready container spc-web-2  after 5
  7  stop container spc-web-2.new  (left by an interrupted run)  after 6
  8  remove container spc-web-2.new  (left by an interrupted run)  after 7
"
    );
    let update = json!({"order": "stop-first"});
    let plan =
        plan_with(&described("1", 3, update.clone()), &killed_midway(&update), stopped()).unwrap();
    let lines: Vec<String> = plan.to_string().lines().map(str::to_owned).collect();
    assert_eq!(lines[0], "  1  stop container spc-web-1.new  (left by an interrupted run)");
    assert_eq!(
        lines[4],
        "  5  stop container spc-web-2.new  (left by an interrupted run)  after 4"
    );
}
