//! Variables in a string: `$VAR`, and `${VAR}` with its operators.
//!
//! | written | gives |
//! |---|---|
//! | `$VAR`, `${VAR}` | the value; empty, and reported as unset, when there is none |
//! | `${VAR:-word}`, `${VAR-word}` | `word` when unset or empty; when unset |
//! | `${VAR:?word}`, `${VAR?word}` | an error with `word` when unset or empty; when unset |
//! | `${VAR:+word}`, `${VAR+word}` | `word` when set and not empty; when set; else nothing |
//! | `$$` | a dollar sign |
//!
//! `word` may contain variables too. As in a shell, and unlike Compose, spc checks only the syntax
//! of a word that is not used: `${A:-${B:?neither}}` requires B only if A is missing.

use std::ops::Range;

use super::Lookup;

/// The deepest nesting of words: more than anyone needs, and before the stack overflows.
const DEEPEST: usize = 64;

/// The most bytes of a text with its variables replaced: the limit for the whole file.
const LARGEST: usize = crate::compose::LARGEST_TEXT;

/// A string with its variables replaced.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InterpolatedText {
    pub text: String,
    /// Variables without a value and without a default: each once, in order. They deserve a
    /// warning.
    pub unset: Vec<String>,
}

/// A mistake in the variables of a string.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct InterpolationError {
    /// The bytes of the wrong expression in the text, from 0, beginning with its `$`.
    pub span: Range<usize>,
    /// Sentence case, no full stop.
    pub message: String,
    /// A suggested fix.
    pub hint: String,
    /// The variable of the expression, if it names one.
    pub variable: Option<String>,
}

/// Replaces the variables of `text`.
pub fn interpolate(text: &str, lookup: Lookup<'_>) -> Result<InterpolatedText, InterpolationError> {
    interpolate_marked(text, '$', lookup)
}

/// The same, with another character in place of `$` for variables. A `$` is literal then.
pub(super) fn interpolate_marked(
    text: &str,
    mark: char,
    lookup: Lookup<'_>,
) -> Result<InterpolatedText, InterpolationError> {
    let mut interpolation = Interpolation { mark, lookup, unset: Vec::new() };
    let text = interpolation.expand(text, PiecePosition { offset: 0, depth: 0, used: true })?;
    Ok(InterpolatedText { text, unset: interpolation.unset })
}

struct Interpolation<'a> {
    mark: char,
    lookup: Lookup<'a>,
    unset: Vec<String>,
}

/// The position of a piece of the text.
#[derive(Clone, Copy)]
struct PiecePosition {
    /// The number of bytes before it.
    offset: usize,
    /// The number of expressions around it.
    depth: usize,
    /// Whether its value is needed, or only its syntax is checked.
    used: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Operator {
    Default,
    Required,
    Alternative,
}

impl Interpolation<'_> {
    fn expand(&mut self, text: &str, place: PiecePosition) -> Result<String, InterpolationError> {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((literal, after)) = rest.split_once(self.mark) {
            out.push_str(literal);
            let here = PiecePosition {
                offset: place.offset + text.len() - rest.len() + literal.len(),
                ..place
            };
            rest = if let Some(after) = after.strip_prefix(self.mark) {
                out.push('$');
                after
            } else if let Some(body) = after.strip_prefix('{') {
                let (expression, after) = self.until_closed(body, here)?;
                let value = self.evaluate(expression, here)?;
                append(&mut out, &value, here)?;
                after
            } else {
                let (name, after) = after.split_at(name_length(after));
                // A dollar sign before anything else is literal: "$1", "$(date)", "5$".
                let value = if name.is_empty() { "$".to_owned() } else { self.plain(name, here) };
                append(&mut out, &value, here)?;
                after
            };
        }
        out.push_str(rest);
        Ok(out)
    }

    /// Splits the text after the brace that closes the expression.
    fn until_closed<'t>(
        &self,
        body: &'t str,
        here: PiecePosition,
    ) -> Result<(&'t str, &'t str), InterpolationError> {
        // In "${A:-$${B}}" the inner brace has a partner, in "${A:-$${B}" it doesn't: Compose
        // accepts both.
        if let Some(index) =
            self.closing_brace(body, true).or_else(|| self.closing_brace(body, false))
        {
            return Ok((&body[..index], &body[index + 1..]));
        }
        let name = &body[..name_length(body)];
        Err(InterpolationError {
            span: here.offset..here.offset + self.mark.len_utf8() + 1 + body.len(),
            message: format!("\"${{{name}\" is not closed"),
            hint: format!("add the \"}}\"{DOLLAR}"),
            variable: Some(name.to_owned()).filter(|name| !name.is_empty()),
        })
    }

    /// The position of the closing brace. `${` opens another level; `escaped_opens` says whether
    /// `$${` does too.
    fn closing_brace(&self, body: &str, escaped_opens: bool) -> Option<usize> {
        let mut open = 1;
        let mut after_mark = false;
        for (index, character) in body.char_indices() {
            match character {
                '}' => open -= 1,
                '{' if after_mark => open += 1,
                _ => {}
            }
            if open == 0 {
                return Some(index);
            }
            after_mark = character == self.mark && (escaped_opens || !after_mark);
        }
        None
    }

    /// The value of the text between the braces.
    fn evaluate(
        &mut self,
        expression: &str,
        here: PiecePosition,
    ) -> Result<String, InterpolationError> {
        let (name, rest) = expression.split_at(name_length(expression));
        let opening = here.offset + self.mark.len_utf8() + 1;
        let span = here.offset..opening + expression.len() + 1;
        if name.is_empty() {
            let found =
                rest.chars().next().map_or("}".to_owned(), |character| self.shown(character));
            return Err(InterpolationError {
                span,
                message: format!("A variable's name must follow \"${{\", not \"{found}\""),
                hint: format!(
                    "a name is made of letters A-Z, digits and _, and does not begin with a digit{DOLLAR}"
                ),
                variable: None,
            });
        }
        if rest.is_empty() {
            return Ok(self.plain(name, here));
        }
        let Some((operator, counts_empty, word)) = operator(rest) else {
            return Err(InterpolationError {
                span,
                message: format!(
                    "\"{}\" can't follow the variable \"{name}\"",
                    self.shown(first_odd(rest))
                ),
                hint:
                    "a name can be followed by :-default, -default, :?message, ?message, :+other or +other"
                        .to_owned(),
                variable: Some(name.to_owned()),
            });
        };
        if here.depth == DEEPEST {
            return Err(InterpolationError {
                span,
                message: format!("Variables are nested more than {DEEPEST} deep"),
                hint: "give the inner ones a name of their own".to_owned(),
                variable: Some(name.to_owned()),
            });
        }
        let value = if here.used { (self.lookup)(name) } else { None };
        let is_empty = value.as_deref() == Some("");
        let present = value.filter(|value| !(counts_empty && value.is_empty()));
        let word_is_used = here.used && (operator == Operator::Alternative) == present.is_some();
        let word = self.expand(
            word,
            PiecePosition {
                offset: opening + expression.len() - word.len(),
                depth: here.depth + 1,
                used: word_is_used,
            },
        )?;
        match (operator, present) {
            (Operator::Alternative, Some(_)) | (Operator::Default, None) => Ok(word),
            (Operator::Alternative, None) => Ok(String::new()),
            (Operator::Default | Operator::Required, Some(value)) => Ok(value),
            (Operator::Required, None) if !here.used => Ok(word),
            (Operator::Required, None) => Err(InterpolationError {
                span,
                message: format!(
                    "Required variable \"{name}\" is {}{}{word}",
                    if is_empty { "empty" } else { "not set" },
                    if word.is_empty() { "" } else { ": " }
                ),
                hint: format!("set it in the environment or in .env: {name}=…"),
                variable: Some(name.to_owned()),
            }),
        }
    }

    fn plain(&mut self, name: &str, here: PiecePosition) -> String {
        if !here.used {
            return String::new();
        }
        (self.lookup)(name).unwrap_or_else(|| {
            if !self.unset.iter().any(|unset| unset == name) {
                self.unset.push(name.to_owned());
            }
            String::new()
        })
    }

    /// A character as the user wrote it.
    fn shown(&self, character: char) -> String {
        if character == self.mark { "$".to_owned() } else { character.escape_debug().to_string() }
    }
}

/// Adds the value of the expression at `here`.
fn append(out: &mut String, value: &str, here: PiecePosition) -> Result<(), InterpolationError> {
    if out.len() + value.len() > LARGEST {
        return Err(InterpolationError {
            span: here.offset..here.offset + 1,
            message: format!(
                "The text is larger than {} MiB with its variables replaced",
                LARGEST >> 20
            ),
            hint: "does a variable contain another one many times?".to_owned(),
            variable: None,
        });
    }
    out.push_str(value);
    Ok(())
}

const DOLLAR: &str = "; write \"$$\" for a dollar sign that stands for itself";

/// The number of bytes of the variable name at the beginning of `text`.
fn name_length(text: &str) -> usize {
    if text.starts_with(|first: char| first.is_ascii_digit()) {
        return 0;
    }
    text.find(|character: char| !(character.is_ascii_alphanumeric() || character == '_'))
        .unwrap_or(text.len())
}

/// The operator at the beginning of `rest`, whether it treats an empty value as unset, and its
/// word.
fn operator(rest: &str) -> Option<(Operator, bool, &str)> {
    let (counts_empty, rest) = rest.strip_prefix(':').map_or((false, rest), |rest| (true, rest));
    let mut characters = rest.chars();
    let operator = match characters.next()? {
        '-' => Operator::Default,
        '?' => Operator::Required,
        '+' => Operator::Alternative,
        _ => return None,
    };
    Some((operator, counts_empty, characters.as_str()))
}

/// The first character of `rest` that makes it no operator.
fn first_odd(rest: &str) -> char {
    rest.chars().find(|character| *character != ':').unwrap_or(':')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn environment(name: &str) -> Option<String> {
        match name {
            "SET" => Some("s".to_owned()),
            "EMPTY" => Some(String::new()),
            "a_b" => Some("ab".to_owned()),
            _ => None,
        }
    }

    #[track_caller]
    fn gives(text: &str, expected: &str) {
        assert_eq!(interpolate(text, &environment).expect(text).text, expected, "{text}");
    }

    #[track_caller]
    fn fails(text: &str, message: &str) -> InterpolationError {
        let error = interpolate(text, &environment).expect_err(text);
        assert_eq!(error.message, message, "{text}");
        error
    }

    #[test]
    fn a_variable_gives_its_value_with_and_without_braces() {
        gives("$SET", "s");
        gives("${SET}", "s");
        gives("$SET-x", "s-x");
        gives("{${SET}}", "{s}");
        gives("$SET$SET${a_b}é", "ssabé");
        gives("\\$SET", "\\s");
    }

    #[test]
    fn an_unset_variable_is_empty_and_reported_once() {
        let interpolated = interpolate("$SETx ${UNSET} $UNSET ${U2-}.", &environment).unwrap();
        assert_eq!(
            interpolated,
            InterpolatedText {
                text: "   .".to_owned(),
                unset: vec!["SETx".to_owned(), "UNSET".to_owned()]
            }
        );
    }

    #[test]
    fn a_default_replaces_an_unset_variable_and_with_a_colon_an_empty_one() {
        gives("${SET:-d}", "s");
        gives("${EMPTY:-d}", "d");
        gives("${EMPTY-d}", "");
        gives("${UNSET-d}", "d");
        gives("${UNSET:-}", "");
        gives("${UNSET:-a:b-c?d}", "a:b-c?d");
        gives("${UNSET-a:-b}", "a:-b");
        gives("${UNSET:- sp ace }", " sp ace ");
        gives("${UNSET:-#}", "#");
    }

    #[test]
    fn an_alternative_replaces_a_set_variable() {
        gives("${SET:+a}", "a");
        gives("${SET+}", "");
        gives("${EMPTY:+a}", "");
        gives("${EMPTY+a}", "a");
        gives("${UNSET+a}", "");
        gives("${SET:+${UNSET:-q}}", "q");
    }

    #[test]
    fn a_text_has_a_size_with_its_variables_replaced() {
        let large = |_: &str| Some("x".repeat(1 << 20));
        assert_eq!(interpolate("$A$A$A$A", &large).unwrap().text.len(), 4 << 20);
        for text in ["$A$A$A$A$A", "${A}${A}${A}${A}${A}", "${B:+$A$A$A$A$A}"] {
            let error = interpolate(text, &large).unwrap_err();
            assert_eq!(
                error.message, "The text is larger than 4 MiB with its variables replaced",
                "{text}"
            );
        }
    }

    #[test]
    fn a_word_is_interpolated_itself() {
        gives("${UNSET:-${SET}}", "s");
        gives("${UNSET:-a${SET}b}c", "asbc");
        gives("${UNSET:-${U2:-${U3:-deep}}}", "deep");
        gives("${UNSET:-$$}", "$");
        gives("${UNSET:-$${SET}}", "${SET}");
        gives("${SET:-$${SET}}", "s");
        gives("${UNSET:-$${SET} x", "${SET x");
    }

    #[test]
    fn only_a_dollar_brace_opens_another_level() {
        gives("${UNSET:-{}}", "{}");
        gives("${SET:-{}}", "s}");
        gives("${UNSET:-{x}", "{x");
        gives("${UNSET:-{\"a\":1}}", "{\"a\":1}");
    }

    #[test]
    fn a_dollar_sign_without_a_name_is_literal() {
        gives("$$", "$");
        gives("$$SET", "$SET");
        gives("$${SET}", "${SET}");
        gives("$$$SET", "$s");
        for text in ["$", "a$", "$1", "$-", "$ x", "$é", "$(ls)"] {
            gives(text, text);
        }
    }

    #[test]
    fn a_required_variable_that_is_missing_says_so_with_the_message() {
        gives("${SET:?m}${EMPTY?m}", "s");
        fails("${UNSET:?need ${SET}}", "Required variable \"UNSET\" is not set: need s");
        fails("${EMPTY:?m}", "Required variable \"EMPTY\" is empty: m");
        let error = fails("é ${UNSET?}.", "Required variable \"UNSET\" is not set");
        assert_eq!(error.span, 3..12);
        assert_eq!(error.variable.as_deref(), Some("UNSET"));
        assert_eq!(error.hint, "set it in the environment or in .env: UNSET=…");
    }

    #[test]
    fn a_word_that_is_not_used_is_not_asked_for_but_must_be_well_formed() {
        gives("${SET:-${UNSET:?m}}", "s");
        gives("${UNSET:+${U2:?m}}", "");
        let interpolated = interpolate("${SET:-$UNSET}", &environment).unwrap();
        assert_eq!(interpolated.unset, Vec::<String>::new());
        fails("${SET:-${1}}", "A variable's name must follow \"${\", not \"1\"");
        fails("x${UNSET:-${U2:?inner}}", "Required variable \"U2\" is not set: inner");
    }

    #[test]
    fn a_malformed_expression_is_named_at_its_place() {
        assert_eq!(fails("ab${SET", "\"${SET\" is not closed").span, 2..7);
        assert_eq!(fails("${UNSET:-${U2}", "\"${UNSET\" is not closed").span, 0..14);
        assert_eq!(fails("a ${} b", "A variable's name must follow \"${\", not \"}\"").span, 2..5);
        fails("${ SET}", "A variable's name must follow \"${\", not \" \"");
        fails("${$SET}", "A variable's name must follow \"${\", not \"$\"");
        fails("${SET }", "\" \" can't follow the variable \"SET\"");
        fails("${A.B}", "\".\" can't follow the variable \"A\"");
        fails("${SET:=x}", "\"=\" can't follow the variable \"SET\"");
        fails("${SET:}", "\":\" can't follow the variable \"SET\"");
        assert_eq!(fails("${UNSET:-x${A!}}", "\"!\" can't follow the variable \"A\"").span, 10..15);
    }

    #[test]
    #[ignore = "slow: `make test` runs it"]
    fn nesting_without_end_is_refused_before_the_stack_is() {
        let text = format!("{}{}", "${A:-".repeat(100_000), "}".repeat(100_000));
        assert_eq!(
            interpolate(&text, &environment).unwrap_err().message,
            "Variables are nested more than 64 deep"
        );
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic_and_an_error_lies_within_the_text(text in "[$a{}:?+\\-é\n]{0,40}") {
            if let Err(error) = interpolate(&text, &environment) {
                prop_assert!(text[error.span.clone()].starts_with('$'), "{error:?}");
            }
        }

        #[test]
        fn a_doubled_dollar_sign_keeps_any_text(text in any::<String>()) {
            let kept = interpolate(&text.replace('$', "$$"), &environment).unwrap();
            prop_assert_eq!(kept.text, text);
        }
    }
}
