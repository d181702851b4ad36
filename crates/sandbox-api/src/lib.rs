#![doc = include_str!("../README.md")]

mod config;
mod dialect;
mod error;
mod route;
mod router;
mod state;

pub mod cloud;
pub mod extract;
mod layers;

pub use config::{ApiConfig, MetricsAccess};
pub use error::{ApiError, Reason};
pub use extract::Caller;
pub use route::{BodyClass, Deadline, Repeat, RouteInfo, RoutePolicy};
pub use router::router;
pub use state::AppState;
