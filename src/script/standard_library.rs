//! The standard library: `stdlib/<topic>.rhai`, imported as `std/<topic>`.

/// Topic and text of every embedded module, in order of topic.
pub type Modules = &'static [(&'static str, &'static str)];

/// The content of `stdlib/`.
pub const EMBEDDED: Modules = &include!(concat!(env!("OUT_DIR"), "/stdlib.rs"));

/// The prefix of imports from the standard library.
pub const PREFIX: &str = "std/";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_are_sorted_and_plain_names() {
        assert!(EMBEDDED.is_sorted());
        assert!(
            EMBEDDED
                .iter()
                .all(|(topic, _)| topic.chars().all(|c| c == '_' || c.is_ascii_alphanumeric()))
        );
    }
}
