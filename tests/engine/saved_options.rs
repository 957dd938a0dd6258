//! Saved options: a run without options keeps a project in production.

use super::images::busybox;
use super::project::Project;
use super::spc::SpcOutput;

const OPTIONS: &str = r#"args(#{
    target: arg::one_of(["development", "production"], env("BUILD_TARGET", "development"), "Image stage").kept("BUILD_TARGET"),
    profile: arg::list(env("COMPOSE_PROFILES", []), "Profiles").kept("COMPOSE_PROFILES"),
})"#;

fn project(name: &str) -> Project {
    let project = Project::new(name);
    project.file(
        "up.rhai",
        &format!(
            r#"let o = {OPTIONS};
let web = #{{ image: "{}", command: ["sleep", "1000"], stop_grace_period: "0s", labels: #{{ target: o.target }} }};
let names = stack(#{{ profiles: o.profile, networks: #{{ "default": #{{ ipam: #{{ config: [#{{ subnet: "{}" }}] }} }} }}, services: #{{ web: web, edge: web + #{{ profiles: ["production"] }} }} }}).up().services.map(|it| it.service);
print(`${{o.target}} ${{names.join(" ")}}`);
"#,
            busybox(),
            project.subnet(),
        ),
    );
    project
}

fn up(project: &Project, words: &[&str], target_variable: Option<&str>) -> SpcOutput {
    let run = project.spc(&["run", "up.rhai"]).args(words);
    match target_variable {
        Some(value) => run.env("BUILD_TARGET", value),
        None => run,
    }
    .ends(0)
}

#[test]
fn saved_options_are_the_defaults_of_the_next_run() {
    let project = project("kept");
    up(&project, &[], None).printed(&["development web"]).does_not_print(&["as in the last run"]);
    up(&project, &["--profile", "production"], Some("production"))
        .printed(&["production edge web"]);
    up(&project, &[], None).printed(&["production edge web"]).prints(&[
        "--target is \"production\", as in the last run; pass --target to change it",
        "--profile is \"production\", as in the last run; pass --profile to change it",
        "unchanged",
    ]);
    up(&project, &[], Some("development")).printed(&["development edge web"]);
    up(&project, &[], None).printed(&["development edge web"]);
    up(&project, &["--target=production", "--profile="], None).printed(&["production web"]);
    up(&project, &[], None).printed(&["production web"]);
}

#[test]
fn a_changed_env_line_overrides_a_saved_option() {
    let project = project("kept-env");
    project.file(".env", "BUILD_TARGET=development\n");
    up(&project, &["--target", "production"], None).printed(&["production web"]);
    up(&project, &[], None).printed(&["production web"]);
    project.file(".env", "BUILD_TARGET=production\n");
    up(&project, &[], None).printed(&["production web"]);
    project.file(".env", "BUILD_TARGET=development\n");
    up(&project, &[], None).printed(&["development web"]);
}

#[test]
fn a_runbook_without_up_saves_no_options() {
    let project = project("kept-not");
    project.file("look.rhai", &format!("print({OPTIONS}.target);"));
    project.spc(&["run", "look.rhai", "--target", "production"]).ends(0).printed(&["production"]);
    up(&project, &[], None).printed(&["development web"]);
}

#[test]
fn a_saved_option_that_is_no_longer_a_choice_is_ignored() {
    let project = project("kept-gone");
    up(&project, &["--target", "production"], None).printed(&["production web"]);
    project.edit("up.rhai", r#"["development", "production"]"#, r#"["development", "staging"]"#);
    up(&project, &[], None).printed(&["development web"]);
}

#[test]
fn a_runbook_with_a_fixed_option_saves_it_for_the_next_run() {
    let project = project("keeps");
    up(&project, &["--target=development"], None).printed(&["development web"]);
    let text = std::fs::read_to_string(project.path("up.rhai")).unwrap();
    let only = text.replace(
        r#"["development", "production"], env("BUILD_TARGET", "development")"#,
        r#"["production"], "production""#,
    );
    project.file(
        "production.rhai",
        &only.replace(r#".kept("BUILD_TARGET")"#, r#".keeps("BUILD_TARGET")"#),
    );
    project
        .spc(&["run", "production.rhai"])
        .env("BUILD_TARGET", "development")
        .ends(0)
        .printed(&["production web"]);
    up(&project, &[], None).printed(&["production web"]);
}

#[test]
fn a_failed_up_saves_no_options() {
    let project = project("kept-failed");
    up(&project, &["--target", "production"], None).printed(&["production web"]);
    let text = std::fs::read_to_string(project.path("up.rhai")).unwrap();
    project.edit("up.rhai", busybox(), "spct-none/such:1");
    project
        .spc(&["run", "up.rhai", "--target", "development"])
        .ends(1)
        .prints(&["spct-none/such:1"]);
    project.file("up.rhai", &text);
    up(&project, &[], None).printed(&["production web"]).prints(&["unchanged"]);
}

#[test]
fn unreadable_saved_options_are_an_error() {
    let project = project("kept-broken");
    up(&project, &["--target", "production"], None).printed(&["production web"]);
    project.file(".spc/options.json", "{bad");
    project.spc(&["run", "up.rhai"]).ends(1).prints(&[
        "Could not read the saved options",
        "options.json",
        "its content was not written by spc",
        "--target",
    ]);
    assert_eq!(std::fs::read_to_string(project.path(".spc/options.json")).unwrap(), "{bad");
}
