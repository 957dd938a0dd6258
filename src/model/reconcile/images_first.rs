//! Stops no running container before all images exist. So a pull or build that fails leaves the
//! project as it was.

use super::super::cause::Cause;
use super::super::plan::{Action, Plan, StepId};
use super::order;

/// Lets each stop wait for all pulls and builds, unless those already come later. A container that
/// a killed run left is stopped at once.
pub(super) fn arrange(plan: &mut Plan) {
    let is_image = |step: &StepId| {
        matches!(plan.steps[*step].action, Action::PullImage { .. } | Action::BuildImage { .. })
    };
    let images: Vec<StepId> = (0..plan.steps.len()).filter(is_image).collect();
    let is_stop = |step: &StepId| {
        matches!(plan.steps[*step].action, Action::StopContainer { .. })
            && plan.steps[*step].cause != Some(Cause::Interrupted)
            && !images.is_empty()
    };
    let stops: Vec<StepId> = (0..plan.steps.len()).filter(is_stop).collect();
    let mut edges = Vec::new();
    for stop in stops {
        let before = plan.before(stop);
        edges.extend(
            images.iter().filter(|image| !before.contains(image)).map(|&image| (image, stop)),
        );
    }
    if !edges.is_empty() {
        // Images depend only on images, so there is no cycle.
        let _ = order::sort(plan, &edges, &[]);
    }
}
