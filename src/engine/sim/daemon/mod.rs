//! Docker's own semantics: containers, images, networks, volumes, and their changes over time.

pub(super) mod containers;
pub(super) mod errors;
pub(super) mod events;
pub(super) mod exec;
pub(super) mod feed;
pub(super) mod files;
pub(super) mod filters;
pub(super) mod health;
pub(super) mod ids;
pub(super) mod images;
pub(super) mod ipam;
pub(super) mod logs;
pub(super) mod mounts;
pub(super) mod networks;
pub(super) mod ports;
pub(super) mod state;
pub(super) mod system;
pub(super) mod timetable;
pub(super) mod tree;
pub(super) mod usage;
pub(super) mod volumes;
