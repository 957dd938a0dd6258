//! Values in every encoding of the table in [`super::mask`], inside other text, whole and in lines.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE};
use proptest::prelude::*;

use super::*;

fn hiding(value: &str) -> Secrets {
    let secrets = Secrets::new();
    secrets.add("key", &Secrets::token("key", [7; 16]), value);
    secrets
}

fn of_bytes(value: &str, spell: impl Fn(u8) -> String) -> String {
    value.bytes().map(spell).collect()
}

fn of_chars(value: &str, spell: impl Fn(char) -> String) -> String {
    value.chars().map(spell).collect()
}

fn percent(value: &str, is_left: impl Fn(u8) -> bool) -> String {
    of_bytes(value, |byte| {
        if is_left(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }
    })
}

fn utf16(c: char) -> String {
    c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect()
}

fn json(value: &str) -> String {
    let text = serde_json::Value::from(value).to_string();
    text[1..text.len() - 1].to_owned()
}

/// Splits a text into lines of this many characters.
fn wrapped(text: &str, width: usize, end: &str) -> String {
    text.as_bytes()
        .chunks(width)
        .map(|line| std::str::from_utf8(line).unwrap())
        .collect::<Vec<_>>()
        .join(end)
}

fn escaped_html(value: &str) -> String {
    of_chars(value, |c| match c {
        '&' => "&amp;".to_owned(),
        '<' => "&lt;".to_owned(),
        '>' => "&gt;".to_owned(),
        '"' => "&quot;".to_owned(),
        '\'' => "&#39;".to_owned(),
        _ => c.to_string(),
    })
}

/// An encoding and its name.
type NamedSpelling = (&'static str, String);

/// Encodings that convert each character or byte by itself.
fn in_characters(value: &str) -> Vec<NamedSpelling> {
    let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    let url = percent(value, unreserved);
    vec![
        ("plain", value.to_owned()),
        ("percent", url.clone()),
        (
            "percent, lower case",
            of_bytes(value, |byte| {
                if unreserved(byte) { char::from(byte).to_string() } else { format!("%{byte:02x}") }
            }),
        ),
        ("percent, every byte", of_bytes(value, |byte| format!("%{byte:02x}"))),
        (
            "percent, as a path",
            percent(value, |byte| unreserved(byte) || b"/:@!$&'()*+,;=".contains(&byte)),
        ),
        ("percent, twice", percent(&url, unreserved)),
        ("percent, three times", percent(&percent(&url, unreserved), unreserved)),
        ("form", percent(value, |byte| unreserved(byte) || byte == b' ').replace(' ', "+")),
        (
            "JavaScript's escape()",
            of_chars(value, |c| {
                if c.is_ascii_alphanumeric() { c.to_string() } else { utf16(c).replace('\\', "%") }
            }),
        ),
        ("HTML", escaped_html(value)),
        ("HTML, twice", escaped_html(&escaped_html(value))),
        ("HTML, decimal", of_chars(value, |c| format!("&#{};", u32::from(c)))),
        ("HTML, decimal with zeros", of_chars(value, |c| format!("&#000{};", u32::from(c)))),
        ("HTML, hexadecimal", of_chars(value, |c| format!("&#x{:x};", u32::from(c)))),
        ("HTML, upper case", of_chars(value, |c| format!("&#X{:X};", u32::from(c)))),
        ("JSON", json(value)),
        ("JSON with \\/", json(value).replace('/', "\\/")),
        ("JSON in JSON", json(&json(value))),
        (
            "JSON, ASCII only",
            of_chars(&json(value), |c| if c.is_ascii() { c.to_string() } else { utf16(c) }),
        ),
        ("\\uXXXX", of_chars(value, utf16)),
        ("\\uXXXX, upper case", of_chars(value, |c| utf16(c).to_uppercase().replace("\\U", "\\u"))),
        ("\\u{X}", of_chars(value, |c| format!("\\u{{{:x}}}", u32::from(c)))),
        ("\\UXXXXXXXX", of_chars(value, |c| format!("\\U{:08x}", u32::from(c)))),
        ("\\xXX", of_bytes(value, |byte| format!("\\x{byte:02x}"))),
        ("octal", of_bytes(value, |byte| format!("\\{byte:03o}"))),
        ("Rust's debug form", format!("{value:?}")),
        ("shell, single quotes", value.replace('\'', "'\\''")),
        ("shell, both quotes", value.replace('\'', "'\"'\"'")),
        (
            "shell, backslashes",
            of_chars(value, |c| {
                if c.is_ascii_alphanumeric() || !c.is_ascii() {
                    c.to_string()
                } else {
                    format!("\\{c}")
                }
            }),
        ),
        ("SQL", value.replace('\'', "''")),
        ("CSV", value.replace('"', "\"\"")),
        (
            "quoted-printable",
            of_bytes(value, |byte| {
                if byte.is_ascii_alphanumeric() {
                    char::from(byte).to_string()
                } else {
                    format!("={byte:02X}")
                }
            }),
        ),
    ]
}

/// A value in hexadecimal and base64, surrounded by encoded text.
fn encoded(value: &str) -> Vec<NamedSpelling> {
    let hex =
        |join: &str| value.bytes().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(join);
    vec![
        ("hex", hex("")),
        ("hex, upper case", hex("").to_uppercase()),
        ("hex with colons", hex(":").to_uppercase()),
        ("hex with blanks", hex(" ")),
        ("hex, lists", hex(", 0x")),
        ("hex, wrapped", wrapped(&hex(""), 60, "\n")),
        ("base64", STANDARD.encode(value)),
        ("base64 for URLs", URL_SAFE.encode(value)),
        ("base64 without filling", STANDARD_NO_PAD.encode(value)),
        ("base64 with a line end", STANDARD.encode(format!("{value}\n"))),
        ("base64, one before", STANDARD.encode(format!("u{value}"))),
        ("base64, two before", STANDARD.encode(format!("u:{value}"))),
        ("base64, more around it", STANDARD.encode(format!("user:{value}:more"))),
        (
            "base64, wrapped at 76",
            wrapped(
                &STANDARD.encode(format!("{}{value}{}", "x".repeat(40), "y".repeat(99))),
                76,
                "\n",
            ),
        ),
        (
            "base64, wrapped at 64",
            wrapped(
                &STANDARD.encode(format!("{}{value}{}", "x".repeat(44), "y".repeat(99))),
                64,
                "\r\n",
            ),
        ),
        (
            "base64, wrapped and indented",
            wrapped(&STANDARD.encode(format!("{}{value}", "x".repeat(40))), 20, "\n    "),
        ),
        (
            "base64, wrapped in JSON",
            wrapped(&STANDARD.encode(format!("{}{value}", "x".repeat(41))), 19, "\\n"),
        ),
        ("base64 in a URL", STANDARD.encode(value).replace('+', "%2B").replace('/', "%2f")),
        ("base64 in JSON", STANDARD.encode(value).replace('/', "\\/")),
    ]
}

/// Whether `piece` consecutive bytes of the encoded text are still there.
#[track_caller]
fn is_hidden(masked: &str, spelling: &str, spelt: &str) {
    assert!(masked.contains("[secret key]"), "{spelling}: {spelt} → {masked}");
    assert!(!masked.contains(spelt), "{spelling}: {spelt} → {masked}");
}

#[test]
fn a_value_is_hidden_in_each_spelling_of_the_table() {
    for value in [
        "abc",
        "a b",
        "p/+",
        "123",
        "'\"\\",
        "%25",
        "&lt",
        "äöü",
        "p/ss\"wörd 12345",
        "correct horse battery staple",
        "a'b\"c\\d/e&f<g>h+i%j=k",
        "\\\\n\\u0041",
        "😀🔑 key",
        "tab\there",
        "==++//--__",
        "&amp;amp;",
        "%%%",
        "0x41",
        "AAAAAAAAAAAA",
        "日本語パスワード",
    ] {
        let secrets = hiding(value);
        for (spelling, spelt) in in_characters(value).into_iter().chain(encoded(value)) {
            let masked = secrets.mask(&format!("before {spelt} after"));
            is_hidden(&masked, &format!("{value:?}, {spelling}"), &spelt);
            assert!(
                masked.starts_with("before ") && masked.ends_with(" after"),
                "{spelling}: {masked}"
            );
            assert_eq!(secrets.mask(&masked), masked, "{spelling}: masked again");
            if !spelling.contains("around")
                && !spelling.contains("before")
                && !spelling.contains("wrapped")
                && !spelling.contains("line end")
                && !spelling.contains("debug")
            {
                assert_eq!(masked, "before [secret key] after", "{value:?}, {spelling}: {spelt}");
            }
        }
    }
}

#[test]
#[ignore = "slow: `make test` runs it"]
fn runs_of_characters_that_escape_themselves_are_hidden_however_long() {
    for run in ["\\", "\"", "'", "%", "&", "=", "\\\"", "'\\", "\"'"] {
        for count in [2, 3, 4, 7, 8, 9, 17, 50] {
            for (before, after) in [("A", "\0"), ("", "b"), ("k", "")] {
                let value = format!("{before}{}{after}", run.repeat(count));
                if value.chars().count() < mask::SHORTEST {
                    continue;
                }
                let secrets = hiding(&value);
                for (spelling, spelt) in in_characters(&value).into_iter().chain(encoded(&value)) {
                    let masked = secrets.mask(&format!("before {spelt} after"));
                    is_hidden(&masked, &format!("{value:?}, {spelling}"), &spelt);
                }
            }
        }
    }
}

#[test]
#[ignore = "slow: `make test` runs it"]
fn text_of_nothing_but_backslashes_is_read_in_linear_time() {
    let secrets = hiding("a\\\\\\b/ c\"d");
    for text in ["\\".repeat(1_000_000), "\"".repeat(1_000_000), "a\\".repeat(300_000)] {
        assert_eq!(secrets.mask(&text), text);
    }
}

#[test]
fn ordinary_text_stays_unchanged() {
    let secrets = Secrets::new();
    for (index, value) in
        ["abc", "xyz", "q7w", "p@ssw0rd", "s3cr3t-t0k3n", "postgres-password", "0000"]
            .into_iter()
            .enumerate()
    {
        secrets.add("key", &Secrets::token("key", [u8::try_from(index).unwrap(); 16]), value);
    }
    let words = include_str!("../../../README.md");
    assert_eq!(secrets.mask(words), words);
    for text in [
        "sha256:9b2f4c8e1d3a5f7b6c8d9e0f1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d",
        "GET /api/v1/items?page=1&size=10 200 12ms \"Mozilla/5.0 (X11; Linux x86_64)\"",
        "[secret other] and [secret key",
    ] {
        assert_eq!(secrets.mask(text), text);
    }
}

#[test]
fn two_values_that_overlap_are_both_hidden() {
    let secrets = hiding("abcdef");
    secrets.add("other", &Secrets::token("other", [8; 16]), "defghi");
    assert_eq!(
        secrets.mask("abcdefghi abcdef defghi"),
        "[secret key][secret other] [secret key] [secret other]"
    );
    secrets.add("name", &Secrets::token("name", [9; 16]), "key");
    let masked = secrets.mask("abcdef key");
    assert_eq!(masked, "[secret key] [secret name]");
    assert_eq!(secrets.mask(&masked), masked);
}

#[test]
fn a_value_of_several_lines_is_hidden_line_by_line() {
    let secrets =
        hiding("-----BEGIN KEY-----\nMIIEvQIBADAN\n  BgkqhkiG9w0B\r\n-----END KEY-----\n");
    for line in ["-----BEGIN KEY-----", "MIIEvQIBADAN", "BgkqhkiG9w0B", "-----END KEY-----"] {
        assert_eq!(secrets.mask(&format!("[{line}]")), "[[secret key]]");
    }
    assert!(
        !secrets
            .mask("-----BEGIN KEY-----\nMIIEvQIBADAN\n  BgkqhkiG9w0B\r\n-----END KEY-----\n")
            .contains("MII")
    );
}

/// The bytes of a value that can still be read in partly masked lines.
fn longest_left(lines: &[String], pieces: impl Fn(&str) -> Vec<String>, value: &str) -> usize {
    let left: Vec<String> = lines.iter().flat_map(|line| pieces(line)).collect();
    (1..=value.len())
        .rev()
        .find(|length| {
            value.as_bytes().windows(*length).any(|part| {
                left.iter().any(|left| left.contains(std::str::from_utf8(part).unwrap_or("\0")))
            })
        })
        .unwrap_or(0)
}

#[test]
#[ignore = "slow: `make test` runs it"]
fn encoded_lines_that_come_one_by_one_show_no_more_than_three_characters() {
    let value = "correct-horse-battery-staple-0123456789-correct-horse-battery-staple-9876543210-and-so-on-and-so-on";
    for value in [value, &value[..40], &value[..20], &value[..12]] {
        let secrets = hiding(value);
        for before in 0..120 {
            let text = format!("{}{value}{}", "x".repeat(before), "y".repeat(50));
            for (width, is_hex) in [(76, false), (64, false), (60, true)] {
                let spelt = if is_hex {
                    text.bytes().map(|byte| format!("{byte:02x}")).collect()
                } else {
                    STANDARD.encode(&text)
                };
                let lines: Vec<String> =
                    wrapped(&spelt, width, "\n").lines().map(|line| secrets.mask(line)).collect();
                let all: Vec<String> = lines
                    .iter()
                    .flat_map(|line| {
                        line.split("[secret key]").map(str::to_owned).collect::<Vec<_>>()
                    })
                    .collect();
                let read = |piece: &str| -> Vec<String> {
                    // At any beginning of a group, as an attacker could combine the lines.
                    (0..4)
                        .filter_map(|skip| {
                            let rest = piece.get(skip..)?;
                            let bytes = if is_hex {
                                rest.as_bytes()
                                    .chunks_exact(2)
                                    .filter_map(|two| {
                                        u8::from_str_radix(std::str::from_utf8(two).ok()?, 16).ok()
                                    })
                                    .collect()
                            } else {
                                let whole = &rest[..rest.len() / 4 * 4];
                                STANDARD
                                    .decode(whole)
                                    .or_else(|_| STANDARD_NO_PAD.decode(whole))
                                    .ok()?
                            };
                            Some(String::from_utf8_lossy(&bytes).into_owned())
                        })
                        .collect()
                };
                let left = longest_left(&all, read, value);
                assert!(
                    left <= 3,
                    "{left} characters of {value} after {before} at {width}: {lines:#?}"
                );
            }
        }
    }
}

#[test]
fn a_cut_goes_through_no_value() {
    let secrets = hiding("correct horse");
    let text = "say correct horse twice";
    assert_eq!(
        (0..=text.len())
            .map(|at| secrets.boundary(text, at))
            .filter(|at| (5..17).contains(at))
            .count(),
        0
    );
    assert_eq!(
        (secrets.boundary(text, 9), secrets.boundary(text, 17), secrets.boundary("ä", 1)),
        (4, 17, 0)
    );
}

#[test]
fn the_rest_of_a_secret_in_a_truncated_text_is_masked() {
    let value = "p/ss w\"rd <é>";
    let secrets = hiding(value);
    let count = value.chars().count();
    for kept in 3..=count {
        let (head, tail): (String, String) =
            (value.chars().take(kept).collect(), value.chars().skip(count - kept).collect());
        for mark in ["…", "..."] {
            for text in [
                format!("is {head}{mark}"),
                format!("\"is {head}{mark}\" no"),
                format!("is {}{mark}", escaped(&head)),
            ] {
                assert_eq!(secrets.mask(&text).matches("[secret key]").count(), 1, "{text}");
                assert!(!secrets.mask(&text).contains("p/s"), "{text}: {}", secrets.mask(&text));
            }
            let text = format!("{mark}{tail} is\nit {mark}{tail}");
            assert_eq!(
                secrets.mask(&text),
                format!("{mark}[secret key] is\nit {mark}[secret key]"),
                "{text}"
            );
        }
    }
    let encoded = STANDARD.encode(format!("user:{value} and more"));
    for end in 16..encoded.len() {
        let masked = secrets.mask(&format!("{}…", &encoded[..end]));
        assert!(masked.contains("[secret key]"), "{end}: {masked}");
    }
    for text in ["p/…", "... rd <", "p/ss....", "wait for it... or …"] {
        assert_eq!(secrets.mask(text), text);
    }
}

fn escaped(text: &str) -> String {
    let json = serde_json::Value::from(text).to_string();
    json[1..json.len() - 1].to_owned()
}

#[test]
#[ignore = "slow: `make test` runs it"]
fn many_marks_of_cuts_are_read_in_linear_time() {
    // At each mark, only the text since the mark before it is searched.
    let secrets = hiding(&"ab".repeat(50));
    for text in ["ab…".repeat(100_000), "abab...".repeat(50_000)] {
        assert!(!secrets.mask(&text).is_empty());
    }
}

proptest! {
    #[test]
    #[ignore = "slow: `make test` runs it"]
    fn random_values_are_hidden_in_each_spelling(
        value in prop_oneof!["[ -~äöüß€😀]{3,64}", "[a\\\\\"'%&/0]{3,40}"],
        before in "[a-z ]{0,20}",
        after in "[a-z ]{0,20}",
    ) {
        prop_assume!(value.trim().chars().count() >= 3 && !value.trim().contains("[secret") && !"[secret key]".contains(value.trim()));
        let value = value.trim();
        let secrets = hiding(value);
        for (spelling, spelt) in in_characters(value).into_iter().chain(encoded(value)) {
            let masked = secrets.mask(&format!("{before} {spelt} {after}"));
            prop_assert!(masked.contains("[secret key]"), "{}: {} → {}", spelling, spelt, masked);
            prop_assert!(!masked.contains(&spelt), "{}: {} → {}", spelling, spelt, masked);
            prop_assert_eq!(secrets.mask(&masked), masked);
        }
    }

    #[test]
    fn nothing_but_the_value_is_changed(text in "[ -~\n]{0,200}") {
        // Characters that ASCII text can contain only in exactly these escapes.
        let secrets = hiding("\u{2603}\u{2604}\u{2605}\u{2606}\u{2607}");
        prop_assert_eq!(secrets.mask(&text), text);
    }
}

#[test]
fn a_secret_url_is_masked_without_its_query_and_without_its_password() {
    let hook = "http://127.0.0.1:9/api/webhooks/123/AbCdEf?wait=true&room=top";
    let secrets = hiding(hook);
    for shown in [hook, "http://127.0.0.1:9/api/webhooks/123/AbCdEf"] {
        assert_eq!(secrets.mask(&format!("to \"{shown}\"")), "to \"[secret key]\"");
    }
    let database = "postgres://shop:p4ss@db.internal/shop?application=Zz9part&token=a";
    let secrets = hiding(database);
    for shown in [
        database,
        "postgres://shop:***@db.internal/shop?application=Zz9part&token=***",
        "postgres://shop:***@db.internal/shop",
        "postgres://shop:p4ss@db.internal/shop",
    ] {
        assert_eq!(secrets.mask(&format!("to {shown}")), "to [secret key]");
    }
    let secrets = hiding("T0/B0/abcdef?wait=true\nhttps://me:word@host/hook/KEY");
    for shown in ["https://hooks/T0/B0/abcdef", "https://hooks/T0/B0/abcdef?wait=true"] {
        assert_eq!(secrets.mask(shown), "https://hooks/[secret key]");
    }
    for shown in ["https://host/hook/KEY", "https://***@host/hook/KEY"] {
        assert_eq!(secrets.mask(shown), "[secret key]");
    }
    // A password may contain anything that looks like a URL.
    for odd in ["me:longpassword@a://b/c", "://", "a://@/x?", "x?token=abcdefgh://é/ü#", "/?#@"] {
        assert!(!hiding(odd).mask(&format!("to {odd}")).contains(odd), "{odd}");
    }
    assert_eq!(hiding("https://host/?a=b").mask("https://host/"), "https://host/");
}
