//! Dependencies between services.

use petgraph::algo::tarjan_scc;
use petgraph::graphmap::DiGraphMap;

use super::spec::Project;

/// A cycle of dependencies, with the first service again at its end; `None` if there is none.
pub fn cycle(project: &Project) -> Option<Vec<String>> {
    let graph: DiGraphMap<&str, ()> = project
        .services
        .iter()
        .flat_map(|(name, service)| {
            service
                .depends_on
                .keys()
                .map(move |dependency| (name.as_str(), dependency.as_str(), ()))
        })
        .collect();
    let mut circles: Vec<Vec<&str>> = tarjan_scc(&graph)
        .into_iter()
        .filter(|component| component.len() > 1 || graph.contains_edge(component[0], component[0]))
        .collect();
    for component in &mut circles {
        component.sort_unstable();
    }
    circles.sort();
    let component = circles.first()?;
    // Inside a strongly connected component, a walk from any node returns to a node that it has
    // seen.
    let mut walked = vec![component[0]];
    loop {
        let last = walked[walked.len() - 1];
        let next = graph.neighbors(last).filter(|next| component.contains(next)).min()?;
        if let Some(start) = walked.iter().position(|&seen| seen == next) {
            let mut circle: Vec<String> =
                walked[start..].iter().map(|&name| name.to_owned()).collect();
            circle.push(next.to_owned());
            return Some(circle);
        }
        walked.push(next);
    }
}
