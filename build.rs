//! Embeds all files of `stdlib/` as a table of names and texts, so that no new file can be
//! forgotten.
#![expect(
    clippy::disallowed_methods,
    reason = "runs before the ports exist, on the machine that builds"
)]

use std::fmt::Write;
use std::path::Path;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let root = std::env::var("CARGO_MANIFEST_DIR")?;
    let mut table = String::from("[");
    let folder = Path::new(&root).join("stdlib");
    let mut files: Vec<String> = Vec::new();
    if folder.is_dir() {
        for entry in std::fs::read_dir(&folder)? {
            let name = entry?
                .file_name()
                .into_string()
                .map_err(|name| format!("stdlib/{} is not UTF-8", name.display()))?;
            // The tests of a module are in the same folder, but they are no module.
            files.extend(
                name.strip_suffix(".rhai")
                    .filter(|name| !name.ends_with("_test"))
                    .map(str::to_owned),
            );
        }
    }
    files.sort_unstable();
    for name in files {
        write!(
            table,
            "({name:?}, include_str!(concat!(env!(\"CARGO_MANIFEST_DIR\"), \"/stdlib/{name}.rhai\"))),"
        )?;
    }
    table.push(']');
    std::fs::write(Path::new(&std::env::var("OUT_DIR")?).join("stdlib.rs"), table)?;
    println!("cargo::rerun-if-changed=stdlib");
    Ok(())
}
