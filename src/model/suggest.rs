//! Finds the known word that is most similar to a misspelt one.

/// The candidate most similar to `word`, if it is similar enough.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|candidate| {
            (
                strsim::damerau_levenshtein(&word.to_lowercase(), &candidate.to_lowercase()),
                candidate,
            )
        })
        .filter(|(distance, candidate)| {
            *distance <= (candidate.chars().count().max(word.chars().count()) / 3).max(1)
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// `did you mean "x"?`, or the list of known words.
pub fn did_you_mean<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str> + Clone,
) -> Option<String> {
    if let Some(near) = nearest(word, candidates.clone()) {
        return Some(format!("did you mean \"{near}\"?"));
    }
    let mut all: Vec<&str> = candidates.into_iter().collect();
    all.sort_unstable();
    if all.is_empty() { None } else { Some(format!("available: {}", all.join(", "))) }
}

/// The word that a hint of [`did_you_mean`] suggests.
pub fn suggested(hint: &str) -> Option<&str> {
    hint.strip_prefix("did you mean \"")?.strip_suffix("\"?")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_finds_the_word_and_nonsense_finds_none() {
        assert_eq!(nearest("helthcheck", ["image", "healthcheck"]), Some("healthcheck"));
        assert_eq!(nearest("DB", ["db", "redis"]), Some("db"));
        assert_eq!(nearest("zebra", ["image", "ports"]), None);
        assert_eq!(did_you_mean("zebra", ["ports", "image"]).unwrap(), "available: image, ports");
    }
}
