//! Docker's filters, as far as all lists share them.

use std::collections::BTreeMap;

use super::errors::refusal;
use crate::engine::{Filters, Result};

/// Filters whose keys the list supports.
pub(in crate::engine::sim) struct FilterSet<'a>(&'a Filters);

impl<'a> FilterSet<'a> {
    pub fn new(filters: &'a Filters, known: &[&str]) -> Result<Self> {
        match filters.keys().find(|key| !known.contains(&key.as_str())) {
            Some(key) => Err(refusal(400, format!("Invalid filter '{key}'"))),
            None => Ok(Self(filters)),
        }
    }

    /// The values of a key; empty if there is no filter for it.
    pub fn values(&self, key: &str) -> Option<&'a [String]> {
        self.0.get(key).map(Vec::as_slice).filter(|values| !values.is_empty())
    }

    /// A yes-or-no filter.
    pub fn flag(&self, key: &str) -> Result<Option<bool>> {
        match self.values(key) {
            None => Ok(None),
            Some([value]) if matches!(value.as_str(), "1" | "true") => Ok(Some(true)),
            Some([value]) if matches!(value.as_str(), "0" | "false") => Ok(Some(false)),
            Some(values) => {
                Err(refusal(400, format!("Invalid filter '{key}={}'", values.join(","))))
            }
        }
    }
}

/// `key` or `key=value`.
pub(in crate::engine::sim) fn label_matches(
    filter: &str,
    labels: &BTreeMap<String, String>,
) -> bool {
    match filter.split_once('=') {
        Some((key, value)) => labels.get(key).is_some_and(|own| own == value),
        None => labels.contains_key(filter),
    }
}

/// A part of the name. Of Docker's regular expressions, `^`, `$` and a leading `/?` are supported.
pub(in crate::engine::sim) fn name_matches(filter: &str, name: &str) -> bool {
    let (start, rest) = filter.strip_prefix('^').map_or((false, filter), |rest| (true, rest));
    let (end, rest) = rest.strip_suffix('$').map_or((false, rest), |rest| (true, rest));
    let (rest, name) = rest
        .strip_prefix("/?")
        .map_or((rest, name), |rest| (rest, name.strip_prefix('/').unwrap_or(name)));
    match (start, end) {
        (true, true) => name == rest,
        (true, false) => name.starts_with(rest),
        (false, true) => name.ends_with(rest),
        (false, false) => name.contains(rest),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_filter_is_a_part_unless_it_is_anchored() {
        assert!(name_matches("db", "spc-db-1"));
        assert!(!name_matches("^db", "spc-db-1"));
        assert!(name_matches("^/?spc-db-1$", "/spc-db-1"));
        assert!(name_matches("^/spc-db-1$", "/spc-db-1"));
        assert!(!name_matches("^spc-db$", "spc-db-1"));
    }

    #[test]
    fn an_unknown_filter_is_refused() {
        let filters = Filters::from([("bogus".to_owned(), vec!["x".to_owned()])]);
        assert_eq!(
            FilterSet::new(&filters, &["name"]).err().unwrap().message,
            "Invalid filter 'bogus'"
        );
    }
}
