//! Secrets in containers with labels that were made with an unknown fingerprint key.

use std::collections::BTreeSet;

use similar_asserts::assert_eq;

use super::*;
use crate::model::delivered_secrets::DeliveredSecrets;

/// The plan if the container of `db` contains these secrets and its label was made with another
/// key.
fn planned(found: Option<DeliveredSecrets>) -> Plan {
    let project = project(stack());
    let mut observed = applied(&project);
    observed.delivered_secrets.extend(found.map(|found| ("id of db-1".to_owned(), found)));
    plan_with(&project, &observed, UpRequest { fingerprint: "other:one", ..UpRequest::default() })
        .unwrap()
}

#[test]
fn secrets_of_another_key_are_compared_by_what_is_in_the_container() {
    let same = planned(Some(DeliveredSecrets::Same));
    assert!(!same.changes() && same.notes.is_empty(), "{:?}", same.notes);
    for (names, cause) in [
        (vec!["pass"], "(the value of the secret \"pass\" changed)"),
        (vec!["key", "pass"], "(the value of the secrets \"key\", \"pass\" changed)"),
    ] {
        let names: BTreeSet<String> = names.into_iter().map(str::to_owned).collect();
        let changed = planned(Some(DeliveredSecrets::Changed(names)));
        assert!(
            changed
                .to_string()
                .starts_with(&format!("  1  create container spc-db-1.new  {cause}\n")),
            "{changed}"
        );
        assert!(changed.notes.is_empty(), "{:?}", changed.notes);
    }
}

#[test]
fn secrets_that_can_not_be_compared_are_noted_with_what_it_means_and_the_next_step() {
    let expected = |why: &str| {
        format!(
            "the secrets of spc-db-1 were not compared: it was created from another folder, or before `.spc/` was lost, and {why}. If a value has changed, it still uses the old one: change a label of the service \"db\", and `up` replaces it"
        )
    };
    for (found, why) in [
        (Some(DeliveredSecrets::Unread("why".into())), "why"),
        (None, "they were not read from it"),
    ] {
        let unread = planned(found);
        assert!(!unread.changes());
        assert_eq!(unread.notes, [expected(why)]);
    }
}
