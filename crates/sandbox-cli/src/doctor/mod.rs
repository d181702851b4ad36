//! `sandbox doctor`: what works here, and how to fix what does not.

mod check;
mod docker;
mod machine;
mod server;
mod wasm;

use std::path::Path;

use sandbox_core::Result;

use crate::args::{DoctorArgs, ServeArgs};
use crate::config::Loaded;
use crate::output::Printer;

use check::{Check, Report};

/// Looks at this machine, or with `url` at the server there, and says what it found. Ends with 1
/// when something does not work.
///
/// # Errors
/// When standard output is gone.
pub(crate) async fn doctor(args: &DoctorArgs, url: Option<&str>, printer: Printer) -> Result<u8> {
    let checks = match url {
        Some(url) => server::checks(url).await,
        None => local(args).await,
    };
    let report = Report { checks };
    printer.document(&report, Report::lines)?;
    Ok(u8::from(!report.works()))
}

async fn local(args: &DoctorArgs) -> Vec<Check> {
    let serve = ServeArgs {
        config: args.config.clone(),
        data_dir: args.data_dir.clone(),
        ..ServeArgs::default()
    };
    let mut checks = Vec::new();
    let config = match Loaded::read(&serve) {
        Ok(loaded) => {
            if let Some(path) = &args.config {
                checks.push(Check::ok("configuration", path.display().to_string()));
            }
            loaded.config
        }
        Err(error) => {
            let fix = "mend the file; examples/sandbox.toml has every setting";
            checks.push(Check::failed("configuration", &error, fix));
            crate::config::Config::default()
        }
    };
    checks.extend(docker::checks(config.docker.config()).await);
    checks.extend(wasm::checks(&config.wasm).await);
    checks.push(machine::cgroups(Path::new("/sys/fs/cgroup")));
    if let Some(data_dir) = &config.data_dir {
        checks.extend(machine::data_dir(data_dir));
    }
    checks.push(machine::port(&config.listen));
    checks
}
