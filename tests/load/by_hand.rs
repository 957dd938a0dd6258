//! What people do by hand, without a drain. It shows that the measurement sees failures.

use super::report::Report;
use super::scenario::{Expected, under_load};
use super::stack::LoadStack;
use crate::engine::docker::docker;

/// So many containers are removed. More show nothing new.
const TIMES: usize = 3;

/// Removes a backend that nginx still sends requests to. Then `up` creates it again.
pub fn negative_control(stack: &LoadStack, report: &mut Report, release: &str) {
    let name = "docker rm -f of a backend (negative control)";
    let backend = stack.project.container("backend");
    let row = under_load(
        name,
        stack.load(),
        TIMES,
        |_| (),
        |_| {
            docker(&["rm", "--force", &backend]);
            stack.spc(&["run", "scripts/up.rhai", "--tag", release]).ends(0);
        },
    );
    report.add(row, Expected::Failures);
}
