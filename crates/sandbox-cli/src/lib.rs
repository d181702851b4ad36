#![doc = include_str!("../README.md")]

mod app;
mod args;
mod commands;
mod config;
mod doctor;
mod keys;
mod local;
mod maker;
mod output;
mod process;
mod remote;
mod serve;
mod show;
mod transfer;

pub use app::main;
