//! Finds the position of a map literal's key in a source.
//!
//! A failure names a wrong value by its path in the description (`services.db.ports.0`). The
//! literal of this value may be nested less deeply, or be in another function or module, because
//! descriptions are combined with `+`. So the best match is the literal whose own chain of keys is
//! the longest end of the path.

use std::sync::Arc;

use rhai::{AST, ASTNode, Expr, Position};

use crate::model::diagnostic::{Source, SourceSpan};

/// The keys of all map literals in the added sources, and the elements of lists in them.
#[derive(Default)]
pub struct Spans {
    literals: Vec<Literal>,
}

struct Literal {
    source: Arc<Source>,
    /// The keys (and list indexes) that lead to it, its own last.
    chain: Vec<String>,
    key: Position,
    value: Position,
}

impl Spans {
    /// Adds the literals of a source.
    pub fn add(&mut self, ast: &AST, source: &Arc<Source>) {
        ast.walk(&mut |path: &[ASTNode]| {
            if let Some(ASTNode::Expr(literal)) = path.last() {
                let children = children(literal);
                if !children.is_empty() {
                    let around = chain(path);
                    self.literals.extend(children.into_iter().map(|(name, key, value)| Literal {
                        source: source.clone(),
                        chain: around.iter().cloned().chain([name]).collect(),
                        key: if key.is_none() { start(value) } else { key },
                        value: start(value),
                    }));
                }
            }
            true
        });
    }

    /// The position of `path`: of its last key if `on_key`, else of that key's value. If no literal
    /// has the last key, the position of the nearest key before it, unless the key itself is
    /// requested.
    ///
    /// If several match equally, the one nearest to `near` is used, the call that failed: first
    /// those after it in the same source, because options are inside the call.
    pub fn find(
        &self,
        path: &[String],
        on_key: bool,
        near: Option<&SourceSpan>,
    ) -> Option<SourceSpan> {
        if let Some(literal) = self.best(path, on_key, near) {
            return place(&literal.source, if on_key { literal.key } else { literal.value });
        }
        let mut shorter = (1..path.len()).rev().filter(|_| !on_key);
        let literal = shorter.find_map(|end| self.best(&path[..end], false, near))?;
        place(&literal.source, literal.key)
    }

    fn best(&self, path: &[String], on_key: bool, near: Option<&SourceSpan>) -> Option<&Literal> {
        let fitting = self.literals.iter().filter_map(|literal| {
            let common = literal
                .chain
                .iter()
                .rev()
                .zip(path.iter().rev())
                .take_while(|(own, wanted)| own == wanted)
                .count();
            // A literal inside keys that are not in the path is another one, unless its key is the
            // misspelt key itself.
            let contradicts = common < literal.chain.len().min(path.len());
            (common > 0 && (on_key || !contradicts)).then_some((!contradicts, common, literal))
        });
        // If several are equal, the first in the text: `max_by_key` returns the last one.
        fitting
            .rev()
            .max_by_key(|(fits, common, literal)| {
                (*fits, *common, std::cmp::Reverse(distance(literal, near)))
            })
            .map(|(_, _, literal)| literal)
    }
}

/// The distance of a literal from the call: another source, before the call, lines.
fn distance(literal: &Literal, near: Option<&SourceSpan>) -> (bool, bool, usize) {
    let Some(near) = near else { return (false, false, 0) };
    let line = literal.key.line().unwrap_or(0);
    let before = (line, literal.key.position().unwrap_or(0)) < (near.line, near.column);
    (*literal.source != *near.source, before, line.abs_diff(near.line))
}

/// The named parts of a map or list literal: name, position of the key, value.
fn children(literal: &Expr) -> Vec<(String, Position, &Expr)> {
    match literal {
        Expr::Map(map, _) => {
            map.0.iter().map(|(key, value)| (key.name.to_string(), key.pos, value)).collect()
        }
        Expr::Array(items, _) => items
            .iter()
            .enumerate()
            .map(|(index, item)| (index.to_string(), Position::NONE, item))
            .collect(),
        _ => Vec::new(),
    }
}

/// The beginning of an expression; for `a + b` that of `a`.
fn start(expression: &Expr) -> Position {
    match expression {
        Expr::FnCall(call, position) if call.is_operator_call() => {
            call.args.first().map_or(*position, start)
        }
        other => other.start_position(),
    }
}

/// The keys that lead to the last node of `path`.
fn chain(path: &[ASTNode]) -> Vec<String> {
    let named = path.iter().zip(path.iter().skip(1)).filter_map(|(outer, inner)| {
        let (ASTNode::Expr(outer), ASTNode::Expr(inner)) = (outer, inner) else { return None };
        // A map may have thousands of keys. They are contiguous in memory, so the names of the
        // others need not be built.
        match outer {
            Expr::Map(map, _) => {
                let at = map.0.partition_point(|(_, value)| std::ptr::from_ref(value) < *inner);
                map.0
                    .get(at)
                    .filter(|(_, value)| std::ptr::eq(value, *inner))
                    .map(|(key, _)| key.name.to_string())
            }
            Expr::Array(items, _) => {
                let at = items.partition_point(|item| std::ptr::from_ref(item) < *inner);
                items.get(at).filter(|item| std::ptr::eq(*item, *inner)).map(|_| at.to_string())
            }
            _ => None,
        }
    });
    named.collect()
}

/// A position in a source, as wide as the token there; `None` if the source doesn't contain the
/// position.
pub fn place(source: &Arc<Source>, position: Position) -> Option<SourceSpan> {
    let line = position.line()?;
    let column = position.position().unwrap_or(1).max(1);
    let text = source.text.lines().nth(line - 1).unwrap_or_default();
    Some(SourceSpan {
        source: source.clone(),
        line,
        column,
        width: token_width(text.chars().skip(column - 1)),
    })
}

/// The number of characters of the token at the beginning of `text`: a word, a number, a string; at
/// least 1.
fn token_width(mut text: impl Iterator<Item = char>) -> usize {
    let Some(first) = text.next() else { return 1 };
    let word = |c: char| c == '_' || c.is_alphanumeric();
    match first {
        '"' | '`' | '\'' => {
            let (mut width, mut escaped) = (1, false);
            for c in text {
                width += 1;
                if c == first && !escaped {
                    return width;
                }
                escaped = c == '\\' && !escaped && first != '`';
            }
            width
        }
        _ if word(first) => 1 + text.take_while(|c| word(*c)).count(),
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(sources: &[(&str, &str)]) -> Spans {
        let mut engine = rhai::Engine::new();
        engine.set_optimization_level(rhai::OptimizationLevel::None);
        engine.set_max_expr_depths(64, 64);
        let mut places = Spans::default();
        for (name, text) in sources {
            let source = Arc::new(Source { name: (*name).to_owned(), text: (*text).to_owned() });
            places.add(&engine.compile(text).unwrap(), &source);
        }
        places
    }

    fn found(places: &Spans, path: &str, on_key: bool) -> String {
        let path: Vec<String> = path.split('.').map(str::to_owned).collect();
        let shown = |place: SourceSpan| {
            let line = place.source.text.lines().nth(place.line - 1).unwrap_or_default();
            let marked: String = line.chars().skip(place.column - 1).take(place.width).collect();
            format!("{}:{}:{} {marked}", place.source.name, place.line, place.column)
        };
        places.find(&path, on_key, None).map_or("nowhere".into(), shown)
    }

    const STACK: &str = r#"
fn describe(o) {
    let common = #{ restart: "always" };
    let django = common + #{ environment: #{ DB_HOST: "db" }, volumes: ["a:/a"] + if o { [] } else { ["b:/b"] } };
    #{
        services: #{
            db: common + #{ image: "postgres", ports: [5432, port("X", 1)], helthcheck: #{ test: "x" } },
            backend: django + #{ "container_name": "x" },
        },
    }
}"#;

    #[test]
    fn a_key_is_found_by_its_whole_path_and_by_the_end_of_it() {
        let places = places(&[("stack.rhai", STACK)]);
        assert_eq!(found(&places, "services.db.image", true), "stack.rhai:7:29 image");
        assert_eq!(found(&places, "services.db.image", false), "stack.rhai:7:36 \"postgres\"");
        assert_eq!(found(&places, "services.db.helthcheck", true), "stack.rhai:7:77 helthcheck");
        assert_eq!(found(&places, "services.db.ports.1", false), "stack.rhai:7:62 port");
        assert_eq!(
            found(&places, "services.backend.environment.DB_HOST", true),
            "stack.rhai:4:46 DB_HOST"
        );
        assert_eq!(
            found(&places, "services.backend.container_name", true),
            "stack.rhai:8:34 \"container_name\""
        );
        assert_eq!(found(&places, "services.backend.volumes.0", false), "stack.rhai:4:73 \"a:/a\"");
        assert_eq!(found(&places, "services.backend.restart", false), "stack.rhai:3:30 \"always\"");
    }

    #[test]
    fn a_value_without_a_literal_is_placed_at_the_key_around_it() {
        let places = places(&[("stack.rhai", STACK)]);
        assert_eq!(found(&places, "services.db.ports.7", false), "stack.rhai:7:48 ports");
        assert_eq!(found(&places, "services.db.command", false), "stack.rhai:7:13 db");
        assert_eq!(found(&places, "volumes.data", true), "nowhere");
    }

    #[test]
    fn a_literal_inside_other_keys_is_another_thing() {
        let places = places(&[("stack.rhai", STACK)]);
        assert_eq!(found(&places, "services.web.image", false), "stack.rhai:6:9 services");
        assert_eq!(found(&places, "services.web.depends_on", true), "nowhere");
        assert_eq!(found(&places, "services.web.helthcheck", true), "stack.rhai:7:77 helthcheck");
    }

    #[test]
    fn the_literal_in_the_failing_call_is_preferred_among_equal_ones() {
        let text = "exec(\"a\", #{ timeout: 1 });\nexec(\"b\", #{ timeout: 2 });\nexec(\"c\", #{ timeout: 3 });";
        let places = places(&[("a.rhai", text), ("b.rhai", text)]);
        let source = Arc::new(Source { name: "b.rhai".into(), text: text.into() });
        let near = SourceSpan { source, line: 2, column: 1, width: 4 };
        let place = places.find(&["timeout".into()], false, Some(&near)).unwrap();
        assert_eq!((place.source.name.as_str(), place.line, place.column), ("b.rhai", 2, 23));
    }
}
