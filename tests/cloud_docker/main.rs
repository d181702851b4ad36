//! The `cloud` dialect's document, row by row, against a server over Docker, each request made by
//! the real curl: every endpoint with every status of its tables, and the flows a user follows.

mod curl;
mod flows;
mod rows;
mod server;

use std::collections::BTreeSet;
use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};

use self::rows::{DOCUMENT, ROWS};
use self::server::Server;

fn main() -> ExitCode {
    let mut trials = vec![Trial::test(
        "every_status_of_the_document_has_a_row",
        every_status_has_a_row,
    )];
    trials.extend(ROWS.iter().map(|row| {
        let name = format!("{}::{}_{}", row.endpoint.slug(), row.status, row.condition);
        on_a_server(name, row.check)
    }));
    let flows = flows::FLOWS.iter();
    trials.extend(flows.map(|(name, flow)| on_a_server(format!("flows::{name}"), *flow)));
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// A trial with a server, and a namespace on the daemon, of its own.
fn on_a_server(name: String, check: fn(&Server)) -> Trial {
    let run = move || {
        check(&Server::start());
        Ok(())
    };
    Trial::test(name, run).with_ignored_flag(true)
}

fn every_status_has_a_row() -> Result<(), Failed> {
    let has: BTreeSet<_> = ROWS
        .iter()
        .map(|row| (row.endpoint.slug(), row.status))
        .collect();
    for (endpoint, statuses) in DOCUMENT {
        for status in *statuses {
            if !has.contains(&(endpoint.slug(), *status)) {
                return Err(format!("no row for {endpoint:?} answering {status}").into());
            }
        }
    }
    Ok(())
}
