//! Checks paths of scripts against the policy and the files of the host.

use std::path::Path;

use super::context::Context;
use super::secret_rules;
use crate::host::HostErrorKind;
use crate::host::resolve::resolve;
use crate::model::Failure;
use crate::policy::CheckedPath;

/// A path to read; relative to the project directory.
pub fn to_read(context: &Context, given: &str) -> Result<CheckedPath, Failure> {
    Ok(context
        .policy
        .read_path(Path::new(not_empty(given)?), &|path| resolve(context.host.as_ref(), path))?)
}

/// A path to write, create or remove; relative to the project directory.
pub fn to_write(context: &Context, given: &str) -> Result<CheckedPath, Failure> {
    Ok(context
        .policy
        .write_path(Path::new(not_empty(given)?), &|path| resolve(context.host.as_ref(), path))?)
}

/// The same; a missing folder is created.
pub fn to_create(context: &Context, given: &str) -> Result<CheckedPath, Failure> {
    let path = to_write(context, given)?;
    if let Some(folder) = path.parent() {
        context.host.create_folder(&folder)?;
    }
    Ok(path)
}

/// Whether something exists at a path that may be read.
pub fn exists(context: &Context, given: &str) -> Result<bool, Failure> {
    match context.host.info(&to_read(context, given)?) {
        Ok(_) => Ok(true),
        Err(error) if error.kind == HostErrorKind::NotFound => Ok(false),
        Err(error) => Err(error.into()),
    }
}

fn not_empty(given: &str) -> Result<&str, Failure> {
    secret_rules::none_in(given, "a path")?;
    if given.is_empty() {
        Err(Failure::usage("A path is empty").hint("\".\" is the project directory"))
    } else {
        Ok(given)
    }
}
