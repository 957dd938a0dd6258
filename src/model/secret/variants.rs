//! What spc itself makes of a value before a text is masked: a message begins with a capital, a
//! command is shown on one line, the name of a host is compared in lower case. Whoever does that
//! knows no secrets, so the mask knows what comes of it.

/// The values that spc may make of this one, without it itself.
pub(super) fn variants(value: &str) -> Vec<String> {
    let one_line = value.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut found: Vec<String> = Vec::new();
    for text in [value, &one_line] {
        let variants = [text.to_owned(), capitalised(text), text.to_lowercase()];
        for variant in variants {
            if variant != value && !found.contains(&variant) {
                found.push(variant);
            }
        }
    }
    found
}

/// As a sentence begins.
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
        assert_eq!(variants("Tr0ub4dor"), ["tr0ub4dor"]);
        assert_eq!(
            variants("pass  Phrase"),
            ["Pass  Phrase", "pass  phrase", "pass Phrase", "Pass Phrase", "pass phrase"]
        );
    }

    #[test]
    fn what_spc_makes_of_a_text_hides_the_secret_that_the_text_begins_with() {
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
