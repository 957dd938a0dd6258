//! The difference of two values, for people.

use rhai::{Array, Dynamic, Map};
use similar::{ChangeTag, TextDiff};

use crate::value::Record;
use crate::value::text::literal;

/// Values with up to this many characters stay on one line.
const LINE: usize = 60;

/// The number of unchanged lines around a difference.
const CONTEXT: usize = 2;

/// Both values, or only their differences if they are long: lines of the first begin with `-`, of
/// the second with `+`.
pub fn difference(left: &Dynamic, right: &Dynamic) -> String {
    let (left, right) = (lines(left), lines(right));
    let diff = TextDiff::from_lines(&left, &right);
    let mut text = String::new();
    for (at, group) in diff.grouped_ops(CONTEXT).iter().enumerate() {
        if at > 0 {
            text.push_str("  …\n");
        }
        for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
            let mark = match change.tag() {
                ChangeTag::Delete => "- ",
                ChangeTag::Insert => "+ ",
                ChangeTag::Equal => "  ",
            };
            text.push_str(mark);
            text.push_str(change.value().trim_end_matches('\n'));
            text.push('\n');
        }
    }
    if text.is_empty() { format!("- {left}+ {right}") } else { text }
}

/// A value on several lines, one for each element of a long list or map.
fn lines(value: &Dynamic) -> String {
    let mut out = String::new();
    write(&mut out, value, 0);
    out.push('\n');
    out
}

fn write(out: &mut String, value: &Dynamic, depth: usize) {
    let short = literal(value);
    let text = value.read_lock::<rhai::ImmutableString>();
    if let Some(text) = text.filter(|text| text.contains('\n')) {
        // Texts with several lines are shown unchanged.
        out.push_str(&text);
    } else if short.chars().count() <= LINE {
        out.push_str(&short);
    } else if let Some(list) = value.read_lock::<Array>() {
        write_all(out, list.iter().map(|item| (String::new(), item)), ['[', ']'], depth);
    } else if let Some(map) = value.read_lock::<Map>() {
        write_all(
            out,
            map.iter().map(|(key, value)| (format!("{key}: "), value)),
            ['{', '}'],
            depth,
        );
    } else if let Some(record) = value.read_lock::<Record>() {
        write_all(
            out,
            record.fields().iter().map(|(key, value)| (format!("{key}: "), value)),
            ['{', '}'],
            depth,
        );
    } else {
        out.push_str(&short);
    }
}

fn write_all<'a>(
    out: &mut String,
    items: impl Iterator<Item = (String, &'a Dynamic)>,
    brackets: [char; 2],
    depth: usize,
) {
    out.push_str(if brackets[0] == '{' { "#{" } else { "[" });
    for (name, item) in items {
        out.push('\n');
        out.push_str(&"  ".repeat(depth + 1));
        out.push_str(&name);
        write(out, item, depth + 1);
        out.push(',');
    }
    out.push('\n');
    out.push_str(&"  ".repeat(depth));
    out.push(brackets[1]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_values_are_shown_on_two_lines() {
        assert_eq!(difference(&1_i64.into(), &0_i64.into()), "- 1\n+ 0\n");
        assert_eq!(
            difference(&"a".into(), &vec![Dynamic::from("a")].into()),
            "- \"a\"\n+ [\"a\"]\n"
        );
    }

    #[test]
    fn long_values_show_only_the_difference() {
        let list = |third: &str| -> Dynamic {
            let mut list: Array =
                (0..20).map(|number| format!("element number {number}").into()).collect();
            list[3] = third.into();
            list.into()
        };
        let expected = "    \"element number 1\",\n    \"element number 2\",\n-   \"old\",\n+   \"new\",\n    \"element number 4\",\n    \"element number 5\",\n";
        assert_eq!(difference(&list("old"), &list("new")), expected);
    }

    #[test]
    fn texts_of_several_lines_are_compared_line_by_line() {
        assert_eq!(difference(&"a\nb\nc".into(), &"a\nx\nc".into()), "  a\n- b\n+ x\n  c\n");
    }
}
