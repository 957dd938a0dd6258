//! Containers of a service that now names another image.

use similar_asserts::assert_eq;

use super::{planned, planned_and_run, stack, text, up, world};
use crate::engine::sim::ImageSpec;

#[test]
fn a_container_of_another_image_name_is_replaced_whatever_a_pull_brings() {
    let web = |image: &str| format!(r#"web: #{{ image: "{image}" }}"#);
    let pulling = stack(&web("web:2")) + "shop.pull();\nshop.up();\n";
    let world = world(&[("up.rhai", &up(&web("web:1"))), ("pull.rhai", &pulling)]);
    planned_and_run(&world, "up.rhai");
    // From now on the engine shows the container's image by its id: the cause names no image.
    world.engine.have_image("web:1", &ImageSpec::command(&["other"])).unwrap();
    let preview = planned(&world, "pull.rhai");
    let said = text(&preview);
    assert!(said.contains("image changed; its image is unknown until step 1\n"), "{said}");
    assert_eq!(preview.steps().filter(|step| step.only_if.is_some()).count(), 0, "{said}");
    assert!(said.ends_with("1 to pull, 1 to replace"), "{said}");
    planned_and_run(&world, "pull.rhai");
}
