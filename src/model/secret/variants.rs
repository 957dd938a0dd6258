//! The forms that spc gives a value before a text is masked: a message begins with a capital, a
//! command is shown on one line, the name of a host is in lower case, a hint corrects a project
//! name or a mount. The code that does this
//! doesn't know the secrets, so the mask knows these forms.

use crate::model::names::normalise_project;

/// The minimum length of a value for masking its lower-case and one-line forms. Shorter values are
/// too often ordinary words: for the secret `Dev`, `/dev/null` would be masked.
const DISTINCT: usize = 12;

/// The forms that spc may give a value, without the value itself.
pub(super) fn variants(value: &str) -> Vec<String> {
    let mut forms = vec![capitalised(value)];
    if value.chars().count() >= DISTINCT {
        let one_line = value.split_whitespace().collect::<Vec<_>>().join(" ");
        forms.extend([
            value.to_lowercase(),
            capitalised(&one_line),
            one_line.to_lowercase(),
            one_line,
        ]);
        forms.extend(suggested_project(value));
        forms.extend(suggested_mount(value));
    }
    let mut found: Vec<String> = Vec::new();
    for form in forms {
        if form != value && !found.contains(&form) {
            found.push(form);
        }
    }
    found
}

/// The project name that the hint for a wrong one suggests.
fn suggested_project(value: &str) -> Option<String> {
    Some(normalise_project(value)).filter(|name| name.chars().count() >= DISTINCT)
}

/// The mount that the hint for one with a relative target suggests.
fn suggested_mount(value: &str) -> Option<String> {
    let (source, rest) = value.split_once(':')?;
    Some(format!("{source}:/{}", rest.trim_start_matches(['.', '/'])))
}

/// The text with a capital first letter.
fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::failure::sentence;
    use crate::model::secret::Secrets;

    fn hiding(value: &str) -> Secrets {
        let secrets = Secrets::new();
        secrets.add("key", &Secrets::token("key", [7; 16]), value);
        secrets
    }

    #[test]
    fn a_value_has_no_variant_that_is_the_value_itself() {
        assert!(variants("48151623").is_empty());
        assert_eq!(variants("hunter2"), ["Hunter2"]);
        assert_eq!(variants("Tr0ub4dor-and-3"), ["tr0ub4dor-and-3"]);
        assert_eq!(
            variants("pass  Phrase"),
            ["Pass  Phrase", "pass  phrase", "Pass Phrase", "pass phrase", "pass Phrase",]
        );
        assert_eq!(
            variants("Open:Se/same 2000"),
            ["open:se/same 2000", "opensesame2000", "Open:/Se/same 2000"]
        );
    }

    #[test]
    fn a_short_value_hides_no_ordinary_words() {
        assert_eq!(variants("Dev"), [""; 0]);
        assert_eq!(variants("Postgres"), [""; 0]);
        let text = "postgres:16 writes to /dev/null";
        assert_eq!(hiding("Dev").mask(text), text);
        assert_eq!(hiding("Postgres").mask(text), text);
    }

    #[test]
    fn a_secret_at_the_start_of_a_reformatted_text_is_masked() {
        for value in [
            "hunter2hunter2",
            "straße  mit\tlücke",
            "ß-secret",
            "Ünïcode S3cret",
            "9lives-Of-A-cat",
        ] {
            let secrets = hiding(value);
            for text in [
                sentence(&format!("{value} is wrong")),
                sentence(&format!("{value}-suffix")),
                format!("Could not run it: {}", sentence(value)),
                format!("{value} is wrong").to_lowercase(),
                format!("psql {value} -c").split_whitespace().collect::<Vec<_>>().join(" "),
                sentence(
                    &format!("{value} is wrong").split_whitespace().collect::<Vec<_>>().join(" "),
                ),
                serde_json::Value::from(sentence(value)).to_string(),
                format!("{:?}", sentence(value)),
            ] {
                let masked = secrets.mask(&text);
                assert!(masked.contains("[secret key]"), "{value}: {masked}");
                let rest = masked.to_lowercase();
                let ends = value.to_lowercase().chars().skip(1).collect::<String>();
                assert!(!rest.contains(&ends), "{value}: {masked}");
            }
        }
    }

    #[test]
    fn a_value_that_is_the_variant_of_another_keeps_its_own_name_and_spellings() {
        let secrets = hiding("hunter2hunter2");
        secrets.add("other", &Secrets::token("other", [8; 16]), "Hunter2hunter2");
        assert_eq!(
            secrets.mask("hunter2hunter2 Hunter2hunter2 SHVudGVyMmh1bnRlcjI="),
            "[secret key] [secret other] [secret other]"
        );
    }
}
