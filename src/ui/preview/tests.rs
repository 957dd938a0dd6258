//! The text of a plan at several widths.

use similar_asserts::assert_eq;

use super::*;
use crate::model::cause::{Cause, ChangedKeys, OtherImage};
use crate::model::plan_steps::{ImageCondition, PlanStep, PlannedValue, StepImage};
use crate::model::preview::{Assumption, Call, RunbookLine};
use crate::model::step::{Object, StepLabel};

const ID: &str = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

fn step(number: usize, service: Option<&str>, action: ActionKind, object: Object) -> PlanStep {
    let service = service.map(str::to_owned);
    let label = StepLabel { step: Some(number), service, action, object, undo: false };
    PlanStep::alone(label, Cause::NotThere, !action.waits())
}

/// A replacement of `backend-N` that stops first; its steps begin at `first`.
fn replacement(first: usize, number: usize) -> Vec<PlanStep> {
    let changed = ChangedKeys {
        keys: vec!["image".to_owned(), "environment RELEASE".to_owned()],
        image: Some(OtherImage {
            before: "reg:5000/app:dev".into(),
            now: "reg:5000/app:v2".into(),
        }),
    };
    let (old, new) = (format!("backend-{number}"), format!("backend-{number}.new"));
    let steps = [
        (ActionKind::Create, &new),
        (ActionKind::Stop, &old),
        (ActionKind::Start, &new),
        (ActionKind::WaitUntilReady, &new),
        (ActionKind::Remove, &old),
        (ActionKind::Rename, &new),
    ];
    let mut steps: Vec<PlanStep> = steps
        .into_iter()
        .enumerate()
        .map(|(index, (action, name))| PlanStep {
            cause: Cause::DescriptionChanged(changed.clone()),
            group: Some(number),
            ..step(first + index, Some("backend"), action, Object::container(name))
        })
        .collect();
    steps[0].counts = Some(SummaryKey::Replace);
    let id = PlannedValue::Now(ID.to_owned());
    steps[0].image = Some(StepImage { name: "reg:5000/app:v2".to_owned(), id });
    steps
}

/// An `up` that pulls an image, replaces two containers and creates others, and what follows.
fn preview() -> Preview {
    let counted =
        |step: PlanStep| PlanStep { counts: Some(SummaryKey::Action(step.label.action)), ..step };
    let web = "web:1".to_owned();
    let mut steps = vec![
        counted(step(1, Some("web"), ActionKind::Pull, Object::image("web:1"))),
        counted(step(2, None, ActionKind::Create, Object::network("shop_default"))),
    ];
    steps.extend(replacement(3, 1));
    steps.extend(replacement(9, 2));
    steps.push(PlanStep {
        image: Some(StepImage { name: web.clone(), id: PlannedValue::Until(1) }),
        ..counted(step(15, Some("web"), ActionKind::Create, Object::container("shop-web-1")))
    });
    steps.push(step(16, Some("web"), ActionKind::Start, Object::container("shop-web-1")));
    steps.push(PlanStep {
        cause: Cause::ImageChanged(None),
        only_if: Some(ImageCondition { image: web, known_after: 1, changed: true }),
        ..counted(step(17, Some("cron"), ActionKind::Restart, Object::container("shop-cron-1")))
    });
    let at = |line| Some(RunbookLine { file: "scripts/up.rhai".to_owned(), line });
    let command =
        Object::new(crate::model::step::ObjectKind::Command, "git tag (unknown until step 1)");
    let run = PlanStep {
        cause: Cause::AskedForInLine(13),
        ..counted(step(18, None, ActionKind::Run, command))
    };
    let look = PlanStep { changes: false, ..run.clone() };
    let verb = Some("up".to_owned());
    Preview {
        items: vec![
            PreviewItem::Call(Call { at: at(12), verb, project: Some("shop".to_owned()), steps }),
            PreviewItem::Call(Call { at: at(13), verb: None, project: None, steps: vec![run] }),
            PreviewItem::Assumption(Assumption {
                number: 1,
                at: at(13),
                answer_of: "the command \"git tag\"".to_owned(),
                step: Some(18),
                assumed: "exit code 0, no output".to_owned(),
            }),
            PreviewItem::Call(Call { at: at(14), verb: None, project: None, steps: vec![look] }),
        ],
        summary: [(SummaryKey::Replace, 2)].into(),
        notes: vec![
            "shop-old-1 belongs to no described service; --remove-orphans removes it".to_owned(),
        ],
        ..Preview::default()
    }
}

fn shown(preview: &Preview, detail: Detail, width: Option<usize>) -> String {
    anstream::adapter::strip_str(&text(preview, detail, width)).to_string()
}

#[test]
fn each_service_and_object_that_changes_has_one_line() {
    assert_eq!(
        shown(&preview(), Detail::Changes, None),
        "\
scripts/up.rhai:12  up shop
  + image web:1           pull     missing
  + network shop_default  create   missing
  ~ backend ×2            replace  image dev → v2 (id 0123456789ab), environment RELEASE  stop-first
  + web                   create   missing; its image is unknown until it is pulled
    cron                  restart  only if the image web:1 changes
scripts/up.rhai:13
    run command git tag (unknown)
scripts/up.rhai:13: the steps below depend on the command \"git tag\"; assumed: exit code 0, no output
note: shop-old-1 belongs to no described service; --remove-orphans removes it
2 to replace"
    );
}

#[test]
fn the_rest_of_a_killed_replacement_is_no_removal() {
    let rest = |first: usize, number: usize| {
        let steps = replacement(first, number).into_iter().skip(4);
        steps.map(|step| PlanStep { cause: Cause::Interrupted, counts: None, ..step })
    };
    // Beside another container of the service that is replaced as a whole.
    let steps = rest(1, 1).chain(replacement(5, 2)).collect();
    let verb = Some("up".to_owned());
    let call = Call { at: None, verb, project: Some("shop".to_owned()), steps };
    let preview = Preview {
        items: vec![PreviewItem::Call(call)],
        summary: [(SummaryKey::Replace, 1)].into(),
        ..Preview::default()
    };
    assert_eq!(
        shown(&preview, Detail::Changes, None),
        "\
the runbook  up shop
  ~ backend  finish the replacement  left by an interrupted run
  ~ backend  replace                 image dev → v2 (id 0123456789ab), environment RELEASE  stop-first
1 to replace"
    );
}

#[test]
fn a_long_line_is_wrapped_at_the_width_of_the_terminal() {
    assert_eq!(
        shown(&preview(), Detail::Changes, Some(70)),
        "\
scripts/up.rhai:12  up shop
  + image web:1           pull     missing
  + network shop_default  create   missing
  ~ backend ×2            replace  image dev → v2 (id 0123456789ab),
                                   environment RELEASE  stop-first
  + web                   create   missing; its image is unknown until
                                   it is pulled
    cron                  restart  only if the image web:1 changes
scripts/up.rhai:13
    run command git tag (unknown)
scripts/up.rhai:13: the steps below depend on the command \"git tag\";
    assumed: exit code 0, no output
note: shop-old-1 belongs to no described service; --remove-orphans
    removes it
2 to replace"
    );
}

#[test]
fn no_line_of_either_form_is_wider_than_the_terminal() {
    use unicode_width::UnicodeWidthStr;
    for detail in [Detail::Changes, Detail::AllSteps] {
        for width in 40..120 {
            let text = shown(&preview(), detail, Some(width));
            let widest = text.lines().map(UnicodeWidthStr::width).max().unwrap();
            assert!(widest <= width, "{detail:?} at {width}:\n{text}");
        }
    }
}

#[test]
fn all_steps_have_their_numbers() {
    let text = shown(&preview(), Detail::AllSteps, None);
    for line in [
        "scripts/up.rhai:12  up shop",
        "   6  wait until ready container backend-1.new    image, environment RELEASE changed (reg:5000/app:dev → reg:5000/app:v2)",
        "  15  create container shop-web-1                 missing; its image is unknown until step 1",
        "  18  run command git tag (unknown until step 1)  requested in line 13",
    ] {
        assert!(text.lines().any(|it| it == line), "{line}\n{text}");
    }
}

#[test]
fn a_start_before_the_stop_of_the_old_container_is_start_first() {
    let mut preview = preview();
    for item in &mut preview.items {
        let PreviewItem::Call(call) = item else { continue };
        for step in &mut call.steps {
            let (stop, start) = ([4, 10], [5, 11]);
            let number = step.number();
            step.label.step = Some(if stop.contains(&number) {
                number + 1
            } else if start.contains(&number) {
                number - 1
            } else {
                number
            });
        }
    }
    let text = shown(&preview, Detail::Changes, None);
    assert!(text.contains("environment RELEASE  start-first\n"), "{text}");
}

#[test]
fn a_plan_that_only_waits_shows_its_waits() {
    let wait = step(1, Some("db"), ActionKind::WaitUntilReady, Object::container("shop-db-1"));
    let wait = PlanStep { cause: Cause::Unhealthy, ..wait };
    let call = Call {
        at: Some(RunbookLine { file: "up.rhai".to_owned(), line: 1 }),
        verb: Some("up".to_owned()),
        project: Some("shop".to_owned()),
        steps: vec![wait],
    };
    let preview = Preview { items: vec![PreviewItem::Call(call)], ..Preview::default() };
    assert_eq!(
        shown(&preview, Detail::Changes, None),
        "up.rhai:1  up shop\n    db  wait until ready  unhealthy\nnothing to change, 1 wait"
    );
}

#[test]
fn the_rest_of_an_interrupted_replacement_is_a_line_of_its_own() {
    let mut preview = preview();
    let PreviewItem::Call(call) = &mut preview.items[0] else { panic!() };
    call.steps = vec![
        step(1, Some("web"), ActionKind::DeliverSecrets, Object::container("shop-web-1")),
        step(2, Some("web"), ActionKind::Start, Object::container("shop-web-1")),
    ];
    preview.items.truncate(1);
    let text = shown(&preview, Detail::Changes, None);
    assert!(text.contains("\n  ~ web  deliver secrets, start  missing\n"), "{text}");
}

#[test]
fn actions_of_one_line_on_one_object_are_joined_and_commands_are_not() {
    let object = Object::container("tool");
    let command = || Object::new(crate::model::step::ObjectKind::Command, "date");
    let mut preview = preview();
    let PreviewItem::Call(call) = &mut preview.items[1] else { panic!() };
    call.steps = vec![
        step(1, None, ActionKind::Start, object.clone()),
        step(2, None, ActionKind::Run, command()),
        step(3, None, ActionKind::Remove, object),
        step(4, None, ActionKind::Run, command()),
    ];
    let text = shown(&preview, Detail::Changes, None);
    let expected = "\n  - start, remove container tool  missing\n    run command date  missing\n    run command date  missing\n";
    assert!(text.contains(expected), "{text}");
}

/// An `up` with these steps.
fn up_of(steps: Vec<PlanStep>) -> Preview {
    let verb = Some("up".to_owned());
    let call = Call { at: None, verb, project: Some("shop".to_owned()), steps };
    Preview { items: vec![PreviewItem::Call(call)], ..Preview::default() }
}

#[test]
fn changes_that_nothing_counts_are_counted_in_the_form_that_is_shown() {
    let steps = replacement(1, 1).into_iter().skip(4);
    let rest = steps.map(|step| PlanStep { cause: Cause::Interrupted, counts: None, ..step });
    let preview = up_of(rest.collect());
    let last = |detail| shown(&preview, detail, None).lines().last().unwrap().to_owned();
    assert_eq!(last(Detail::Changes), "1 change");
    assert_eq!(last(Detail::AllSteps), "2 steps");
}

#[test]
fn each_of_several_replacements_in_a_group_has_its_own_order() {
    // The old container of the first one does not run.
    let first = replacement(1, 1).into_iter().filter(|step| step.label.action != ActionKind::Stop);
    let steps = first.chain(replacement(7, 2));
    let preview = up_of(steps.map(|step| PlanStep { group: Some(1), ..step }).collect());
    let text = shown(&preview, Detail::Changes, None);
    let orders: Vec<bool> = text
        .lines()
        .filter(|line| line.contains("backend"))
        .map(|line| line.ends_with("stop-first"))
        .collect();
    assert_eq!(orders, [false, true], "{text}");
}

#[test]
fn many_commands_of_one_line_of_the_runbook_are_one_line() {
    let at = Some(RunbookLine { file: "deploy.rhai".to_owned(), line: 5 });
    let command = |number: usize| {
        let object = Object {
            relation: "in container shop-nginx-1".to_owned(),
            ..Object::new(crate::model::step::ObjectKind::Command, "nginx -t")
        };
        PreviewItem::Call(Call {
            at: at.clone(),
            verb: None,
            project: None,
            steps: vec![step(number, None, ActionKind::Run, object)],
        })
    };
    let answer = |assumed: &str| {
        PreviewItem::Assumption(Assumption {
            number: 1,
            at: at.clone(),
            answer_of: "the command \"nginx -t\"".to_owned(),
            step: None,
            assumed: assumed.to_owned(),
        })
    };
    let shown = |items: Vec<PreviewItem>| {
        text(&Preview { items, ..Preview::default() }, Detail::Changes, None)
    };
    let own = "exit code 0, no output (from `assume`)";
    let folded = shown(vec![command(1), answer(own), command(2), command(3), command(4)]);
    let folded = anstream::adapter::strip_str(&folded).to_string();
    assert!(
        folded.starts_with("deploy.rhai:5\n    run 4 commands in container shop-nginx-1  (--all-steps lists them)\n"),
        "{folded}"
    );
    let three = shown(vec![command(1), answer(own), command(2), command(3)]);
    assert!(three.contains("nginx -t") && !three.contains("--all-steps"), "{three}");
    let unknown = shown(vec![
        command(1),
        command(2),
        answer("exit code 0, no output"),
        command(3),
        command(4),
    ]);
    assert!(unknown.contains("the steps below depend on"), "{unknown}");
}
