//! Finds health checks that pass too early, because the server answers while it is still being set
//! up.

use rhai::Expr;

use super::literal::text;
use crate::model::Failure;

/// The warning for a health check with a test that is too weak.
pub fn weak(test: &Expr) -> Option<Failure> {
    let words = words(test)?;
    let (at, tool) = words.iter().enumerate().find_map(|(at, word)| Some((at, tool(word)?)))?;
    // Up to the next command.
    let asked: Vec<&str> =
        words[at + 1..].iter().map(String::as_str).take_while(|word| !is_separator(word)).collect();
    match tool {
        Tool::Postgres => {
            let set = words[..at].iter().any(|word| word.starts_with("PGHOST="));
            if set || is_unknown(&asked) || host(&asked).is_some_and(|host| !host.starts_with('/'))
            {
                return None;
            }
            Some(
                Failure::usage(
                    "\"pg_isready\" connects over the socket, where the image's temporary server answers during initialisation",
                )
                .hint("connect over TCP: add -h 127.0.0.1"),
            )
        }
        Tool::Mysql(name) => {
            let over_tcp =
                asked.iter().any(|word| word.to_ascii_lowercase().starts_with("--protocol"));
            if !asked.contains(&"ping")
                || over_tcp
                || is_unknown(&asked)
                || host(&asked).is_some_and(|host| host != "localhost")
            {
                return None;
            }
            Some(
                Failure::usage(format!(
                    "\"{name} ping\" connects over the socket, where the image's temporary server answers during initialisation"
                ))
                .hint("connect over TCP: add -h 127.0.0.1"),
            )
        }
    }
}

enum Tool {
    Postgres,
    Mysql(&'static str),
}

fn tool(word: &str) -> Option<Tool> {
    match word.rsplit('/').next()? {
        "pg_isready" => Some(Tool::Postgres),
        "mysqladmin" => Some(Tool::Mysql("mysqladmin")),
        "mariadb-admin" => Some(Tool::Mysql("mariadb-admin")),
        _ => None,
    }
}

/// Whether a part that is not a literal may be the required option: the part after an option is its
/// value.
fn is_unknown(words: &[&str]) -> bool {
    let before = std::iter::once("").chain(words.iter().copied());
    words.iter().zip(before).any(|(word, before)| *word == "\0" && !before.starts_with('-'))
}

/// The value of `-h` or `--host`.
fn host<'a>(words: &[&'a str]) -> Option<&'a str> {
    let (at, word) = words
        .iter()
        .enumerate()
        .find(|(_, word)| word.starts_with("-h") || word.starts_with("--host"))?;
    let rest = word.strip_prefix("--host").or_else(|| word.strip_prefix("-h"))?;
    let rest = rest.strip_prefix('=').unwrap_or(rest);
    Some(if rest.is_empty() { words.get(at + 1).copied().unwrap_or_default() } else { rest })
}

fn is_separator(word: &str) -> bool {
    matches!(word, "&&" | "||" | ";" | "|" | "&")
}

/// The words of a test: of the shell's command line, or of the argument vector. Unknown parts
/// become `\0`.
fn words(test: &Expr) -> Option<Vec<String>> {
    let Expr::Array(items, _) = test else { return text(test).map(|line| split(&line)) };
    let items: Vec<String> =
        items.iter().map(|item| text(item).unwrap_or_else(|| "\0".to_owned())).collect();
    match items.split_first()? {
        (first, rest) if first == "CMD-SHELL" => Some(split(&rest.join(" "))),
        (first, rest) if first == "CMD" => {
            // A shell as an argument vector parses its command line like any other.
            let is_shell = rest.first().is_some_and(|word| {
                ["sh", "bash"].contains(&word.rsplit('/').next().unwrap_or_default())
            });
            Some(if is_shell { split(&rest.join(" ")) } else { rest.to_vec() })
        }
        _ => None,
    }
}

fn split(line: &str) -> Vec<String> {
    let spaced = ["&&", "||", ";"]
        .iter()
        .fold(line.to_owned(), |line, mark| line.replace(mark, &format!(" {mark} ")));
    spaced
        .split_whitespace()
        .map(|word| word.trim_matches(['"', '\'', '(', ')']).to_owned())
        .collect()
}
