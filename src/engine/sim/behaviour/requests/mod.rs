//! Requests in flight: clients of a simulated nginx, and what becomes of each of their requests.
//!
//! Requests don't use the engine's timetable, because they change nothing but their own records.
//! Before the state changes, all requests that begin or end until then are worked through, each at
//! its own time. So they don't keep the clock going, and cost nothing while nobody has clients.

pub(in crate::engine::sim) mod clients;
pub(in crate::engine::sim) mod configuration;
mod flight;
pub(in crate::engine::sim) mod proxies;
pub(in crate::engine::sim) mod proxy_fault;
mod routing;
