//! Sandboxes on a server.

mod attached;
mod connect;
mod maker;
mod request;

pub(crate) use attached::AttachedProcess;
pub(crate) use connect::client;
pub(crate) use maker::RemoteMaker;
pub(crate) use request::create;
