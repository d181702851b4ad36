#![doc = include_str!("../README.md")]

// The tests inside share their support with those outside, which know the crate by its name.
#[cfg(test)]
extern crate self as sandbox_api;

mod config;
mod dialect;
mod docs;
mod error;
mod openapi;
mod places;
mod probes;
mod route;
mod router;
mod serve;
mod state;
mod tenure;

pub mod cloud;
pub mod extract;
mod layers;

pub use config::{ApiConfig, MetricsAccess};
pub use error::{ApiError, Reason};
pub use extract::Caller;
pub use openapi::openapi;
pub use route::{BodyClass, Deadline, Repeat, RouteInfo, RoutePolicy};
pub use router::router;
pub use serve::{ServeConfig, serve};
pub use state::AppState;
