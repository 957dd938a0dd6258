//! Import cycles between the files of one module: files that can be read, tested and changed only
//! together.
//!
//! A file depends on another if it names something that the other defines. A name is followed to
//! its definition: through re-exports and through what a parent module imports. A parent that only
//! re-exports its child doesn't depend on it. Tests are left out, because nothing imports from
//! them. Method calls name no module, so they aren't seen.

use std::collections::{BTreeMap, BTreeSet};

use petgraph::algo::tarjan_scc;
use petgraph::graphmap::DiGraphMap;
use proc_macro2::{Delimiter, TokenStream, TokenTree};

use super::{ParsedSource, SOURCES, is_punct, is_word, module};

/// The accepted cycles: one of their files, the maximum number of files, and the reason.
const DECLARED: &[(&str, usize, &str)] = &[
    (
        "engine/guard/mod.rs",
        3,
        "the guard is one type; what it checks of bodies and of owners are its methods",
    ),
    (
        "engine/sim/daemon/state.rs",
        27,
        "the simulated daemon is one state behind one lock, and each kind of object is a part of it",
    ),
];

/// A file of `src/` without its tests.
struct Source {
    /// Its module path: `engine`, `sim` for `engine/sim/mod.rs`.
    module: Vec<String>,
    /// The names that it imports or re-exports, with their paths.
    imports: BTreeMap<String, Vec<String>>,
    /// The modules that it imports with a glob.
    globs: Vec<Vec<String>>,
    /// Paths that it names, absolute.
    paths: BTreeSet<Vec<String>>,
    /// The names that it re-exports but doesn't use itself.
    only_re_exported: BTreeSet<Vec<String>>,
}

/// The names in a file's tokens, before its paths are made absolute.
#[derive(Default)]
pub struct Names {
    /// The imports: the path, the new name (`*` for a glob), the number of enclosing modules in the
    /// file, and whether it is re-exported.
    uses: Vec<(Vec<String>, String, usize, bool)>,
    /// The paths in code, with their enclosing modules in the file.
    paths: Vec<(Vec<String>, usize)>,
    /// Single names in code.
    words: BTreeSet<String>,
}

impl Names {
    /// The names in a source.
    pub fn new(tokens: TokenStream) -> Self {
        let mut names = Self::default();
        names.read(tokens, 0);
        names
    }

    fn read(&mut self, tokens: TokenStream, depth: usize) {
        let tokens = without_tests(tokens);
        let mut at = 0;
        while at < tokens.len() {
            if is_word(&tokens[at], "use") && !is_punct(tokens.get(at + 1), '<') {
                let end = (at..tokens.len())
                    .find(|end| is_punct(tokens.get(*end), ';'))
                    .unwrap_or(tokens.len());
                let is_public = match at.checked_sub(1).map(|before| &tokens[before]) {
                    Some(TokenTree::Ident(word)) => word == "pub",
                    Some(TokenTree::Group(group)) => group.delimiter() == Delimiter::Parenthesis,
                    _ => false,
                };
                self.read_use(&tokens[at + 1..end], &[], depth, is_public);
                at = end;
                continue;
            }
            match &tokens[at] {
                // `pub(in crate::a)` depends on nothing.
                TokenTree::Group(_) if at > 0 && is_word(&tokens[at - 1], "pub") => at += 1,
                TokenTree::Group(group) => {
                    let is_module = at >= 2
                        && is_word(&tokens[at - 2], "mod")
                        && group.delimiter() == Delimiter::Brace;
                    self.read(group.stream(), depth + usize::from(is_module));
                    at += 1;
                }
                TokenTree::Ident(_) => {
                    let before = at.checked_sub(1).map(|before| &tokens[before]);
                    let mut path = Vec::new();
                    while let Some(TokenTree::Ident(word)) = tokens.get(at) {
                        path.push(plain(&word.to_string()));
                        at += 1;
                        if !is_path_sign(&tokens, at) {
                            break;
                        }
                        at += 2;
                    }
                    if !before.is_some_and(|word| is_word(word, "mod")) {
                        self.words.insert(path[0].clone());
                    }
                    self.paths.push((path, depth));
                }
                TokenTree::Punct(_) | TokenTree::Literal(_) => at += 1,
            }
        }
    }

    fn read_use(&mut self, tokens: &[TokenTree], before: &[String], depth: usize, public: bool) {
        let mut path = before.to_vec();
        let mut at = 0;
        loop {
            match tokens.get(at) {
                Some(TokenTree::Ident(word)) => path.push(plain(&word.to_string())),
                Some(TokenTree::Group(group)) => {
                    let inside: Vec<TokenTree> = group.stream().into_iter().collect();
                    for part in inside.split(|token| is_punct(Some(token), ',')) {
                        self.read_use(part, &path, depth, public);
                    }
                    return;
                }
                Some(token) if is_punct(Some(token), '*') => {
                    self.uses.push((path, "*".to_owned(), depth, public));
                    return;
                }
                _ => return,
            }
            at += 1;
            if !is_path_sign(tokens, at) {
                break;
            }
            at += 2;
        }
        if path.last().is_some_and(|last| last == "self") {
            path.pop();
        }
        let name = match tokens.get(at) {
            Some(token) if is_word(token, "as") => tokens[at + 1].to_string(),
            _ => path.last().cloned().unwrap_or_default(),
        };
        self.uses.push((path, name, depth, public));
    }
}

fn plain(word: &str) -> String {
    word.trim_start_matches("r#").to_owned()
}

fn is_path_sign(tokens: &[TokenTree], at: usize) -> bool {
    is_punct(tokens.get(at), ':') && is_punct(tokens.get(at + 1), ':')
}

/// The tokens of a block without the items marked `#[cfg(test)]`.
fn without_tests(tokens: TokenStream) -> Vec<TokenTree> {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let mut kept = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let is_test = is_punct(tokens.get(at), '#')
            && matches!(tokens.get(at + 1), Some(TokenTree::Group(group))
                if group.stream().to_string().replace(' ', "") == "cfg(test)");
        if !is_test {
            kept.push(tokens[at].clone());
            at += 1;
            continue;
        }
        at += 2;
        let mut is_use = false;
        let mut is_item = false;
        while let Some(token) = tokens.get(at) {
            at += 1;
            is_use |= is_word(token, "use");
            is_item |= ["mod", "fn", "pub", "impl", "struct", "enum", "const", "static", "type"]
                .iter()
                .any(|word| is_word(token, word));
            let ends = match token {
                TokenTree::Group(group) => group.delimiter() == Delimiter::Brace && !is_use,
                TokenTree::Punct(sign) => {
                    sign.as_char() == ';' || sign.as_char() == ',' && !is_use && !is_item
                }
                _ => false,
            };
            if ends {
                break;
            }
        }
    }
    kept
}

/// The files of `src/` that are no tests, by their modules.
struct Sources(BTreeMap<Vec<String>, (String, Source)>);

impl Sources {
    fn new(files: &[&ParsedSource]) -> Sources {
        let modules: BTreeSet<Vec<String>> =
            files.iter().map(|source| module_of(&source.file)).collect();
        let read = files.iter().map(|ParsedSource { file, names, .. }| {
            let module = module_of(file);
            (module.clone(), (file.clone(), source(module, names, &modules)))
        });
        Sources(read.collect())
    }

    /// The file that defines what `path` names, if it is one of ours.
    fn definition(&self, path: &[String], steps: usize) -> Option<&[String]> {
        let length = (1..=path.len()).rev().find(|length| self.0.contains_key(&path[..*length]))?;
        let (_, source) = &self.0[&path[..length]];
        let Some(name) = path.get(length) else { return Some(&source.module) };
        // An import can refer to itself (`use crate::a::a`), so the number of steps is limited.
        if steps > 0 {
            if let Some(from) = source.imports.get(name)
                && let Some(found) = self.definition(from, steps - 1)
            {
                return Some(found);
            }
            for glob in &source.globs {
                let named: Vec<String> = glob.iter().chain([name]).cloned().collect();
                if let Some(found) = self.definition(&named, steps - 1)
                    && found.len() > glob.len()
                {
                    return Some(found);
                }
            }
        }
        Some(&source.module)
    }

    /// The dependencies of each file within its top-level module, with the names that cause them.
    fn imports(&self, top: &str) -> BTreeMap<(&str, &str), BTreeSet<String>> {
        let mut imports: BTreeMap<(&str, &str), BTreeSet<String>> = BTreeMap::new();
        for (file, source) in self.0.values().filter(|(_, source)| source.module[0] == top) {
            for path in source.paths.difference(&source.only_re_exported) {
                if let Some(found) = self.definition(path, 8)
                    && found[0] == top
                    && found != source.module
                {
                    let name = path.last().cloned().unwrap_or_default();
                    imports.entry((file, &self.0[found].0)).or_default().insert(name);
                }
            }
        }
        imports
    }

    /// The groups of files that depend on each other, of all modules.
    fn cycles(&self) -> Vec<(Vec<&str>, Vec<String>)> {
        let tops: BTreeSet<&str> = self.0.keys().map(|module| module[0].as_str()).collect();
        let mut found = Vec::new();
        for top in tops {
            let imports = self.imports(top);
            let graph: DiGraphMap<&str, ()> = imports.keys().copied().collect();
            for mut files in tarjan_scc(&graph).into_iter().filter(|files| files.len() > 1) {
                files.sort_unstable();
                let edges = imports
                    .iter()
                    .filter(|((from, to), _)| files.contains(from) && files.contains(to))
                    .map(|((from, to), names)| {
                        let names: Vec<&str> = names.iter().map(String::as_str).collect();
                        format!("    {from} -> {to} ({})", names.join(", "))
                    })
                    .collect();
                found.push((files, edges));
            }
        }
        found.sort();
        found
    }
}

fn module_of(file: &str) -> Vec<String> {
    let path = file.trim_end_matches(".rs").trim_end_matches("/mod");
    path.split('/').map(str::to_owned).collect()
}

fn is_test(file: &str) -> bool {
    file.split('/').any(|part| matches!(part, "tests" | "tests.rs"))
}

fn source(own: Vec<String>, names: &Names, modules: &BTreeSet<Vec<String>>) -> Source {
    // Paths in inline modules are treated like paths of the file itself.
    let absolute = |path: &[String], depth: usize| -> Option<Vec<String>> {
        let climbs = path.iter().take_while(|part| *part == "super").count();
        let rest = &path[climbs..];
        match rest.first().map(String::as_str) {
            Some("crate") if climbs == 0 => Some(rest[1..].to_vec()),
            _ if climbs > 0 => {
                let kept = own.len().checked_sub(climbs.saturating_sub(depth))?;
                Some([&own[..kept], rest].concat())
            }
            Some("self") => Some([&own[..], &rest[1..]].concat()),
            Some(first) => {
                let child = [&own[..], &[first.to_owned()]].concat();
                modules.contains(&child).then(|| [&own[..], rest].concat())
            }
            None => None,
        }
    };
    let (mut imports, mut globs) = (BTreeMap::new(), Vec::new());
    let (mut paths, mut only_re_exported) = (BTreeSet::new(), BTreeSet::new());
    for (path, name, depth, public) in &names.uses {
        let Some(path) = absolute(path, *depth) else { continue };
        if name == "*" {
            globs.push(path.clone());
            if *public {
                continue;
            }
        } else {
            imports.insert(name.clone(), path.clone());
            if *public && !names.words.contains(name) {
                only_re_exported.insert(path.clone());
            }
        }
        paths.insert(path);
    }
    for (path, depth) in &names.paths {
        if path.len() > 1
            && let Some(path) = absolute(path, *depth)
        {
            paths.insert(path);
        } else if path.len() > 1
            && let Some(from) = imports.get(&path[0])
        {
            paths.insert([&from[..], &path[1..]].concat());
        }
    }
    // A name from a glob import appears in code as a single name.
    for glob in &globs {
        paths.extend(
            names.words.iter().map(|word| [&glob[..], std::slice::from_ref(word)].concat()),
        );
    }
    Source { module: own, imports, globs, paths, only_re_exported }
}

#[test]
fn files_of_a_module_import_each_other_in_no_undeclared_cycle() {
    let files: Vec<&ParsedSource> = SOURCES
        .iter()
        .filter(|source| module(&source.file).is_some() && !is_test(&source.file))
        .collect();
    let sources = Sources::new(&files);
    let cycles = sources.cycles();
    let is_declared = |files: &[&str]| {
        DECLARED.iter().any(|(file, most, _)| files.contains(file) && files.len() <= *most)
    };
    let said: Vec<String> = cycles
        .iter()
        .filter(|(files, _)| !is_declared(files))
        .map(|(files, edges)| format!("{} files\n{}", files.len(), edges.join("\n")))
        .collect();
    let gone = DECLARED
        .iter()
        .filter(|(file, ..)| !cycles.iter().any(|(files, _)| files.contains(file)))
        .map(|(file, ..)| format!("{file} is in no cycle any more: take it off the list"));
    let wrong: Vec<String> = said.into_iter().chain(gone).collect();
    assert!(wrong.is_empty(), "of {} import cycles:\n{}", cycles.len(), wrong.join("\n"));
}

#[test]
fn a_cycle_is_found_however_the_import_is_written() {
    let cycle_of = |files: &[(&str, &str)]| {
        let files: Vec<ParsedSource> =
            files.iter().map(|(file, text)| ParsedSource::new(file, text)).collect();
        let sources = Sources::new(&files.iter().collect::<Vec<_>>());
        let cycles = sources.cycles();
        cycles.first().map_or_else(String::new, |(files, _)| files.join(" "))
    };
    let pair = |first: &str, second: &str| {
        cycle_of(&[
            ("m/mod.rs", "mod a; mod b; pub use a::A; pub use b::B;"),
            ("m/a.rs", first),
            ("m/b.rs", second),
        ])
    };
    for (first, second, expected) in [
        ("use super::b::B;", "use crate::m::a::A;", "m/a.rs m/b.rs"),
        ("use super::B;", "fn f(a: super::A) {}", "m/a.rs m/b.rs"),
        ("use super::b; fn f() { b::g() }", "use super::{a::{self}};", "m/a.rs m/b.rs"),
        ("mod inner { use super::super::b::B; }", "use super::a::*;", "m/a.rs m/b.rs"),
        ("use super::B;", "#[cfg(test)] mod tests { use super::super::A; }", ""),
        ("use super::B;", "/// See [`super::A`].\nfn f() { g(\"super::a::A\") }", ""),
        ("use super::B;", "use crate::other::a::A;", ""),
    ] {
        assert_eq!(pair(first, second), expected, "{first} {second}");
    }
    for (parent, child, expected) in [
        ("mod a; pub use a::A; pub struct B;", "use super::B;", ""),
        ("mod a; pub use a::A; pub struct B; impl B { fn f(a: A) {} }", "use super::B;", "both"),
        ("mod a; use a::A; pub struct B;", "use super::B;", "both"),
        ("mod a; pub struct B; fn f() { a::g() }", "use super::*;", "both"),
        ("mod a; pub struct B; fn f() { a::g() }", "use crate::m::a;", ""),
    ] {
        let expected = if expected == "both" { "m/a.rs m/mod.rs" } else { "" };
        assert_eq!(cycle_of(&[("m/mod.rs", parent), ("m/a.rs", child)]), expected, "{parent}");
    }
}
