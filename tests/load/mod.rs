//! Deploys of the reference stack in production under load: whether a request fails, through nginx,
//! as clients see it.
//!
//! `make load` runs them all, CI three deploys of each strategy. `SPC_LOAD_DEPLOYS` is the number of
//! deploys of each scenario. The tables are in `target/load/`.

mod by_hand;
mod deploys;
mod jobs;
mod killed;
mod peers;
mod releases;
mod report;
mod scenario;
mod stack;
mod strategies;
