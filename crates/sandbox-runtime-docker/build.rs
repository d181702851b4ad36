//! Builds the static program that is placed inside sandboxes, so that it can be embedded.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, exit};

/// A prebuilt program to embed instead of building one.
const PREBUILT: &str = "SANDBOX_AGENT_BINARY";
/// Where the agent crate says its sources are.
const SOURCES: &str = "DEP_SANDBOX_AGENT_MANIFEST_DIR";
/// Preferred target first; the second is linked statically too.
const TARGETS: [&str; 2] = ["x86_64-unknown-linux-musl", "x86_64-unknown-linux-gnu"];
/// Small: it is sent to every daemon and mapped into every sandbox.
const PROFILE: [(&str, &str); 5] = [
    ("CARGO_PROFILE_RELEASE_OPT_LEVEL", "s"),
    ("CARGO_PROFILE_RELEASE_LTO", "true"),
    ("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "1"),
    ("CARGO_PROFILE_RELEASE_PANIC", "abort"),
    ("CARGO_PROFILE_RELEASE_STRIP", "symbols"),
];

fn main() {
    println!("cargo::rerun-if-env-changed={PREBUILT}");
    let program = match env::var_os(PREBUILT) {
        Some(prebuilt) => PathBuf::from(prebuilt),
        None => build(),
    };
    let program = program.canonicalize().unwrap_or_else(|error| {
        fail(&format!(
            "no agent program at {}: {error}",
            program.display()
        ))
    });
    println!("cargo::rerun-if-changed={}", program.display());
    println!(
        "cargo::rustc-env=SANDBOX_AGENT_EMBEDDED={}",
        program.display()
    );
}

fn build() -> PathBuf {
    let sources = PathBuf::from(needed(SOURCES));
    watch(&sources);
    let target_dir = PathBuf::from(needed("OUT_DIR")).join("agent");
    let mut said = String::new();
    for target in TARGETS {
        match cargo(&sources, &target_dir, target) {
            Ok(()) => return target_dir.join(target).join("release/sandbox-agent"),
            Err(error) => said.push_str(&error),
        }
    }
    fail(&format!(
        "the sandbox agent could not be built.\n\
         Install its target: rustup target add {}\n\
         or set {PREBUILT} to a prebuilt static sandbox-agent.\n{said}",
        TARGETS[0]
    ))
}

/// Runs the inner build with nothing of the outer one's environment but where the tools are.
fn cargo(sources: &Path, target_dir: &Path, target: &str) -> Result<(), String> {
    let mut cargo = Command::new(needed("CARGO"));
    for (name, _) in env::vars_os() {
        let Some(name) = name.to_str() else { continue };
        let tools = ["CARGO_HOME", "CARGO_NET_OFFLINE", "CARGO_HTTP_CAINFO"].contains(&name);
        let outer = [
            "CARGO",
            "RUSTC",
            "RUSTFLAGS",
            "RUSTDOC",
            "DEP_",
            "CLIPPY",
            "MIRI",
        ];
        if !tools && outer.iter().any(|prefix| name.starts_with(prefix)) {
            cargo.env_remove(name);
        }
    }
    if target.ends_with("gnu") {
        cargo.env("RUSTFLAGS", "-Ctarget-feature=+crt-static");
    }
    let output = cargo
        .envs(PROFILE)
        .current_dir(sources)
        .args(["build", "--release", "--bin", "sandbox-agent"])
        .args(["--features", "agent,holder", "--target", target])
        .arg("--target-dir")
        .arg(target_dir)
        .output()
        .map_err(|error| format!("{target}: cargo does not start: {error}\n"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("--- {target}:\n{said}\n"))
}

/// What the program is made from: the agent, and the crates beside it that it uses.
fn watch(sources: &Path) {
    let core = sources.with_file_name("sandbox-core");
    for path in [
        sources.join("src"),
        sources.join("Cargo.toml"),
        core.join("src"),
        core.join("Cargo.toml"),
    ] {
        if path.exists() {
            println!("cargo::rerun-if-changed={}", path.display());
        }
    }
}

fn needed(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| fail(&format!("{name} is not set")))
}

fn fail(message: &str) -> ! {
    for line in message.lines() {
        println!("cargo::error={line}");
    }
    exit(1)
}
