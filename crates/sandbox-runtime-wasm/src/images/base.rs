//! The image `base`: a small Linux tree with a shell and tools.

use std::sync::Arc;

use sandbox_core::Result;

use super::guests::{Embedded, embedded};
use super::image::Image;
use super::tree::Tree;
use crate::programs::{Program, ProgramSet};

/// Its name.
pub(super) const NAME: &str = "base";
/// Names that lead here: what the built-in templates `base` and `default` name elsewhere.
const ALIASES: [&str; 2] = ["default", "debian:12-slim"];
/// Where the stubs of programs are that have several names.
const LIBEXEC: &str = "/usr/libexec/sandbox";

const DIRS: [(&str, u32); 20] = [
    ("/dev", 0o755),
    ("/etc", 0o755),
    ("/home", 0o755),
    ("/mnt", 0o755),
    ("/opt", 0o755),
    ("/root", 0o700),
    ("/run", 0o755),
    ("/srv", 0o755),
    ("/tmp", 0o1777),
    ("/usr/bin", 0o755),
    ("/usr/lib", 0o755),
    ("/usr/libexec", 0o755),
    ("/usr/local/bin", 0o755),
    ("/usr/local/lib", 0o755),
    ("/usr/local/share", 0o755),
    ("/usr/sbin", 0o755),
    ("/usr/share", 0o755),
    ("/var/cache", 0o755),
    ("/var/log", 0o755),
    ("/var/tmp", 0o1777),
];

/// As current distributions have it: one place for programs, and the old names lead there.
const LINKS: [(&str, &str); 5] = [
    ("/bin", "usr/bin"),
    ("/lib", "usr/lib"),
    ("/sbin", "usr/sbin"),
    ("/var/run", "../run"),
    ("/etc/mtab", "/dev/null"),
];

const FILES: [(&str, &str); 8] = [
    (
        "/etc/passwd",
        "root:x:0:0:root:/root:/bin/sh\n\
         user:x:1000:1000:user:/home/user:/bin/sh\n\
         nobody:x:65534:65534:nobody:/nonexistent:/bin/false\n",
    ),
    ("/etc/group", "root:x:0:\nuser:x:1000:\nnogroup:x:65534:\n"),
    ("/etc/shells", "/bin/sh\n"),
    (
        "/etc/hosts",
        "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost\n",
    ),
    ("/etc/host.conf", "multi on\n"),
    (
        "/etc/resolv.conf",
        "# Names are resolved by the host, under the sandbox's egress policy.\n",
    ),
    ("/etc/profile", "# Read by shells that a login starts.\n"),
    (
        "/etc/os-release",
        concat!(
            "NAME=\"Sandbox\"\nID=sandbox\nPRETTY_NAME=\"Sandbox (WebAssembly)\"\nVERSION_ID=\"",
            env!("CARGO_PKG_VERSION"),
            "\"\n"
        ),
    ),
];

/// Whether `name` leads here.
pub(super) fn is(name: &str) -> bool {
    name == NAME || ALIASES.contains(&name)
}

/// The image.
///
/// # Errors
/// `Internal`: what is put together is a constant.
pub(super) fn image() -> Result<Image> {
    let mut tree = Tree::new();
    for (path, mode) in DIRS {
        tree.dir(path, mode)?;
    }
    tree.devices()?;
    tree.dir_of("/home/user", 0o755, 1000)?;
    for (path, text) in LINKS {
        tree.link(path, text)?;
    }
    for (path, text) in FILES {
        tree.file(path, text.as_bytes(), 0o644)?;
    }
    for Embedded { program, names } in embedded() {
        install(&mut tree, program, names)?;
    }
    let programs = embedded().iter().map(|e| e.program.clone());
    Image::new(tree.snapshot(), ProgramSet::new(programs), &[])
}

/// Puts the stub of `program` where its names lead to: a program of one name at that name.
///
/// # Errors
/// `Internal` for a name that leads nowhere.
pub(super) fn install(tree: &mut Tree, program: &Arc<Program>, names: &[&str]) -> Result<()> {
    let stub = program.stub();
    let path = |name: &str| match name.starts_with('/') {
        true => name.to_owned(),
        false => format!("/usr/bin/{name}"),
    };
    let place = match names {
        [name] => path(name),
        _ => format!("{LIBEXEC}/{}", program.name()),
    };
    tree.file(&place, stub.as_bytes(), 0o755)?;
    for name in names {
        let name = path(name);
        if name != place {
            tree.link(&name, &place)?;
        }
    }
    Ok(())
}
