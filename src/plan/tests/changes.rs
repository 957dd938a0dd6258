//! What people read of a plan: one line for each service or object that changes.

use similar_asserts::assert_eq;

use super::{Detail, WEB, changed, planned, planned_and_run, shown, stack, try_plan, up, world};
use crate::engine::sim::{ImageSpec, Process};
use crate::machine::World;

fn changes(world: &World, file: &str) -> String {
    shown(&planned(world, file), Detail::Changes)
}

/// A machine on which `first` is up, with these other runbooks.
fn running(first: &str, files: &[(&str, &str)]) -> World {
    let first = world(&[("first.rhai", first)]);
    planned_and_run(&first, "first.rhai");
    changed(&first, files, "red")
}

#[test]
fn a_first_up_creates_each_object_and_service_and_down_removes_them() {
    let down = stack(WEB) + "shop.down(#{ volumes: true });\n";
    let files = [("up.rhai", &*up(WEB)), ("down.rhai", &down)];
    assert_eq!(
        changes(&world(&files), "up.rhai"),
        "\
up.rhai:3  up shop
  + image web:1           pull    missing
  + network shop_default  create  missing
  + volume shop_data      create  missing
  + web                   create  missing; its image is unknown until it is pulled
1 to pull, 3 to create"
    );
    assert_eq!(
        changes(&running(&up(WEB), &files), "down.rhai"),
        "\
down.rhai:3  down shop
  - web                   remove
  - network shop_default  remove
  - volume shop_data      remove
3 to remove"
    );
}

#[test]
fn the_containers_of_a_service_share_a_line_with_the_cause_and_the_order() {
    let service = |image: &str, release: u8, order: &str| {
        format!(
            r#"web: #{{ image: "{image}", scale: 2, environment: #{{ RELEASE: {release} }}, deploy: #{{ update_config: #{{ order: "{order}" }} }} }}"#
        )
    };
    for order in ["stop-first", "start-first"] {
        let after = up(&service("reg.example/web:v2", 2, order));
        let world = running(&up(&service("reg.example/web:dev", 1, order)), &[("up.rhai", &after)]);
        world.engine.have_image("reg.example/web:v2", &ImageSpec::command(&["serve"])).unwrap();
        let said = changes(&world, "up.rhai");
        let id = said.split_once("(id ").and_then(|(_, rest)| rest.split_once(')')).unwrap().0;
        assert_eq!(id.len(), 12, "{said}");
        assert_eq!(
            said,
            format!(
                "up.rhai:3  up shop\n  ~ web ×2  replace  image dev → v2 (id {id}), environment RELEASE  {order}\n2 to replace"
            )
        );
    }
}

#[test]
fn what_depends_on_a_pull_says_so_without_numbers() {
    let pulling =
        stack(WEB) + "shop.pull();\nshop.up();\nsh([\"git\", image(\"web:1\").inspect().Id]);\n";
    assert_eq!(
        changes(&running(&up(WEB), &[("pull.rhai", &pulling)]), "pull.rhai"),
        "\
pull.rhai:3
  + pull image web:1
pull.rhai:4  up shop
  ~ web  replace  only if the image web:1 changes  stop-first
pull.rhai:5
    run command git (unknown)
1 to pull, 1 to replace, 1 to run; some depend on an image that is not known yet"
    );
}

#[test]
fn orphans_scale_and_restarts_have_their_own_lines() {
    let worker = r#"worker: #{ image: "worker:1" }"#;
    let first = up(&format!("{worker}, old: #{{ image: \"old:1\" }}"));
    let code = stack(worker)
        + "shop.up((), #{ remove_orphans: true });\nlet worker = shop.service(\"worker\");\nworker.scale(3);\nworker.restart();\n";
    assert_eq!(
        changes(&running(&first, &[("all.rhai", &code)]), "all.rhai"),
        "\
all.rhai:3  up shop
  - container shop-old-1  remove   no longer described
all.rhai:5  up shop
  + worker ×2             create   missing
all.rhai:6  restart shop
    worker ×3             restart
2 to create, 3 to restart, 1 to remove"
    );
}

#[test]
fn primitives_have_a_line_for_each_command_and_object() {
    let web = r#"web: #{ image: "web:1" }"#;
    let code = stack(web)
        + "\
let web = shop.service(\"web\").containers()[0];
run(\"tool:1\", [\"version\"]);
web.exec([\"date\"]); web.exec([\"date\"]); web.stop(); web.start(); network(\"extra\").create();
http::post(\"http://localhost/\", #{});
";
    let said = changes(&running(&up(web), &[("go.rhai", &code)]), "go.rhai");
    let one_off = said.split_once("container shop-run-run-").unwrap().1.split_once(' ').unwrap().0;
    assert_eq!(
        said.replace(one_off, "1"),
        "\
go.rhai:4
  + pull image tool:1
  + create, start, remove container shop-run-run-1  its image is unknown until it is pulled
go.rhai:5
    run command date in container shop-web-1
    run command date in container shop-web-1
    stop, start container shop-web-1
  + create network shop_extra
go.rhai:6
    request POST http://localhost/
1 to pull, 2 to create, 2 to start, 1 to stop, 1 to remove, 2 to run, 1 to request"
    );
}

#[test]
fn a_wait_is_shown_only_in_a_plan_of_waits() {
    let check =
        r#"healthcheck: #{ test: ["CMD", "check"], interval: "1s", retries: 2, timeout: "1s" }"#;
    let db = format!(r#"db: #{{ image: "db:1", {check} }}"#);
    let first = world(&[("up.rhai", &up(&db))]);
    first.engine.set_process("db", Process::new().ready_after(std::time::Duration::from_hours(9)));
    assert!(
        first
            .run_until(
                std::path::Path::new("/project/up.rhai"),
                &[],
                Some(std::time::Duration::from_secs(20))
            )
            .code()
            != 0
    );
    let said = shown(&try_plan(&first, "up.rhai").unwrap(), Detail::Changes);
    assert_eq!(
        said,
        "up.rhai:3  up shop\n    db  wait until ready  unhealthy\nnothing to change, 1 wait"
    );
}
