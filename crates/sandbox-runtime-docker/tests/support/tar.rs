//! Image roots as tar files.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// The applets the tests call by name.
const APPLETS: &[&str] = &[
    "sh",
    "cat",
    "echo",
    "ls",
    "stat",
    "sleep",
    "head",
    "tail",
    "id",
    "true",
    "false",
    "kill",
    "ps",
    "mkdir",
    "rm",
    "mv",
    "cp",
    "ln",
    "touch",
    "chmod",
    "chown",
    "find",
    "readlink",
    "wc",
    "seq",
    "dd",
    "nc",
    "wget",
    "nslookup",
    "ip",
    "ping",
    "env",
    "printf",
    "test",
    "tr",
    "sort",
    "sed",
    "awk",
    "grep",
    "date",
    "hostname",
    "mount",
    "umount",
    "su",
    "tee",
    "yes",
    "md5sum",
    "sha256sum",
    "mkfifo",
    "setsid",
    "nohup",
    "timeout",
    "stty",
    "tty",
    "rmdir",
    "pwd",
    "whoami",
    "df",
    "du",
    "uname",
    "mknod",
    "expr",
    "usleep",
    "cut",
    "xargs",
    "[",
    "basename",
    "dirname",
    "od",
    "hexdump",
    "telnet",
    "httpd",
    "free",
    "mountpoint",
    "dmesg",
    "chroot",
    "pidof",
    "pgrep",
    "killall",
    "nproc",
    "ulimit",
    "truncate",
    "sync",
    "unshare",
    "nsenter",
    "arp",
    "ifconfig",
    "route",
    "traceroute",
];

/// A root file system of busybox alone.
pub(crate) fn busybox_root(busybox: &[u8]) -> Vec<u8> {
    let directory = std::env::temp_dir().join(format!(
        "sandbox-test-root-{}-{:?}",
        std::process::id(),
        std::thread::current().id()
    ));
    let bin = directory.join("bin");
    for name in [
        "bin",
        "etc",
        "tmp",
        "root",
        "home/user",
        "var/tmp",
        "usr/bin",
    ] {
        std::fs::create_dir_all(directory.join(name)).unwrap();
    }
    std::fs::write(bin.join("busybox"), busybox).unwrap();
    for applet in APPLETS {
        std::os::unix::fs::symlink("busybox", bin.join(applet)).unwrap();
    }
    compile_probe(&bin);
    let etc = directory.join("etc");
    std::fs::write(
        etc.join("passwd"),
        "root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000::/home/user:/bin/sh\n\
         nobody:x:65534:65534::/:/bin/sh\n",
    )
    .unwrap();
    std::fs::write(
        etc.join("group"),
        "root:x:0:\nuser:x:1000:\nnogroup:x:65534:\n",
    )
    .unwrap();
    let modes = "chmod 755 bin/busybox; chmod 1777 tmp var/tmp; chown 1000:1000 home/user";
    let script = format!("{modes}; exec tar -c --numeric-owner --owner=0 --group=0 -f - .");
    let tar = Command::new("sh")
        .args(["-c", &script])
        .current_dir(&directory)
        .output()
        .unwrap();
    std::fs::remove_dir_all(&directory).unwrap();
    assert!(tar.status.success(), "{tar:?}");
    tar.stdout
}

/// Targets of static programs, with what makes them so; the first may not be installed.
const STATIC: [&[&str]; 2] = [
    &["--target", "x86_64-unknown-linux-musl"],
    &[
        "--target",
        "x86_64-unknown-linux-gnu",
        "-C",
        "target-feature=+crt-static",
    ],
];

/// Puts `icmp-probe` and `udp-probe` into `bin`.
fn compile_probe(bin: &Path) {
    let mut tried = Vec::new();
    let compiled = STATIC.into_iter().any(|target| {
        tried.push(compile(bin, target));
        tried.last().is_some_and(|output| output.status.success())
    });
    assert!(compiled, "{tried:?}");
    std::os::unix::fs::symlink("icmp-probe", bin.join("udp-probe")).unwrap();
}

fn compile(bin: &Path, target: &[&str]) -> Output {
    let compiler = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let mut compiling = Command::new(compiler)
        .args(["-", "--crate-name", "probe", "--edition", "2024"])
        .args(target)
        .args([
            "-C",
            "opt-level=s",
            "-C",
            "panic=abort",
            "-C",
            "strip=symbols",
            "-o",
        ])
        .arg(bin.join("icmp-probe"))
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the tests need rustc");
    let mut input = compiling.stdin.take().unwrap();
    input
        .write_all(include_bytes!("../programs/probe.rs"))
        .unwrap();
    drop(input);
    compiling.wait_with_output().unwrap()
}
