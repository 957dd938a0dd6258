//! Looks at the engine with the `docker` command, so that checks don't depend on spc.

use std::collections::BTreeMap;
use std::process::Command;

use serde_json::Value;

/// The labels that name a project. All objects have the first label, except for the lock, which has
/// only the second.
const PROJECT_LABELS: [&str; 2] = ["com.docker.compose.project", "dev.spc.project"];

/// Runs `docker`. Returns its output or its error message.
pub fn try_docker(words: &[&str]) -> Result<String, String> {
    let output = Command::new("docker").args(words).output().unwrap_or_else(|error| {
        panic!("these tests look at the engine with Docker's own client, `docker`: {error}")
    });
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

/// Runs `docker`. Returns its output.
#[track_caller]
pub fn docker(words: &[&str]) -> String {
    try_docker(words).unwrap_or_else(|error| panic!("docker {}: {error}", words.join(" ")))
}

/// The output of `docker inspect` for one object.
#[track_caller]
pub fn inspect(name: &str) -> Value {
    let mut found: Vec<Value> = serde_json::from_str(&docker(&["inspect", name])).unwrap();
    found.swap_remove(0)
}

/// Whether such an object exists: `kind` is `container`, `network`, `volume` or `image`.
pub fn is_there(kind: &str, name: &str) -> bool {
    try_docker(&[kind, "inspect", name]).is_ok()
}

/// Runs a command in a container. Returns its output.
#[track_caller]
pub fn exec(container: &str, words: &[&str]) -> String {
    docker(&[&["exec", container], words].concat())
}

fn lines(words: &[&str]) -> Vec<String> {
    docker(words).lines().map(str::to_owned).collect()
}

/// The existing objects of a project: `container spct-a-db-1`, `network spct-a_default`, `volume
/// spct-a_data`.
pub fn objects(project: &str) -> Vec<String> {
    let mut found = Vec::new();
    for label in PROJECT_LABELS {
        let filter = format!("label={label}={project}");
        let lists = [
            ("container", lines(&["ps", "--all", "--filter", &filter, "--format", "{{.Names}}"])),
            ("network", lines(&["network", "ls", "--filter", &filter, "--format", "{{.Name}}"])),
            ("volume", lines(&["volume", "ls", "--filter", &filter, "--format", "{{.Name}}"])),
        ];
        found.extend(
            lists.into_iter().flat_map(|(kind, names)| {
                names.into_iter().map(move |name| format!("{kind} {name}"))
            }),
        );
    }
    found.sort();
    found.dedup();
    found
}

/// Removes all objects of a project.
pub fn remove_project(project: &str) {
    let objects = objects(project);
    // Containers first, because they use networks and volumes.
    for kind in ["container", "network", "volume"] {
        for name in objects.iter().filter_map(|object| object.strip_prefix(&format!("{kind} "))) {
            let words: &[&str] = match kind {
                "container" => &["rm", "--force", "--volumes", name],
                "network" => &["network", "rm", name],
                _ => &["volume", "rm", "--force", name],
            };
            if let Err(error) = try_docker(words) {
                assert!(
                    !is_there(kind, name),
                    "what an earlier run left can't be removed: {error}"
                );
            }
        }
    }
    // The names that keep the images of its releases.
    let kept = format!("spc-releases:{project}-");
    let names = lines(&["image", "ls", "--format", "{{.Repository}}:{{.Tag}}", "spc-releases"]);
    for name in names.iter().filter(|name| name.starts_with(&kept)) {
        // Another project's name may begin with this one.
        let _ = try_docker(&["image", "rm", name]);
    }
}

/// The containers of a project without the lock: name → id.
pub fn containers(project: &str) -> BTreeMap<String, String> {
    let filter = format!("label={}={project}", PROJECT_LABELS[0]);
    lines(&["ps", "--all", "--no-trunc", "--filter", &filter, "--format", "{{.Names}} {{.ID}}"])
        .iter()
        .filter_map(|line| line.split_once(' '))
        .map(|(name, id)| (name.to_owned(), id.to_owned()))
        .collect()
}
