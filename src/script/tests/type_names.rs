//! Errors in the words of scripts, without internal names of Rust or Rhai, for people and for
//! scripts that catch them.

use similar_asserts::assert_eq;

use super::super::fixture::{Scripts, error, short, value};
use super::super::run::Outcome;
use crate::value::text::plain;

/// One script for each error of Rhai, and several for some of them; then the caught errors.
const ERRORS: &[(&str, &str)] = &[
    (
        "nothing_of_that_name(1, \"x\", 'c', 1.5, [], #{}, || 1, (), 0..3, true)",
        "There is no function nothing_of_that_name(integer, string, character, float, list, map, function, nothing, range, bool)",
    ),
    ("\"x\".trimmed(5)", "There is no function trimmed(string, integer)"),
    ("json::nothing(1)", "There is no function json::nothing(integer)"),
    ("\"x\" * [1]", "\"*\" does not work between a string and a list"),
    ("\"8080\" > 1024", "\">\" does not work between a string and an integer"),
    ("1024 <= \"8080\"", "\"<=\" does not work between an integer and a string"),
    ("() > 1.5", "\">\" does not work between () and a float"),
    ("true >= 1", "\">=\" does not work between a bool and an integer"),
    ("[1] < 2", "\"<\" does not work between a list and an integer"),
    ("#{} < 'a'", "\"<\" does not work between a map and a character"),
    ("duration(\"5s\") > 5", "\">\" does not work between a duration and an integer"),
    ("-\"x\"", "\"-\" does not work on a string"),
    ("let x = 5; x.name", "An integer has no field \"name\""),
    ("let x = 5; x.name = 1;", "The field \"name\" of an integer can't be set"),
    ("let x = \"a\"; x.name", "A string has no field \"name\""),
    ("let x = || 1; x.field", "A function has no field \"field\""),
    ("let x = (); x.name", "The value is (), which has no field \"name\""),
    ("let x = duration(\"1s\"); x.name", "A duration has no field \"name\""),
    ("let x = timestamp(); x.name", "A timestamp has no field \"name\""),
    ("let x = range(0, 9, 2); x.name", "A range has no field \"name\""),
    ("let x = container(\"c\"); x.nonsense", "A container has no field \"nonsense\""),
    ("[1, 2][7]", "Index 7 is outside the list, which has 2 elements"),
    ("let l = [1]; l[\"x\"]", "This takes an integer, not a string"),
    ("\"ab\"[7]", "Index 7 is outside the string, which has 2 characters"),
    ("5[99]", "Index 99 is outside the integer, which has 64 bits"),
    ("let x = (); x[1]", "The value is (), which has no elements"),
    ("let x = 1.5; x[1]", "\"[ ]\" does not work on a float"),
    ("let x = || 1; x[1]", "\"[ ]\" does not work on a function"),
    ("let x = 5; if x { }", "This takes a bool, not an integer"),
    ("let n = \"x\"; while n { }", "This takes a bool, not a string"),
    ("let x = 5; for y in x { }", "\"for\" can't loop over this value"),
    ("1 / 0", "Division by zero: 1 / 0"),
    ("range(1, 2, 0)", "The step of a range can't be 0"),
    ("range(0.5, 2.0, 0.0)", "The step of a range can't be 0"),
    ("9223372036854775807 + 1", "Addition overflow: 9223372036854775807 + 1"),
    ("const X = [1]; X.push(1);", "\"push\" would change a constant"),
    ("fn f() { this.x }\nf()", "There is no \"this\" here"),
    ("let f = |x| x; f.call(1, 2)", "The function does not take this number of arguments: 2"),
    ("[1].map(|a, b, c, d| a)", "The function does not take this number of arguments: 2"),
    ("fn f(x) { x }\nFn(\"f\").call(1, 2, 3)", "There is no function f(integer, integer, integer)"),
    ("Fn(\"nothing_there\").call()", "There is no function nothing_there()"),
    ("let f = 5; f.call(1)", "This takes a function, not an integer"),
    (
        "\"x\".pad(-1, 'x'); \"x\".sub_string(\"a\")",
        "There is no function sub_string(string, string)",
    ),
    ("let s = \"\"; s.pad(100_000_000, 'x')", "The value is too large: more than 64 MiB of text"),
    ("sleep(\"soon\")", "\"soon\" is not a duration; write it like \"1m30s\" or \"500ms\""),
    ("parse_int(\"x\")", "\"x\" is not an integer"),
    ("parse_int(\"9\", 8)", "\"9\" is not an integer of base 8"),
    ("parse_float(\"x\")", "\"x\" is not a number"),
    ("[1, \"a\"].sort()", "Values of different types can't be sorted: integer and string"),
    ("[2, 1].sort(|a, b| \"x\")", "The function given to sort returns a string"),
    ("let x = #{ a: 1 }; x.b.c", "The value is (), which has no field \"c\""),
    ("global::NOTHING", "There is no variable \"global::NOTHING\""),
    ("parallel([5])", "Element 0 of parallel has to be a function, not an integer"),
    ("retry(5)", "There is no function retry(integer)"),
];

/// Texts that no message contains.
const INSIDES: &str = r"&str|&mut|ImmutableString|alloc::|core::|std::|rhai::|spc::|Error[A-Z]|anon\$|Dynamic|\bi64\b|\bf64\b|usize|Option<|Vec<|Arc<|FnPtr|__in_file|get\$|set\$|index\$|\bINT\b|EvalAlt|\(line ";

/// The result of a script, or its failure.
fn said(script: &str) -> String {
    match Scripts::new(&[("main.rhai", script)]).outcome("main.rhai") {
        Ok(Outcome::Value(value)) => plain(&value),
        Ok(Outcome::Help(help)) => format!("{help:?}"),
        Err(diagnostic) => short(&diagnostic),
    }
}

fn insides(said: &str) -> bool {
    regex_lite::Regex::new(INSIDES).unwrap().is_match(said)
}

#[test]
fn no_error_shows_the_insides_whether_it_is_caught_or_not() {
    let mut wrong = Vec::new();
    for (script, message) in ERRORS {
        let (definition, call) = script.split_once('\n').unwrap_or(("", script));
        let fields = "`${e.kind}|${e.message}|${e}|${type_of(e)}`";
        let uncaught = said(script);
        let caught = said(&format!(
            "{definition}\nlet said = \"\"; try {{ {call} }} catch (e) {{ said = {fields}; }} said"
        ));
        let attempted =
            said(&format!("{definition}\nlet e = attempt(|| {{ {call} }}).error; {fields}"));
        let in_a_call = value(&format!(
            "{definition}\nfn g() {{ {call} }}\nlet said = \"\"; try {{ g(); }} catch (e) {{ said = {fields}; }} said"
        ));
        if insides(&uncaught) {
            wrong.push(format!("{script}\n  {uncaught}"));
        }
        let expected = format!("usage|{message}|");
        let others = [caught, attempted, in_a_call].into_iter().filter(|text| {
            !text.starts_with(&expected) || !text.ends_with("|map") || insides(text)
        });
        wrong.extend(others.map(|text| format!("{script}\n  {text}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_caught_error_has_its_fields_and_can_be_rethrown() {
    let script = "let all = [];\nfn f() { let x = (); x.name }\ntry { f(); } catch (e) { all = [e.kind, e.message, e.hint, e.place]; }\nall";
    let expected = r#"["usage", "The value is (), which has no field \"name\"", "where it may be missing, write ?.name", "main.rhai:3:7"]"#;
    let found = value(script).replace("scripts/main.rhai", "main.rhai");
    assert!(found.starts_with(&expected[..expected.len() - 18]), "{found}");
    assert!(
        error("try { 1 / 0 } catch (e) { throw e; }").starts_with("usage: Division by zero: 1 / 0")
    );
    assert!(
        error("try { 1 / 0 } catch (e) { throw; }").starts_with("usage: Division by zero: 1 / 0")
    );
    assert_eq!(
        value(
            "let said = 0; try { throw #{ error: \"mine\", message: \"m\" }; } catch (e) { said = e; } said.error"
        ),
        "mine"
    );
    assert_eq!(
        value(
            "let said = 0; try { [1][9] } catch (e) { let f = || e.message; said = f.call(); } said"
        ),
        "Index 9 is outside the list, which has 1 element"
    );
    assert_eq!(
        value(
            "fn say(e) { e.message }\nlet said = 0; try { [1][9] } catch (e) { said = say(e); } said"
        ),
        "Index 9 is outside the list, which has 1 element"
    );
}

#[test]
fn no_value_is_printed_with_the_insides() {
    for (script, expected) in [
        ("`${|x| x}`", "(function)"),
        ("let f = |x| x; `${[f, #{ f: f }]}`", "[(function), #{\"f\": (function)}]"),
        ("fn f(x) { x }\n`${Fn(\"f\")} ${Fn(\"f\").name} ${(|x| x).name}`", "Fn(f) f "),
        ("type_of(range(0, 9, 2))", "range"),
        ("type_of(\"x\".chars())", "characters"),
        ("type_of(5.bits())", "bits"),
        (
            "[1, \"x\", 'c', 1.5, (), true, 0..3, [], #{}, || 1, duration(\"1s\"), timestamp(), container(\"c\")].map(|x| type_of(x))",
            r#"["i64", "string", "char", "f64", "()", "bool", "range", "array", "map", "Fn", "duration", "timestamp", "container"]"#,
        ),
    ] {
        assert_eq!(value(script), expected, "{script}");
    }
}

#[test]
fn values_of_one_type_and_numbers_of_two_are_compared_and_all_can_be_equal() {
    for comparison in [
        "1 < 2",
        "1 < 2.5",
        "1.5 <= 2",
        "\"a\" < \"b\"",
        "'a' < 'b'",
        "\"a\" < 'b'",
        "let n = 1; let f = || n < 2; f.call()",
        "duration(\"5s\") > \"1s\"",
        "let d = duration(\"5s\"); let f = || d > duration(\"1s\"); f.call()",
        "\"8080\" != 8080",
        "!(() == 1)",
    ] {
        assert_eq!(said(comparison), "true", "{comparison}");
    }
}
