//! `spc ps`: the project's containers.

use serde_json::{Map, Value};

use super::CommonOptions;
use super::project_at_hand::ProjectAtHand;
use super::session::Session;
use crate::api::project;
use crate::apply::verbs;
use crate::model::diagnostic::Diagnostic;
use crate::model::event::{Event, Level};
use crate::model::observed_state::Container;
use crate::model::table::Table;
use crate::script::project_context::plain;

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
        let text = format!(
            "there are no containers of the project \"{name}\"; --project NAME shows those of another"
        );
        context.events.event(&Event::Log { level: Level::Info, text });
    }
    let columns =
        ["name", "service", "state", "health", "status", "ports"].map(str::to_owned).to_vec();
    let rows = observed.containers.iter().map(row).collect();
    let table = Table::new(rows, Some(columns)).map_err(plain)?;
    session.terminal.out(&table.text(session.terminal.width(), &|text| session.secrets.mask(text)));
    Ok(())
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
