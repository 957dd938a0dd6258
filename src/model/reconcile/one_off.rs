//! The dependencies of a one-off container. Missing ones are created, existing ones stay as they
//! are.

use super::super::Failure;
use super::super::observed_state::ObservedState;
use super::super::plan::Plan;
use super::super::spec::{MountSource, Service};
use super::desired_state::DesiredState;
use super::hand_over;
use super::leftover_one_offs;
use super::planner::Planner;
use super::up::{check_foreign, in_order};

/// The plan that creates the image, networks and volumes for a container of `service`, and brings
/// up the other services of `wanted`, on which it depends. It replaces nothing that runs or is
/// completed, even if its description has changed.
pub fn one_off(
    wanted: &DesiredState<'_>,
    service: &str,
    observed: &ObservedState,
) -> Result<Plan, Failure> {
    let mut planner = Planner::new(wanted, observed);
    for name in in_order(wanted, observed).iter().filter(|name| *name != service) {
        planner.dependency(&wanted.project.services[name])?;
    }
    planner.objects(&wanted.project.services[service])?;
    let Planner { mut plan, groups, .. } = planner;
    leftover_one_offs::before_starts(&mut plan, observed);
    hand_over::arrange(&mut plan, groups, &[], wanted, observed)?;
    Ok(plan)
}

impl<'a> Planner<'a> {
    /// Brings up a service that does not run. If it runs and is not ready yet, waits for it.
    fn dependency(&mut self, service: &'a Service) -> Result<(), Failure> {
        let there = self.of_service.get(service.name.as_str()).cloned().unwrap_or_default();
        if !there.iter().any(|container| container.is_up() || self.is_completed(service, container))
        {
            check_foreign(self.wanted, self.observed)?;
            return self.service(service);
        }
        // Docker Compose's containers are not waited for: spc may run nothing in them before they
        // are adopted.
        for container in there.into_iter().filter(|container| container.is_up() && container.ours) {
            self.keep(service, container, &[])?;
        }
        Ok(())
    }

    fn objects(&mut self, service: &Service) -> Result<(), Failure> {
        let (project, observed) = (self.wanted.project, self.observed);
        self.image(service)?;
        for key in service.networks.keys().filter(|&key| {
            !observed.networks.iter().any(|there| there.name == project.networks[key].name)
        }) {
            self.network(service, key)?;
        }
        for mount in &service.volumes {
            let MountSource::Volume { name: key, .. } = &mount.source else { continue };
            if !observed.volumes.iter().any(|there| there.name == project.volumes[key].name) {
                self.volume(service, key)?;
            }
        }
        Ok(())
    }
}
