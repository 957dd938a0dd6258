//! `spc ps`: the project's containers.

use std::collections::BTreeSet;

use serde_json::{Map, Value};
use unicode_width::UnicodeWidthStr;

use super::CommonOptions;
use super::help_sections;
use super::project_at_hand::ProjectAtHand;
use super::session::Session;
use crate::api::context::Context;
use crate::api::project;
use crate::apply::verbs;
use crate::model::Failure;
use crate::model::diagnostic::Diagnostic;
use crate::model::event::{Event, Level};
use crate::model::observed_state::Container;
use crate::model::table::Table;
use crate::script::project_context::plain;

/// What its help shows at the end.
pub fn examples() -> String {
    help_sections::examples(&[
        ("spc ps", "List the containers of this folder's project"),
        ("spc ps --project shop", "List the containers of another project"),
        ("spc ps --json | jq -r 'select(.name).name'", "Print only their names"),
    ])
}

/// Shows them. Returns the exit code.
pub fn main(common: &CommonOptions) -> u8 {
    let session = Session::new(common);
    session.end(Session::attempt(|| execute(&session, common)))
}

fn execute(session: &Session, common: &CommonOptions) -> Result<(), Box<Diagnostic>> {
    let ProjectAtHand { context, name, .. } = &ProjectAtHand::find(session, common)?;
    let observed = context
        .executor
        .block_on(async { verbs::look(&project::verb_context(context, name).await?, name).await })
        .map_err(plain)?;
    if common.json {
        for container in &observed.containers {
            session.json_lines().result("container", json(container), None);
        }
        return Ok(());
    }
    if observed.containers.is_empty() {
        let others = context.executor.block_on(others(context, name)).map_err(plain)?;
        let text = format!("the project \"{name}\" has no containers; {}", advice(&others));
        context.events.event(&Event::Log { level: Level::Info, text });
        return Ok(());
    }
    let rows: Vec<_> = observed.containers.iter().map(row).collect();
    let text = fitted(&rows, session.terminal.width(), &|text| session.secrets.mask(text));
    session.terminal.out(&text.map_err(plain)?);
    Ok(())
}

/// The other projects that have containers from this folder.
async fn others(context: &Context, name: &str) -> Result<BTreeSet<String>, Failure> {
    let ctx = project::verb_context(context, name).await?;
    let mut projects = verbs::projects_of_folder(&ctx, &context.project.directory).await;
    projects.remove(name);
    Ok(projects)
}

/// How to see the containers of another project.
fn advice(others: &BTreeSet<String>) -> String {
    let named: Vec<String> = others.iter().map(|name| format!("\"{name}\"")).collect();
    match (others.first(), named.len()) {
        (Some(other), 1) => format!(
            "those from this folder are of the project {}: spc ps --project {other}",
            named[0]
        ),
        (Some(other), _) => format!(
            "those from this folder are of the projects {}: spc ps --project {other}",
            named.join(", ")
        ),
        (None, _) => {
            "--project NAME shows another project, with the name in its `stack(\"NAME\", …)`"
                .to_owned()
        }
    }
}

/// The table. If it is wider than the terminal, ports are left out first, then what the rest of a
/// row says too. Names stay whole: they are what the next command needs.
fn fitted(
    rows: &[Map<String, Value>],
    width: Option<usize>,
    mask: &dyn Fn(&str) -> String,
) -> Result<String, Failure> {
    let mut columns = vec!["name", "service", "state", "health", "status", "ports"];
    let left_out = ["ports", "status", "health"];
    let mut left_out = left_out.iter();
    loop {
        let shown = columns.iter().map(|column| (*column).to_owned()).collect();
        let text = Table::new(rows.to_vec(), Some(shown))?.text(None, mask);
        let widest = text.lines().map(UnicodeWidthStr::width).max().unwrap_or(0);
        let next = if width.is_none_or(|width| widest <= width) { None } else { left_out.next() };
        let Some(next) = next else { return Ok(text) };
        columns.retain(|column| column != next);
    }
}

fn row(container: &Container) -> Map<String, Value> {
    let ports: Vec<String> = container
        .ports
        .iter()
        .map(|port| {
            format!("{}:{}->{}/{}", port.host_ip, port.published, port.target, port.protocol)
        })
        .collect();
    let cells = [
        ("name", container.name.clone()),
        ("service", container.service.clone()),
        ("state", container.state.word().to_owned()),
        ("health", container.health.word().to_owned()),
        ("status", container.status.clone()),
        ("ports", ports.join(", ")),
    ];
    cells.into_iter().map(|(column, cell)| (column.to_owned(), cell.into())).collect()
}

fn json(container: &Container) -> Value {
    serde_json::json!({
        "name": container.name,
        "service": container.service,
        "number": container.number,
        "id": container.id,
        "state": container.state.word(),
        "health": container.health.word(),
        "status": container.status,
        "exit_code": container.exit_code,
        "ports": container.ports.iter().map(|port| serde_json::json!({
            "host_ip": port.host_ip, "published": port.published, "target": port.target, "protocol": port.protocol,
        })).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_narrow_terminal_loses_ports_first_and_never_a_name() {
        let cells = [
            ("name", "spc-celery-worker-1"),
            ("service", "celery-worker"),
            ("state", "running"),
            ("health", "healthy"),
            ("status", "Up 2 minutes (healthy)"),
            ("ports", "0.0.0.0:15432->5432/tcp"),
        ];
        let row: Map<String, Value> =
            cells.into_iter().map(|(name, cell)| (name.to_owned(), cell.into())).collect();
        let heading = |text: &str| text.lines().next().unwrap().split_whitespace().count();
        let shown = |width| fitted(std::slice::from_ref(&row), width, &str::to_owned).unwrap();
        for (width, columns) in
            [(None, 6), (Some(120), 6), (Some(90), 5), (Some(62), 4), (Some(50), 3), (Some(20), 3)]
        {
            let text = shown(width);
            assert_eq!(heading(&text), columns, "{width:?}: {text}");
            assert!(text.contains("spc-celery-worker-1   celery-worker"), "{width:?}: {text}");
        }
    }
}
