//! `FROM`: the beginning of a stage.

/// The content of a `FROM`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StageStart<'t> {
    /// The image or stage that it begins with, as written; [`filled`](super::filled) adds the
    /// values of variables.
    pub image: &'t str,
    /// `AS name`, in lower case.
    pub name: Option<String>,
}

impl<'t> StageStart<'t> {
    /// Parses the text after `FROM`; `None` if every builder would reject it.
    pub fn parse(rest: &'t str) -> Option<Self> {
        let words: Vec<&str> =
            rest.split_whitespace().filter(|word| !word.starts_with("--")).collect();
        match words.as_slice() {
            [image] => Some(Self { image, name: None }),
            [image, r#as, name] if r#as.eq_ignore_ascii_case("as") => {
                Some(Self { image, name: Some(name.to_ascii_lowercase()) })
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stage_begins_with_an_image_and_may_have_a_name() {
        for (rest, image, name) in [
            ("a:1", "a:1", None),
            ("--platform=linux/amd64 ${A} AS Base", "${A}", Some("base")),
            ("a as --x b", "a", Some("b")),
        ] {
            let name = name.map(str::to_owned);
            assert_eq!(StageStart::parse(rest), Some(StageStart { image, name }), "{rest}");
        }
        for rest in ["", "--platform=x", "a b", "a as", "a is b", "a as b c"] {
            assert_eq!(StageStart::parse(rest), None, "{rest}");
        }
    }
}
