//! The parts of a service's replacement: what a deployment strategy decides between.

use std::collections::BTreeSet;
use std::time::Duration;

use rhai::plugin::*;
use rhai::{Array, Dynamic, Map};

use super::describe::check_startable;
use super::project::{finish, verb_context};
use super::service::Service;
use super::{Raw, task};
use crate::apply::beside;
use crate::apply::outcome::Outcome;
use crate::apply::verbs;
use crate::model::image_reference::canonical;
use crate::model::observed_state::Container;
use crate::model::reconcile::BesidePart;
use crate::model::short_id::short_id;
use crate::model::{Failure, hash};
use crate::value::{Options, Record};

/// The numbers in a script's list; `None` for `()`.
fn numbers_of(given: &Dynamic) -> Result<Option<BTreeSet<u32>>, Failure> {
    if given.is_unit() {
        return Ok(None);
    }
    let wrong = || {
        Failure::usage("Containers of a service are chosen by their numbers")
            .hint("write a list such as [1, 2], or () for all")
    };
    let list = given.read_lock::<Array>().ok_or_else(wrong)?;
    let number = |item: &Dynamic| {
        item.as_int().ok().and_then(|item| u32::try_from(item).ok()).filter(|number| *number > 0)
    };
    list.iter().map(|item| number(item).ok_or_else(wrong)).collect::<Result<_, _>>().map(Some)
}

/// A container of the service, as a record.
fn replica(container: &Container) -> Record {
    let text = |text: &str| Dynamic::from(text.to_owned());
    let short = short_id(&container.id);
    Record::new(
        "replica",
        Map::from([
            ("number".into(), i64::from(container.number).into()),
            ("name".into(), text(&container.name)),
            ("id".into(), text(&container.id)),
            // The engine resolves it on every network of the container, whatever its name is.
            ("alias".into(), text(short)),
            ("release".into(), container.release.as_deref().map_or(Dynamic::UNIT, text)),
            ("image_id".into(), text(&container.image_id)),
            ("state".into(), text(container.state.word())),
            ("ready".into(), container.is_ready().into()),
            ("is_new".into(), container.is_new().into()),
            ("created".into(), container.created.into()),
            (
                "addresses".into(),
                container
                    .addresses
                    .iter()
                    .map(|(_, address)| Dynamic::from(address.to_string()))
                    .collect::<Array>()
                    .into(),
            ),
        ]),
    )
}

fn replicas(containers: &[Container]) -> Array {
    containers.iter().map(|container| Dynamic::from(replica(container))).collect()
}

impl Service {
    fn part(
        &self,
        part: BesidePart,
        numbers: &Dynamic,
        timeout: Option<Duration>,
    ) -> Result<Outcome, Failure> {
        let numbers = numbers_of(numbers)?;
        let context = &self.stack.context;
        let project = self.stack.described()?.clone();
        if part == BesidePart::Start {
            let services = BTreeSet::from([self.name.clone()]);
            self.stack.placed(check_startable(context, &project, &services))?;
        }
        let outcome = finish(context, async {
            let ctx = verb_context(context, &self.stack.name).await?;
            beside::run(&ctx, &project, &self.name, numbers.as_ref(), part, timeout).await
        });
        self.stack.placed(outcome)
    }

    fn start_beside(&self, numbers: &Dynamic, given: Map) -> Result<Array, Failure> {
        let mut options = Options::new(given, "options of start_beside");
        let timeout = options.duration("timeout")?;
        options.finish()?;
        let outcome = self.part(BesidePart::Start, numbers, timeout)?;
        let new: Vec<Container> =
            outcome.containers.into_iter().filter(Container::is_new).collect();
        Ok(replicas(&new))
    }

    fn numbers(&self) -> Result<BTreeSet<u32>, Failure> {
        let context = &self.stack.context;
        let project = self.stack.described()?;
        let numbers = task::wait(context, async {
            let ctx = verb_context(context, &self.stack.name).await?;
            beside::numbers(&ctx, project, &self.name)
        });
        self.stack.placed(numbers)
    }

    /// Whether the containers differ from the description: in what they are made from, in their image
    /// or in their number.
    fn is_outdated(&self) -> Result<bool, Failure> {
        let context = &self.stack.context;
        let project = self.stack.described()?;
        let described = project.service(&self.name)?;
        let observed = task::wait(context, async {
            let ctx = verb_context(context, &self.stack.name).await?;
            verbs::look(&ctx, &self.stack.name).await
        })?;
        let image = observed.images.get(&canonical(&described.image));
        let own = |container: &&Container| container.service == self.name && !container.is_new();
        let is_current = |container: &&Container| {
            let is_described = container.hash.as_deref().is_some_and(|label| {
                hash::may_be_of_service(label, described, project, &context.secrets)
            });
            is_described
                && container.state.is_up()
                && image.is_none_or(|id| *id == container.image_id)
        };
        let all = observed.containers.iter().filter(own).count();
        let current = observed.containers.iter().filter(own).filter(is_current).count();
        Ok(current != all || all != self.numbers()?.len())
    }

    /// The release of the containers that serve, from their labels: that of the oldest one, because
    /// a deployment that did not end replaced only the others.
    pub(super) fn released(&self) -> Result<Option<String>, Failure> {
        let containers = self.containers()?;
        // If all old ones are gone, the new ones are about to take their names.
        let only_new = containers.iter().all(Container::is_new);
        let serving = containers.iter().filter(|container| only_new || !container.is_new());
        let oldest =
            serving.filter(|container| container.release.is_some()).min_by_key(|container| {
                (!container.state.is_up(), container.created, container.number)
            });
        Ok(oldest.and_then(|container| container.release.clone()))
    }
}

/// The functions of a script.
#[export_module]
pub mod functions {
    use super::*;

    /// The containers of the service, in the order of their numbers: `number name id alias release
    /// image_id state ready is_new created addresses`. `is_new`: it was started beside the one that
    /// it will replace. `alias` is its own name on its networks.
    #[rhai_fn(return_raw, pure)]
    pub fn replicas(service: &mut Service) -> Raw<Array> {
        Ok(super::replicas(&service.containers()?))
    }

    /// The numbers of the containers that the description wants, or `scale` in its place: `[1, 2]`.
    #[rhai_fn(return_raw, pure)]
    pub fn numbers(service: &mut Service) -> Raw<Array> {
        let numbers = service.numbers()?;
        Ok(numbers.into_iter().map(|number| i64::from(number).into()).collect())
    }

    /// Whether the running containers of the service differ from its description, in what they are
    /// made from, in their image or in their number. Changed secrets don't count.
    #[rhai_fn(return_raw, pure)]
    pub fn is_outdated(service: &mut Service) -> Raw<bool> {
        Ok(service.is_outdated()?)
    }

    /// Starts a new container beside each one that differs from the description, without the
    /// service's network alias, and waits until they are ready. Returns the new ones, as `replicas`
    /// does. If one does not become ready, all of this call are removed. `numbers`: a list of
    /// numbers, or `()` for all. Other services are not touched.
    #[rhai_fn(name = "start_beside", return_raw, pure)]
    pub fn start_beside(service: &mut Service, numbers: Dynamic) -> Raw<Array> {
        Ok(service.start_beside(&numbers, Map::new())?)
    }

    /// The same with the option `timeout`: the longest time for a container to become ready.
    #[rhai_fn(name = "start_beside", return_raw, pure)]
    pub fn start_beside_with(service: &mut Service, numbers: Dynamic, options: Map) -> Raw<Array> {
        Ok(service.start_beside(&numbers, options)?)
    }

    /// Connects new containers with the service's network alias, and waits until they are ready
    /// again. This opens a new network connection: they may not have requests meanwhile.
    #[rhai_fn(return_raw, pure)]
    pub fn attach(service: &mut Service, numbers: Dynamic) -> Raw<()> {
        Ok(service.part(BesidePart::Attach, &numbers, None).map(drop)?)
    }

    /// Stops and removes the containers that have a new one beside them, and gives their names to
    /// the new ones. With `()`, containers that are more than the description wants go too.
    #[rhai_fn(return_raw, pure)]
    pub fn take_over(service: &mut Service, numbers: Dynamic) -> Raw<()> {
        Ok(service.part(BesidePart::TakeOver, &numbers, None).map(drop)?)
    }

    /// Stops and removes the new containers.
    #[rhai_fn(return_raw, pure)]
    pub fn remove_new(service: &mut Service, numbers: Dynamic) -> Raw<()> {
        Ok(service.part(BesidePart::Remove, &numbers, None).map(drop)?)
    }
}

/// Registers the functions.
pub fn register(engine: &mut rhai::Engine) {
    engine.register_global_module(shared_module!(functions));
}
