//! The checked sources and the files that they import.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rhai::{Engine, Expr, ParseError, ParseErrorType, Position, Stmt};

use super::findings::Findings;
use super::parsed_source::ParsedSource;
use super::rule::Rule;
use crate::model::Failure;
use crate::model::diagnostic::{Source, SourceSpan};
use crate::policy::CheckedPath;
use crate::script::Library;
use crate::script::names::Names;
use crate::script::open_comment;
use crate::script::resolver::{ResolvedModule, find, source_text};
use crate::script::rules;
use crate::script::syntax_error::SyntaxError;

/// The sources by name.
#[derive(Default)]
pub struct Sources {
    pub parsed: BTreeMap<String, ParsedSource>,
    /// The sources to check: the requested files and the files that they import, without the
    /// standard library.
    pub asked: BTreeSet<String>,
    /// All files that were tried, including those that can't be parsed.
    tried: BTreeSet<String>,
}

/// Reads sources and follows their imports.
pub struct Reader<'a> {
    pub library: &'a Library,
    pub engine: &'a Engine,
    pub names: &'a Names,
    pub findings: &'a mut Findings,
    pub sources: Sources,
}

impl Reader<'_> {
    /// Reads a file to check.
    pub fn ask(&mut self, path: &Path) {
        let name = self.library.shown(path);
        // A person may name a file outside of every project.
        let path = CheckedPath::below(&self.library.root, path)
            .unwrap_or_else(|| CheckedPath::trusted(path));
        self.read(name, &path);
    }

    fn read(&mut self, name: String, path: &CheckedPath) {
        if !self.sources.tried.insert(name.clone()) {
            return;
        }
        self.sources.asked.insert(name.clone());
        match self.library.host.read_source(path) {
            Ok(content) => match source_text(&name, &content) {
                Ok(text) => self.parse(Source { name, text }, Some(path.as_path().to_path_buf())),
                Err(failure) => self.not_text(name, &content, failure),
            },
            Err(error) => {
                self.findings.add_without_place(
                    Rule::Unreadable,
                    Failure::usage(crate::model::failure::sentence(&error.message)),
                );
            }
        }
    }

    /// The first line of a file that isn't UTF-8.
    fn not_text(&mut self, name: String, content: &[u8], failure: Failure) {
        let good = std::str::from_utf8(content).map_or_else(|error| error.valid_up_to(), str::len);
        let before = String::from_utf8_lossy(&content[..good]);
        let (line, column) = crate::model::position::position(&before, before.len());
        let text = String::from_utf8_lossy(content).into_owned();
        let place = SourceSpan { source: Arc::new(Source { name, text }), line, column, width: 1 };
        self.findings.add_at(Rule::Unreadable, place, failure.hint("save the file as UTF-8"));
    }

    fn parse(&mut self, source: Source, path: Option<PathBuf>) {
        let source = Arc::new(source);
        if let Some((failure, position)) = open_comment::unclosed(&source.text) {
            self.findings.add(Rule::Syntax, &source, position, failure);
            return;
        }
        match ParsedSource::parse(self.engine, source.clone(), path) {
            Ok(mut parsed) => {
                self.broken(&parsed);
                parsed.imports = self.imports(&parsed);
                self.sources.parsed.insert(source.name.clone(), parsed);
            }
            Err(ParseError(kind, position)) => self.unparsed(&source, *kind, position),
        }
    }

    fn unparsed(&mut self, source: &Arc<Source>, kind: ParseErrorType, position: Position) {
        let error = SyntaxError::new(self.engine, source, kind, position);
        let rule = if error.reserved_word { Rule::ReservedWord } else { Rule::Syntax };
        self.findings.add(rule, source, error.position, error.failure);
    }

    /// Reports what spc forbids in a source although Rhai allows it.
    fn broken(&mut self, parsed: &ParsedSource) {
        for (failure, position) in rules::misplaced_imports(&parsed.ast) {
            self.findings.add(Rule::Import, &parsed.source, position, failure);
        }
        for (failure, position) in
            rules::redefinitions(&parsed.ast, &parsed.source.text, self.names)
        {
            self.findings.add(Rule::Redefinition, &parsed.source, position, failure);
        }
    }

    fn imports(&mut self, parsed: &ParsedSource) -> BTreeMap<String, Option<String>> {
        let mut imports = BTreeMap::new();
        for statement in rules::imports(&parsed.ast) {
            let Stmt::Import(import, _) = statement else { continue };
            let Expr::StringConstant(path, position) = &import.0 else { continue };
            let found = match find(self.library, parsed.path.as_deref(), path) {
                Ok(found) => Some(self.follow(found)),
                Err(failure) => {
                    self.findings.add(Rule::Import, &parsed.source, *position, failure);
                    None
                }
            };
            imports.insert(import.1.name.to_string(), found);
        }
        imports
    }

    fn follow(&mut self, found: ResolvedModule) -> String {
        match found {
            ResolvedModule::Standard { name, text } => {
                if self.sources.tried.insert(name.clone()) {
                    self.parse(Source { name: name.clone(), text: text.to_owned() }, None);
                }
                name
            }
            ResolvedModule::File { name, path } => {
                self.read(name.clone(), &path);
                name
            }
        }
    }
}

impl Sources {
    /// The tests: `…_test.rhai`, files that only tests import, and files in a folder `tests`.
    pub fn of_tests(&self) -> BTreeSet<&str> {
        let is_test = |name: &str| {
            name.ends_with("_test.rhai")
                || name.split('/').rev().skip(1).any(|folder| folder == "tests")
        };
        let mut tests: BTreeSet<&str> =
            self.parsed.keys().map(String::as_str).filter(|name| is_test(name)).collect();
        if tests.is_empty() {
            return tests;
        }
        loop {
            let importers = |name: &str| {
                let imports = move |parsed: &&ParsedSource| {
                    parsed.imports.values().flatten().any(|import| import == name)
                };
                self.parsed
                    .values()
                    .filter(imports)
                    .map(|parsed| parsed.source.name.as_str())
                    .collect::<Vec<_>>()
            };
            let next = self.asked.iter().map(String::as_str).find(|name| {
                let importers = importers(name);
                !tests.contains(name)
                    && !importers.is_empty()
                    && importers.iter().all(|importer| tests.contains(importer))
            });
            match next {
                Some(name) => drop(tests.insert(name)),
                None => return tests,
            }
        }
    }

    /// Reports cyclic imports, at each import that closes a cycle.
    pub fn find_circles(&self, findings: &mut Findings) {
        for (name, parsed) in &self.parsed {
            for statement in rules::imports(&parsed.ast) {
                let Stmt::Import(import, _) = statement else { continue };
                let (Expr::StringConstant(_, position), Some(Some(to))) =
                    (&import.0, parsed.imports.get(import.1.name.as_str()))
                else {
                    continue;
                };
                if let Some(way) = self.way(to, name) {
                    let circle: Vec<&str> = std::iter::once(name.as_str()).chain(way).collect();
                    let failure =
                        Failure::usage(format!("Imports go in a circle: {}", circle.join(" → ")));
                    let failure = failure.hint("move what both need into a third file");
                    findings.add(Rule::Import, &parsed.source, *position, failure);
                }
            }
        }
    }

    /// The shortest chain of imports, with both ends.
    fn way(&self, from: &str, to: &str) -> Option<Vec<&str>> {
        let start = self.parsed.get_key_value(from)?.0.as_str();
        let mut before: BTreeMap<&str, Option<&str>> = BTreeMap::from([(start, None)]);
        let mut next = vec![start];
        while !next.is_empty() && !before.contains_key(to) {
            let mut after = Vec::new();
            for name in next {
                for import in self
                    .parsed
                    .get(name)
                    .into_iter()
                    .flat_map(|parsed| parsed.imports.values().flatten())
                {
                    if !before.contains_key(import.as_str()) {
                        before.insert(import, Some(name));
                        after.push(import.as_str());
                    }
                }
            }
            next = after;
        }
        let mut way = vec![before.get_key_value(to)?.0.to_owned()];
        while let Some(Some(name)) = way.last().and_then(|name| before.get(name)) {
            way.push(name);
        }
        way.reverse();
        Some(way)
    }
}
