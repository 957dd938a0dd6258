//! The engine for scripts: every call is checked against the policy before it is made.
//!
//! This is the last check, below everything that a script can reach. Descriptions were already
//! checked, so that the error has a line and a column. A request that got past that check, or came
//! another way, is rejected here and not sent.
//!
//! Images belong to everybody, as on any engine: a build, pull or tag doesn't check who had the
//! name before. Names that are reserved for spc, of containers and of the locks' image, are
//! rejected in [`names`].

mod bodies;
mod container_mounts;
mod intents;
mod names;
mod owners;
mod ranges;

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::{Arc, OnceLock};

use futures::future::BoxFuture;

use self::owners::Owners;
use super::calls::{Kind, ObjectNaming};
use super::layer::facts_of_engine_below;
use super::{Answer, Call, Engine, EngineError, EngineErrorKind, Filters, Intent, Result};
use crate::host::Host;
use crate::host::resolve::resolve;
use crate::model::dockerfile::{SYNTAX_ARGUMENT, possible_downloads};
use crate::model::names::is_reserved_image;
use crate::policy::{Policy, Refusal};

/// An engine behind a policy.
pub struct Guard {
    engine: Arc<dyn Engine>,
    policy: Policy,
    host: Arc<dyn Host>,
    owners: Owners,
}

impl From<Refusal> for EngineError {
    fn from(refusal: Refusal) -> Self {
        Self { kind: EngineErrorKind::Refused, message: refusal.message(), hint: refusal.hint() }
    }
}

/// The labels of a create call, in order.
fn labels_of(labels: Option<&HashMap<String, String>>) -> BTreeMap<String, String> {
    labels.into_iter().flatten().map(|(key, value)| (key.clone(), value.clone())).collect()
}

impl Guard {
    /// `engine` for scripts with the permissions of `policy`; `host` resolves paths.
    pub fn new(engine: Arc<dyn Engine>, policy: Policy, host: Arc<dyn Host>) -> Self {
        let policy = match engine.address().strip_prefix("unix://") {
            Some(socket) => {
                policy.with_engine_socket(Path::new(socket), &|path| resolve(&*host, path))
            }
            None => policy,
        };
        Self { engine, policy, host, owners: Owners::default() }
    }
}

impl Guard {
    /// The checked call, or why it is rejected. `ids` keeps the ids that replaced names.
    async fn admitted<'a>(&'a self, mut call: Call<'a>, ids: &'a Ids) -> Result<Call<'a>> {
        self.may_be_asked(&call)?;
        for (owned, id) in call.owned().into_iter().zip(ids) {
            match owned.by {
                ObjectNaming::Id => {
                    let checked = self.checked(owned.doing, owned.kind, owned.name).await?;
                    *owned.name = id.get_or_init(|| checked);
                }
                ObjectNaming::Name => self.may(owned.doing, owned.kind, owned.name).await?,
            }
        }
        Ok(match call {
            Call::ContainerCreate { name, platform, body } => {
                let body = self.checked_container(name, body).await?;
                Call::ContainerCreate { name, platform, body }
            }
            Call::ContainerStart { container } | Call::ContainerRestart { container, .. } => {
                self.mounts_lead_where_they_did(container).await?;
                call
            }
            Call::ContainerRename { container, name } => {
                names::may_rename(container, name)?;
                call
            }
            Call::ImageBuild { request } => {
                let frontend = request.args.get(SYNTAX_ARGUMENT);
                frontend.map_or(Ok(()), |image| self.policy.frontend(image))?;
                self.build(&request.tags, request.network.as_deref(), &request.labels).await?;
                Call::ImageBuild { request }
            }
            Call::ImageImport { tag, changes, tar } => {
                let tar = if is_reserved_image(tag) {
                    names::only_the_locks_image(tag, changes, tar).await?
                } else {
                    tar
                };
                Call::ImageImport { tag, changes, tar }
            }
            Call::NetworkCreate { body } => {
                self.network(&body).await?;
                Call::NetworkCreate { body }
            }
            Call::NetworkConnect { network, container, mut endpoint } => {
                bodies::by_name_only(&mut endpoint);
                Call::NetworkConnect { network, container, endpoint }
            }
            Call::VolumeCreate { body } => Call::VolumeCreate { body: self.volume(body).await? },
            Call::ImagePull { .. } | Call::ImageTag { .. } => call,
            mut other => {
                let method = other.method();
                if method.changes() && other.owned().is_empty() {
                    return Err(EngineError::new(
                        EngineErrorKind::Refused,
                        format!(
                            "A script may not ask the engine for {method}: no rule limits it to the script's own objects"
                        ),
                    ));
                }
                other
            }
        })
    }

    /// Checks that need only the arguments of a call.
    fn may_be_asked(&self, call: &Call<'_>) -> Result<()> {
        match call {
            Call::ExecStart { request, .. } if request.privileged => {
                self.policy.privileged("exec with privileged: true")?;
            }
            Call::ImagePull { image, .. } => names::may_name_image("pull the image", image)?,
            Call::ImageImport { tag, changes, .. } => {
                self.policy.image_name("import the image", tag)?;
                names::may_label_image(tag, changes)?;
                for download in possible_downloads(&changes.join("\n")) {
                    self.policy.download(&download.source)?;
                }
            }
            Call::ImageTag { tag, .. } => {
                names::may_name_image("tag an image as", tag)?;
                self.policy.image_name("tag an image as", tag)?;
            }
            Call::ImageRemove { image, .. } => names::may_name_image("remove the image", image)?,
            Call::NetworkConnect { network, .. } => self.policy.namespace("network", network)?,
            _ => {}
        }
        Ok(())
    }

    /// Remembers the owners of the objects in an answer.
    fn saw(&self, asked: Question, answer: &Answer) {
        match (asked, answer) {
            (Question::Containers(all, filters), Answer::ContainerList(listed)) => {
                self.owners.saw_containers(all, &filters, listed);
            }
            (Question::Images(filters), Answer::ImageList(listed)) => {
                self.owners.saw_images(&filters, listed);
            }
            (Question::Networks(filters), Answer::NetworkList(listed)) => {
                self.owners.saw_networks(&filters, listed);
            }
            (Question::Volumes(filters), Answer::VolumeList(listed)) => {
                self.owners.saw_volumes(&filters, listed);
            }
            (Question::NewContainer(labels), Answer::ContainerCreate(created)) => {
                self.owners.saw(Kind::Container, &created.id, &labels);
            }
            _ => {}
        }
    }
}

/// Ids that replaced the names in a call: at most of a network and a container.
type Ids = [OnceLock<String>; 2];

/// Facts about a call that are needed to interpret its answer.
enum Question {
    Containers(bool, Filters),
    Images(Filters),
    Networks(Filters),
    Volumes(Filters),
    NewContainer(HashMap<String, String>),
    Other,
}

impl Question {
    fn of(call: &Call<'_>) -> Self {
        match call {
            Call::ContainerList { all, filters } => Self::Containers(*all, (*filters).clone()),
            Call::ImageList { filters } => Self::Images((*filters).clone()),
            Call::NetworkList { filters } => Self::Networks((*filters).clone()),
            Call::VolumeList { filters } => Self::Volumes((*filters).clone()),
            Call::ContainerCreate { body, .. } => {
                Self::NewContainer(body.labels.clone().unwrap_or_default())
            }
            _ => Self::Other,
        }
    }
}

impl Engine for Guard {
    facts_of_engine_below!(engine);

    fn check<'a>(&'a self, intent: Intent<'a>) -> BoxFuture<'a, Result<()>> {
        Box::pin(self.check_intent(intent))
    }

    fn call<'a>(&'a self, call: Call<'a>) -> BoxFuture<'a, Result<Answer>> {
        Box::pin(async move {
            let ids = Ids::default();
            let call = self.admitted(call, &ids).await?;
            let asked = Question::of(&call);
            let answer = self.engine.call(call).await?;
            self.saw(asked, &answer);
            Ok(answer)
        })
    }
}

#[cfg(test)]
mod tests;
