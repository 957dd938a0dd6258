//! The `spc.toml` of the reference stack grants no additional permissions.

#[test]
fn the_reference_runbooks_need_no_additional_permission() {
    let settings =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/spc.toml")).unwrap();
    let lines: Vec<&str> =
        settings.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    assert_eq!(lines, ["spc = \"0.1\"", "project_directory = \"examples/spc\""]);
}
