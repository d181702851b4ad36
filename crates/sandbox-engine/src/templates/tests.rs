use std::time::Duration;

use sandbox_core::egress::EgressMode;
use sandbox_core::{ErrorKind, Program, Resources, RuntimeName, Source};

use super::*;

fn runtimes() -> Vec<RuntimeName> {
    vec![
        RuntimeName::new("docker").unwrap(),
        RuntimeName::new("wasm").unwrap(),
    ]
}

fn load(text: &str) -> sandbox_core::Result<Templates> {
    Templates::from_toml(text, &runtimes())
}

fn refused(text: &str) -> (String, String) {
    let error = load(text).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidSpec, "{error}");
    (
        error.field().unwrap().to_owned(),
        error.message().to_owned(),
    )
}

#[test]
fn the_built_in_names_are_there_without_configuration() {
    let templates = load("").unwrap();
    for name in [
        "base",
        "python",
        "node",
        "go",
        "rust",
        "ubuntu:24.04",
        "default",
    ] {
        templates.get(name).unwrap().validate().unwrap();
    }
    let python = templates.get("python").unwrap();
    assert_eq!(python.source, Source::Image("python:3.12-slim".into()));
    assert_eq!(python.egress.mode(), EgressMode::AllowAll);
    let aliases: Vec<&str> = templates.aliases(&python.name).collect();
    assert_eq!(aliases, ["code-interpreter-v1"]);
}

#[test]
fn built_in_templates_are_made_from_what_their_runtime_knows() {
    let [docker, wasm] = runtimes().try_into().unwrap();
    let image = |templates: &Templates, name: &str, runtime| {
        let template = templates.get(name).unwrap();
        templates.on(template, runtime).source.clone()
    };
    let templates = load("").unwrap();
    let debian = Source::Image("debian:12-slim".into());
    assert_eq!(image(&templates, "base", &docker), debian);
    assert_eq!(
        image(&templates, "default", &wasm),
        Source::Image("base".into())
    );
    let own = load("[templates.base]\nimage = \"own\"").unwrap();
    let image = image(&own, "base", &wasm);
    assert_eq!(
        image,
        Source::Image("own".into()),
        "the owner's word counts"
    );
}

#[test]
fn a_whole_template_is_read() {
    let templates = load(
        r#"
        [sizes.tiny]
        cpus = 0.25
        memory = "128MiB"

        [templates.data]
        runtime = "docker"
        image = "registry.example:5000/data@sha256:00"
        size = "tiny"
        disk = "2g"
        pids = 64
        aliases = ["pandas"]
        env = { LANG = "C.UTF-8" }
        workdir = "/srv"
        user = "1000:1000"
        egress = { mode = "deny_all", allow_domains = ["packages.example.org"] }
        start = ["python3", "-m", "http.server"]
        start_timeout = "30s"

        [templates.line]
        image = "debian:12"
        memory = 33554432
        start = "exec nginx"
        "#,
    )
    .unwrap();
    let data = templates.get("pandas").unwrap();
    assert_eq!(data.name.as_str(), "data");
    assert_eq!(data.runtime, Some(RuntimeName::new("docker").unwrap()));
    let resources = Resources {
        milli_cpus: 250,
        memory: 128 << 20,
        disk: Some(2 << 30),
        pids: 64,
        ..Resources::default()
    };
    assert_eq!(data.resources, resources);
    assert_eq!(data.egress.mode(), EgressMode::DenyAll);
    let start = data.start.as_ref().unwrap();
    assert_eq!(start.timeout, Some(Duration::from_secs(30)));
    assert_eq!(start.to_argv(), ["python3", "-m", "http.server"]);
    let line = templates.get("line").unwrap();
    assert_eq!(line.resources.memory, 32 << 20);
    let start = line.start.as_ref().unwrap();
    assert_eq!(start.program, Program::Shell("exec nginx".into()));
}

#[test]
fn mistakes_name_the_path_of_the_field() {
    let image = "[templates.x]\nimage = \"debian\"\n";
    for (text, field) in [
        ("[template.x]", "template"),
        (&format!("{image}memroy = 1"), "templates.x.memroy"),
        (&format!("{image}memory = \"lots\""), "templates.x.memory"),
        (&format!("{image}memory = 5"), "templates.x.memory"),
        (&format!("{image}memory = true"), "templates.x.memory"),
        (&format!("{image}cpus = 0.0"), "templates.x.cpus"),
        (&format!("{image}cpus = nan"), "templates.x.cpus"),
        (&format!("{image}cpus = -1.0"), "templates.x.cpus"),
        (&format!("{image}size = \"huge\""), "templates.x.size"),
        (
            &format!("{image}runtime = \"dokcer\""),
            "templates.x.runtime",
        ),
        (&format!("{image}workdir = \"srv\""), "templates.x.workdir"),
        (&format!("{image}user = \"a b\""), "templates.x.user"),
        (&format!("{image}start = []"), "templates.x.start"),
        (
            &format!("{image}start_timeout = \"1s\""),
            "templates.x.start_timeout",
        ),
        (
            &format!("{image}start = \"x\"\nstart_timeout = \"5\""),
            "templates.x.start_timeout",
        ),
        (
            &format!("{image}aliases = [\"-a\"]"),
            "templates.x.aliases[0]",
        ),
        (
            &format!("{image}aliases = [\"python\"]"),
            "templates.x.aliases",
        ),
        (&format!("{image}snapshot = \"s\""), "templates.x.snapshot"),
        (
            &format!("{image}env = {{ \"A=B\" = \"x\" }}"),
            "templates.x.env",
        ),
        (
            &format!("{image}egress = {{ mode = \"some\" }}"),
            "templates.x.egress",
        ),
        ("[templates.x]\nimage = \"-v /:/host\"", "templates.x.image"),
        ("[templates.x]", "templates.x.image"),
        ("[sizes.x]\ncpus = 1.0\nmemory = \"1k\"", "sizes.x.memory"),
        ("[sizes.x]\ncpus = 1.0", "sizes.x"),
        ("\n\n[templates", "line 3"),
    ] {
        let (found, message) = refused(text);
        assert!(
            found == field || found.starts_with(&format!("{field}.")),
            "{text}: {found}: {message}"
        );
    }
}

#[test]
fn a_wrong_runtime_or_name_comes_with_what_was_meant() {
    let (_, message) = refused("[templates.x]\nimage = \"debian\"\nruntime = \"dokcer\"");
    assert!(message.contains("docker"), "{message}");
    let error = load("").unwrap().get("pyhton").unwrap_err().to_string();
    assert!(
        error.contains("template: \"pyhton\"") && error.contains("did you mean python"),
        "{error}"
    );
    let error = load("").unwrap().get("zzzzzzzz").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.message().contains("known are"), "{error}");
    let size = load("").unwrap().sizes().get("shared-1x").unwrap_err();
    assert!(size.message().contains("shared-cpu-1x"), "{size}");
}

#[test]
fn a_configured_template_takes_the_place_of_the_built_in_one() {
    let templates =
        load("[templates.python]\nimage = \"mine\"\n[templates.default]\nimage = \"own\"").unwrap();
    assert_eq!(
        templates.get("python").unwrap().source,
        Source::Image("mine".into())
    );
    assert_eq!(
        templates.get("default").unwrap().source,
        Source::Image("own".into())
    );
    assert_eq!(
        templates.get("base").unwrap().source,
        Source::Image("debian:12-slim".into())
    );
}

#[test]
fn the_default_sizes_run_from_shared_1x_to_performance_8x() {
    let sizes = Sizes::default();
    let small = sizes.get(DEFAULT_SIZE).unwrap();
    assert_eq!(small.apply(Resources::default()), Resources::default());
    let large = sizes.get("performance-8x").unwrap();
    assert_eq!((large.milli_cpus, large.memory), (8000, 16 << 30));
    assert_eq!(sizes.iter().count(), 8);
    assert_eq!(sizes.fitting(&Resources::default()), Some(DEFAULT_SIZE));
    let huge = Resources {
        milli_cpus: 9000,
        ..Resources::default()
    };
    assert_eq!(sizes.fitting(&huge), None);
}
