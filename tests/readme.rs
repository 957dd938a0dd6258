//! Runs the examples in the README and in the guide in `docs/`. The code blocks of a page are the
//! files of one project. The first line of each block is a comment with the file's name.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// The README and each page of the guide, with its text.
fn pages() -> Vec<(PathBuf, String)> {
    let docs = std::fs::read_dir(Path::new(ROOT).join("docs")).unwrap();
    let mut paths: Vec<PathBuf> = docs
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .collect();
    paths.push(Path::new(ROOT).join("README.md"));
    paths.sort();
    assert!(paths.len() > 10, "{paths:?}");
    let with_text = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).unwrap();
        (path, text)
    };
    paths.into_iter().map(with_text).collect()
}

/// A fenced block of a page.
struct Block<'a> {
    language: &'a str,
    text: String,
}

fn blocks(page: &str) -> Vec<Block<'_>> {
    let mut blocks = Vec::new();
    let mut open: Option<Block<'_>> = None;
    for line in page.lines() {
        match (open.take(), line.strip_prefix("```")) {
            (None, Some(language)) => open = Some(Block { language, text: String::new() }),
            (None, None) => {}
            (Some(block), Some("")) => blocks.push(block),
            (Some(mut block), _) => {
                block.text.push_str(line);
                block.text.push('\n');
                open = Some(block);
            }
        }
    }
    assert!(open.is_none(), "a block is not closed");
    blocks
}

/// The project with the blocks of a page as its files.
struct Project {
    page: PathBuf,
    folder: TempDir,
    files: BTreeSet<String>,
}

impl Project {
    fn of(page: &Path, text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut project = Self { page: page.to_owned(), folder, files: BTreeSet::new() };
        for block in blocks(text) {
            match block.language {
                "rhai" | "toml" | "yaml" => project.add(&block.text),
                "sh" | "text" | "json" => {}
                other => panic!("{}: a block of the language \"{other}\"", page.display()),
            }
        }
        if !project.files.contains("spc.toml") {
            project.add("# spc.toml\nspc = \"0.1\"\n");
        }
        project
    }

    fn add(&mut self, text: &str) {
        let page = self.page.display();
        let first = text.lines().next().unwrap_or_default();
        let name = first.trim_start_matches(['/', '#', ' ']);
        assert!(
            name != first && name.contains('.') && !name.contains(' '),
            "{page}: the first line names no file:\n{text}"
        );
        assert!(self.files.insert(name.to_owned()), "{page}: two blocks are {name}");
        let path = self.folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// Runs spc in the project. Panics if it fails. Returns its standard output.
    fn spc(&self, words: &[&str]) -> String {
        let output = Command::new(env!("CARGO_BIN_EXE_spc"))
            .args(words)
            .current_dir(self.folder.path())
            .output()
            .unwrap();
        let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
        let stderr = String::from_utf8_lossy(&output.stderr);
        let page = self.page.display();
        assert!(output.status.success(), "{page}: spc {words:?}:\n{stdout}{stderr}");
        stdout
    }
}

/// The text of a picture, its words separated by single spaces.
fn svg_words(svg: &str) -> String {
    let body = svg.split_once("</style>").map_or(svg, |(_, body)| body);
    let texts = body.split('<').filter_map(|tag| tag.split_once('>')).map(|(_, text)| text);
    let text = texts.collect::<Vec<_>>().join(" ").replace("&#160;", " ");
    format!(" {} ", text.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// `make pictures` records them from runs.
#[test]
fn the_picture_of_the_readme_shows_the_two_commands_and_every_service() {
    let (_, readme) = pages().into_iter().find(|(path, _)| path.ends_with("README.md")).unwrap();
    let link = "](docs/pictures/up.svg)";
    assert!(readme.contains(link), "the README has the picture");
    let svg = std::fs::read_to_string(Path::new(ROOT).join("docs/pictures/up.svg")).unwrap();
    let text = svg_words(&svg);
    let services = std::fs::read_to_string(Path::new(ROOT).join("scripts/stack.rhai")).unwrap();
    for shown in ["spc plan scripts/up.rhai", "spc run scripts/up.rhai", "to create"] {
        assert!(
            text.contains(&format!(" {shown} ")),
            "the picture lacks \"{shown}\": run `make pictures`"
        );
    }
    for service in ["db", "redis", "backend", "celery-worker", "celery-beat", "flower", "frontend"]
    {
        assert!(services.contains(service), "{service}");
        assert!(
            text.contains(&format!(" {service} ")),
            "the picture lacks {service}: run `make pictures`"
        );
    }
}

#[test]
#[ignore = "slow: `make test` runs it"]
fn the_code_blocks_of_each_page_work() {
    for (path, page) in pages() {
        let project = Project::of(&path, &page);
        let scripts = project.files.iter().filter(|name| name.ends_with(".rhai"));
        let (tests, runbooks): (Vec<_>, Vec<_>) =
            scripts.partition(|name| name.ends_with("_test.rhai"));
        project.spc(&["check"]);
        for runbook in runbooks {
            let help = project.spc(&["run", runbook.as_str(), "--help"]);
            assert!(help.contains(&format!("Usage: spc run {runbook}")), "{help}");
        }
        if !tests.is_empty() {
            project.spc(&["test"]);
        }
    }
}

#[test]
fn every_command_and_runbook_of_a_page_exists() {
    let makefile = include_str!("../Makefile");
    let mut verbs = BTreeSet::new();
    for (path, page) in pages() {
        let page_name = path.display();
        let blocks = blocks(&page);
        let shell = blocks.iter().filter(|block| block.language == "sh");
        let lines: Vec<&str> = shell.flat_map(|block| block.text.lines()).collect();
        verbs.extend(lines.iter().filter_map(|line| line.strip_prefix("spc ")).map(first_word));
        let in_blocks = lines.iter().filter_map(|line| line.strip_prefix("make "));
        let in_text = page.split("`make ").skip(1);
        for target in in_blocks.chain(in_text).map(first_word) {
            assert!(makefile.contains(&format!("\n{target}:")), "{page_name}: make {target}");
        }
        let words = page.split(|c: char| c.is_whitespace() || "`,()'\"".contains(c));
        for script in words.filter(|word| word.starts_with("scripts/") && *word != "scripts/") {
            assert!(Path::new(ROOT).join(script).is_file(), "{page_name}: {script}");
        }
        for target in page.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next()) {
            let is_elsewhere = target.is_empty() || target.starts_with("https://");
            let is_generated = target.starts_with("docs/pictures/");
            let there = path.with_file_name(target);
            assert!(is_elsewhere || is_generated || there.exists(), "{page_name}: {target}");
        }
    }
    assert!(verbs.len() > 4, "{verbs:?}");
    let project = Project::of(Path::new("all pages"), "");
    for verb in verbs {
        project.spc(&[verb.as_str(), "--help"]);
    }
}

fn first_word(text: &str) -> String {
    text.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '-').collect()
}

#[test]
fn each_page_is_short_and_the_readme_links_to_it() {
    let readme = include_str!("../README.md");
    assert!(readme.lines().count() <= 150, "{} lines", readme.lines().count());
    for (path, page) in pages() {
        assert!(page.lines().count() < 200, "{}: {} lines", path.display(), page.lines().count());
        let name = path.file_name().unwrap().to_string_lossy();
        assert!(name == "README.md" || readme.contains(&format!("(docs/{name})")), "{name}");
    }
}

#[test]
fn the_pages_on_testing_show_each_function_of_sim() {
    let page =
        concat!(include_str!("../docs/testing.md"), include_str!("../docs/testing-deployments.md"));
    let (_, module) =
        include_str!("../src/testing/functions/sim.rs").split_once("#[export_module]").unwrap();
    let functions: Vec<&str> =
        module.split("    pub fn ").skip(1).filter_map(|rest| rest.split('(').next()).collect();
    assert!(functions.len() > 30);
    for function in functions {
        // Rhai functions with the name of another function.
        let name = match function {
            "kill_at_side" => "kill_at",
            "one_fault" => "fault",
            name => name,
        };
        assert!(page.contains(&format!("sim::{name}(")), "sim::{name}");
    }
}
