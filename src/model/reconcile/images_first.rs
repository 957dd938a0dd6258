//! Nothing that runs is touched until all images are there: a pull or build that fails leaves the
//! project as it was.

use super::super::cause::Cause;
use super::super::plan::{Action, Plan, StepId};
use super::order;

/// Lets each stop wait for the pulls and builds that it does not come after anyway. What a killed
/// run left is stopped at once.
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
        // Images wait for images alone, so there is no circle.
        let _ = order::sort(plan, &edges, &[]);
    }
}
