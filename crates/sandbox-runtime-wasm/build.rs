//! Embeds the programs of the image `base`: the shell and the tools, as WebAssembly.
//!
//! What `prebuilt/` has is taken from there. Otherwise, and with `SANDBOX_WASM_GUESTS=build`, they
//! are built from the workspace `guests/` at the root of the repository, which needs Rust's target
//! `wasm32-wasip1`. With `SANDBOX_WASM_GUESTS=none` there are none, for who brings images of
//! their own.

use std::env;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, exit};

use sha2::{Digest, Sha256};

/// Chooses where the programs come from.
const CHOICE: &str = "SANDBOX_WASM_GUESTS";
const TARGET: &str = "wasm32-wasip1";
/// Packages of the workspace that are libraries, or programs for tests alone.
const NO_PROGRAMS: [&str; 2] = ["components", "tests"];

/// A program to embed.
struct Guest {
    name: String,
    /// Of the bytes when unpacked.
    sha256: String,
    size: usize,
    packed: bool,
    path: PathBuf,
    /// The names under which it is installed; empty: its own.
    applets: String,
}

fn main() {
    println!("cargo::rerun-if-env-changed={CHOICE}");
    println!("cargo::rerun-if-changed=build.rs");
    let root = PathBuf::from(needed("CARGO_MANIFEST_DIR"));
    let prebuilt = root.join("prebuilt");
    println!("cargo::rerun-if-changed={}", prebuilt.display());
    let choice = env::var(CHOICE).unwrap_or_default();
    let guests = match choice.as_str() {
        "" if prebuilt.join("manifest").exists() => read_prebuilt(&prebuilt),
        "" | "build" => build(&root),
        "none" => Vec::new(),
        other => fail(&format!(
            "{CHOICE} is `build`, `none` or not set, not `{other}`"
        )),
    };
    let out = PathBuf::from(needed("OUT_DIR")).join("guests.rs");
    fs::write(&out, source(&guests)).unwrap_or_else(|e| fail(&format!("{}: {e}", out.display())));
}

/// The list as Rust, included by `src/images/guests.rs`.
fn source(guests: &[Guest]) -> String {
    let mut source = String::from("static GUESTS: &[Guest] = &[\n");
    for guest in guests {
        let Guest {
            name,
            sha256,
            size,
            packed,
            path,
            applets,
        } = guest;
        // Writing to a string does not fail.
        let _ = writeln!(
            source,
            "Guest {{ name: {name:?}, sha256: {sha256:?}, size: {size}, packed: {packed}, \
             bytes: include_bytes!({path:?}), applets: {applets:?} }},"
        );
    }
    source + "];\n"
}

/// Reads `prebuilt/manifest`: a line `guest NAME SHA256 SIZE APPLET,APPLET…` for each program.
fn read_prebuilt(prebuilt: &Path) -> Vec<Guest> {
    let path = prebuilt.join("manifest");
    let text = read(&path);
    let lines = text.lines().filter_map(|line| line.strip_prefix("guest "));
    lines
        .map(|line| {
            let words: Vec<_> = line.split_whitespace().collect();
            let [name, sha256, size, applets @ ..] = words.as_slice() else {
                fail(&format!("{}: `{line}` is no program", path.display()))
            };
            Guest {
                name: (*name).to_owned(),
                sha256: (*sha256).to_owned(),
                size: size
                    .parse()
                    .unwrap_or_else(|_| fail(&format!("{}: no size `{size}`", path.display()))),
                packed: true,
                path: prebuilt.join(format!("{name}.wasm.xz")),
                applets: applets.concat().replace(',', "\n"),
            }
        })
        .collect()
}

/// Builds every program of the workspace `guests/`.
fn build(root: &Path) -> Vec<Guest> {
    let sources = root.join("../../guests");
    let sources = sources.canonicalize().unwrap_or_else(|_| {
        fail(&format!(
            "there are no programs for Wasm sandboxes: {} has none, and {} is not there.\n\
             Set {CHOICE}=none to build without them.",
            root.join("prebuilt").display(),
            sources.display()
        ))
    });
    let out = PathBuf::from(needed("OUT_DIR"));
    // …/target/debug/build/PACKAGE/out: shared by the profiles and by who else builds there.
    let target = out.ancestors().nth(4).unwrap_or(&out).join("guests");
    let made = target.join("by-content");
    fs::create_dir_all(&made).unwrap_or_else(|e| fail(&format!("{}: {e}", made.display())));
    // Several builds may share the directory: what one has made is copied before the next begins.
    let lock = File::create(target.join("lock"));
    let _lock = lock.and_then(|lock| lock.lock().map(|()| lock));
    let common = common(&sources);
    let packages: Vec<_> = packages(&sources)
        .into_iter()
        .map(|path| Package::read(path, &common, &made))
        .collect();
    // What was made of the very same sources is as good, also from another working tree.
    let missing: Vec<_> = packages.iter().filter(|p| !p.made.exists()).collect();
    cargo(&sources, &target, &missing);
    for package in missing {
        package.keep(&target);
    }
    let programs = packages.iter();
    programs.map(|p| p.program(&out)).collect()
}

/// A package with a program.
struct Package {
    name: String,
    program: String,
    /// The names of its programs, a line each; empty for one program.
    applets: String,
    /// Where its program is kept, by the content of what it is made from.
    made: PathBuf,
}

impl Package {
    fn read(path: PathBuf, common: &Sha256, made: &Path) -> Self {
        let manifest = read(&path.join("Cargo.toml"));
        let mut digest = common.clone();
        add(&mut digest, &path);
        let key = hex(&digest.finalize());
        let program = program_name(&manifest);
        Self {
            name: package_name(&manifest),
            applets: fs::read_to_string(path.join("applets")).unwrap_or_default(),
            made: made.join(format!("{program}-{key}.wasm")),
            program,
        }
    }

    fn keep(&self, target: &Path) {
        let built = format!("{TARGET}/release/{}.wasm", self.program);
        let built = target.join(built);
        let new = self.made.with_extension("new");
        let kept = fs::copy(&built, &new).and_then(|_| fs::rename(&new, &self.made));
        kept.unwrap_or_else(|e| fail(&format!("{}: {e}", built.display())));
    }

    fn program(&self, out: &Path) -> Guest {
        let bytes = fs::read(&self.made);
        let bytes = bytes.unwrap_or_else(|e| fail(&format!("{}: {e}", self.made.display())));
        let path = out.join(format!("{}.wasm", self.program));
        fs::write(&path, &bytes).unwrap_or_else(|e| fail(&format!("{}: {e}", path.display())));
        Guest {
            name: self.program.clone(),
            sha256: hex(&Sha256::digest(&bytes)),
            size: bytes.len(),
            packed: false,
            path,
            applets: self.applets.clone(),
        }
    }
}

/// What every program is made from: the compiler, the versions, the libraries of the workspace.
fn common(sources: &Path) -> Sha256 {
    let mut digest = Sha256::new();
    let rustc = Command::new(needed("RUSTC")).arg("-vV").output();
    digest.update(rustc.map(|output| output.stdout).unwrap_or_default());
    for name in ["Cargo.toml", "Cargo.lock"] {
        digest.update(fs::read(sources.join(name)).unwrap_or_default());
    }
    let entries = fs::read_dir(sources).into_iter().flatten().flatten();
    let mut libraries: Vec<_> = entries
        .map(|entry| entry.path())
        .filter(|path| path.join("src/lib.rs").exists())
        .collect();
    libraries.sort();
    for library in libraries {
        add(&mut digest, &library);
    }
    digest
}

/// Adds every file below `path`.
fn add(digest: &mut Sha256, path: &Path) {
    let mut paths: Vec<_> = match fs::read_dir(path) {
        Ok(entries) => entries.flatten().map(|entry| entry.path()).collect(),
        Err(_) => {
            let name = path.file_name().unwrap_or_default();
            digest.update(name.as_encoded_bytes());
            digest.update(fs::read(path).unwrap_or_default());
            return;
        }
    };
    paths.sort();
    paths.iter().for_each(|path| add(digest, path));
}

/// The directories of packages with programs. Watches them all.
fn packages(sources: &Path) -> Vec<PathBuf> {
    println!("cargo::rerun-if-changed={}", sources.display());
    let entries = fs::read_dir(sources);
    let entries = entries.unwrap_or_else(|e| fail(&format!("{}: {e}", sources.display())));
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let mut packages: Vec<_> = paths
        .filter(|path| path.join("src/main.rs").exists())
        .filter(|path| !NO_PROGRAMS.iter().any(|name| path.ends_with(name)))
        .collect();
    packages.sort();
    packages
}

/// Runs the inner build with nothing of the outer one's environment but where the tools are.
fn cargo(sources: &Path, target: &Path, packages: &[&Package]) {
    if packages.is_empty() {
        return;
    }
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
    cargo
        .current_dir(sources)
        .args([
            "build",
            "--release",
            "--locked",
            "--bins",
            "--target",
            TARGET,
        ])
        .arg("--target-dir")
        .arg(target);
    for package in packages {
        cargo.arg("--package").arg(&package.name);
    }
    let output = cargo.output();
    let output = output.unwrap_or_else(|e| fail(&format!("cargo does not start: {e}")));
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        fail(&format!(
            "the programs for Wasm sandboxes could not be built.\n\
             Where the target is missing: rustup target add {TARGET}\n{said}"
        ));
    }
}

fn package_name(manifest: &str) -> String {
    let package = manifest.split("[package]").nth(1).unwrap_or_default();
    name_in(package)
}

/// The name of the program: of its `[[bin]]`, or the package's own.
fn program_name(manifest: &str) -> String {
    match manifest.split("[[bin]]").nth(1) {
        Some(bin) => name_in(bin),
        None => package_name(manifest),
    }
}

fn name_in(section: &str) -> String {
    let line = section.lines().find(|line| line.starts_with("name"));
    let name = line.and_then(|line| line.split('"').nth(1));
    name.unwrap_or_else(|| fail("a Cargo.toml in guests/ has no name"))
        .to_owned()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|e| fail(&format!("{}: {e}", path.display())))
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
