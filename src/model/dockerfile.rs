//! Dockerfiles: their instructions, and the facts that spc needs before a build.

mod doubtful;
mod downloads;
mod from;
mod frontend;
mod instructions;
mod labels;
mod syntax;
mod variables;

pub use doubtful::{hides_server, possible_bases, possible_downloads, possible_frontends};
pub use downloads::{Download, downloads};
pub use from::StageStart;
pub use frontend::{FRONTEND, SYNTAX_ARGUMENT, is_frontend_of_docker};
pub use instructions::{Line, has_own_frontend, lines};
pub use labels::{ReservedLabel, reserved_label};
pub use syntax::instruction;
pub use variables::{Argument, Variables, declared, filled};
