#![doc = include_str!("../README.md")]

mod app;
mod args;
mod commands;
mod config;
mod doctor;
mod local;
mod maker;
mod output;
mod process;
mod serve;
mod transfer;

pub use app::main;
