use super::*;
use crate::compose::dotenv_quoting::{by_dotenvy, quoted};
use proptest::prelude::*;

fn environment(name: &str) -> Option<String> {
    (name == "HOST").then(|| "h".to_owned())
}

fn read(content: &str) -> Vec<(String, String)> {
    let dotenv = parse(content.as_bytes(), &environment)
        .unwrap_or_else(|error| panic!("{content:?}: {error:?}"));
    dotenv.variables.into_iter().map(|(name, variable)| (name, variable.value)).collect()
}

/// The value of `A` in a file with this content.
#[track_caller]
fn gives(content: &str, expected: &str) {
    let values = read(content);
    assert_eq!(
        values.iter().find(|(name, _)| name == "A").map(|(_, value)| value.as_str()),
        Some(expected),
        "{content:?}"
    );
}

#[track_caller]
fn fails(content: &str, line: usize, column: usize, message: &str) -> String {
    let error = parse(content.as_bytes(), &environment).expect_err(content);
    assert_eq!(
        (error.line, error.column, error.message.as_str()),
        (line, column, message),
        "{content:?}"
    );
    error.hint
}

#[test]
fn a_bare_value_ends_with_the_line_or_a_comment_behind_a_blank() {
    gives("A=1", "1");
    gives("  A = 1  \n", "1");
    gives("A\t=\t1\n", "1");
    gives("A=a b # c\n", "a b");
    gives("A=a#b\n", "a#b");
    gives("A=1#\n", "1#");
    gives("A=#b\n", "#b");
    gives("A= #b\n", "#b");
    gives("A=a\t#b\n", "a\t#b");
    gives("A=a #b 'c\n", "a");
    gives("A=1=2\n", "1=2");
    gives("A=\n", "");
    gives("A=\u{a0}é ü\u{a0}\n", "é ü");
}

#[test]
fn quotes_and_backslashes_mean_nothing_in_a_bare_value() {
    gives("A=a\\nb\n", "a\\nb");
    gives("A=C:\\dir\\new\n", "C:\\dir\\new");
    gives("A=x'y'\n", "x'y'");
    gives("A=x\"y z\"\n", "x\"y z\"");
    gives("A=`x`\n", "`x`");
    gives("A=x\\\ny=\n", "x\\");
    gives("A=a\u{2028}b\n", "a\u{2028}b");
    gives("A=a\rB=b\n", "a\rB=b");
}

#[test]
fn single_quotes_keep_everything_but_an_escaped_quote() {
    gives("A='$HOST #x \"y\"' # c\n", "$HOST #x \"y\"");
    gives("A='a\\nb'\n", "a\\nb");
    gives("A='it\\'s'\n", "it's");
    gives("A='\\\\'\n", "\\\\");
    gives("A='a\\\\\\'b'#c\n", "a\\\\'b");
    gives("A=''\n", "");
    gives("A='\u{e000}$'\n", "\u{e000}$");
}

#[test]
fn double_quotes_know_escapes_and_keep_unknown_ones() {
    gives("A=\"a\\nb\\rc\\td\\\\e\\\"f\\$HOST\"\n", "a\nb\rc\td\\e\"f$HOST");
    gives("A=\"\\a\\b\\f\\v\"\n", "\u{7}\u{8}\u{c}\u{b}");
    gives("A=\"\\x\\q\\'\\` \"\n", "\\x\\q\\'\\` ");
    gives("A=\"\\0101\\01234\"\n", "AS4");
    gives("A=\"\\0777\\0\\0000\\012\"\n", "\\0777\\0\\0000\\012");
    gives("A=\"\\u00e9\\x41\\101\"\n", "\\u00e9\\x41\\101");
    gives("A=\"\\\\\"\nB=2\n", "\\");
    gives("A=\"x\\\\\\\"y\"\n", "x\\\"y");
    gives("A=\"a'b\"#c\n", "a'b");
    gives("A=\"\"\n", "");
}

#[test]
fn a_quoted_value_may_span_lines() {
    assert_eq!(
        read("A='l1\n# l2'\nB=2\n"),
        [("A".to_owned(), "l1\n# l2".to_owned()), ("B".to_owned(), "2".to_owned())]
    );
    gives("A=\"l1\nl2\"\n", "l1\nl2");
    gives("A=\"x\\\ny\"\n", "x\\\ny");
}

#[test]
fn variables_come_from_the_environment_and_then_from_the_lines_above() {
    gives("B=1\nA=$B${B}-\"$B\"\n", "11-\"1\"");
    gives("B=1\nA=\"$B ${C:-${B}2}\"\n", "1 12");
    gives("HOST=f\nA=$HOST\n", "h");
    gives("A=1\nA=$A-x\n", "1-x");
    gives("A=$$x\n", "$x");
    gives("A=\"$$x\"\n", "$x");
    gives("A=\"\\\\${HOST}\"\n", "\\h");
    gives("A=\\$HOST\n", "\\h");
    gives("A=\"\\${HOST}\"\n", "${HOST}");
    gives("A=$1$\n", "$1$");
    gives("A=${B:-x y} # c\n", "x y");
    gives("A=\"x${B:-\\\"q\\\"}\"\n", "x\"q\"");
    gives("A=\u{e000}$HOST\n", "\u{e000}h");
}

#[test]
fn an_unset_variable_is_reported_with_its_line() {
    let dotenv = parse(b"A=1\n\nB=x$C\n", &environment).unwrap();
    assert_eq!(dotenv.variables["B"], Variable { value: "x".to_owned(), line: 3 });
    assert_eq!(dotenv.unset, [UnsetVariable { name: "C".to_owned(), line: 3 }]);
}

#[test]
fn names_are_read_as_compose_reads_them() {
    for name in ["A", "export", "exportA", "A.B", ".A", "A-B", "A[0]", "1A", "É"] {
        assert_eq!(read(&format!("{name}=1\n")), [(name.to_owned(), "1".to_owned())]);
    }
    for line in ["export A=1", "export\tA = 1", "A: 1", "A:1", "\u{b}A=1"] {
        gives(line, "1");
    }
    assert_eq!(read("export =1\n"), [("export".to_owned(), "1".to_owned())]);
}

#[test]
fn a_name_alone_takes_the_environments_value() {
    assert_eq!(read("HOST\nexport HOST\nUNSET\n"), [("HOST".to_owned(), "h".to_owned())]);
    assert_eq!(read("UNSET\r\nexport\nHOST"), [("HOST".to_owned(), "h".to_owned())]);
}

#[test]
fn comments_empty_lines_windows_line_ends_and_a_byte_order_mark_are_no_obstacle() {
    gives("# c\n  # c2\n\nA=1\n", "1");
    gives("\u{feff}A=1\r\n", "1");
    gives("A=1 # c\r\nB='x'\r\n", "1");
    gives("A=\"x\"\r\nB=2\r\n", "x");
    assert_eq!(read(""), []);
    assert_eq!(read("\u{feff}# only a comment"), []);
}

#[test]
fn order_and_lines_are_kept_and_the_last_value_wins() {
    let dotenv = parse("B=1\nA='x\ny'\nC=3\nB=4".as_bytes(), &environment).unwrap();
    let lines: Vec<_> = dotenv
        .variables
        .iter()
        .map(|(name, variable)| (name.as_str(), variable.value.as_str(), variable.line))
        .collect();
    assert_eq!(lines, [("B", "4", 5), ("A", "x\ny", 2), ("C", "3", 4)]);
}

#[test]
fn a_quoted_value_that_is_not_closed_is_named_where_it_opens() {
    let hint = fails("B=1\nA = 'open\nC=2\n", 2, 5, "The quoted value of \"A\" is not closed");
    assert_eq!(hint, "close it with '; inside, write \\' for the quote itself");
    fails("A=\"\\\"", 1, 3, "The quoted value of \"A\" is not closed");
    fails("A='\\'\nB=2\n", 1, 3, "The quoted value of \"A\" is not closed");
}

#[test]
fn text_behind_a_closing_quote_is_an_error_instead_of_lost() {
    for content in [
        "A='x'y\n",
        "A='x' y\n",
        "A='it's'\n",
        "A='x'\tB=2\n",
        "A='a''b'\n",
        "A=\"a\"\"b\"\n",
        "A='''x'''\n",
    ] {
        let error = parse(content.as_bytes(), &environment).expect_err(content);
        assert_eq!(error.message, "Something follows the quoted value of \"A\"", "{content:?}");
    }
    let hint = fails("\nA='ü's'\n", 2, 6, "Something follows the quoted value of \"A\"");
    assert_eq!(hint, "quote the whole value; inside, write \\' for the quote itself");
}

#[test]
fn a_line_that_is_no_assignment_is_named_without_repeating_it() {
    let hint = fails("A=1\nsome text\n", 2, 5, "A variable's name can't contain \" \"");
    assert_eq!(hint, "write NAME=value, one to a line; a value that spans lines needs quotes");
    fails("A B=1\n", 1, 2, "A variable's name can't contain \" \"");
    fails("MIIE+x==\n", 1, 5, "A variable's name can't contain \"+\"");
    fails("A # c\n", 1, 2, "A variable's name can't contain \" \"");
    fails("A=1\n\u{feff}B=2\n", 2, 1, "A variable's name can't contain \"\\u{feff}\"");
    fails("  =1\n", 1, 3, "A variable's name is missing");
}

#[test]
fn a_faulty_expression_is_named_at_its_dollar_sign() {
    fails("A=1\nB=\"é\\n$A ${C\"\n", 2, 10, "\"${C\" is not closed");
    fails("A=x${UNSET:?choose one}\n", 1, 4, "Required variable \"UNSET\" is not set: choose one");
    fails("A=${U:?it's #1}\n", 1, 3, "\"${U\" is not closed");
}

#[test]
fn a_file_in_another_encoding_is_refused_with_the_fix() {
    let utf16 = parse(&[0xff, 0xfe, b'A', 0], &environment).unwrap_err();
    assert_eq!(
        (utf16.message.as_str(), utf16.hint.as_str()),
        ("The file is written in UTF-16", "save the file as UTF-8")
    );
    let latin1 = parse(b"A=1\nB=\xe9t\xe9\n", &environment).unwrap_err();
    assert_eq!(
        (latin1.line, latin1.column, latin1.message.as_str()),
        (2, 3, "The file is not written in UTF-8")
    );
    fails("A=1\nB=x\0\n", 2, 4, "A variable can't contain a NUL byte");
}

proptest! {
    #[test]
    fn no_content_makes_it_panic(content in proptest::collection::vec(any::<u8>(), 0..60)) {
        let _ = parse(&content, &environment);
    }

    #[test]
    fn no_text_makes_it_panic(content in "[A= '\"\\\\$\\{\\}:#\n\ré\u{e000}-]{0,40}") {
        let _ = parse(content.as_bytes(), &environment);
    }

    #[test]
    fn a_quoted_value_reads_back(value in "[^\u{0}]*") {
        let content = format!("A={}\nB=1\n", quoted(&value).unwrap());
        prop_assert_eq!(read(&content), [("A".to_owned(), value), ("B".to_owned(), "1".to_owned())]);
    }

    // dotenvy has no escape for a carriage return.
    #[test]
    fn a_quoted_value_reads_back_in_other_readers(value in "[^\u{0}\r]*") {
        let read = by_dotenvy(&quoted(&value).unwrap());
        prop_assert_eq!(read, Some(value));
    }

    #[test]
    fn a_value_in_single_quotes_reads_back(value in "[^\u{0}'\\\\]*") {
        gives(&format!("A='{value}'"), &value);
    }
}

#[test]
fn a_value_has_the_quotes_that_it_needs_and_reads_back_in_both_readers() {
    for (value, written) in [
        ("", ""),
        ("plain", "plain"),
        ("postgres://u@db:5432/x?a=1", "postgres://u@db:5432/x?a=1"),
        ("it's x", "\"it's x\""),
        ("it's", "\"it's\""),
        ("say \"x\"", "'say \"x\"'"),
        ("both ' and \"", "\"both ' and \\\"\""),
        ("$HOME", "'$HOME'"),
        ("it's $HOME", "\"it's \\$HOME\""),
        ("a$", "'a$'"),
        ("#x", "'#x'"),
        ("a #x", "'a #x'"),
        ("a#x", "'a#x'"),
        ("back\\slash", "\"back\\\\slash\""),
        ("ends with \\", "\"ends with \\\\\""),
        ("two\nlines\n", "\"two\\nlines\\n\""),
        (" around ", "' around '"),
        ("\ttab", "'\ttab'"),
        ("'quoted'", "\"'quoted'\""),
        ("\"quoted\"", "'\"quoted\"'"),
    ] {
        assert_eq!(quoted(value).as_deref(), Some(written));
        assert_eq!(read(&format!("A={written}\n")), [("A".to_owned(), value.to_owned())]);
        assert_eq!(by_dotenvy(written).as_deref(), Some(value), "{written}");
    }
    assert_eq!(quoted("a\0b"), None);
}

#[test]
fn a_value_that_looks_like_a_comment_is_reported_with_its_line() {
    let read = super::parse(b"A=1 # note\nF=   # choose one\nG='#'\nH=${NO}\n", &|_| None).unwrap();
    assert_eq!(read.variables["F"].value, "# choose one");
    let remarks = read.remarks();
    assert_eq!(remarks.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [2, 4]);
    assert!(
        remarks[0].1.ends_with("write F= for an empty value") && !remarks[0].1.contains("choose"),
        "{remarks:?}"
    );
}
