//! Functions that a runbook calls side by side: a plan shows them in the order in which they are
//! written, and no order between them.

use similar_asserts::assert_eq;

use super::{planned, text, world};
use crate::model::step::ActionKind;

/// The object of each planned step, and the steps before it.
fn shown(code: &str) -> Vec<String> {
    let preview = planned(&world(&[("go.rhai", code)]), "go.rhai");
    preview.steps().map(|step| format!("{} {:?}", step.label.object.name, step.after)).collect()
}

#[test]
fn branches_of_parallel_come_after_none_of_each_other() {
    let one_line =
        "parallel([|| sh([\"git\", \"a\"]), || sh([\"git\", \"b\"]), || sh([\"git\", \"c\"])]);";
    assert_eq!(shown(one_line), ["git a []", "git b []", "git c []"]);
    let of_a_function = "fn ask(name) { sh([\"git\", name]); }\nparallel([|| ask(\"a\"), || ask(\"b\"), || ask(\"c\"), || ask(\"d\")]);";
    assert_eq!(shown(of_a_function), ["git a []", "git b []", "git c []", "git d []"]);
    let of_a_map = "parallel(#{ x: || fs::write(\"a\", \"\"), y: || fs::write(\"b\", \"\") });";
    assert_eq!(shown(of_a_map), ["a []", "b []"]);
}

#[test]
fn a_branch_keeps_its_own_order_and_that_with_what_is_before_and_after_it() {
    let in_line = "sh([\"git\", \"0\"]); parallel([|| { sh([\"git\", \"a\"]); sh([\"git\", \"aa\"]); }, || sh([\"git\", \"b\"])]); sh([\"git\", \"z\"]);";
    let said = shown(in_line);
    let number = |name: &str| {
        1 + said.iter().position(|line| line.starts_with(&format!("git {name} "))).unwrap()
    };
    let expect = |name: &str, after: &[usize]| {
        let mut after = after.to_vec();
        after.sort_unstable();
        assert_eq!(said[number(name) - 1], format!("git {name} {after:?}"), "{said:?}");
    };
    expect("0", &[]);
    expect("a", &[1]);
    expect("b", &[1]);
    expect("aa", &[number("a")]);
    expect("z", &[number("aa"), number("b")]);
}

#[test]
fn successive_parallel_calls_are_ordered_and_nested_branches_are_distinct() {
    let twice = "for i in 0..2 { parallel([|| sh([\"git\", \"a\"]), || sh([\"git\", \"b\"])]); }";
    assert_eq!(shown(twice), ["git a []", "git b []", "git a [1, 2]", "git b [1, 2]"]);
    let nested = "parallel([|| { parallel([|| sh([\"git\", \"a\"]), || sh([\"git\", \"b\"])]); }, || sh([\"git\", \"c\"])]);";
    let mut said = shown(nested);
    said.sort();
    assert_eq!(said, ["git a []", "git b []", "git c []"]);
}

/// Two functions that take turns: the first waits while the second works, and the other way round.
const TAKING_TURNS: &str = "\
let found = parallel([
    || {
        let first = sh([\"git\", \"a\"]).stdout;
        sleep(2);
        network(\"a\").create();
        sleep(2);
        sh([\"git\", \"a\" + network(\"a\").inspect().Id]);
    },
    || {
        sleep(1);
        if sh([\"git\", \"b\"]).ok { sleep(2); }
        fs::write(\"b\", \"\");
    },
]);
sh([\"git\", \"z\"]);
";

#[test]
fn the_steps_of_one_function_stand_together_whatever_the_others_do_meanwhile() {
    let expected = "\
go.rhai:3
  1  run command git a                        requested in line 3
go.rhai:3: the steps below depend on the command \"git a\" (step 1); assumed: exit code 0, no output
go.rhai:5
  2  create network project_a                 requested in line 5
go.rhai:7
  3  run command git a(unknown until step 2)  requested in line 7
go.rhai:11
  4  run command git b                        requested in line 11
go.rhai:11: the steps below depend on the command \"git b\" (step 4); assumed: exit code 0, no output
go.rhai:12
  5  write file b                             requested in line 12
go.rhai:15
  6  run command git z                        requested in line 15
1 to create, 4 to run, 1 to write";
    let preview = planned(&world(&[("go.rhai", TAKING_TURNS)]), "go.rhai");
    assert_eq!(text(&preview), expected);
    let assumptions: Vec<usize> = preview.steps().map(|step| step.assumptions).collect();
    assert_eq!(assumptions, [0, 1, 1, 1, 2, 2]);
}

#[test]
fn steps_in_one_line_stand_together_too_and_come_after_those_of_their_function() {
    // Without assumptions, which would part the line into three items.
    let code =
        TAKING_TURNS.replace(".stdout", "").replace("if ", "").replace(".ok { sleep(2); }", ";");
    assert_eq!(
        shown(&code.replace('\n', " ")),
        [
            "git a []",
            "project_a [1]",
            "git a(unknown until step 2) [2]",
            "git b []",
            "b [4]",
            "git z [3, 5]"
        ]
    );
}

#[test]
fn functions_with_verbs_of_one_project_stand_in_the_order_of_these_verbs() {
    let code = "\
let shop = stack(\"shop\", #{ services: #{ a: #{ image: \"a:1\" }, b: #{ image: \"b:1\" } } });
parallel([
    || { sleep(2); shop.up([\"a\"]); },
    || shop.up([\"b\"]),
    || sh([\"git\", \"c\"]),
]);
";
    let preview = planned(&world(&[("go.rhai", code)]), "go.rhai");
    let created: Vec<&str> = preview
        .steps()
        .filter(|step| step.label.action == ActionKind::Create)
        .map(|step| step.label.object.name.as_str())
        .collect();
    assert_eq!(created, ["shop_default", "shop-b-1", "shop-a-1"]);
    assert_eq!(preview.notes, Vec::<String>::new());
    let at_once = code.replace("sleep(2); ", "");
    let preview = planned(&world(&[("go.rhai", &at_once)]), "go.rhai");
    let first = preview.steps().find(|step| step.label.action == ActionKind::Create).unwrap();
    assert_eq!(first.label.object.name, "shop_default", "{}", text(&preview));
    assert_eq!(preview.notes, Vec::<String>::new(), "it doesn't wait for another run");
}
