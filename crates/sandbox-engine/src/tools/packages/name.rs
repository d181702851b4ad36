//! What a package may be called.

use sandbox_core::{Error, Result};

use super::Manager;

const MAX_PACKAGE_BYTES: usize = 214;
const MAX_REGISTRY_BYTES: usize = 512;

/// Refuses everything that is not a package of a registry, with a version or without.
pub(super) fn check(manager: Manager, package: &str) -> Result<()> {
    let fits = (1..=MAX_PACKAGE_BYTES).contains(&package.len())
        && !is_archive(manager, package)
        && match manager {
            Manager::Npm => is_npm(package),
            Manager::Pip => is_pip(package),
            Manager::Cargo => is_cargo(package),
            Manager::Apt => is_apt(package),
        };
    if fits {
        return Ok(());
    }
    let shown: String = package.chars().take(80).collect();
    let message = format!("{shown:?} is not the name of a package of {manager}");
    Err(Error::invalid(super::OPERATION, "packages", message))
}

/// What npm and pip take for a file in the working directory, although nothing else about it looks
/// like a path.
fn is_archive(manager: Manager, package: &str) -> bool {
    let endings: &[&str] = match manager {
        Manager::Npm => &[".tgz", ".tar", ".tar.gz"],
        Manager::Pip => &[
            ".whl",
            ".zip",
            ".tar",
            ".tar.gz",
            ".tgz",
            ".tar.bz2",
            ".tbz",
            ".tar.xz",
            ".txz",
            ".tlz",
            ".tar.lz",
            ".tar.lzma",
        ],
        Manager::Cargo | Manager::Apt => &[],
    };
    let package = package.to_ascii_lowercase();
    // pip looks for a file before the extras.
    let (file, _extras) = split(&package, "[");
    endings
        .iter()
        .any(|ending| package.ends_with(ending) || file.ends_with(ending))
}

/// `name`, `@scope/name`, either with `@version`, `@range` or `@tag`.
fn is_npm(package: &str) -> bool {
    let (scope, rest) = match package.strip_prefix('@') {
        Some(scoped) => match scoped.split_once('/') {
            Some((scope, rest)) => (Some(scope), rest),
            None => return false,
        },
        None => (None, package),
    };
    let (name, version) = split(rest, "@");
    scope.is_none_or(|scope| is_word(scope, "-_.~"))
        && is_word(name, "-_.~")
        && version.is_none_or(|version| is_version(version, ".-_+^~<>=*"))
}

/// `name`, `name[extra,extra]`, either with `==1.0`, `>=1,<2` and so on.
fn is_pip(package: &str) -> bool {
    let end = package
        .find(|c: char| "[=<>!~".contains(c))
        .unwrap_or(package.len());
    let (name, rest) = package.split_at(end);
    let (extras, specifiers) = match rest.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((extras, specifiers)) => (Some(extras), specifiers),
            None => return false,
        },
        None => (None, rest),
    };
    is_word(name, "-_.")
        && name.ends_with(|c: char| c.is_ascii_alphanumeric())
        && extras.is_none_or(|extras| extras.split(',').all(|extra| is_word(extra, "-_.")))
        && (specifiers.is_empty() || specifiers.split(',').all(is_pip_specifier))
}

fn is_pip_specifier(text: &str) -> bool {
    ["===", "==", "~=", "!=", "<=", ">=", "<", ">"]
        .iter()
        .find_map(|operator| text.strip_prefix(operator))
        .is_some_and(|version| is_word(version, ".-_+!*"))
}

/// `name`, with `@version` or a range.
fn is_cargo(package: &str) -> bool {
    let (name, version) = split(package, "@");
    is_word(name, "-_") && version.is_none_or(|version| is_version(version, ".-+^~<>=*"))
}

/// `name`, with `:architecture`, `=version` or `/release`. A name that ends in `-` would remove
/// the package before it.
fn is_apt(package: &str) -> bool {
    let end = package
        .find(|c: char| "=/".contains(c))
        .unwrap_or(package.len());
    let (name, rest) = package.split_at(end);
    let (name, architecture) = split(name, ":");
    let suffix = match rest.split_at_checked(1) {
        Some((_, suffix)) => suffix,
        None => "x",
    };
    name.len() >= 2
        && is_word(name, "-+.")
        && !name.chars().any(|c| c.is_ascii_uppercase())
        && !name.ends_with(['-', '.'])
        && architecture.is_none_or(|architecture| is_word(architecture, "-"))
        && is_word(suffix, ".-+~:")
        && !suffix.ends_with('-')
}

fn split<'a>(text: &'a str, at: &str) -> (&'a str, Option<&'a str>) {
    match text.split_once(at) {
        Some((before, after)) => (before, Some(after)),
        None => (text, None),
    }
}

/// One or more letters, digits and `others`, a letter or digit first.
fn is_word(text: &str, others: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || others.contains(c))
}

/// One or more letters, digits and `others`, not an option.
fn is_version(text: &str, others: &str) -> bool {
    !text.is_empty()
        && !text.starts_with('-')
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || others.contains(c))
}

/// Refuses everything that is not an http(s) address without credentials, and what could end the
/// quotes around it.
pub(super) fn check_registry(url: &str) -> Result<&str> {
    let rest = url
        .strip_prefix("https://")
        .or_else(|| url.strip_prefix("http://"));
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-._~:/[]%+".contains(c);
    let fits = url.len() <= MAX_REGISTRY_BYTES
        && rest.is_some_and(|rest| {
            rest.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '[')
                && rest.chars().all(allowed)
        });
    if fits {
        return Ok(url);
    }
    let message = "must be an http or https address without credentials and query";
    Err(Error::invalid(super::OPERATION, "registry", message))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANAGERS: [Manager; 4] = [Manager::Npm, Manager::Pip, Manager::Cargo, Manager::Apt];

    #[test]
    fn nothing_that_is_more_than_a_name_passes_any_manager() {
        for hostile in [
            "",
            " ",
            "-g",
            "--registry=http://evil",
            "-r/etc/passwd",
            "-e.",
            ".",
            "..",
            "./x",
            "../x",
            "/etc",
            "~/x",
            "a b",
            "a;b",
            "a&&b",
            "a|b",
            "a$(b)",
            "a`b`",
            "a\nb",
            "a\0",
            "é",
            "git+ssh://git@host/x",
            "https://evil/x.tgz",
            "git@host:x/y",
            "a@npm:b",
            "a@file:..",
            "a@https://evil",
            "a @ https://evil",
            "a@git+https://x",
            "a;python_version<'3'",
            "a[b]@x://y",
            "a==",
            "a@",
            "a@-x",
            "a[",
            "a[]",
            "a[-x]",
            "@scope",
            "@/x",
            "@s/",
            "a/../b",
            &"a".repeat(215),
        ] {
            for manager in MANAGERS {
                let error = check(manager, hostile).expect_err(hostile);
                assert_eq!(error.field(), Some("packages"));
            }
        }
        // To apt the part after the colon is an architecture.
        for hostile in ["file:x", "github:a/b"] {
            for manager in [Manager::Npm, Manager::Pip, Manager::Cargo] {
                assert!(check(manager, hostile).is_err(), "{hostile}");
            }
        }
        for hostile in [
            "curl-",
            "foo.*",
            "foo^",
            "libc6:-x",
            "foo=1-",
            "foo=",
            "foo/",
            "a.",
            "B",
            "?essential",
        ] {
            assert!(check(Manager::Apt, hostile).is_err(), "{hostile}");
        }
    }

    #[test]
    fn archives_in_the_working_directory_are_not_names() {
        for (manager, file) in [
            (Manager::Npm, "x.tgz"),
            (Manager::Npm, "a@x.TAR.GZ"),
            (Manager::Npm, "a@1.0.tar"),
            (Manager::Pip, "x.whl"),
            (Manager::Pip, "x-1.0-py3-none-any.whl[extra]"),
            (Manager::Pip, "x==1.0.zip"),
            (Manager::Pip, "x.tar.gz"),
        ] {
            assert!(check(manager, file).is_err(), "{file}");
        }
    }

    #[test]
    fn usual_packages_pass() {
        for (manager, packages) in [
            (
                Manager::Npm,
                &[
                    "react",
                    "@types/node",
                    "left-pad@1.3.0",
                    "a@^1",
                    "@s/x@latest",
                    "lodash.merge",
                ][..],
            ),
            (
                Manager::Pip,
                &[
                    "requests",
                    "requests==2.32.0",
                    "uvicorn[standard]>=0.20,<1",
                    "ruamel.yaml",
                    "x~=1.0",
                    "x==1.*",
                    "torch==2.0+cpu",
                ],
            ),
            (
                Manager::Cargo,
                &["serde", "serde@1", "serde_json@=1.0.100", "tokio@^1.2"],
            ),
            (
                Manager::Apt,
                &[
                    "curl",
                    "g++",
                    "libstdc++6",
                    "python3.11",
                    "libc6:i386",
                    "curl=8.5.0-2~deb12u1",
                    "git/stable",
                ],
            ),
        ] {
            for package in packages {
                check(manager, package).unwrap();
            }
        }
    }

    #[test]
    fn registries_are_plain_addresses() {
        for good in [
            "https://registry.example/npm/",
            "http://127.0.0.1:4873",
            "http://[::1]:80/",
        ] {
            check_registry(good).unwrap();
        }
        for bad in [
            "",
            "-x",
            "ftp://x",
            "file:///x",
            "https://u:p@host/",
            "https://h/\" x",
            "https://h/?a=b",
            "https://",
            "https://-x",
        ] {
            assert_eq!(
                check_registry(bad).unwrap_err().field(),
                Some("registry"),
                "{bad}"
            );
        }
    }
}
