//! The description of a stack, the state of the engine, and the plan that leads from one to the
//! other. Pure.
//!
//! - [`spec`]: the description with Compose's keys, parsed and typed
//! - [`names`]: project names, object names, labels
//! - [`ownership`]: the project that owns a container, whatever the labels of its image say
//! - [`hash`], [`delivered_secrets`]: whether two descriptions, or the secrets in them, are equal
//! - [`graph`]: dependencies between services
//! - [`image_reference`], [`driver_options`], [`storage`], [`exclusive_resources`]: names of
//!   images, passwords in driver options, storage of volumes, resources with one owner
//! - [`observed_state`]: the state of a project on the engine
//! - [`reconcile`]: desired and observed state → [`plan`]
//! - [`step`], [`cause`]: a step's action, object and cause
//! - [`plan_steps`], [`preview`]: the steps of a plan with numbers for display; a whole preview
//! - [`plan_changes`]: the changes of a preview, without the steps in between
//! - [`dockerfile`]: the instructions of a Dockerfile
//! - [`format`], [`strict_json`]: versions of stored formats, and how their JSON is read
//! - [`secret`], [`token`]: secrets, and the tokens that scripts and descriptions hold instead
//! - [`url_credentials`]: masks passwords in URLs
//! - [`event`], [`failure`], [`diagnostic`], [`verdict`], [`help`], [`table`]: reports, as data
//! - [`texts`]: finds all texts in reports; [`masking`]: masks secrets in them, once for all
//!   consumers
//! - [`symptoms`], [`suggest`]: causes of known failures, and similar names
//! - [`short_id`], [`size`], [`time`], [`signal`], [`lines`], [`position`], [`visible`], [`plain_words`]: values
//!   and text

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
pub mod open_verbs;
pub mod ownership;
pub mod plain_words;
pub mod plan;
pub mod plan_changes;
pub mod plan_steps;
pub mod position;
pub mod preview;
pub mod reconcile;
pub mod release;
pub mod table;
pub mod texts;
pub mod url_credentials;
pub mod verdict;
pub mod visible;

pub mod secret;
pub mod short_id;
pub mod signal;
pub mod size;
pub mod spec;
pub mod step;
pub mod storage;
pub mod strict_json;
pub mod suggest;
pub mod symptoms;
pub mod time;
pub mod token;

pub use failure::{Failure, Kind};
