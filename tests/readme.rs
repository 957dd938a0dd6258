//! What the README shows works.

use std::process::Command;

/// The blocks of `language` in a Markdown text.
fn blocks(text: &str, language: &str) -> Vec<String> {
    let opening = format!("```{language}\n");
    text.split(&opening)
        .skip(1)
        .filter_map(|rest| rest.split("```").next())
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_runbook_of_the_readme_compiles_and_shows_its_help() {
    let readme = include_str!("../README.md");
    let runbooks: Vec<String> =
        blocks(readme, "rhai").into_iter().filter(|block| !block.contains("fn test_")).collect();
    assert!(!runbooks.is_empty());
    for runbook in runbooks {
        let has_options = runbook.contains("args(");
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("cache.rhai"), &runbook).unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_spc"))
            .args(["run", "cache.rhai", "--help"])
            .current_dir(folder.path())
            .output()
            .unwrap();
        let stdout = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(!has_options || stdout.contains("--port <NUMBER>"), "{stdout}");
    }
}

#[test]
fn every_test_of_the_readme_passes_beside_its_runbook() {
    let (tests, runbooks): (Vec<_>, Vec<_>) = blocks(include_str!("../README.md"), "rhai")
        .into_iter()
        .partition(|block| block.contains("fn test_"));
    assert!(!tests.is_empty());
    for test in tests {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("cache.rhai"), &runbooks[0]).unwrap();
        std::fs::write(folder.path().join("cache_test.rhai"), &test).unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_spc"))
            .arg("test")
            .current_dir(folder.path())
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }
}

#[test]
fn every_target_and_runbook_that_the_readme_names_is_there() {
    let readme = include_str!("../README.md");
    let makefile = include_str!("../Makefile");
    let words = || readme.split(|c: char| c.is_whitespace() || "`,.()".contains(c));
    for target in readme.split("`make ").skip(1).filter_map(|rest| rest.split('`').next()) {
        assert!(makefile.contains(&format!("\n{target}:")), "make {target}");
    }
    let scripts: Vec<&str> = words()
        .filter(|word| word.starts_with("scripts/") && word.len() > "scripts/".len())
        .collect();
    assert!(!scripts.is_empty());
    for script in scripts {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("{script}.rhai"));
        assert!(
            path.is_file() || path.with_extension("").with_extension("rhai").is_file(),
            "{script}"
        );
    }
}

#[test]
#[ignore = "slow: `make test` runs it"]
fn every_test_of_the_page_on_testing_passes_and_each_function_of_sim_stands_there() {
    let page = include_str!("../docs/testing.md");
    let mut blocks = blocks(page, "rhai").into_iter();
    let runbook = blocks.next().expect("the runbook comes first");
    for test in blocks {
        assert!(test.contains("fn test_"), "a block that nothing checks:\n{test}");
        let folder = tempfile::tempdir().unwrap();
        let write =
            |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        write("spc.toml", "spc = \"0.1\"\n[allow]\ncommands = [\"git describe\"]\n");
        write("shop.rhai", &runbook);
        write("shop_test.rhai", &test);
        let output = Command::new(env!("CARGO_BIN_EXE_spc"))
            .arg("test")
            .current_dir(folder.path())
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{test}{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }
    let (_, module) =
        include_str!("../src/testing/functions/sim.rs").split_once("#[export_module]").unwrap();
    let functions: Vec<&str> =
        module.split("    pub fn ").skip(1).filter_map(|rest| rest.split('(').next()).collect();
    assert!(functions.len() > 30);
    for function in functions {
        // Registered under the name of another one.
        let name = match function {
            "kill_at_side" => "kill_at",
            "one_fault" => "fault",
            name => name,
        };
        assert!(page.contains(&format!("sim::{name}(")), "sim::{name}");
    }
}
