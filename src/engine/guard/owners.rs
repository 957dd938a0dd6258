//! The owners of the engine's objects by their labels, from lists that passed through the guard, or
//! from additional calls.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use bollard::models;
use parking_lot::Mutex;

use super::{Filters, Guard, Kind, Result};
use crate::engine::image_labels::{ImageLabels, ask, sorted};
use crate::engine::label_filter;
use crate::host::resolve::resolve;
use crate::model::names::{compose_label, label, read_former_folders};
use crate::model::ownership::Labels;
use crate::policy::{LabelledObject, ObjectUse, Resolution};

/// The origin in an object's labels.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Origin {
    /// spc's label and Compose's: both count.
    projects: BTreeSet<String>,
    from: Option<String>,
    by_spc: bool,
    /// For the record of a moved project, which is a volume.
    former: Vec<String>,
    /// For a network.
    driver: Option<String>,
    /// For a listed container or network, in refusals.
    name: Option<String>,
}

impl Origin {
    fn driven_by(mut self, driver: Option<String>) -> Self {
        self.driver = driver;
        self
    }

    fn of<'a>(labels: impl IntoIterator<Item = (&'a String, &'a String)>) -> Self {
        let mut origin = Self::default();
        // A create call also sets unused labels, to an empty value.
        for (key, value) in labels.into_iter().filter(|(_, value)| !value.is_empty()) {
            match key.as_str() {
                label::PROJECT => {
                    origin.by_spc = true;
                    origin.projects.insert(value.clone());
                }
                compose_label::PROJECT => {
                    origin.projects.insert(value.clone());
                }
                compose_label::WORKING_DIR => origin.from = Some(value.clone()),
                _ => {}
            }
        }
        origin
    }

    fn of_volume<'a>(labels: impl IntoIterator<Item = (&'a String, &'a String)> + Clone) -> Self {
        let former = labels.clone().into_iter().find(|(key, _)| *key == label::FORMER_FOLDERS);
        Self {
            former: former.map(|(_, value)| read_former_folders(value)).unwrap_or_default(),
            ..Self::of(labels)
        }
    }

    fn made(&self) -> LabelledObject {
        LabelledObject { from: self.from.clone(), by_spc: self.by_spc, former: self.former.clone() }
    }
}

/// A container in a list: its labels may come from its image.
struct ListedContainer {
    name: String,
    labels: Labels,
    image: String,
}

impl ListedContainer {
    fn names_project(&self, project: &str) -> bool {
        [label::PROJECT, compose_label::PROJECT]
            .iter()
            .any(|key| self.labels.get(*key).is_some_and(|named| named == project))
    }
}

#[derive(Default)]
struct OwnerCache {
    /// Containers by id, volumes by name, networks by id: their labels never change.
    objects: BTreeMap<(Kind, String), Origin>,
    /// Containers by id that were listed and not inspected yet.
    listed: BTreeMap<String, ListedContainer>,
    image_labels: ImageLabels,
    /// Complete lists that passed: of all volumes, of all networks, of all images, of all
    /// containers of a project.
    volumes: bool,
    networks: bool,
    images: bool,
    containers_of: BTreeSet<String>,
    /// A list contains the containers of all projects.
    all_containers: bool,
    /// Address ranges of networks of the engine, also of former ones in this run.
    ranges: BTreeSet<ipnet::IpNet>,
    /// Projects that belong to the script.
    own: BTreeSet<String>,
}

/// The knowledge so far. Answers of the engine are kept for the whole run: labels are immutable,
/// and a project that belongs to the script stays so.
#[derive(Default)]
pub(super) struct Owners(Mutex<OwnerCache>);

impl Owners {
    fn with<T>(&self, work: impl FnOnce(&mut OwnerCache) -> T) -> T {
        work(&mut self.0.lock())
    }

    pub(super) fn saw<'a>(
        &self,
        kind: Kind,
        id: &str,
        labels: impl IntoIterator<Item = (&'a String, &'a String)>,
    ) {
        let origin = Origin::of(labels);
        self.with(|known| known.objects.insert((kind, id.to_owned()), origin));
    }

    pub(super) fn saw_containers(
        &self,
        all: bool,
        filters: &Filters,
        listed: &[models::ContainerSummary],
    ) {
        for container in listed {
            let seen = ListedContainer {
                name: container.names.iter().flatten().next().cloned().unwrap_or_default(),
                labels: sorted(container.labels.as_ref()),
                image: container.image_id.clone().unwrap_or_default(),
            };
            self.with(|known| known.listed.insert(container.id.clone().unwrap_or_default(), seen));
        }
        if all && filters.is_empty() {
            self.with(|known| known.all_containers = true);
        }
        let of = filters.get("label").map(Vec::as_slice).unwrap_or_default();
        if let (true, [only]) = (all && filters.len() == 1, of)
            && let Some((compose_label::PROJECT, project)) = only.split_once('=')
        {
            self.with(|known| known.containers_of.insert(project.to_owned()));
        }
    }

    pub(super) fn saw_images(&self, filters: &Filters, listed: &[models::ImageSummary]) {
        self.with(|known| {
            known.image_labels.add_list(listed);
            known.images |= filters.is_empty();
        });
    }

    /// Images that have to be inspected before the owners of the listed containers are known for
    /// which `asked` holds.
    fn open_images(&self, asked: impl Fn(&str, &ListedContainer) -> bool) -> BTreeSet<String> {
        let is_open = |known: &OwnerCache, listed: &ListedContainer| {
            !known.image_labels.knows(&listed.labels, &listed.image)
        };
        self.with(|known| {
            let open = known
                .listed
                .iter()
                .filter(|(id, listed)| asked(id, listed) && is_open(known, listed));
            open.map(|(_, listed)| listed.image.clone()).collect()
        })
    }

    /// Marks the listed containers as known for which `asked` holds.
    fn settle(&self, asked: impl Fn(&str, &ListedContainer) -> bool) {
        self.with(|known| {
            let settled: Vec<String> = known
                .listed
                .iter()
                .filter(|(id, listed)| asked(id, listed))
                .map(|(id, _)| id.clone())
                .collect();
            for id in settled {
                let Some(listed) = known.listed.remove(&id) else { continue };
                let mut origin = Origin::of(&known.image_labels.set_at_create(
                    &listed.name,
                    &listed.labels,
                    &listed.image,
                ));
                origin.name = Some(listed.name);
                known.objects.insert((Kind::Container, id), origin);
            }
        });
    }

    /// Whether a network of the engine has the address, or had it a moment ago: the machine may not
    /// have released it yet.
    pub(super) fn is_in_known_range(&self, address: &std::net::IpAddr) -> bool {
        self.with(|known| known.ranges.iter().any(|range| range.contains(address)))
    }

    pub(super) fn saw_networks(&self, filters: &Filters, listed: &[models::Network]) {
        for network in listed {
            let mut origin =
                Origin::of(network.labels.iter().flatten()).driven_by(network.driver.clone());
            origin.name.clone_from(&network.name);
            self.with(|known| {
                known
                    .objects
                    .insert((Kind::Network, network.id.clone().unwrap_or_default()), origin)
            });
        }
        self.with(|known| {
            known.networks |= filters.is_empty();
            known.ranges.extend(
                listed
                    .iter()
                    .filter_map(|network| network.ipam.as_ref())
                    .flat_map(super::ranges::ranges_of),
            );
        });
    }

    pub(super) fn saw_volumes(&self, filters: &Filters, listed: &[models::Volume]) {
        for volume in listed {
            let origin = Origin::of_volume(&volume.labels);
            self.with(|known| known.objects.insert((Kind::Volume, volume.name.clone()), origin));
        }
        self.with(|known| known.volumes |= filters.is_empty());
    }
}

impl Guard {
    pub(super) fn resolve(&self, path: &Path) -> Resolution {
        resolve(&*self.host, path)
    }

    /// Rejects the use or change of an object of another project, or of a container without a
    /// project. Missing objects pass.
    pub(super) async fn may(&self, doing: &str, kind: Kind, object: &str) -> Result<()> {
        self.found(doing, kind, object).await.map(drop)
    }

    /// The object that may be used or changed, by the checked id, because its name may belong to
    /// another one at the time of the call. A missing object is an error.
    pub(super) async fn checked(&self, doing: &str, kind: Kind, object: &str) -> Result<String> {
        self.found(doing, kind, object).await?
    }

    /// The id of a checked object, or why the engine doesn't know it.
    async fn found(&self, doing: &str, kind: Kind, object: &str) -> Result<Result<String>> {
        let (id, origin) = match self.origin(kind, object).await? {
            Ok(found) => found,
            Err(missing) => return Ok(Err(missing)),
        };
        if origin.driver.as_deref() == Some("host") {
            self.policy.namespace("network", "host")?;
        }
        match self.is_allowed(doing, kind, object, &origin).await {
            Ok(()) => Ok(Ok(id)),
            // A refusal contains the object's name, whatever the call used.
            Err(refused) => match self.name_of(kind, object, &origin).await {
                Some(name) => self.is_allowed(doing, kind, &name, &origin).await.map(|()| Ok(id)),
                None => Err(refused),
            },
        }
    }

    async fn is_allowed(
        &self,
        doing: &str,
        kind: Kind,
        object: &str,
        origin: &Origin,
    ) -> Result<()> {
        if origin.projects.is_empty() && kind == Kind::Container {
            return Err(self.policy.of_nobody(doing, object).into());
        }
        self.are_own(doing, object, origin).await
    }

    /// The name of a container or network if the call contains its full id.
    async fn name_of(&self, kind: Kind, object: &str, origin: &Origin) -> Option<String> {
        if object.len() != 64 || !object.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        let name = match (&origin.name, kind) {
            (Some(name), _) => Some(name.clone()),
            (None, Kind::Container) => self.engine.container_inspect(object).await.ok()?.name,
            (None, Kind::Network) => self.engine.network_inspect(object).await.ok()?.name,
            (None, Kind::Volume | Kind::Image) => None,
        };
        name.map(|name| name.trim_start_matches('/').to_owned())
    }

    /// Rejects the creation of an object with another project's name. Its labels are only a claim:
    /// they give the script no existing objects.
    pub(super) async fn labels_are_own(
        &self,
        doing: &str,
        object: &str,
        labels: &BTreeMap<String, String>,
    ) -> Result<()> {
        let claim = Origin::of(labels);
        for project in &claim.projects {
            self.is_own(ObjectUse { doing, object, of_stack: false }, project, None).await?;
        }
        self.are_own(doing, object, &claim).await
    }

    /// Rejects a change of a project that does not belong to the script.
    pub(super) async fn project(&self, project: &str) -> Result<()> {
        self.is_own(
            ObjectUse { doing: "change the project", object: project, of_stack: true },
            project,
            None,
        )
        .await
    }

    /// Rejects an action on a service of a project that does not belong to the script.
    pub(super) async fn service(&self, doing: &str, service: &str, project: &str) -> Result<()> {
        self.is_own(ObjectUse { doing, object: service, of_stack: true }, project, None).await
    }

    async fn are_own(&self, doing: &str, object: &str, origin: &Origin) -> Result<()> {
        for project in &origin.projects {
            self.is_own(ObjectUse { doing, object, of_stack: false }, project, Some(origin))
                .await?;
        }
        Ok(())
    }

    async fn is_own(
        &self,
        wanted: ObjectUse<'_>,
        project: &str,
        origin: Option<&Origin>,
    ) -> Result<()> {
        let known = self.policy.names_project(project)
            || self.owners.with(|known| known.own.contains(project));
        // Always requests the project's own record, because another run may have just created it.
        let mut there: Vec<LabelledObject> = origin
            .filter(|origin| !known || origin.from.is_some())
            .map(Origin::made)
            .into_iter()
            .collect();
        if known {
            // The record of a move is checked at each call.
            let is_record =
                |origin: &&Origin| !origin.former.is_empty() && origin.projects.contains(project);
            there.extend(self.owners.with(|known| {
                known.objects.values().filter(is_record).map(Origin::made).collect::<Vec<_>>()
            }));
        } else {
            self.list_all_of(project).await?;
            self.settle(|_, listed| listed.names_project(project)).await?;
            let of_project = |origin: &&Origin| origin.projects.contains(project);
            there.extend(self.owners.with(|known| {
                known.objects.values().filter(of_project).map(Origin::made).collect::<Vec<_>>()
            }));
        }
        self.policy.own_project(project, &there, wanted, &|path| self.resolve(path))?;
        self.owners.with(|known| known.own.insert(project.to_owned()));
        Ok(())
    }

    /// Learns all objects with a project's label. Asks nothing that a list already contained.
    async fn list_all_of(&self, project: &str) -> Result<()> {
        use crate::engine::Engine;
        let (containers, networks, volumes) = self.owners.with(|known| {
            (
                known.all_containers || known.containers_of.contains(project),
                known.networks,
                known.volumes,
            )
        });
        if !containers {
            self.container_list(true, &label_filter(compose_label::PROJECT, project)).await?;
        }
        if !networks {
            self.network_list(&Filters::new()).await?;
        }
        if !volumes {
            self.volume_list(&Filters::new()).await?;
        }
        Ok(())
    }

    /// Separates the labels of listed containers from those of their images, for the containers for
    /// which `asked` holds. For several containers it lists the images, because the list contains
    /// their labels. Images that are not in the list are inspected.
    async fn settle(&self, asked: impl Fn(&str, &ListedContainer) -> bool + Sync) -> Result<()> {
        use crate::engine::Engine;
        let mut open = self.owners.open_images(&asked);
        if open.len() > 1 && !self.owners.with(|known| known.images) {
            self.image_list(&Filters::new()).await?;
            open = self.owners.open_images(&asked);
        }
        for image in open {
            let labels = ask(&*self.engine, &image).await?;
            self.owners.with(|known| known.image_labels.add(&image, labels));
        }
        self.owners.settle(asked);
        Ok(())
    }

    /// From the list if it contains the name. An inspect would also return every container on the
    /// network.
    async fn listed_network(&self, network: &str) -> Result<(String, Origin)> {
        let named = self
            .engine
            .network_list(&Filters::from([("name".to_owned(), vec![network.to_owned()])]))
            .await?;
        let mut exact = named.into_iter().filter(|listed| listed.name.as_deref() == Some(network));
        let (id, labels, driver) = match (exact.next(), exact.next()) {
            (Some(one), None) => (one.id, one.labels, one.driver),
            _ => self
                .engine
                .network_inspect(network)
                .await
                .map(|found| (found.id, found.labels, found.driver))?,
        };
        Ok((
            id.unwrap_or_else(|| network.to_owned()),
            Origin::of(&labels.unwrap_or_default()).driven_by(driver),
        ))
    }

    async fn inspected_container(&self, container: &str) -> Result<(String, Origin)> {
        let found = self.engine.container_inspect(container).await?;
        let labels = sorted(found.config.as_ref().and_then(|config| config.labels.as_ref()));
        let image = found.image.unwrap_or_default();
        if !self.owners.with(|known| known.image_labels.knows(&labels, &image)) {
            let of_image = ask(&*self.engine, &image).await?;
            self.owners.with(|known| known.image_labels.add(&image, of_image));
        }
        let name = found.name.unwrap_or_default();
        let labels =
            self.owners.with(|known| known.image_labels.set_at_create(&name, &labels, &image));
        Ok((found.id.unwrap_or_else(|| container.to_owned()), Origin::of(&labels)))
    }

    /// The object's id and origin; the inner error if the engine doesn't know it.
    async fn origin(&self, kind: Kind, object: &str) -> Result<Result<(String, Origin)>> {
        if kind == Kind::Container {
            self.settle(|id, _| id == object).await?;
        }
        if let Some(origin) =
            self.owners.with(|known| known.objects.get(&(kind, object.to_owned())).cloned())
        {
            return Ok(Ok((object.to_owned(), origin)));
        }
        let named = |labels: HashMap<String, String>| (object.to_owned(), Origin::of(&labels));
        let found = match kind {
            Kind::Container => self.inspected_container(object).await,
            Kind::Volume => self
                .engine
                .volume_inspect(object)
                .await
                .map(|found| (object.to_owned(), Origin::of_volume(&found.labels))),
            Kind::Network => self.listed_network(object).await,
            Kind::Image => {
                let found = self.engine.image_inspect(object).await;
                found.map(|found| {
                    named(found.config.and_then(|config| config.labels).unwrap_or_default())
                })
            }
        };
        match found {
            Ok(found) => Ok(Ok(found)),
            // An invalid name counts as a missing object.
            Err(error) if error.is_not_found() || error.kind == super::EngineErrorKind::Invalid => {
                Ok(Err(error))
            }
            Err(error) => Err(error),
        }
    }
}
