//! What a one-off container needs: it is made where it is missing, and left as it is where it is
//! there.

use super::super::Failure;
use super::super::observed_state::ObservedState;
use super::super::plan::Plan;
use super::super::spec::{MountSource, Service};
use super::desired_state::DesiredState;
use super::hand_over;
use super::leftover_one_offs;
use super::planner::Planner;
use super::up::{check_foreign, in_order};

/// The plan that makes the image, networks and volumes that a container of `service` needs, and
/// brings up the other services of `wanted`, on which it depends. What runs, or is completed, is
/// not replaced, whatever its description says by now.
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
    /// Brings a service up that does not run. One that runs is waited for where it is still on its
    /// way.
    fn dependency(&mut self, service: &'a Service) -> Result<(), Failure> {
        let there = self.of_service.get(service.name.as_str()).cloned().unwrap_or_default();
        if !there.iter().any(|container| container.is_up() || self.is_completed(service, container))
        {
            check_foreign(self.wanted, self.observed)?;
            return self.service(service);
        }
        // What Docker Compose made is not waited for: nothing may be run in it before it is taken
        // over.
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
