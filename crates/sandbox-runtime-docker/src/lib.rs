#![doc = include_str!("../README.md")]

mod agent;
mod archive;
mod body;
mod capabilities;
mod channel;
mod config;
mod context;
mod create;
mod daemon;
mod denials;
mod ending;
mod error;
mod events;
mod exec;
mod holder;
mod host;
mod images;
mod labels;
mod network;
mod outdated;
mod owned;
mod placement;
mod pod;
mod program;
mod purge;
mod random;
mod recover;
mod remove;
mod runtime;
mod sandbox;
mod shared;
mod snapshot;
mod stats;
mod volumes;

pub use config::{AgentMode, DEFAULT_HOST, DockerConfig, PullPolicy};
pub use runtime::DockerRuntime;
