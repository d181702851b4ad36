//! Installing packages with the sandbox's own package managers.
//!
//! Names are held against each manager's own rules before anything runs: no name can be an option, a
//! path, an address or a second command, and no shell sees them. What the packages themselves do
//! when they are installed (scripts of npm, builds of pip and cargo) they do inside the sandbox.

mod manager;
mod name;
mod outcome;

use std::collections::BTreeMap;
use std::time::Duration;

use sandbox_core::{Command, Error, Result, Sandbox, SandboxExt, SandboxPath, User};

pub use manager::Manager;

use crate::tools::program;

const OPERATION: &str = "packages.install";
/// The most packages of one call.
pub const MAX_PACKAGES: usize = 100;

/// What to install.
#[derive(Debug, Clone)]
pub struct InstallRequest {
    /// By what.
    pub manager: Manager,
    /// The packages, 1 to [`MAX_PACKAGES`], each with an optional version as the manager writes it:
    /// `left-pad@1.3.0`, `requests==2.32.0`, `serde@1`, `curl=8.5.0-2`.
    pub packages: Vec<String>,
    /// A registry or index to use in place of the manager's own: an http(s) address without
    /// credentials. Not for apt.
    pub registry: Option<String>,
    /// The project's directory; without one, the sandbox's.
    pub cwd: Option<SandboxPath>,
    /// Environment variables over the sandbox's own.
    pub env: BTreeMap<String, String>,
    /// Who installs; without one, the sandbox's user.
    pub user: Option<User>,
    /// How long it may take. Default: 10 minutes.
    pub timeout: Duration,
}

impl InstallRequest {
    /// Packages by a manager, from its own registry, in the sandbox's directory.
    pub fn new<S: Into<String>>(manager: Manager, packages: impl IntoIterator<Item = S>) -> Self {
        Self {
            manager,
            packages: packages.into_iter().map(Into::into).collect(),
            registry: None,
            cwd: None,
            env: BTreeMap::new(),
            user: None,
            timeout: Duration::from_secs(600),
        }
    }
}

/// What was installed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installed {
    /// The packages, as they were asked for.
    pub packages: Vec<String>,
    /// The end of what the manager said, control characters made spaces.
    pub log: String,
}

/// Installs packages: all of them, or an error.
///
/// # Errors
/// `InvalidSpec` with field `packages` or `registry`; `NotFound` with field `packages` when the
/// registry has no such package or version; `PermissionDenied` with field `egress` when it cannot be
/// reached and the sandbox's egress policy denies by default, else `Unavailable` with field
/// `registry`; `Unsupported` with field `manager` when the sandbox does not have it; `Timeout`;
/// `Conflict` with field `packages` when the manager fails for another reason.
pub async fn install(sandbox: &dyn Sandbox, request: &InstallRequest) -> Result<Installed> {
    check_packages(request)?;
    let registry = request.registry.as_deref().map(name::check_registry);
    let registry = registry.transpose()?;
    let in_project = project_exists(sandbox, request).await?;
    let output = match attempt(sandbox, request, registry, in_project).await {
        // Images come without apt's lists of packages: get them, and try again.
        Err(error) if request.manager == Manager::Apt && outcome::is_unknown_package(&error) => {
            let update = ["apt-get", "update", "-q"];
            run(sandbox, request, command(request, &update)).await?;
            attempt(sandbox, request, registry, in_project).await?
        }
        other => other?,
    };
    Ok(Installed {
        packages: request.packages.clone(),
        log: output,
    })
}

fn check_packages(request: &InstallRequest) -> Result<()> {
    if !(1..=MAX_PACKAGES).contains(&request.packages.len()) {
        let message = format!("must name 1 to {MAX_PACKAGES} packages");
        return Err(Error::invalid(OPERATION, "packages", message));
    }
    request
        .packages
        .iter()
        .try_for_each(|package| name::check(request.manager, package))
}

/// Whether cargo has a project to add to; without one it installs programs.
async fn project_exists(sandbox: &dyn Sandbox, request: &InstallRequest) -> Result<bool> {
    let directory = request.cwd.as_ref().or(sandbox.spec().workdir());
    match (request.manager, directory) {
        (Manager::Cargo, Some(directory)) => sandbox.exists(&directory.join("Cargo.toml")?).await,
        (Manager::Cargo | Manager::Npm | Manager::Pip | Manager::Apt, _) => Ok(false),
    }
}

/// Runs the manager by the first of its names that the sandbox has.
async fn attempt(
    sandbox: &dyn Sandbox,
    request: &InstallRequest,
    registry: Option<&str>,
    in_project: bool,
) -> Result<String> {
    let candidates = request
        .manager
        .commands(&request.packages, registry, in_project)?;
    for argv in &candidates {
        let argv: Vec<&str> = argv.iter().map(String::as_str).collect();
        if let Some(log) = run(sandbox, request, command(request, &argv)).await? {
            return Ok(log);
        }
    }
    let message = format!(
        "{} is not installed in the sandbox; {}",
        request.manager.as_str(),
        request.manager.install_hint()
    );
    Err(Error::unsupported(OPERATION, "manager", message))
}

fn command(request: &InstallRequest, argv: &[&str]) -> Command {
    let mut command = Command::argv(argv.iter().copied()).timeout(request.timeout);
    for (name, value) in request.manager.variables() {
        command = command.env(*name, *value);
    }
    command.env.extend(request.env.clone());
    command.cwd.clone_from(&request.cwd);
    command.user.clone_from(&request.user);
    command
}

/// The end of what a command said; `None` when the sandbox has no such program.
async fn run(
    sandbox: &dyn Sandbox,
    request: &InstallRequest,
    command: Command,
) -> Result<Option<String>> {
    let Some(output) = program::run(sandbox, command).await? else {
        return Ok(None);
    };
    if output.status.timed_out() {
        return Err(program::timed_out(OPERATION, request.manager.as_str()));
    }
    if !output.status.success() {
        return match outcome::failure(sandbox, request.manager, &output) {
            Some(error) => Err(error),
            None => Ok(None),
        };
    }
    let said = format!("{}\n{}", output.stdout_lossy(), output.stderr_lossy());
    Ok(Some(program::quote(&said)))
}
