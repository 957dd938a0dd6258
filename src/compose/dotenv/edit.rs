//! Changes one variable of a `.env` file and leaves every other byte as it is.

use std::ops::Range;

use super::statement::Statements;
use super::{DotenvError, decode, placed};

/// `text` with `written`, a value as it stands in a `.env` file, as the value of `name`.
///
/// If several statements set the variable, the last one changes, because a reader takes the last
/// one; lines between them that use the variable keep their values. A name alone gets the value. If
/// nothing sets the variable, a line at the end does.
pub fn with_value(text: &str, name: &str, written: &str) -> Result<String, DotenvError> {
    let content = decode(text.as_bytes())?;
    let mark = text.len() - content.len();
    let mut statements = Statements::new(content);
    let (mut assignment, mut alone) = (None, None);
    while let Some(statement) = statements.next().map_err(|fault| placed(fault, content))? {
        if statement.name == name {
            match &statement.value {
                Some(value) => assignment = Some(value.span()),
                None => alone = Some(statement.offset + name.len()),
            }
        }
    }
    let shift = |at: usize| at + mark;
    Ok(match (assignment, alone) {
        (Some(span), _) => {
            let span = shift(span.start)..shift(span.end);
            replaced(text, span.clone(), &beside_comment(written, rest_of_line(text, span.end)))
        }
        (None, Some(end)) => {
            let end = shift(end);
            let value = beside_comment(written, rest_of_line(text, end));
            replaced(text, end..end, &format!("={value}"))
        }
        (None, None) => {
            let line_end = if first_line_ends_with_carriage_return(text) { "\r\n" } else { "\n" };
            let before = if content.is_empty() || text.ends_with('\n') { "" } else { line_end };
            format!("{text}{before}{name}={written}{line_end}")
        }
    })
}

/// Whether `written` is one value, as `NAME=` is followed by it.
pub fn is_value(written: &str) -> bool {
    let line = format!("NAME={written}");
    let mut statements = Statements::new(&line);
    let value = statements.next().ok().flatten().and_then(|statement| statement.value);
    value.is_some_and(|value| value.span().end == line.len())
        && matches!(statements.next(), Ok(None))
}

fn replaced(text: &str, span: Range<usize>, value: &str) -> String {
    format!("{}{value}{}", &text[..span.start], &text[span.end..])
}

fn rest_of_line(text: &str, at: usize) -> &str {
    text[at..].split('\n').next().unwrap_or_default()
}

/// Puts a bare value in quotes if the rest of its line would become a part of it: everything does
/// but a comment after a space, and that too after an empty value. A bare value contains neither
/// quotes nor backslashes.
fn beside_comment(written: &str, rest: &str) -> String {
    let is_blank = |text: &str| text.trim().is_empty();
    let ends = !written.is_empty() && rest.split(" #").next().is_some_and(is_blank);
    if written.starts_with(['\'', '"']) || is_blank(rest) || ends {
        written.to_owned()
    } else {
        format!("'{written}'")
    }
}

fn first_line_ends_with_carriage_return(text: &str) -> bool {
    text.split_once('\n').is_some_and(|(line, _)| line.ends_with('\r'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::compose::dotenv::parse;
    use crate::compose::dotenv_quoting::quoted;

    fn set(text: &str, value: &str) -> String {
        with_value(text, "A", &quoted(value).unwrap()).unwrap()
    }

    fn read(text: &str) -> Vec<(String, String)> {
        let read =
            parse(text.as_bytes(), &|_| None).unwrap_or_else(|error| panic!("{text}\n{error}"));
        read.variables.into_iter().map(|(name, variable)| (name, variable.value)).collect()
    }

    #[test]
    fn one_value_changes_and_every_other_byte_stays() {
        for (text, after) in [
            ("A=1\nB=2\n", "A=new\nB=2\n"),
            ("A=1", "A=new"),
            ("export A=1\n", "export A=new\n"),
            ("export\tA = 1\n", "export\tA = new\n"),
            ("A = 1\n", "A = new\n"),
            (" A=1\n", " A=new\n"),
            ("A: 1\n", "A: new\n"),
            ("\u{feff}A=1\nB=2\n", "\u{feff}A=new\nB=2\n"),
            ("\u{feff}B=2\n", "\u{feff}B=2\nA=new\n"),
            ("\u{feff}", "\u{feff}A=new\n"),
            ("A=1\r\nB=2\r\n", "A=new\r\nB=2\r\n"),
            ("A=\r\nB=2\r\n", "A=new\r\nB=2\r\n"),
            ("A='1'\r\n", "A=new\r\n"),
            ("B=2\r\n", "B=2\r\nA=new\r\n"),
            ("B=2\r\nC=3", "B=2\r\nC=3\r\nA=new\r\n"),
            ("B=2", "B=2\nA=new\n"),
            ("", "A=new\n"),
            // In a value that spans lines nothing is a statement.
            ("B=\"x\nA=1\ny\"\nA=2\n", "B=\"x\nA=1\ny\"\nA=new\n"),
            ("B='\nA=1\n'\n", "B='\nA=1\n'\nA=new\n"),
            ("A=\"x\ny\" # c\nB=2\n", "A=new # c\nB=2\n"),
            ("# A=1\nA=1 # A=2\n", "# A=1\nA=new # A=2\n"),
            ("A='x'# c\n", "A='new'# c\n"),
            ("A=\"x\"\t# c\n", "A='new'\t# c\n"),
            ("A=1\nB=$A\nA=2\nC=$A\n", "A=1\nB=$A\nA=new\nC=$A\n"),
            ("A\nB=2\n", "A=new\nB=2\n"),
            ("A=1\nA\n", "A=new\nA\n"),
            ("AB=1\nBA=1\nexport=1\n", "AB=1\nBA=1\nexport=1\nA=new\n"),
        ] {
            assert_eq!(set(text, "new"), after, "{text:?}");
            let value = read(&set(text, "new")).into_iter().find(|(name, _)| name == "A");
            assert_eq!(value.unwrap().1, "new", "{text:?}");
        }
        assert_eq!(set("A=1 # c\n", ""), "A='' # c\n");
        assert_eq!(set("A=1\n", ""), "A=\n");
        assert_eq!(set("A=1 # c\n", "it's"), "A=\"it's\" # c\n");
    }

    #[test]
    fn a_file_that_can_t_be_read_is_not_changed() {
        let error = with_value("B=1\nA='x\n", "A", "1").unwrap_err();
        assert_eq!(
            (error.line, error.message.as_str()),
            (2, "The quoted value of \"A\" is not closed")
        );
    }

    /// A line of a file: a statement in one of its forms, a comment, or nothing.
    fn line() -> impl Strategy<Value = String> {
        let value =
            prop_oneof!["[a-z0-9=]{0,4}", "'[a-zA=#$ \n\r\"]{0,6}'", "\"[a-zA=#' \n\r]{0,6}\"",];
        let after = prop_oneof![Just(""), Just(" "), Just(" # A=c"), Just("\t")];
        let statement = (
            prop_oneof![Just(""), Just(" "), Just("\t"), Just("export "), Just(" export  ")],
            prop_oneof![Just("A"), Just("B"), Just("AB"), Just("C.D")],
            prop_oneof![Just("="), Just(" = "), Just(": "), Just("=\t")],
            value,
            after,
        )
            .prop_map(|(before, name, sign, value, after)| {
                format!("{before}{name}{sign}{value}{after}")
            });
        prop_oneof![8 => statement, 1 => "#[A= '\"a]{0,5}", 1 => Just(String::new())]
    }

    proptest! {
        #[test]
        fn the_value_reads_back_and_every_other_variable_reads_as_before(
            has_mark in any::<bool>(),
            lines in proptest::collection::vec((line(), prop_oneof![Just("\n"), Just("\r\n")]), 0..6),
            value in "[^\u{0}]*",
        ) {
            let mut text = if has_mark { "\u{feff}".to_owned() } else { String::new() };
            text.extend(lines.into_iter().flat_map(|(line, end)| [line, end.to_owned()]));
            prop_assume!(parse(text.as_bytes(), &|_| None).is_ok());
            let after = set(&text, &value);
            let others = |text: &str| {
                let mut all = read(text);
                all.retain(|(name, _)| name != "A");
                all
            };
            prop_assert_eq!(others(&after), others(&text));
            let mut set_to = read(&after);
            set_to.retain(|(name, _)| name == "A");
            prop_assert_eq!(set_to, [("A".to_owned(), value.clone())]);
            // A second call changes nothing.
            prop_assert_eq!(set(&after, &value), after);
        }

        // dotenvy supports no escape for a carriage return.
        #[test]
        fn the_value_reads_back_in_other_readers(
            before in prop_oneof![Just(""), Just("export ")],
            comment in prop_oneof![Just(""), Just(" # c")],
            value in "[^\u{0}\r]*",
        ) {
            let text = set(&format!("B=1\n{before}A='x'{comment}\nC=2\n"), &value);
            let read: Result<Vec<_>, _> = dotenvy::from_read_iter(text.as_bytes()).collect();
            let pairs = [("B", "1"), ("A", value.as_str()), ("C", "2")];
            prop_assert_eq!(read.unwrap(), pairs.map(|(name, value)| (name.to_owned(), value.to_owned())));
        }
    }
}
