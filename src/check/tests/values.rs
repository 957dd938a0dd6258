//! Comparisons of different types, and fields that a map doesn't have.

use similar_asserts::assert_eq;

use super::found;

const HINT: &str =
    "parse_int and parse_float turn a string into a number, `${…}` turns a number into a string";

#[test]
fn a_comparison_of_different_types_is_found_where_both_are_known() {
    for (script, expected) in [
        (
            "let p = \"8080\"; if p > 1024 { f() }\nfn f() {}",
            "\">\" does not work between a string and a number",
        ),
        (
            "if env(\"PORT\") == 80 { print(1); }",
            "\"==\" between a string and a number is always false",
        ),
        (
            "let a = 1; let b = a; print(b != `${a}`);",
            "\"!=\" between a number and a string is always true",
        ),
        (
            "let a = 1; if x() { a = 2; } print(a == \"2\");\nfn x() { true }",
            "\"==\" between a number and a string is always false",
        ),
    ] {
        let all = found(script);
        assert_eq!(all.len(), 1, "{script}: {all:?}");
        assert!(all[0].ends_with(&format!("comparison: {expected} | {HINT}")), "{all:?}");
    }
    assert_eq!(
        found("print(true == \"true\");"),
        ["1:12 comparison: \"==\" between a bool and a string is always false"]
    );
}

#[test]
fn a_comparison_of_possibly_equal_types_is_no_finding() {
    for script in [
        "let a = \"1\"; if x() { a = 1; } print(a == 1);\nfn x() { true }",
        "fn f(port) { port > 1024 }\nprint(f(1));",
        "print(1 < 2.5);",
        "print(parse_int(env(\"PORT\")) > 1024);",
        "print(env(\"PORT\", 80) > 1024);",
        "let a = \"x\"; print(a == ());",
        "for n in [1, 2] { print(n == \"1\"); }",
    ] {
        assert_eq!(found(script), Vec::<String>::new(), "{script}");
    }
}

#[test]
fn a_field_that_a_literal_map_does_not_have_is_found() {
    assert_eq!(
        found("let site = #{ name: \"shop\", port: 80 };\nprint(site.nmae);\nprint(site.name);"),
        ["2:12 unknown-field: The map \"site\" has no field \"nmae\" | did you mean \"name\"?"]
    );
    assert_eq!(
        found("const S = #{ a: #{ b: 1 } };\nprint(S.c);"),
        ["2:9 unknown-field: The map \"S\" has no field \"c\" | did you mean \"a\"?"]
    );
}

#[test]
fn a_map_that_may_have_got_other_fields_has_them() {
    for change in [
        "s.b = 1;",
        "s[\"b\"] = 1;",
        "s += #{ b: 1 };",
        "s = #{ b: 1 };",
        "s.mixin(#{ b: 1 });",
        "mixin(s, #{ b: 1 });",
        "let f = || { s.b = 1; }; f.call();",
    ] {
        let script = format!("let s = #{{ a: 1 }};\n{change}\nprint(s.b);");
        assert_eq!(found(&script), Vec::<String>::new(), "{script}");
    }
    for script in
        ["fn f(s) { s.b }\nprint(f(#{ a: 1 }));", "let s = #{ a: 1 } + #{ b: 1 };\nprint(s.b);"]
    {
        assert_eq!(found(script), Vec::<String>::new(), "{script}");
    }
}
