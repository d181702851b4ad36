//! A process that embeds the engine is killed with -9 at random instants, in the middle of 50
//! concurrent creations, commands and destructions. After each restart nothing is orphaned on
//! Docker, nothing in the store is without its sandbox, and what was acknowledged is true.
//!
//! The process that is killed is this test binary itself, started with [`victim::MARK`] set.

#![expect(clippy::print_stdout, reason = "it talks to a person")]

mod check;
mod victim;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

fn main() -> ExitCode {
    if let Some(orders) = victim::Orders::from_env() {
        return victim::run(&orders);
    }
    let trial = Trial::test("kill_9_in_the_middle_loses_and_orphans_nothing", || {
        check::twenty_kills().map_err(Into::into)
    })
    .with_ignored_flag(true);
    libtest_mimic::run(&Arguments::from_args(), vec![trial]).exit_code()
}
