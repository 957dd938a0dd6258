//! A plan never shows values that its simulated engine made up, such as ids and volume names. They
//! don't exist on the real engine.

use super::{PlanOutcome, planned, text, try_plan_saying, world};
use crate::machine::World;
use std::sync::Arc;

/// Whether a text has something that looks like an id, also a short one.
fn has_id(text: &str) -> bool {
    text.split(|c: char| !c.is_ascii_hexdigit()).any(|word| {
        word.len() >= 12
            && word.chars().any(|c| c.is_ascii_digit())
            && word.chars().any(char::is_alphabetic)
    })
}

const STACK: &str = "let shop = stack(\"shop\", #{ services: #{ web: #{ image: \"web:1\", volumes: [\"/anonymous\"] } } });\n";

fn machine(code: &str) -> World {
    world(&[("go.rhai", &format!("{STACK}{code}"))])
}

#[test]
fn steps_notes_and_assumptions_show_no_id_that_the_plan_made_up() {
    for (code, expected) in [
        ("network(\"extra\").create(); network(\"extra\").remove();", "remove network shop_extra"),
        (
            "let n = network(\"extra\"); n.create(); sh([\"git\", n.inspect().Id]);",
            "git (unknown until step 1)",
        ),
        ("shop.up(); network(\"shop_default\").remove();", ""),
        ("shop.up(); shop.down();", "remove container shop-web-1"),
        ("shop.up(); shop.down((), #{ volumes: true });", ""),
        ("shop.up(); let c = shop.ps()[0]; sh([\"git\", c.id]);", "git (unknown until step"),
        (
            "shop.up(); let c = shop.ps()[0]; sh([\"git\", c.id.sub_string(0, 12)]);",
            "git (unknown until step",
        ),
        ("shop.up(); container(shop.ps()[0].id).stop();", "stop container shop-web-1"),
        ("shop.up(); container(shop.ps()[0].id).exec([\"true\"]).stdout;", ""),
        (
            "shop.up(); let c = container(\"shop-web-1\").inspect(); sh([\"git\", c.Mounts[0].Name]);",
            "git (unknown until step",
        ),
        (
            "let i = image(\"web:1\"); i.pull(); sh([\"git\", i.inspect().Id]);",
            "git (unknown until step 1)",
        ),
    ] {
        let preview = planned_or_failed(&machine(code));
        assert!(!has_id(&preview.0), "{code}: {}", preview.0);
        assert!(!has_id(&preview.1), "{code}: {}", preview.1);
        assert!(preview.0.contains(expected), "{code}: {}", preview.0);
    }
}

#[test]
fn an_id_is_known_after_the_step_that_creates_the_object_with_this_id() {
    let code = "let n = network(\"extra\"); n.create(); let first = n.inspect().Id; n.remove(); n.create(); sh([\"git\", first, n.inspect().Id]);";
    let said = text(&planned(&machine(code), "go.rhai"));
    assert!(said.contains("git (unknown until step 1) (unknown until step 3)"), "{said}");
}

#[test]
fn an_error_of_a_plan_shows_no_id_that_the_plan_made_up() {
    let code = "let n = network(\"extra\"); n.create(); throw `no ${n.inspect().Id} there`;";
    let (_, said) = planned_or_failed(&machine(code));
    assert!(said.contains("no (unknown until step 1) there"), "{said}");
}

/// The plan as text and as data, with the error at its end.
fn planned_or_failed(world: &World) -> (String, String) {
    match try_plan_saying(world, "go.rhai", Arc::new(|_| {})) {
        Ok(PlanOutcome::Preview(preview)) => (text(&preview), format!("{preview:?}")),
        Ok(PlanOutcome::Failed(preview, diagnostic)) => (
            text(&preview),
            format!(
                "{preview:?} {} {:?} {:?}",
                diagnostic.message, diagnostic.hint, diagnostic.fields
            ),
        ),
        Ok(PlanOutcome::Help(help)) => panic!("{help:?}"),
        Err(diagnostic) => panic!("{diagnostic:?}"),
    }
}

#[test]
fn only_the_projects_own_records_are_left_out_of_a_plan() {
    let code = "fs::mkdir(\"sub/.spc\"); fs::write(\"sub/.spc/runs\", \"x\"); fs::write(\"sub/.spc/shop/state.json\", \"x\"); fs::rename(\"sub/.spc/runs\", \"sub/.spc/options.json\"); shop.up();";
    let said = text(&planned(&machine(code), "go.rhai"));
    for shown in ["sub/.spc/runs", "sub/.spc/shop/state.json", "sub/.spc/options.json"] {
        assert!(said.contains(shown), "{shown}: {said}");
    }
    assert!(!said.contains(" .spc"), "{said}");
}
