//! The cause of a step. Code decides by its variant; the text is for people.

use std::collections::BTreeSet;
use std::fmt;

use ipnet::IpNet;
use serde::{Serialize, Serializer};

use super::short_id::short_id;

/// The cause of a step: `missing`, `environment DEBUG changed`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(test, derive(strum::VariantNames))]
pub enum Cause {
    /// The object does not exist on the engine.
    NotThere,
    /// A script or an option requests it.
    AskedFor,
    /// This line of the runbook requests it.
    AskedForInLine(usize),
    /// The service was named.
    AskedForByName,
    /// A verb was called: `down`.
    Verb(String),
    /// A run that was killed left this object.
    Interrupted,
    /// Another container has its service and number. For example, Docker Compose left it during a
    /// replacement.
    SecondOfNumber,
    /// Its image has another id; with both in short form, if the new one is known. A pull or build
    /// may give it another one.
    ImageChanged(Option<OtherImage>),
    /// Keys of its description have other values.
    DescriptionChanged(ChangedKeys),
    /// Docker Compose made it.
    Adopted,
    /// The engine could not remove it.
    Dead,
    AnonymousVolumesRenewed,
    /// A network that it was connected to no longer exists.
    NetworkRemoved,
    /// It is not connected to this network of the description.
    NotOnNetwork(String),
    /// The value of a secret changed, and the name of the secret is unknown.
    SecretChanged,
    /// The values of these secrets changed.
    SecretsChanged(BTreeSet<String>),
    NeverStarted,
    /// spc stopped it.
    Stopped,
    /// It ended, with this exit code.
    Exited(i64),
    /// Its exit code is not known.
    NotRunning,
    /// The engine restarts it again and again; with the exit code of the last time.
    RestartsAgain(Option<i64>),
    Unhealthy,
    /// The engine restarted it a moment ago, and this many times in all.
    StartedAgain(u32),
    NotReady,
    /// The description requires only this many containers of the service.
    Scale(u32),
    NoLongerDescribed,
    /// A deployment put the new container in its place.
    Replaced,
    /// It is no longer described, and a new network needs its subnet.
    SubnetTaken {
        by: String,
        subnet: IpNet,
    },
    /// A one-off container.
    OneOff,
}

/// The parts of a service's description that changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangedKeys {
    /// `image`, `environment DEBUG`, `config site.conf`; empty if the parts are unknown.
    pub keys: Vec<String>,
    /// The old and the new name of the image, if they differ.
    pub image: Option<OtherImage>,
}

/// Two images, by their names or their ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtherImage {
    pub before: String,
    pub now: String,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotThere => f.write_str("missing"),
            Self::AskedFor => f.write_str("requested"),
            Self::AskedForInLine(line) => write!(f, "requested in line {line}"),
            Self::AskedForByName => f.write_str("requested by name"),
            Self::Verb(verb) => write!(f, "\"{verb}\" was requested"),
            Self::Interrupted => f.write_str("left by an interrupted run"),
            Self::SecondOfNumber => f.write_str("a second container with this number"),
            Self::ImageChanged(None) => f.write_str("image changed"),
            Self::ImageChanged(Some(image)) => write!(f, "image changed {image}"),
            Self::DescriptionChanged(changed) => changed.fmt(f),
            Self::Adopted => f.write_str("adopted from Docker Compose"),
            Self::Dead => f.write_str("dead"),
            Self::AnonymousVolumesRenewed => f.write_str("anonymous volumes are renewed"),
            Self::NetworkRemoved => f.write_str("its network was removed"),
            Self::NotOnNetwork(network) => write!(f, "not on the network \"{network}\""),
            Self::SecretChanged => f.write_str("a secret's value changed"),
            Self::SecretsChanged(names) => {
                let secrets = if names.len() == 1 { "the secret" } else { "the secrets" };
                let names: Vec<String> = names.iter().map(|name| format!("\"{name}\"")).collect();
                write!(f, "the value of {secrets} {} changed", names.join(", "))
            }
            Self::NeverStarted => f.write_str("never started"),
            Self::Stopped => f.write_str("stopped"),
            Self::Exited(code) => write!(f, "exited with code {code}"),
            Self::NotRunning => f.write_str("not running"),
            Self::RestartsAgain(None) => f.write_str("keeps restarting"),
            Self::RestartsAgain(Some(code)) => {
                write!(f, "keeps restarting, last exit code {code}")
            }
            Self::Unhealthy => f.write_str("unhealthy"),
            Self::StartedAgain(1) => f.write_str("was just restarted by the engine"),
            Self::StartedAgain(times) => {
                write!(f, "was restarted by the engine {times} times just now")
            }
            Self::NotReady => f.write_str("not ready yet"),
            Self::Scale(scale) => write!(f, "scale is {scale}"),
            Self::NoLongerDescribed => f.write_str("no longer described"),
            Self::Replaced => f.write_str("the new container takes over"),
            Self::SubnetTaken { by, subnet } => {
                write!(f, "no longer described, and \"{by}\" takes its subnet {subnet}")
            }
            Self::OneOff => f.write_str("one-off container"),
        }
    }
}

impl OtherImage {
    /// Two ids in the short form of the Docker CLI: `3f2a91c0b7d4`.
    pub fn of_ids(before: &str, now: &str) -> Self {
        Self { before: short_id(before).to_owned(), now: short_id(now).to_owned() }
    }
}

impl fmt::Display for OtherImage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "({} → {})", self.before, self.now)
    }
}

impl fmt::Display for ChangedKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.keys.is_empty() {
            return f.write_str("description changed");
        }
        write!(f, "{} changed", self.keys.join(", "))?;
        match &self.image {
            Some(image) => write!(f, " {image}"),
            None => Ok(()),
        }
    }
}

impl Serialize for Cause {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::texts::Texts;
    use similar_asserts::assert_eq;

    fn changed(keys: &[&str], image: Option<(&str, &str)>) -> Cause {
        Cause::DescriptionChanged(ChangedKeys {
            keys: keys.iter().map(|key| (*key).to_owned()).collect(),
            image: image
                .map(|(before, now)| OtherImage { before: before.to_owned(), now: now.to_owned() }),
        })
    }

    fn secrets(names: &[&str]) -> Cause {
        Cause::SecretsChanged(names.iter().map(|name| (*name).to_owned()).collect())
    }

    #[test]
    fn a_cause_with_data_reads_as_a_sentence() {
        let subnet = "10.1.0.0/24".parse().unwrap();
        for (cause, text) in [
            (Cause::AskedForInLine(31), "requested in line 31"),
            (Cause::Verb("down".to_owned()), "\"down\" was requested"),
            (changed(&[], None), "description changed"),
            (changed(&["environment A", "ports"], None), "environment A, ports changed"),
            (changed(&["image"], Some(("web:1", "web:2"))), "image changed (web:1 → web:2)"),
            (
                Cause::ImageChanged(Some(OtherImage::of_ids(
                    "sha256:0123456789abcdef",
                    "sha256:f",
                ))),
                "image changed (0123456789ab → f)",
            ),
            (Cause::NotOnNetwork("n".to_owned()), "not on the network \"n\""),
            (secrets(&["a"]), "the value of the secret \"a\" changed"),
            (secrets(&["a", "b"]), "the value of the secrets \"a\", \"b\" changed"),
            (Cause::Exited(137), "exited with code 137"),
            (Cause::RestartsAgain(Some(2)), "keeps restarting, last exit code 2"),
            (Cause::StartedAgain(1), "was just restarted by the engine"),
            (Cause::StartedAgain(3), "was restarted by the engine 3 times just now"),
            (Cause::Scale(2), "scale is 2"),
            (Cause::Replaced, "the new container takes over"),
            (
                Cause::SubnetTaken { by: "n".to_owned(), subnet },
                "no longer described, and \"n\" takes its subnet 10.1.0.0/24",
            ),
        ] {
            assert_eq!(cause.to_string(), text);
            assert_eq!(serde_json::to_value(&cause).unwrap(), text);
        }
    }

    #[test]
    fn every_text_that_is_not_of_spc_itself_can_be_changed() {
        let subnet = "10.1.0.0/24".parse().unwrap();
        for cause in [
            Cause::Verb("secret".to_owned()),
            changed(&["secret"], Some(("secret", "secret"))),
            Cause::NotOnNetwork("secret".to_owned()),
            secrets(&["secret"]),
            Cause::SubnetTaken { by: "secret".to_owned(), subnet },
        ] {
            let masked = cause.clone().with_texts(|text| text.replace("secret", "x"));
            let own = cause.to_string().replace("the secret ", "the value ").replace("secret", "x");
            assert_eq!(masked.to_string().replace("the secret ", "the value "), own);
            assert_ne!(masked, cause);
        }
    }

    /// Two causes with the same text are not equal: a changed description is certain, a changed
    /// image id may not be.
    #[test]
    fn the_same_text_is_not_the_same_cause() {
        let named = changed(&["image"], None);
        assert_eq!(named.to_string(), Cause::ImageChanged(None).to_string());
        assert_ne!(named, Cause::ImageChanged(None));
    }
}
