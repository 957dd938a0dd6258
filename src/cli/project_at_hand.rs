//! The project of a command without a runbook.

use std::sync::Arc;

use super::CommonOptions;
use super::session::Session;
use super::signals;
use crate::api::compose::project_at_hand;
use crate::api::context::Context;
use crate::model::diagnostic::Diagnostic;
use crate::script::project_context::{self, RunOptions, plain};

/// The project from the command line, the current folder or its compose file.
pub struct ProjectAtHand {
    pub context: Arc<Context>,
    pub name: String,
    /// Drives the connection as long as the project is used.
    _runtime: tokio::runtime::Runtime,
}

impl ProjectAtHand {
    /// Finds the project; connects to nothing yet.
    pub fn find(session: &Session, common: &CommonOptions) -> Result<Self, Box<Diagnostic>> {
        signals::leave_with_an_end(session)?;
        let wanted = common.wanted();
        let current = project_context::current_folder(&*session.host, &wanted).map_err(plain)?;
        let place = project_context::find(&*session.host, &wanted, &current)?;
        let runtime = Session::runtime().map_err(plain)?;
        let options = RunOptions::default();
        let context = Arc::new(session.context(common, place, runtime.handle(), options));
        let name = project_at_hand(&context).map_err(plain)?;
        Ok(Self { context, name, _runtime: runtime })
    }
}
