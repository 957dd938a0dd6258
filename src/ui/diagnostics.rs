//! Prints errors and warnings: the excerpt with a caret, the calls that led there, the next step,
//! blocks of outside text.

use std::collections::BTreeMap;

use annotate_snippets::{AnnotationKind, Element, Group, Level, Origin, Renderer, Snippet};
use serde::Serialize;
use serde_json::Value;
use unicode_width::UnicodeWidthChar as _;

use super::terminal::{SUBJECT, Terminal, styled};
use crate::model::diagnostic::{CLOSURE, Diagnostic, Frame, RULE, Severity, SourceSpan};
use crate::model::failure::Detail;
use crate::model::masking::Masked;
use crate::model::visible::{visible, visible_line};

/// The number of calls that are shown at each end of a long trace.
const SHOWN_CALLS: usize = 8;

/// The width without a terminal.
const WIDTH: usize = 140;

/// A narrower terminal breaks the lines.
const NARROWEST: usize = 40;

/// What stands beside a caret in its line: the line's number, and the marks of a cut.
const AROUND: usize = 16;

/// Writes the diagnostic to standard error, with masked secrets.
pub fn print(terminal: &Terminal, diagnostic: &Diagnostic) {
    let diagnostic = Masked::new(diagnostic.clone(), terminal.secrets());
    let width = terminal.size().map(|size| size.columns);
    terminal.masked_err(&text(&diagnostic, width));
}

/// The diagnostic as text for people, with styles, without a line end at its end. A line of source
/// that is wider than `width` columns is cut around the caret.
pub fn text(diagnostic: &Diagnostic, width: Option<usize>) -> String {
    let width = width.unwrap_or(WIDTH).max(NARROWEST);
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Note => Level::NOTE,
    };
    let mut elements: Vec<Element<'_>> = Vec::new();
    if let Some(place) = &diagnostic.place {
        elements.extend(excerpt(place, width));
    }
    elements.extend(
        calls(&diagnostic.trace)
            .into_iter()
            .map(|call| Level::NOTE.with_name("called from").message(call).into()),
    );
    let mut hint = diagnostic.hint.as_deref().map(|hint| visible(hint).into_owned());
    if !elements.is_empty() {
        elements.extend(hint.take().map(|hint| Level::HELP.message(hint).into()));
    }
    let renderer = Renderer::styled().term_width(width);
    let title = level.primary_title(visible(&diagnostic.message).into_owned());
    let title = match diagnostic.fields.get(RULE).and_then(Value::as_str) {
        Some(rule) => title.id(rule.to_owned()),
        None => title,
    };
    let mut text = renderer.render(&[Group::with_title(title).elements(elements)]);
    // Below a message without an excerpt, the hint is a sentence of its own.
    if let Some(hint) = hint {
        text.push('\n');
        text.push_str(&renderer.render(&[Group::with_title(Level::HELP.primary_title(hint))]));
    }
    for detail in &diagnostic.details {
        text.push_str(&block(detail));
    }
    text
}

/// The position, and the line with the caret if the source has it.
fn excerpt(place: &SourceSpan, width: usize) -> Option<Element<'_>> {
    let name = visible_line(&place.source.name).into_owned();
    let Some(line) =
        place.source.text.split('\n').nth(place.line.saturating_sub(1)).filter(|_| place.line > 0)
    else {
        // Nothing to show: only the name of the source is known.
        return (!name.is_empty())
            .then(|| Origin::path(name).line(place.line).char_column(place.column).into());
    };
    let line = visible(line.strip_suffix('\r').unwrap_or(line)).into_owned();
    let byte_of =
        |column: usize| line.char_indices().nth(column).map_or(line.len(), |(byte, _)| byte);
    let start = place.column.saturating_sub(1);
    // The renderer does not cut a caret that is wider than the terminal.
    let start_byte = byte_of(start);
    let end = byte_of(start + place.width.max(1));
    let (widest, mut columns) = (width.saturating_sub(AROUND), 0);
    let too_wide = line[start_byte..end].char_indices().find(|(_, character)| {
        columns += character.width().unwrap_or(0);
        columns > widest
    });
    let end = too_wide.map_or(end, |(at, _)| start_byte + at);
    let span = start_byte..end;
    let snippet =
        Snippet::source(line).line_start(place.line).annotation(AnnotationKind::Primary.span(span));
    Some(if name.is_empty() { snippet.into() } else { snippet.path(name).into() })
}

/// The trace with one line per call, without the middle of a long one.
fn calls(trace: &[Frame]) -> Vec<String> {
    let call = |frame: &Frame| {
        let SourceSpan { source, line, column, .. } = &frame.place;
        let place = format!("{}:{line}:{column}", visible_line(&source.name));
        match frame.function.as_str() {
            "" => place,
            CLOSURE => format!("{place}, in the call of a closure (|| …)"),
            function => format!("{place}, in the call of \"{}\"", visible_line(function)),
        }
    };
    if trace.len() <= 2 * SHOWN_CALLS {
        return trace.iter().map(call).collect();
    }
    let (first, rest) = trace.split_at(SHOWN_CALLS);
    let (left_out, last) = rest.split_at(rest.len() - SHOWN_CALLS);
    let gap = format!("… {} more calls", left_out.len());
    first.iter().map(call).chain([gap]).chain(last.iter().map(call)).collect()
}

/// A titled block of outside text, indented.
fn block(detail: &Detail) -> String {
    let mut text = format!("\n{}", styled(SUBJECT, &format!("{}:", visible_line(&detail.title))));
    for line in detail.text.trim_end().lines() {
        text.push_str("\n    ");
        text.push_str(visible(line).trim_end());
    }
    text
}

/// A diagnostic for programs: `severity kind message hint place trace details`, and its own fields.
#[derive(Debug, Serialize)]
pub struct DiagnosticJson<'a> {
    severity: &'static str,
    kind: &'static str,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<SpanJson<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    trace: Vec<FrameJson<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    details: Vec<DetailJson<'a>>,
    #[serde(flatten)]
    fields: BTreeMap<&'a str, &'a Value>,
}

/// Lines and columns count from 1, columns in characters.
#[derive(Debug, Serialize)]
struct SpanJson<'a> {
    file: &'a str,
    line: usize,
    column: usize,
}

#[derive(Debug, Serialize)]
struct FrameJson<'a> {
    function: &'a str,
    #[serde(flatten)]
    place: SpanJson<'a>,
}

#[derive(Debug, Serialize)]
struct DetailJson<'a> {
    title: &'a str,
    text: &'a str,
}

/// The keys that a field of a failure must not repeat.
const OWN_KEYS: [&str; 9] =
    ["severity", "kind", "message", "hint", "place", "trace", "details", "event", "time"];

impl<'a> From<&'a Diagnostic> for DiagnosticJson<'a> {
    fn from(diagnostic: &'a Diagnostic) -> Self {
        Self {
            severity: match diagnostic.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
                Severity::Note => "note",
            },
            kind: diagnostic.kind.word(),
            message: &diagnostic.message,
            hint: diagnostic.hint.as_deref(),
            place: diagnostic.place.as_ref().map(SpanJson::from),
            trace: diagnostic
                .trace
                .iter()
                .map(|frame| FrameJson { function: &frame.function, place: (&frame.place).into() })
                .collect(),
            details: diagnostic
                .details
                .iter()
                .map(|detail| DetailJson { title: &detail.title, text: &detail.text })
                .collect(),
            fields: diagnostic
                .fields
                .iter()
                .map(|(name, value)| (name.as_str(), value))
                .filter(|(name, value)| !OWN_KEYS.contains(name) && !value.is_null())
                .collect(),
        }
    }
}

impl<'a> From<&'a SourceSpan> for SpanJson<'a> {
    fn from(place: &'a SourceSpan) -> Self {
        Self { file: &place.source.name, line: place.line, column: place.column }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Kind;
    use crate::model::diagnostic::Source;
    use crate::ui::fixture::CapturedTerminal;
    use similar_asserts::assert_eq;
    use std::sync::Arc;
    use unicode_width::UnicodeWidthStr as _;

    fn place(text: &str, line: usize, column: usize, width: usize) -> SourceSpan {
        SourceSpan {
            source: Arc::new(Source { name: "scripts/up.rhai".to_owned(), text: text.to_owned() }),
            line,
            column,
            width,
        }
    }

    fn error(message: &str, place: Option<SourceSpan>) -> Diagnostic {
        Diagnostic {
            severity: Severity::Error,
            kind: Kind::Usage,
            message: message.to_owned(),
            hint: None,
            place,
            trace: Vec::new(),
            details: Vec::new(),
            fields: BTreeMap::new(),
            after_changes: false,
        }
    }

    fn plain(diagnostic: &Diagnostic) -> String {
        anstream::adapter::strip_str(&text(diagnostic, None)).to_string()
    }

    #[test]
    fn an_error_shows_its_line_with_a_caret_the_calls_and_the_next_step() {
        let source = "let spc = app::describe(o);\nspc.service(\"redsi\");\n";
        let mut diagnostic = error("No service \"redsi\"", Some(place(source, 2, 5, 7)));
        diagnostic.hint = Some("did you mean \"redis\"?".to_owned());
        diagnostic.trace =
            vec![Frame { function: "migrate".to_owned(), place: place("", 9, 3, 1) }];
        let expected = "\
error: No service \"redsi\"
 --> scripts/up.rhai:2:5
  |
2 | spc.service(\"redsi\");
  |     ^^^^^^^
  |
  = called from: scripts/up.rhai:9:3, in the call of \"migrate\"
  = help: did you mean \"redis\"?";
        assert_eq!(plain(&diagnostic), expected);
    }

    #[test]
    fn the_rule_of_a_finding_is_shown_in_brackets() {
        let mut diagnostic = error("No service \"redsi\"", Some(place("x", 1, 1, 1)));
        diagnostic.fields = [("rule".to_owned(), "unknown-key".into())].into();
        assert_eq!(
            plain(&diagnostic),
            "error[unknown-key]: No service \"redsi\"\n --> scripts/up.rhai:1:1\n  |\n1 | x\n  | ^"
        );
    }

    #[test]
    fn a_secret_that_tabs_would_spell_differently_is_hidden() {
        let captured = CapturedTerminal::plain();
        captured.secrets.add("key", "token", "one\ttwo");
        print(
            &captured.terminal,
            &error("Refused: one\ttwo", Some(place("f(\"one\ttwo\")", 1, 1, 1))),
        );
        assert_eq!(
            captured.stderr(),
            "\
error: Refused: [secret key]
 --> scripts/up.rhai:1:1
  |
1 | f(\"[secret key]\")
  | ^
"
        );
    }

    #[test]
    fn colours_are_the_same_text_with_styles() {
        let diagnostic =
            error("No service \"redsi\"", Some(place("x.service(\"redsi\");", 1, 3, 7)));
        let text = text(&diagnostic, None);
        assert!(text.starts_with("\u{1b}[1m\u{1b}[91merror\u{1b}[0m"), "{text:?}");
        assert!(plain(&diagnostic).starts_with("error: No service"));
    }

    #[test]
    fn a_warning_without_a_place_is_its_sentence_and_hint() {
        let mut diagnostic = error("The file \".env\" is missing", None);
        diagnostic.severity = Severity::Warning;
        diagnostic.hint = Some("copy \".env.example\"".to_owned());
        assert_eq!(
            plain(&diagnostic),
            "warning: The file \".env\" is missing\nhelp: copy \".env.example\""
        );
    }

    #[test]
    fn tabs_wide_letters_and_crlf_keep_the_caret_in_place() {
        let source = "one\r\n\tlet größe = \"데이터\" + typo;\r\n";
        let expected = "\
error: Unknown
 --> scripts/up.rhai:2:22
  |
2 |     let größe = \"데이터\" + typo;
  |                            ^^^^";
        assert_eq!(plain(&error("Unknown", Some(place(source, 2, 22, 4)))), expected);
    }

    #[test]
    fn a_line_that_is_wider_than_the_terminal_is_cut_around_the_caret() {
        let wide = format!(
            "\tstack(\"shop\", #{{ services: #{{ web: #{{ labels: \"{}\", prots: [1], {} }} }} }});\r\n",
            "데이터".repeat(20),
            "more: \"text\", ".repeat(10)
        );
        let column = wide[..wide.find("prots").unwrap()].chars().count() + 1;
        for width in [60, 80] {
            let diagnostic = error("Unknown key", Some(place(&wide, 1, column, 5)));
            let text = anstream::adapter::strip_str(&text(&diagnostic, Some(width))).to_string();
            let lines: Vec<&str> = text.lines().collect();
            assert!(lines.iter().all(|line| line.width() <= width), "{text}");
            let shown = lines[3].find("prots").map(|at| lines[3][..at].width());
            assert!(shown.is_some() && shown == lines[4].find("^^^^^"), "{text}");
        }
        let whole = error("Too long", Some(place(&"x".repeat(300), 1, 1, 300)));
        let text = anstream::adapter::strip_str(&text(&whole, Some(60))).to_string();
        assert!(text.lines().all(|line| line.width() <= 60), "{text}");
    }

    #[test]
    fn a_place_at_or_past_the_end_of_the_line_has_its_caret_there() {
        for column in [8, 40] {
            let text = plain(&error("Unfinished", Some(place("let x =", 1, column, 3))));
            assert!(text.ends_with("1 | let x =\n  |        ^"), "{text}");
        }
    }

    #[test]
    fn a_place_outside_the_source_is_named_without_an_excerpt() {
        let expected = "error: Gone\n--> scripts/up.rhai:9:1";
        assert_eq!(plain(&error("Gone", Some(place("one line", 9, 1, 1)))), expected);
    }

    #[test]
    fn escape_sequences_in_container_output_are_shown_literally() {
        let mut diagnostic = error("The service \"db\" exited with code 1 \u{1b}[2J", None);
        diagnostic.hint = Some("look \u{1b}[31m here".to_owned());
        let log = "\u{1b}[31mFATAL\u{1b}[0m: no space\r\n\tat line 3\n\n".to_owned();
        diagnostic.details = vec![Detail { title: "last lines of its log".to_owned(), text: log }];
        let expected = "\
error: The service \"db\" exited with code 1 ␛[2J
help: look ␛[31m here
last lines of its log:
    ␛[31mFATAL␛[0m: no space
    \tat line 3";
        assert_eq!(plain(&diagnostic), expected);
    }

    #[test]
    fn a_long_trace_leaves_its_middle_out() {
        let mut diagnostic = error("Too deep", None);
        diagnostic.trace = (1..=40)
            .map(|line| Frame { function: "f".to_owned(), place: place("", line, 1, 1) })
            .collect();
        let text = plain(&diagnostic);
        assert_eq!(text.lines().filter(|line| line.contains("called from")).count(), 17);
        assert!(
            text.contains("… 24 more calls")
                && text.contains("up.rhai:1:1")
                && text.contains("up.rhai:40:1"),
            "{text}"
        );
    }

    #[test]
    fn lines_of_a_message_and_of_a_hint_stay_aligned() {
        let mut diagnostic =
            error("Two services publish port 80:\nweb and proxy", Some(place("x", 1, 1, 1)));
        diagnostic.hint = Some("change one of them\nor leave one out".to_owned());
        let expected = "\
error: Two services publish port 80:
       web and proxy
 --> scripts/up.rhai:1:1
  |
1 | x
  | ^
  |
  = help: change one of them
          or leave one out";
        assert_eq!(plain(&diagnostic), expected);
    }

    #[test]
    fn the_json_form_has_the_fields_of_the_error_map() {
        let mut diagnostic = error("No service \"x\"", Some(place("x", 1, 1, 1)));
        diagnostic.fields =
            [("service".to_owned(), "x".into()), ("kind".to_owned(), "not this one".into())].into();
        let json = serde_json::to_string(&DiagnosticJson::from(&diagnostic)).unwrap();
        let expected = r#"{"severity":"error","kind":"usage","message":"No service \"x\"","place":{"file":"scripts/up.rhai","line":1,"column":1},"service":"x"}"#;
        assert_eq!(json, expected);
    }
}
