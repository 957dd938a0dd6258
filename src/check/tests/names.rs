//! Variables, constants, reserved words.

use super::{found, found_in, rules};
use similar_asserts::assert_eq;

#[test]
fn all_unknown_variables_are_reported_together() {
    assert_eq!(
        found(
            "print(a);\nlet x = [b, #{ k: c }, `${d}`];\nx[e] = f;\nif g { h } else { i }\nswitch x { 1 if j => k, _ => l }"
        ),
        [
            "1:7 undefined-variable: There is no variable \"a\"",
            "2:10 undefined-variable: There is no variable \"b\"",
            "2:19 undefined-variable: There is no variable \"c\"",
            "2:27 undefined-variable: There is no variable \"d\"",
            "3:3 undefined-variable: There is no variable \"e\"",
            "3:8 undefined-variable: There is no variable \"f\"",
            "4:4 undefined-variable: There is no variable \"g\"",
            "4:8 undefined-variable: There is no variable \"h\"",
            "4:19 undefined-variable: There is no variable \"i\"",
            "5:17 undefined-variable: There is no variable \"j\"",
            "5:22 undefined-variable: There is no variable \"k\"",
            "5:30 undefined-variable: There is no variable \"l\"",
        ]
    );
}

#[test]
fn variables_end_with_their_block_and_closures_see_what_is_around_them() {
    let text = "
        let seen = 1;
        { let inner = seen; print(inner); }
        for (item, index) in [seen] { print(item + index); }
        try { throw seen; } catch (error) { print(error); }
        let add = |x| |y| x + y + seen;
        while seen < 3 { let step = 1; seen += step; }
        const TOP = 5;
        fn double(x) { let y = x * global::TOP; [y].map(|z| z + y) }
        print(add.call(1).call(2) + TOP + double(1)[0]);
    ";
    assert_eq!(rules(text), [] as [&str; 0]);
    assert_eq!(
        found(
            "{ let a = 1; }\nprint(a);\nfor i in 0..2 { }\nprint(i);\ntry { } catch (e) { }\nlet f = |x| x;\nprint(e + x);"
        ),
        [
            "2:7 undefined-variable: There is no variable \"a\" | it is made later, or in a block or function, and not seen outside of that",
            "4:7 undefined-variable: There is no variable \"i\" | it is made later, or in a block or function, and not seen outside of that",
            "7:7 undefined-variable: There is no variable \"e\" | it is made later, or in a block or function, and not seen outside of that",
            "7:11 undefined-variable: There is no variable \"x\" | it is made later, or in a block or function, and not seen outside of that",
        ]
    );
}

#[test]
fn a_function_does_not_see_the_top_level() {
    assert_eq!(
        found(
            "let spc = 1;\nconst LIMIT = 2;\nfn f() { spc + LIMIT + spcc }\nfn g() { global::LIMIT + global::LIMITS + global::spc }\nf() + g();"
        ),
        [
            "3:10 undefined-variable: There is no variable \"spc\" | functions see their parameters only: pass spc as one, or make it a const and write global::spc",
            "3:16 undefined-variable: There is no variable \"LIMIT\" | a function sees a constant of its file as global::LIMIT",
            "3:24 undefined-variable: There is no variable \"spcc\" | did you mean \"spc\"?",
            "4:34 unknown-constant: There is no constant \"LIMITS\" at the top level of this file | did you mean \"LIMIT\"?",
            "4:51 unknown-constant: There is no constant \"spc\" at the top level of this file | global:: reads constants: pass spc as a parameter, or let the closure capture it",
        ]
    );
}

#[test]
fn constants_of_other_files_are_those_that_they_export() {
    let found = found_in(&[
        ("main.rhai", "import \"a\" as a;\nprint([a::ONE, a::two, a::THREE, a::FOUR, a::ONES]);"),
        ("a.rhai", "export const ONE = 1;\nlet b = 2;\nexport b as two;\nconst THREE = 3;"),
    ]);
    assert_eq!(
        found,
        [
            "main.rhai:2:27 unknown-constant: \"a.rhai\" exports no \"THREE\" | write there: export const THREE = …",
            "main.rhai:2:37 unknown-constant: \"a.rhai\" exports no \"FOUR\"",
            "main.rhai:2:46 unknown-constant: \"a.rhai\" exports no \"ONES\" | did you mean \"ONE\"?",
        ]
    );
}

#[test]
fn a_reserved_word_is_named_with_its_fix() {
    let quoted = |word: &str| {
        format!(
            "reserved-word: \"{word}\" is a reserved word | as the key of a map write it in quotes: \"{word}\""
        )
    };
    for word in [
        "default", "if", "in", "this", "private", "switch", "static", "fn", "true", "public",
        "async", "with", "until",
    ] {
        assert_eq!(
            found(&format!("let x = #{{ {word}: 1 }};")),
            [format!("1:12 {}", quoted(word))],
            "{word}"
        );
        assert_eq!(
            found(&format!("let x = #{{\n    a: 1,\n    {word}: 1,\n}};")),
            [format!("3:5 {}", quoted(word))],
            "{word}"
        );
    }
    assert_eq!(
        found("stack().logs((), #{ follow: true, until: \"10m\" });"),
        [format!("1:35 {}", quoted("until"))]
    );
    assert_eq!(
        found("let x = 1;\nlet switch = 2;"),
        ["2:5 reserved-word: \"switch\" is a reserved word | choose another name"]
    );
    assert_eq!(
        found("fn default() { 1 }"),
        ["1:4 reserved-word: \"default\" is a reserved word | choose another name"]
    );
    assert_eq!(
        found("let x = null;"),
        ["1:9 reserved-word: \"null\" is a reserved word | write () for no value"]
    );
    assert_eq!(
        found("log::debug(1);"),
        ["1:6 reserved-word: \"debug\" is a reserved word | write log::verbose"]
    );
    assert_eq!(
        found("let x = True;"),
        ["1:9 undefined-variable: There is no variable \"True\" | write true"]
    );
    assert_eq!(
        found("[1].map(|new| 1);"),
        ["1:10 reserved-word: \"new\" is a reserved word | choose another name"]
    );
    assert_eq!(
        found("let m = #{}; m.default = 1;"),
        [
            "1:16 reserved-word: \"default\" is a reserved word | a field of that name is written [\"default\"]"
        ]
    );
}

#[test]
fn a_syntax_error_is_one_finding_of_its_file() {
    assert_eq!(
        found_in(&[
            ("a.rhai", "let x = (1;\nprint(y);"),
            ("b.rhai", "print(z);\nlet s = \"open"),
            ("c.rhai", "fn f() {\n    1\n")
        ]),
        [
            "a.rhai:1:11 syntax: Expecting \")\" for a matching ( in this expression",
            "b.rhai:2:9 syntax: The string is not closed",
            "c.rhai:1:8 syntax: Nothing closes this \"{\" | write \"}\" at its end",
        ]
    );
}
