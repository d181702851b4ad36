//! Package managers against small registries on this machine.

use std::collections::HashMap;
use std::net::SocketAddr;

use sandbox_core::ErrorKind;
use sandbox_core::egress::EgressRules;
use sandbox_engine::tools::packages::{InstallRequest, Manager, install};

use crate::http::{Serve, Server};
use crate::local::LocalSandbox;

/// Makes a package's archive with this machine's python3.
fn archive(script: &str) -> Vec<u8> {
    let directory = tempfile::tempdir().unwrap();
    let made = std::process::Command::new("python3")
        .args(["-c", script])
        .current_dir(directory.path())
        .output()
        .unwrap();
    assert!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );
    std::fs::read(directory.path().join("out")).unwrap()
}

/// A wheel of `tinypkg` 1.0 behind a simple index.
fn python_index() -> HashMap<String, Vec<u8>> {
    let wheel = archive(
        "import zipfile\n\
         with zipfile.ZipFile('out', 'w') as z:\n\
         \x20 z.writestr('tinypkg.py', 'VALUE = 7\\n')\n\
         \x20 i = 'tinypkg-1.0.dist-info/'\n\
         \x20 z.writestr(i + 'METADATA', 'Metadata-Version: 2.1\\nName: tinypkg\\nVersion: 1.0\\n')\n\
         \x20 z.writestr(i + 'WHEEL', 'Wheel-Version: 1.0\\nGenerator: x\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n')\n\
         \x20 z.writestr(i + 'RECORD', 'tinypkg.py,,\\n')\n",
    );
    let file = "tinypkg-1.0-py3-none-any.whl";
    let index =
        format!("<!DOCTYPE html><html><body><a href=\"/files/{file}\">{file}</a></body></html>");
    HashMap::from([
        ("/simple/tinypkg/".to_owned(), index.into_bytes()),
        (format!("/files/{file}"), wheel),
    ])
}

/// `tinypkg` 1.0.0 as npm's registry answers.
fn npm_registry(address: SocketAddr) -> HashMap<String, Vec<u8>> {
    let package = archive(
        "import io, tarfile\n\
         with tarfile.open('out', 'w:gz') as t:\n\
         \x20 for name, text in [('package.json', '{\"name\":\"tinypkg\",\"version\":\"1.0.0\"}'), ('index.js', 'module.exports = 7;')]:\n\
         \x20  info = tarfile.TarInfo('package/' + name)\n\
         \x20  info.size = len(text)\n\
         \x20  t.addfile(info, io.BytesIO(text.encode()))\n",
    );
    let tarball = format!("http://{address}/tinypkg/-/tinypkg-1.0.0.tgz");
    let version =
        serde_json::json!({"name": "tinypkg", "version": "1.0.0", "dist": {"tarball": tarball}});
    let document = serde_json::json!({
        "name": "tinypkg", "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": version},
    });
    HashMap::from([
        ("/tinypkg".to_owned(), document.to_string().into_bytes()),
        ("/tinypkg/-/tinypkg-1.0.0.tgz".to_owned(), package),
    ])
}

fn request(manager: Manager, package: &str, registry: &str) -> InstallRequest {
    let mut request = InstallRequest::new(manager, [package]);
    request.registry = Some(registry.to_owned());
    request
}

#[tokio::test]
async fn npm_installs_and_knows_what_it_does_not_know() {
    let server = Server::start(|address| Serve::Files(npm_registry(address))).await;
    let sandbox = LocalSandbox::new();
    std::fs::write(sandbox.root().join("package.json"), "{}").unwrap();
    let registry = server.url("/");
    let done = install(
        &sandbox,
        &request(Manager::Npm, "tinypkg@^1.0.0", &registry),
    )
    .await
    .unwrap();
    assert_eq!(done.packages, ["tinypkg@^1.0.0"]);
    assert!(
        sandbox
            .root()
            .join("node_modules/tinypkg/index.js")
            .exists()
    );
    for missing in ["no-such-pkg", "tinypkg@9"] {
        let error = install(&sandbox, &request(Manager::Npm, missing, &registry))
            .await
            .unwrap_err();
        assert_eq!(
            (error.kind(), error.field()),
            (ErrorKind::NotFound, Some("packages")),
            "{error}"
        );
    }
}

#[tokio::test]
async fn pip_installs_and_knows_what_it_does_not_know() {
    let server = Server::start(|_| Serve::Files(python_index())).await;
    let sandbox = LocalSandbox::new();
    let registry = server.url("/simple");
    let mut wanted = request(Manager::Pip, "tinypkg==1.0", &registry);
    let target = sandbox.root().join("site");
    wanted
        .env
        .insert("PIP_TARGET".into(), target.to_str().unwrap().into());
    install(&sandbox, &wanted).await.unwrap();
    assert!(target.join("tinypkg.py").exists());
    for missing in ["no-such-pkg", "tinypkg==9"] {
        let error = install(&sandbox, &request(Manager::Pip, missing, &registry))
            .await
            .unwrap_err();
        assert_eq!(
            (error.kind(), error.field()),
            (ErrorKind::NotFound, Some("packages")),
            "{error}"
        );
    }
}

#[tokio::test]
async fn cargo_knows_what_it_does_not_know() {
    let config = |address: SocketAddr| format!("{{\"dl\":\"http://{address}/dl\"}}").into_bytes();
    let server = Server::start(|address| {
        Serve::Files(HashMap::from([(
            "/config.json".to_owned(),
            config(address),
        )]))
    })
    .await;
    let sandbox = LocalSandbox::new();
    let manifest = "[package]\nname = \"x\"\nversion = \"0.1.0\"\nedition = \"2021\"\n";
    std::fs::write(sandbox.root().join("Cargo.toml"), manifest).unwrap();
    std::fs::create_dir(sandbox.root().join("src")).unwrap();
    std::fs::write(sandbox.root().join("src/lib.rs"), "").unwrap();
    let mut wanted = request(Manager::Cargo, "no-such-crate", &server.url("/"));
    wanted.env.extend(rust_home());
    let error = install(&sandbox, &wanted).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.field()),
        (ErrorKind::NotFound, Some("packages")),
        "{error}"
    );
    let program = LocalSandbox::new();
    let error = install(&program, &wanted).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.field()),
        (ErrorKind::NotFound, Some("packages")),
        "{error}"
    );
}

/// Where this machine's toolchain is, which a sandbox with another home does not find.
fn rust_home() -> Vec<(String, String)> {
    let home = std::env::var("HOME").unwrap();
    let rustup = std::env::var("RUSTUP_HOME").unwrap_or(format!("{home}/.rustup"));
    vec![("RUSTUP_HOME".to_owned(), rustup)]
}

#[tokio::test]
async fn apt_knows_what_it_does_not_know() {
    let sandbox = LocalSandbox::new();
    // An apt of its own: no sources, no lists, nothing of this machine's.
    for directory in ["state/lists/partial", "cache/archives/partial", "etc"] {
        std::fs::create_dir_all(sandbox.root().join(directory)).unwrap();
    }
    for file in ["state/status", "etc/sources.list"] {
        std::fs::write(sandbox.root().join(file), "").unwrap();
    }
    let root = sandbox.root().display();
    let config = format!(
        "Dir::Etc \"{root}/etc\";\nDir::State \"{root}/state\";\nDir::State::status \"{root}/state/status\";\n\
         Dir::Cache \"{root}/cache\";\nDir::Log \"{root}\";\nDebug::NoLocking \"true\";\n"
    );
    std::fs::write(sandbox.root().join("apt.conf"), config).unwrap();
    let mut wanted = InstallRequest::new(Manager::Apt, ["no-such-package"]);
    let path = sandbox.root().join("apt.conf").to_str().unwrap().to_owned();
    wanted.env.insert("APT_CONFIG".into(), path);
    let error = install(&sandbox, &wanted).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.field()),
        (ErrorKind::NotFound, Some("packages")),
        "{error}"
    );
    wanted.registry = Some("https://mirror.example/".into());
    let error = install(&sandbox, &wanted).await.unwrap_err();
    assert_eq!(error.field(), Some("registry"));
}

#[tokio::test]
async fn a_registry_that_cannot_be_reached_is_the_policys_doing_where_it_denies() {
    let closed = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}/", listener.local_addr().unwrap())
    };
    for manager in [Manager::Npm, Manager::Pip, Manager::Cargo] {
        let mut wanted = request(manager, "tinypkg", &closed);
        wanted.env.extend(rust_home());
        for (name, value) in [
            ("NPM_CONFIG_FETCH_RETRIES", "0"),
            ("PIP_RETRIES", "1"),
            ("CARGO_NET_RETRY", "0"),
        ] {
            wanted.env.insert(name.into(), value.into());
        }
        let error = install(&LocalSandbox::new(), &wanted).await.unwrap_err();
        assert_eq!(
            (error.kind(), error.field()),
            (ErrorKind::Unavailable, Some("registry")),
            "{error}"
        );
        let denied = LocalSandbox::with_egress(EgressRules::deny_all());
        let error = install(&denied, &wanted).await.unwrap_err();
        assert_eq!(
            (error.kind(), error.field()),
            (ErrorKind::PermissionDenied, Some("egress")),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_missing_manager_is_named_with_what_to_install() {
    let sandbox = LocalSandbox::with_path("/nonexistent");
    for manager in [Manager::Npm, Manager::Pip, Manager::Cargo, Manager::Apt] {
        let error = install(&sandbox, &InstallRequest::new(manager, ["curl"]))
            .await
            .unwrap_err();
        assert_eq!(
            (error.kind(), error.field()),
            (ErrorKind::Unsupported, Some("manager")),
            "{error}"
        );
        assert!(error.message().contains("use"), "{error}");
    }
}

#[tokio::test]
async fn hostile_names_are_refused_before_anything_runs() {
    let sandbox = LocalSandbox::with_path("/nonexistent");
    for manager in [Manager::Npm, Manager::Pip, Manager::Cargo, Manager::Apt] {
        for hostile in ["--help", "a;id", "$(id)", "../x", "git+https://evil/x"] {
            let error = install(&sandbox, &InstallRequest::new(manager, [hostile]))
                .await
                .unwrap_err();
            assert_eq!(
                (error.kind(), error.field()),
                (ErrorKind::InvalidSpec, Some("packages"))
            );
        }
        let none: [&str; 0] = [];
        let error = install(&sandbox, &InstallRequest::new(manager, none))
            .await
            .unwrap_err();
        assert_eq!(error.field(), Some("packages"));
    }
}
