//! `spc ps`: the project's containers.

use std::sync::Arc;

use super::Common;
use super::place::{self, plain};
use super::session::{RunOptions, Session};
use crate::api::project;
use crate::apply::verbs;
use crate::model::diagnostic::Diagnostic;
use crate::model::observed::Container;
use crate::model::table::{Cell, Table};

/// Shows them; the exit code.
pub fn main(common: &Common) -> u8 {
    let session = Session::new(common);
    let result = execute(&session, common);
    session.end(result)
}

fn execute(session: &Session, common: &Common) -> Result<(), Box<Diagnostic>> {
    let current = place::current_folder(&*session.host, common).map_err(plain)?;
    let place = place::find(&*session.host, common, &current)?;
    let runtime = Session::runtime().map_err(plain)?;
    let context = Arc::new(session.context(common, place, runtime.handle(), RunOptions::default()));
    let name = project::name(&context).map_err(plain)?;
    let observed = context.conductor.block_on(async { verbs::look(&project::surroundings(&context, &name).await?, &name).await }).map_err(plain)?;
    if common.json {
        for container in &observed.containers {
            session.terminal.out(&json(container).to_string());
        }
        return Ok(());
    }
    let rows = observed.containers.iter().map(row).collect();
    session.terminal.out(&Table::new(["name", "service", "state", "health", "status", "ports"].map(str::to_owned).to_vec(), rows).text(session.terminal.width()));
    Ok(())
}

fn ports(container: &Container) -> String {
    let ports: Vec<String> =
        container.ports.iter().map(|port| format!("{}:{}->{}/{}", port.host_ip, port.published, port.target, port.protocol)).collect();
    ports.join(", ")
}

fn row(container: &Container) -> Vec<Cell> {
    let cells = [
        container.name.clone(),
        container.service.clone(),
        container.state.word().to_owned(),
        container.health.word().to_owned(),
        container.status.clone(),
        ports(container),
    ];
    cells.map(Cell::text).to_vec()
}

fn json(container: &Container) -> serde_json::Value {
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
