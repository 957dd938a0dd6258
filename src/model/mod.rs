//! What a stack is, what is there, and what has to be done about the difference. Pure.
//!
//! - [`spec`]: the Compose-shaped description, read and typed
//! - [`names`]: project names, object names, labels
//! - [`ownership`]: whose a container is, whatever its image's labels say
//! - [`hash`], [`delivered_secrets`]: when two descriptions, and the secrets in them, are the same
//! - [`graph`]: which service waits for which
//! - [`image_reference`], [`driver_options`], [`storage`], [`exclusive_resources`]: names of images,
//!   passwords in driver options, where volumes are kept, what only one can have
//! - [`observed_state`]: what the engine has of a project
//! - [`reconcile`]: desired and observed state → [`plan`]
//! - [`step`], [`cause`]: what a step does, to what, and why
//! - [`plan_steps`], [`preview`]: the steps of a plan, numbered as they are shown; a whole preview
//! - [`dockerfile`]: a Dockerfile cut into instructions
//! - [`format`]: versions of what spc keeps
//! - [`secret`], [`token`]: secrets, and what stands for them in scripts and descriptions
//! - [`url_credentials`]: passwords in URLs, hidden
//! - [`event`], [`failure`], [`diagnostic`], [`verdict`], [`help`], [`table`]: what is reported, as
//!   data
//! - [`texts`]: each text of that; [`masking`]: hides secrets in it, once, for all who show or keep
//!   it
//! - [`symptoms`], [`suggest`]: causes of known failures, and near misses
//! - [`size`], [`time`], [`signal`], [`lines`], [`position`], [`visible`]: values and text

pub mod cause;
pub mod delivered_secrets;
pub mod diagnostic;
pub mod dockerfile;
pub mod driver_options;
pub mod event;
pub mod exclusive_resources;
pub mod failure;
pub mod format;
pub mod graph;
pub mod hash;
pub mod help;
pub mod image_reference;
pub mod lines;
pub mod masking;
pub mod names;
pub mod observed_state;
pub mod ownership;
pub mod plan;
pub mod plan_steps;
pub mod position;
pub mod preview;
pub mod reconcile;
pub mod table;
pub mod texts;
pub mod url_credentials;
pub mod verdict;
pub mod visible;

pub mod secret;
pub mod signal;
pub mod size;
pub mod spec;
pub mod step;
pub mod storage;
pub mod suggest;
pub mod symptoms;
pub mod time;
pub mod token;

pub use failure::{Failure, Kind};
