//! The boundaries between modules, checked in the sources: which module may refer to which, and
//! where foreign crates and printing are allowed. [`cycles`] checks the inside of each module.
//!
//! Sources are parsed as tokens, once for all tests. So comments, documentation and texts don't
//! count, and macros hide nothing.

mod cycles;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// Each module of `src/` and the modules directly below it. It may also refer to those below them.
/// No other module is allowed.
const MODULES: &[(&str, &[&str])] = &[
    ("cli", &["repl", "testing", "plan"]),
    ("repl", &["check", "ui"]),
    ("testing", &["check", "machine"]),
    // Its tests make a plan for a machine, and run the same runbook there.
    ("plan", &["machine"]),
    ("machine", &["script", "ui", "journal"]),
    ("check", &["script"]),
    ("script", &["api"]),
    // `compose`: the variables in a service's `env_file`.
    ("api", &["value", "apply", "compose"]),
    ("value", &["engine"]),
    ("apply", &["engine"]),
    // On the same level as `ui`, because it stores the same events.
    ("journal", &["host"]),
    ("ui", &["model"]),
    ("engine", &["host"]),
    ("host", &["policy"]),
    ("policy", &["model"]),
    ("compose", &["model"]),
    ("model", &[]),
];

/// Paths that are allowed only in some files: the start of the path, the files, and the reason. The
/// first match counts.
const OUTSIDE: &[(&[&str], &[&str], &str)] = &[
    (
        &["rhai"],
        &["script/", "api/", "value/", "repl/", "testing/", "check/"],
        "what is below knows nothing of scripts",
    ),
    (&["clap"], &["cli/"], "the command line is read in one place"),
    (&["rustyline"], &["repl/"], "only the prompt is a prompt"),
    // A trusted path is opened without a check. `Policy::read_path` and `write_path` check paths of
    // scripts, and `own_path` checks paths of spc's own files.
    (
        &["CheckedPath", "trusted"],
        &[
            "policy/",
            "host/",
            "script/project_context.rs",
            "script/run.rs",
            "check/sources.rs",
            "check/files.rs",
            "testing/",
            "plan/tests.rs",
            "api/harness.rs",
            "apply/tests/",
        ],
        "only a path that a person named is opened without asking the policy",
    ),
    (
        &["CheckedPath", "root_itself"],
        &[
            "policy/",
            "host/",
            "api/unused_variables.rs",
            "cli/repl.rs",
            "journal/tests.rs",
            "testing/",
            "plan/tests.rs",
            "plan/tests/secrets.rs",
            "apply/tests/",
        ],
        "only the project's own folders are roots",
    ),
    (
        &["CheckedPath", "below"],
        &["policy/", "host/", "script/resolver.rs", "check/"],
        "only the folders that scripts are imported from are roots beside the policy's",
    ),
    (
        &["rustix", "fs"],
        &["host/", "apply/context/tests.rs", "apply/tests/record_files.rs"],
        "files are the host port's",
    ),
    // Tests of `apply` change the simulated engine through the `Engine` trait, like another client.
    (
        &["bollard", "models"],
        &[
            "engine/",
            "apply/observe.rs",
            "apply/observe/",
            "apply/create.rs",
            "apply/former_folders.rs",
            "apply/moved_project.rs",
            "apply/tests/",
        ],
        "observe, create and two more convert between Docker's models and ours",
    ),
    (&["bollard"], &["engine/docker/"], "the client has one home: the rest sees the port"),
    (
        &["std", "io", "stdout"],
        &["ui/", "host/real/"],
        "what is printed goes through the terminal, which masks it",
    ),
    (
        &["std", "io", "stderr"],
        &["ui/", "host/real/"],
        "what is printed goes through the terminal, which masks it",
    ),
    (
        &["io", "stdout"],
        &["ui/", "host/real/"],
        "what is printed goes through the terminal, which masks it",
    ),
    (
        &["io", "stderr"],
        &["ui/", "host/real/"],
        "what is printed goes through the terminal, which masks it",
    ),
];

/// Macros that print.
const PRINTING: [&str; 5] = ["print", "println", "eprint", "eprintln", "dbg"];

/// A path in a source, with its line: `crate::host::Host`, `super::Common`, a macro such as
/// `println!`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct PathUse {
    path: Vec<String>,
    line: usize,
    /// The surrounding modules inside the file.
    depth: usize,
}

impl PathUse {
    fn starts_with(&self, start: &[&str]) -> bool {
        self.path.iter().map(String::as_str).take(start.len()).eq(start.iter().copied())
    }
}

/// All sources of `src/`.
static SOURCES: LazyLock<Vec<ParsedSource>> =
    LazyLock::new(|| sources().iter().map(|(file, text)| ParsedSource::new(file, text)).collect());

/// A source, and the names in it.
struct ParsedSource {
    /// Its path in `src/`.
    file: String,
    /// All paths with at least two names, and all macros.
    named: Vec<PathUse>,
    names: cycles::Names,
}

impl ParsedSource {
    fn new(file: &str, text: &str) -> Self {
        let tokens: TokenStream = text.parse().expect("a source is made of tokens");
        let mut named = Vec::new();
        walk(tokens.clone(), &mut named, 0);
        Self { file: file.to_owned(), named, names: cycles::Names::new(tokens) }
    }
}

fn walk(tokens: TokenStream, found: &mut Vec<PathUse>, depth: usize) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let mut at = 0;
    while at < tokens.len() {
        match &tokens[at] {
            TokenTree::Group(group) => {
                let is_module = at >= 2
                    && is_word(&tokens[at - 2], "mod")
                    && group.delimiter() == Delimiter::Brace;
                walk(group.stream(), found, depth + usize::from(is_module));
                at += 1;
            }
            TokenTree::Ident(_) => at = path(&tokens, at, &[], found, depth),
            _ => at += 1,
        }
    }
}

/// Reads the path that begins at `at`, below `before`. Returns the position after it.
fn path(
    tokens: &[TokenTree],
    mut at: usize,
    before: &[String],
    found: &mut Vec<PathUse>,
    depth: usize,
) -> usize {
    let mut path = before.to_vec();
    let line = tokens[at].span().start().line;
    // `use bollard as docker` contains only the name of the crate.
    let is_used = before.is_empty() && at > 0 && is_word(&tokens[at - 1], "use");
    while let Some(TokenTree::Ident(name)) = tokens.get(at) {
        path.push(name.to_string().trim_start_matches("r#").to_owned());
        at += 1;
        if !(is_punct(tokens.get(at), ':') && is_punct(tokens.get(at + 1), ':')) {
            break;
        }
        at += 2;
        if let Some(TokenTree::Group(group)) = tokens.get(at)
            && group.delimiter() == Delimiter::Brace
        {
            let inside: Vec<TokenTree> = group.stream().into_iter().collect();
            for part in
                inside.split(|token| is_punct(Some(token), ',')).filter(|part| !part.is_empty())
            {
                self::path(part, 0, &path, found, depth);
            }
            return at + 1;
        }
    }
    let is_macro = path.len() == 1
        && is_punct(tokens.get(at), '!')
        && matches!(tokens.get(at + 1), Some(TokenTree::Group(_)));
    if is_macro {
        path[0].push('!');
    }
    if is_macro || is_used || path.len() > 1 {
        found.push(PathUse { path, line, depth });
    }
    at
}

fn is_word(token: &TokenTree, word: &str) -> bool {
    matches!(token, TokenTree::Ident(name) if name == word)
}

fn is_punct(token: Option<&TokenTree>, sign: char) -> bool {
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == sign)
}

/// The sources of `src/`, by their paths in it.
fn sources() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders = vec![root.clone()];
    let mut sources = Vec::new();
    while let Some(folder) = folders.pop() {
        for path in entries(&folder) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(&root).unwrap().display().to_string();
                sources.push((name, std::fs::read_to_string(&path).unwrap()));
            }
        }
    }
    sources.sort();
    sources
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
}

/// The module of a file; `None` for the files of `src/` itself.
fn module(file: &str) -> Option<&str> {
    file.split_once('/').map(|(module, _)| module)
}

/// All modules below one.
fn below(module: &str) -> BTreeSet<&'static str> {
    let right_below = |module: &str| {
        MODULES.iter().find(|(name, _)| *name == module).map_or(&[][..], |(_, next)| next)
    };
    let mut below: BTreeSet<&'static str> = BTreeSet::new();
    let mut modules: Vec<&'static str> = right_below(module).to_vec();
    while let Some(module) = modules.pop() {
        if below.insert(module) {
            modules.extend(right_below(module));
        }
    }
    below
}

/// The names in a file that point up, or out of `src/`.
fn pointing_up(source: &ParsedSource) -> Vec<String> {
    let file = &source.file;
    let Some(own) = module(file) else { return Vec::new() };
    let below = below(own);
    let wrong = |named: &PathUse| {
        let climbs = named.path.iter().take_while(|part| *part == "super").count();
        if climbs > 0 {
            return climbs > height(file) + named.depth;
        }
        named.path[0] == "crate" && named.path[1] != own && !below.contains(named.path[1].as_str())
    };
    let said = |named: &PathUse| {
        format!("{file}:{}: \"{own}\" may not name \"{}\"", named.line, named.path.join("::"))
    };
    source.named.iter().filter(|named| wrong(named)).map(said).collect()
}

/// The number of `super` in a path that stay inside the file's module.
fn height(file: &str) -> usize {
    let folders = file.split('/').count() - 1;
    if file.ends_with("/mod.rs") { folders - 1 } else { folders }
}

/// The names in a file that are allowed only in other files, and the rules of `OUTSIDE` that it
/// needs.
fn out_of_place(source: &ParsedSource) -> (Vec<String>, BTreeSet<(usize, usize)>) {
    let file = &source.file;
    let (mut wrong, mut needed) = (Vec::new(), BTreeSet::new());
    for named in &source.named {
        let Some((rule, (_, places, why))) =
            OUTSIDE.iter().enumerate().find(|(_, (start, _, _))| named.starts_with(start))
        else {
            if PRINTING.iter().any(|name| named.path == [format!("{name}!")])
                && module(file) != Some("ui")
            {
                wrong.push(format!(
                    "{file}:{}: \"{}\" prints past the terminal, which masks secrets",
                    named.line, named.path[0]
                ));
            }
            continue;
        };
        match places.iter().position(|place| file.starts_with(place)) {
            Some(place) => drop(needed.insert((rule, place))),
            None => wrong.push(format!(
                "{file}:{}: \"{}\" has no place here: {why}",
                named.line,
                named.path.join("::")
            )),
        }
    }
    (wrong, needed)
}

#[test]
fn imports_point_down_only() {
    let wrong: Vec<String> = SOURCES.iter().flat_map(pointing_up).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The names in a file of the simulated engine's daemon or behaviour that belong to its control,
/// also if `engine/sim/mod.rs` exports them.
fn of_control(source: &ParsedSource, exported: &BTreeSet<String>) -> Vec<String> {
    let wrong = |named: &PathUse| {
        let path: Vec<&str> = named.path.iter().map(String::as_str).collect();
        path.contains(&"control")
            || matches!(&path[..], ["crate", "engine", "sim", name, ..] if exported.contains(*name))
    };
    let said =
        |named: &PathUse| format!("{}:{}: \"{}\"", source.file, named.line, named.path.join("::"));
    source.named.iter().filter(|named| wrong(named)).map(said).collect()
}

/// The simulated daemon must not use the interface for tests, because Docker has no such interface.
#[test]
fn the_daemon_of_the_simulated_engine_knows_nothing_of_its_control() {
    let root = SOURCES.iter().find(|source| source.file == "engine/sim/mod.rs").unwrap();
    let exported: BTreeSet<String> = root
        .named
        .iter()
        .filter(|named| named.path[0] == "control")
        .filter_map(|named| named.path.last().cloned())
        .collect();
    assert!(exported.contains("Violation"), "{exported:?}");
    let is_daemon = |file: &str| {
        ["engine/sim/daemon/", "engine/sim/behaviour/"].iter().any(|part| file.starts_with(part))
    };
    let daemon: Vec<_> = SOURCES.iter().filter(|source| is_daemon(&source.file)).collect();
    assert!(!daemon.is_empty(), "nothing was looked at");
    let wrong: Vec<String> =
        daemon.iter().flat_map(|source| of_control(source, &exported)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for (source, is_wrong) in [
        ("use crate::engine::sim::control::call::Reply;", true),
        ("use super::super::{control::call::Reply, daemon::ids::Ids};", true),
        ("fn f() -> crate::engine::sim::Violation {}", true),
        ("use crate::engine::sim::daemon::ids::Ids;", false),
    ] {
        let found = of_control(&ParsedSource::new("engine/sim/daemon/x.rs", source), &exported);
        assert_eq!(!found.is_empty(), is_wrong, "{source}");
    }
}

#[test]
fn every_module_is_declared() {
    let known: BTreeSet<&str> = MODULES.iter().map(|(module, _)| *module).collect();
    let unknown: BTreeSet<&str> = SOURCES
        .iter()
        .filter_map(|source| module(&source.file))
        .filter(|module| !known.contains(module))
        .collect();
    assert!(unknown.is_empty(), "undeclared modules: {unknown:?}");
    for (module, _) in MODULES {
        assert!(!below(module).contains(module), "\"{module}\" is below itself");
    }
    // Files outside of the modules only declare them.
    for ParsedSource { file, named, .. } in
        SOURCES.iter().filter(|source| module(&source.file).is_none())
    {
        let expected: &[&str] = if file == "main.rs" { &["spc", "cli"] } else { &[] };
        let strange: Vec<&PathUse> = named
            .iter()
            .filter(|named| named.path[0] != "std" && !named.starts_with(expected))
            .collect();
        assert!(strange.is_empty(), "{file}: {strange:?}");
    }
}

#[test]
fn foreign_crates_and_printing_stay_where_they_belong() {
    let mut all_needed = BTreeSet::new();
    let mut all_wrong = Vec::new();
    for source in &*SOURCES {
        let (wrong, needed) = out_of_place(source);
        all_wrong.extend(wrong);
        all_needed.extend(needed);
    }
    assert!(all_wrong.is_empty(), "{}", all_wrong.join("\n"));
    // A listed file has to need its rule. A module may need its rule later.
    for (rule, (start, places, _)) in OUTSIDE.iter().enumerate() {
        for (place, name) in places.iter().enumerate().filter(|(_, name)| name.ends_with(".rs")) {
            assert!(
                all_needed.contains(&(rule, place)),
                "\"{name}\" does not name \"{}\" any more: take it off the list",
                start.join("::")
            );
        }
    }
}

#[test]
fn no_file_of_tests_is_forgotten() {
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("tests")];
    while let Some(folder) = folders.pop() {
        let declares = ["lib.rs", "mod.rs"]
            .map(|name| folder.join(name))
            .into_iter()
            .find(|path| path.exists());
        let Some(declares) = declares else { continue };
        let source = std::fs::read_to_string(&declares).unwrap();
        for path in entries(&folder).into_iter().filter(|path| *path != declares) {
            let is_module = path.is_dir() && path.join("mod.rs").exists()
                || path.extension().is_some_and(|extension| extension == "rs");
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            let declared = source.lines().any(|line| {
                line.trim_start_matches("pub ").trim_start_matches("(crate) ")
                    == format!("mod {name};")
            });
            assert!(!is_module || declared, "\"{}\" is in no module", path.display());
            if path.is_dir() {
                folders.push(path);
            }
        }
    }
}

#[test]
fn a_name_that_points_up_is_found_however_it_is_written() {
    for (file, source, expected) in [
        ("host/mod.rs", "use crate::engine::Engine;", 1),
        ("host/mod.rs", "use crate::{engine::{self, Engine}, model::Failure};", 2),
        ("host/mod.rs", "fn f() -> crate::api::Context { crate::api::make() }", 2),
        ("host/mod.rs", "fn f() { println!(\"{}\", vec![crate::ui::WIDTH]) }", 1),
        ("host/mod.rs", "mod tests { use super::super::api; }", 1),
        ("host/real/files.rs", "use super::super::super::api;", 1),
        ("ui/help.rs", "use crate::policy::Policy;", 1),
        (
            "host/mod.rs",
            "use crate::policy::Policy; use crate::model::Failure; use crate::host::real;",
            0,
        ),
        (
            "host/real/files.rs",
            "use super::super::error; mod tests { use super::super::super::Host; }",
            0,
        ),
        (
            "host/mod.rs",
            "/// See [`crate::engine`].\nfn f() { g(\"crate::engine\") } // crate::engine",
            0,
        ),
        (
            "cli/mod.rs",
            "use crate::{model::Failure, policy, engine::docker::connect, ui::help};",
            0,
        ),
    ] {
        assert_eq!(
            pointing_up(&ParsedSource::new(file, source)).len(),
            expected,
            "{file}: {source}"
        );
    }
}

#[test]
fn a_name_out_of_place_is_found_however_it_is_written() {
    for (file, source, expected) in [
        ("apply/lock.rs", "use bollard::models;", 1),
        ("apply/create.rs", "use bollard::{models, Docker};", 1),
        ("apply/create.rs", "use bollard as docker;", 1),
        ("engine/sim/mod.rs", "fn f(d: bollard::Docker) -> bollard::models::Volume {}", 1),
        ("model/plan.rs", "fn f() -> rhai::Dynamic {}", 1),
        ("script/run.rs", "#[derive(clap::Args)] struct A;", 1),
        ("api/log.rs", "fn f() { println!(); std::io::stdout().flush(); }", 2),
        ("api/log.rs", "use std::io::{self, stderr}; fn f() { io::stdout() }", 2),
        ("ui/terminal.rs", "use std::io; fn f() { println!(); io::stdout() }", 0),
        ("engine/docker/mod.rs", "use bollard::{Docker, models};", 0),
        (
            "api/log.rs",
            "fn f() { print(rhai, clap); x.println; let bollard = 1; fn print() {} }",
            0,
        ),
    ] {
        assert_eq!(
            out_of_place(&ParsedSource::new(file, source)).0.len(),
            expected,
            "{file}: {source}"
        );
    }
}
