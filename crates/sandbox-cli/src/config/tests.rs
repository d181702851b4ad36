use std::fs;

use sandbox_core::ErrorKind;
use serde_json::Value;

use super::*;

const EXAMPLE: &str = include_str!("../../../../examples/sandbox.toml");

fn parse(text: &str) -> Result<Loaded> {
    Loaded::parse(text, &ServeArgs::default())
}

/// The example with every setting in it: comments that are settings are no comments any more.
fn uncommented() -> String {
    let lines = EXAMPLE.lines().map(|line| match line.strip_prefix("#") {
        // `# text` is for people, `#name = value` and `#[section]` are settings.
        Some(setting) if !setting.starts_with(' ') && !setting.is_empty() => setting,
        Some(_) | None => line,
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn fields(value: &Value, path: &str, found: &mut Vec<(String, Value)>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                fields(value, &format!("{path}/{key}"), found);
            }
        }
        other => found.push((path.to_owned(), other.clone())),
    }
}

#[test]
fn the_example_as_it_is_sets_nothing() {
    assert_eq!(parse(EXAMPLE).unwrap().config, Config::default());
}

#[test]
fn the_example_has_every_setting_with_its_default() {
    let text = uncommented();
    let written: Value = serde_json::to_value(text::table(&text).unwrap()).unwrap();
    let example = serde_json::to_value(parse(&text).unwrap().config).unwrap();
    let defaults = serde_json::to_value(Config::default()).unwrap();
    let mut all = Vec::new();
    fields(&defaults, "", &mut all);
    for (path, default) in all {
        assert!(
            written.pointer(&path).is_some(),
            "{path} is not in the example"
        );
        let shown = example.pointer(&path).unwrap();
        // What has no default shows a possible value.
        if !default.is_null() {
            assert_eq!(*shown, default, "{path}");
        }
    }
}

#[test]
fn the_example_has_a_size_and_a_template_that_work() {
    let loaded = parse(&uncommented()).unwrap();
    let template = loaded.templates.get("data").unwrap();
    assert!(template.start.is_some());
    loaded.templates.sizes().get("tiny").unwrap();
}

#[test]
fn mistakes_name_the_field_and_what_was_meant() {
    for (text, field, says) in [
        ("listn = \"x\"", "listn", "did you mean \"listen\"?"),
        (
            "[docker]\nnetwrk = \"x\"",
            "docker.netwrk",
            "did you mean \"network\"?",
        ),
        ("[engine]\nfoo = 1", "engine.foo", "known are"),
        (
            "[engine]\ncreate_timeout = \"soon\"",
            "engine.create_timeout",
            "duration",
        ),
        (
            "[engine]\ncreate_timeout = 5",
            "engine.create_timeout",
            "string",
        ),
        ("[docker]\nshm_size = \"lots\"", "docker.shm_size", "size"),
        ("[docker]\ndns = [\"x\"]", "docker.dns[0]", "IP address"),
        ("[docker]\nnamespace = \"a-b\"", "docker.namespace", "a-z"),
        ("[docker]\npull = \"often\"", "docker.pull", "always"),
        (
            "runtimes = [\"dcker\"]",
            "runtimes[0]",
            "did you mean \"docker\"?",
        ),
        (
            "[wasm]\nmax_processes = 0",
            "wasm.max_processes",
            "from 1 to",
        ),
        ("[wasm]\nworker = 1", "wasm.worker", "did you mean"),
        ("runtimes = []", "runtimes", "at least one"),
        (
            "runtimes = [\"docker\", \"docker\"]",
            "runtimes[1]",
            "twice",
        ),
        (
            "[quotas]\nrequests_per_minute = 0",
            "quotas.requests_per_minute",
            "at least 1",
        ),
        (
            "[templates.x]\nimge = \"a\"",
            "templates.x.imge",
            "did you mean image?",
        ),
        ("[sizes.x]\ncpu = 1", "sizes.x.cpu", "did you mean cpus?"),
        (
            "[templates.x]\nimage = \"a\"\nmemory = \"1k\"",
            "templates.x.memory",
            "16",
        ),
        (
            "[api]\nmetrics = { token = \"short\" }",
            "api.metrics.token",
            "16",
        ),
        (
            "[api]\ncors_origins = [\"https://a/\"]",
            "api.cors_origins[0]",
            "origin",
        ),
        (
            "[api]\ncors_origins = [\"*\"]",
            "api.cors_origins[0]",
            "origin",
        ),
        (
            "[connections]\nmax_connections = 0",
            "connections.max_connections",
            "at least 1",
        ),
        ("a = 1\nb = [", "line 2", "not TOML"),
    ] {
        let error = parse(text).unwrap_err();
        let found = error.field().unwrap_or_default();
        assert!(found.starts_with(field), "{text}: {found}");
        assert!(
            error.message().contains(says),
            "{text}: {}",
            error.message()
        );
    }
}

#[test]
fn flags_go_before_the_file() {
    let args = ServeArgs {
        listen: Some("127.0.0.1:1".into()),
        data_dir: Some("/b".into()),
        ..ServeArgs::default()
    };
    let text = "listen = \"127.0.0.1:2\"\ndata_dir = \"/a\"";
    let config = Loaded::parse(text, &args).unwrap().config;
    assert_eq!(config.listen, "127.0.0.1:1");
    assert_eq!(config.data_dir.unwrap().as_os_str(), "/b");
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let missing = directory.path().join("missing.toml");
    let args = ServeArgs {
        config: Some(missing.clone()),
        ..ServeArgs::default()
    };
    let error = Loaded::read(&args).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.message().contains("missing.toml"), "{error}");
    fs::write(&missing, [0xff, 0xfe]).unwrap();
    assert_eq!(
        Loaded::read(&args).unwrap_err().kind(),
        ErrorKind::InvalidSpec
    );
    fs::write(&missing, "lisen = \"\"").unwrap();
    let error = Loaded::read(&args).unwrap_err();
    let field = error.field().unwrap();
    assert!(field.ends_with("missing.toml: lisen"), "{field}");
}
