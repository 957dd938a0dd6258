//! Functions that a runbook calls side by side: a plan shows them in the order in which they are
//! written, and no order between them.

use similar_asserts::assert_eq;

use super::{planned, world};

/// What the plan says of each step: its object and the steps before it.
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
fn one_parallel_comes_after_another_and_branches_within_branches_are_told_apart() {
    let twice = "for i in 0..2 { parallel([|| sh([\"git\", \"a\"]), || sh([\"git\", \"b\"])]); }";
    assert_eq!(shown(twice), ["git a []", "git b []", "git a [1, 2]", "git b [1, 2]"]);
    let nested = "parallel([|| { parallel([|| sh([\"git\", \"a\"]), || sh([\"git\", \"b\"])]); }, || sh([\"git\", \"c\"])]);";
    let mut said = shown(nested);
    said.sort();
    assert_eq!(said, ["git a []", "git b []", "git c []"]);
}
