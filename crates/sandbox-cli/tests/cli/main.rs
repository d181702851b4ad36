//! The program as its users run it, against a real server over a runtime in memory.

mod egress;
mod exec;
mod files;
mod keys;
mod life;
mod lists;
mod logs;
mod offline;
mod run;
mod serve;
mod server;
mod terminal;
