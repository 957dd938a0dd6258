//! Finds the owner of a container: which of its labels were set when it was created.
//!
//! The engine copies an image's labels to its containers. So the author of an image can write any
//! label into it, and a label alone proves nothing. But an image can't give its containers a label
//! that it lacks, or another value than its own. So a label that differs from the image's was set
//! by the create call, and its caller may use the engine. spc sets a complete set of labels in each
//! create call, and some of them ([`label::RUN`]) are never equal in two calls. Docker Compose does
//! the same. So if one label of the set differs, the others come from the same create call.

use std::collections::BTreeMap;

use super::names::{self, LOCK_SUFFIX, NEW_SUFFIX, compose_label, is_reserved_label, label};

/// Labels by their keys.
pub type Labels = BTreeMap<String, String>;

/// Every label of spc's own.
pub const SPC_LABELS: [&str; 20] = [
    label::FORMAT,
    label::PROJECT,
    label::SERVICE,
    label::HASH,
    label::PARTS,
    label::SECRETS,
    label::RELEASE,
    label::BESIDE,
    label::RUN,
    label::PROCESS,
    label::LOCK,
    label::HOLDS,
    label::SHARED,
    label::BUILD,
    label::BASE,
    label::ARGUMENTS,
    label::TARGET,
    label::BUILD_SECRETS,
    label::IMAGE,
    label::PROFILES,
];

/// Compose's labels that spc reads from containers. spc doesn't read `config-hash` and doesn't set
/// it on locks and one-off containers: Compose's tools treat a container with this label, even an
/// empty one, as a service's.
const COMPOSE_LABELS: [&str; 6] = [
    compose_label::PROJECT,
    compose_label::SERVICE,
    compose_label::CONTAINER_NUMBER,
    compose_label::ONEOFF,
    compose_label::DEPENDS_ON,
    compose_label::WORKING_DIR,
];

/// The labels that Docker Compose sets on every container, also on one-off containers.
const SET_BY_COMPOSE: [&str; 6] = [
    compose_label::PROJECT,
    compose_label::SERVICE,
    compose_label::ONEOFF,
    compose_label::WORKING_DIR,
    compose_label::VERSION,
    compose_label::CONFIG_HASH,
];

/// The labels that spc has set on every container of a service since the first label format, so
/// they never come from the image.
const SET_BY_FORMAT_1: [&str; 14] = [
    compose_label::PROJECT,
    compose_label::SERVICE,
    compose_label::CONTAINER_NUMBER,
    compose_label::ONEOFF,
    compose_label::CONFIG_HASH,
    compose_label::DEPENDS_ON,
    compose_label::WORKING_DIR,
    label::FORMAT,
    label::PROJECT,
    label::SERVICE,
    label::HASH,
    label::PARTS,
    label::RUN,
    label::PROFILES,
];

/// The first format in which a create call sets every label, unused ones to an empty value.
const FIRST_COMPLETE_FORMAT: u32 = 2;

/// The labels of a create call, plus empty values for the unused labels of spc and Compose. So the
/// image's values don't appear.
pub fn complete(labels: impl IntoIterator<Item = (String, String)>) -> Labels {
    let unused =
        SPC_LABELS.iter().chain(&COMPOSE_LABELS).map(|key| ((*key).to_owned(), String::new()));
    unused.chain(labels).collect()
}

/// The labels that were set when the container was created, for the labels that spc uses. Of the
/// reserved labels it returns those that can't come from the image. An empty label counts as not
/// set.
///
/// `image`: the labels of its image; `None` if the image was removed. In that case the name has to
/// confirm the labels, because only the creator of a container chooses its name.
pub fn set_at_create(name: &str, labels: &Labels, image: Option<&Labels>) -> Labels {
    let Some(image) = image else {
        let is_lock =
            labels.get(label::LOCK).is_some_and(|project| name == names::lock_container(project));
        let is_proven = is_lock || is_named_after(name, labels);
        return kept(labels, |key| is_proven && (is_lock || key != label::LOCK));
    };
    let is_inherited = |key: &str| image.get(key) == labels.get(key);
    let sets_own =
        |prefix: &str| labels.keys().any(|key| key.starts_with(prefix) && !is_inherited(key));
    let by_spc = sets_own("dev.spc.");
    let is_set = |key: &&str| labels.get(*key).is_some_and(|value| !value.is_empty());
    let hash = labels
        .get(compose_label::CONFIG_HASH)
        .filter(|_| !is_inherited(compose_label::CONFIG_HASH));
    // Containers of `docker compose run` have a slug and no number.
    let is_numbered = is_set(&compose_label::CONTAINER_NUMBER)
        || is_one_off(labels) && is_set(&compose_label::SLUG);
    // Another program may set one of these labels. Compose sets all of them, and a hash of its own
    // for each container.
    let by_compose =
        SET_BY_COMPOSE.iter().all(is_set) && is_numbered && hash.is_some_and(|hash| is_hash(hash));
    let format = labels.get(label::FORMAT).and_then(|format| format.parse().ok()).unwrap_or(0);
    let is_complete = by_spc && format >= FIRST_COMPLETE_FORMAT;
    kept(labels, |key| {
        if is_complete || by_spc && SET_BY_FORMAT_1.contains(&key) {
            return true;
        }
        if key.starts_with("com.docker.compose.") {
            by_compose || by_spc && !is_inherited(key)
        } else {
            !is_inherited(key)
        }
    })
}

fn is_one_off(labels: &Labels) -> bool {
    labels.get(compose_label::ONEOFF).is_some_and(|one_off| one_off.eq_ignore_ascii_case("true"))
}

/// Whether the text has the form of Compose's hashes: 64 hexadecimal digits.
fn is_hash(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The labels without empty reserved ones and without those that are not `proven`.
fn kept(labels: &Labels, proven: impl Fn(&str) -> bool) -> Labels {
    let counts = |(key, value): &(&String, &String)| {
        !is_reserved_label(key) || !value.is_empty() && proven(key)
    };
    labels.iter().filter(counts).map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// Whether spc or Docker Compose would give this name to a service's container or a one-off
/// container with these labels.
fn is_named_after(name: &str, labels: &Labels) -> bool {
    let text = |key: &str| labels.get(key).map(String::as_str).filter(|value| !value.is_empty());
    let Some(project) = text(compose_label::PROJECT) else { return false };
    if is_one_off(labels) {
        return name
            .strip_prefix(project)
            .is_some_and(|rest| rest.starts_with('-') && rest.contains("-run-"));
    }
    let number = text(compose_label::CONTAINER_NUMBER).and_then(|number| number.parse().ok());
    let (Some(service), Some(number)) = (text(compose_label::SERVICE), number) else {
        return false;
    };
    name.strip_suffix(NEW_SUFFIX).unwrap_or(name) == names::container(project, service, number)
}

/// Why a description or a call may not use this container name: it is reserved for spc.
pub fn reserved_name(name: &str) -> Option<&'static str> {
    if name.ends_with(LOCK_SUFFIX) {
        Some("the lock of a project")
    } else if name.ends_with(NEW_SUFFIX) {
        Some("a replacement until it takes over")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(labels: &[(&str, &str)]) -> Labels {
        labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    /// The labels of a service's container in version 0.1.0.
    fn by_format_1() -> Labels {
        let values = [
            "shop",
            "web",
            "1",
            "False",
            "0a",
            "db:service_started:false",
            "/srv/shop",
            "1",
            "shop",
            "web",
            "0a",
            "image=1",
            "r1",
            "",
        ];
        SET_BY_FORMAT_1
            .iter()
            .zip(values)
            .map(|(key, value)| ((*key).to_owned(), value.to_owned()))
            .collect()
    }

    /// Merges labels as the engine does: those of the request override those of the image.
    fn merged(own: &Labels, image: &Labels) -> Labels {
        image.iter().chain(own).map(|(key, value)| (key.clone(), value.clone())).collect()
    }

    /// All labels that decide something, as the author of an image could write them.
    fn forged() -> Labels {
        complete(by_format_1()).into_keys().map(|key| (key, "shop".to_owned())).collect()
    }

    #[test]
    fn labels_that_an_image_gives_prove_nothing() {
        for image in [forged(), merged(&by_format_1(), &forged()), by_format_1()] {
            assert_eq!(set_at_create("shop-web-1", &image, Some(&image)), Labels::new());
            let beside = merged(&labels(&[("tier", "front"), ("org.example.team", "a")]), &image);
            let set = set_at_create("any", &beside, Some(&image));
            assert_eq!(
                set,
                labels(&[("tier", "front"), ("org.example.team", "a")]),
                "other labels are left as they are"
            );
        }
    }

    #[test]
    fn a_container_of_version_0_1_0_keeps_its_labels_whatever_its_image_has() {
        let own = by_format_1();
        let expected: Labels =
            own.clone().into_iter().filter(|(_, value)| !value.is_empty()).collect();
        let built = labels(&[
            (compose_label::PROJECT, "shop"),
            (compose_label::SERVICE, "web"),
            (label::PROJECT, "shop"),
            (label::FORMAT, "1"),
        ]);
        for image in [
            Labels::new(),
            built,
            forged(),
            labels(&[(label::LOCK, "shop")]),
            labels(&[(label::SECRETS, "k:1")]),
        ] {
            assert_eq!(
                set_at_create("any", &merged(&own, &image), Some(&image)),
                expected,
                "{image:?}"
            );
        }
    }

    #[test]
    fn a_container_made_since_then_hides_every_label_of_its_image() {
        let mut own = by_format_1();
        own.insert(label::FORMAT.to_owned(), "2".to_owned());
        own.insert(label::SECRETS.to_owned(), "k:1".to_owned());
        let expected: Labels =
            own.clone().into_iter().filter(|(_, value)| !value.is_empty()).collect();
        // This holds even if the author guessed the values.
        for image in [
            Labels::new(),
            forged(),
            labels(&[(label::SECRETS, "k:1"), (label::HASH, "0a"), (label::FORMAT, "2")]),
        ] {
            assert_eq!(
                set_at_create("any", &merged(&complete(own.clone()), &image), Some(&image)),
                expected,
                "{image:?}"
            );
        }
    }

    #[test]
    fn a_lock_is_one_even_if_its_image_claims_to_be() {
        let lock = labels(&[
            (compose_label::PROJECT, "shop"),
            (label::LOCK, "shop"),
            (label::PROJECT, "shop"),
            (label::RUN, "r1"),
        ]);
        let with_format = |format: &str| merged(&labels(&[(label::FORMAT, format)]), &lock);
        let old = with_format("1");
        assert_eq!(set_at_create("shop.spc-lock", &old, Some(&Labels::new())), old);
        let image = labels(&[(label::LOCK, "shop")]);
        let new = merged(&complete(with_format("2")), &image);
        assert_eq!(set_at_create("shop.spc-lock", &new, Some(&image)), with_format("2"));
    }

    #[test]
    fn a_compose_container_of_an_image_with_labels_belongs_to_compose() {
        let image = labels(&[
            (compose_label::PROJECT, "shop"),
            (compose_label::SERVICE, "web"),
            (label::PROJECT, "shop"),
            (label::RUN, "r1"),
        ]);
        let hash = "0a".repeat(32);
        let own = labels(&[
            (compose_label::PROJECT, "shop"),
            (compose_label::SERVICE, "web"),
            (compose_label::CONTAINER_NUMBER, "1"),
            (compose_label::ONEOFF, "False"),
            (compose_label::WORKING_DIR, "/srv/shop"),
            (compose_label::VERSION, "2.40.3"),
            (compose_label::CONFIG_HASH, &hash),
        ]);
        assert_eq!(set_at_create("shop-web-1", &merged(&own, &image), Some(&image)), own);
        // A program that sets one or most of these labels is not Compose.
        for key in own.keys() {
            let mut some = own.clone();
            some.remove(key);
            assert_eq!(
                set_at_create("shop-web-1", &some, Some(&Labels::new())),
                Labels::new(),
                "without {key}"
            );
        }
        assert_eq!(
            set_at_create("shop-web-1", &merged(&own, &own), Some(&own)),
            Labels::new(),
            "all of it is the image's"
        );
        // Containers of `docker compose run` have a slug and no number.
        let mut one_off = own.clone();
        one_off.remove(compose_label::CONTAINER_NUMBER);
        one_off.insert(compose_label::ONEOFF.to_owned(), "True".to_owned());
        assert_eq!(
            set_at_create("shop-web-run-0a1b", &one_off, Some(&Labels::new())),
            Labels::new()
        );
        one_off.insert(compose_label::SLUG.to_owned(), "0a1b".repeat(16));
        assert_eq!(
            set_at_create("shop-web-run-0a1b", &merged(&one_off, &image), Some(&image)),
            one_off
        );
        one_off.insert(compose_label::ONEOFF.to_owned(), "False".to_owned());
        assert_eq!(
            set_at_create("shop-web-run-0a1b", &one_off, Some(&Labels::new())),
            Labels::new()
        );
        let mut short = own.clone();
        short.insert(compose_label::CONFIG_HASH.to_owned(), "0a".to_owned());
        assert_eq!(set_at_create("shop-web-1", &short, Some(&Labels::new())), Labels::new());
    }

    #[test]
    fn the_name_confirms_the_labels_if_the_image_is_removed() {
        let own = by_format_1();
        let is_kept = |name: &str, labels: &Labels| {
            set_at_create(name, labels, None).contains_key(label::PROJECT)
        };
        assert!(is_kept("shop-web-1", &own));
        assert!(is_kept("shop-web-1.new", &own));
        for stranger in ["shop-web-2", "eager_turing", "shop-web-1.spc-lock", "x-shop-web-1"] {
            assert!(!is_kept(stranger, &own), "{stranger}");
        }
        let one_off = merged(&labels(&[(compose_label::ONEOFF, "True")]), &own);
        assert!(
            is_kept("shop-web-run-0123456789ab", &one_off) && !is_kept("eager-run-1", &one_off)
        );
        let lock = merged(&labels(&[(label::LOCK, "shop")]), &own);
        assert!(is_kept("shop.spc-lock", &lock) && !is_kept("other.spc-lock", &lock));
        let set = set_at_create("shop-web-1", &lock, None);
        assert!(
            set.contains_key(label::PROJECT) && !set.contains_key(label::LOCK),
            "the image's claim does not hide it"
        );
    }

    #[test]
    fn an_empty_label_is_one_that_is_not_set() {
        let set = set_at_create(
            "any",
            &labels(&[(label::LOCK, ""), (label::PROJECT, "shop"), ("mine", "")]),
            Some(&Labels::new()),
        );
        assert_eq!(set, labels(&[(label::PROJECT, "shop"), ("mine", "")]));
    }

    #[test]
    fn every_label_that_is_set_at_create_is_a_reserved_one() {
        for key in complete(Labels::new()).keys() {
            assert!(is_reserved_label(key), "{key}");
        }
        assert_eq!(reserved_name("shop.spc-lock"), Some("the lock of a project"));
        assert_eq!(reserved_name("shop-web-1.new"), Some("a replacement until it takes over"));
        assert_eq!(reserved_name("shop.new.web"), None);
    }
}
