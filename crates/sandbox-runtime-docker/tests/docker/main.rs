//! What only Docker can get wrong, against a daemon: `DOCKER_HOST`, or the local one.

#[path = "../support/mod.rs"]
mod support;

mod daemon;
mod fallback;
mod foreign;
mod hostile;
mod lab;
mod leftovers;
mod limits;
mod network;
mod outdated;
mod outside;
mod recovery;
mod snapshots;
mod volumes;
