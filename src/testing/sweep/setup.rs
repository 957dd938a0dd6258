//! Sets up the machine of a crash sweep, with the function `sweep` of the runbook's test file if
//! there is one.

use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::super::case;
use super::super::test_context::TestContext;
use crate::host::FileKind;
use crate::host::resolve::named;
use crate::machine::world::{Subject, World};
use crate::model::diagnostic::Diagnostic;
use crate::script::Script;

/// The function that sets up the machine. It is called on each machine before the runbook runs, and
/// has all functions of tests.
pub const FUNCTION: &str = crate::testing::case::SWEEP;

/// A machine, with the functions that answer on it.
pub struct Machine {
    test_context: Arc<TestContext>,
    /// Its functions answer for processes and commands.
    _script: Option<Arc<Script>>,
}

impl Deref for Machine {
    type Target = World;

    fn deref(&self) -> &World {
        &self.test_context.world
    }
}

impl Machine {
    /// `world`, unchanged or set up by a test file.
    pub fn new(world: World, file: Option<&Path>) -> Result<Self, Box<Diagnostic>> {
        match file {
            None => Ok(Self {
                test_context: Arc::new(TestContext::new(world, PathBuf::new())),
                _script: None,
            }),
            Some(file) => {
                let (test_context, script) = case::set_up(world, file, FUNCTION)?;
                Ok(Self { test_context, _script: Some(script) })
            }
        }
    }
}

/// The test file of `runbook`, if it has the function: `up_test.rhai` for `up.rhai`.
pub fn beside(subject: &Subject, runbook: &Path) -> Result<Option<PathBuf>, Box<Diagnostic>> {
    let stem = runbook.file_stem().unwrap_or_default().to_string_lossy();
    let file = runbook.with_file_name(format!("{stem}_test.rhai"));
    if !subject
        .host
        .info(&named(&*subject.host, &file))
        .is_ok_and(|info| info.kind == FileKind::File)
    {
        return Ok(None);
    }
    let has = case::functions_of(subject, &file)?.iter().any(|entry| entry.name == FUNCTION);
    Ok(has.then_some(file))
}
