//! The real program, driven through the real client.

mod harness;

mod answers;
mod exec;
mod files;
mod first_process;
mod groups;
mod hostile_agent;
mod hostile_client;
mod limits;
mod links;
mod owners;
mod places;
mod ports;
mod races;
mod supervisors;
mod trees;
mod watches;
