//! What makes no sense is refused, and the field is named.

use sandbox_api_types::{
    CommandLine, CreateSandbox, DestinationBody, EgressMode, EgressPolicy, ExecRequest, FileMode,
    FileQuery, ListSandboxes, OutputChunk, OutputStream, Prepare, ProcessRef, ResourcesRequest,
    StartProcess, TimeoutRequest,
};
use sandbox_core::{Error, ErrorKind};
use serde::de::DeserializeOwned;
use serde_json::json;

fn field<T: std::fmt::Debug>(result: Result<T, Error>) -> String {
    let error = result.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidSpec);
    error.field().expect("a field is named").to_owned()
}

fn refused<T: DeserializeOwned + std::fmt::Debug>(body: serde_json::Value) -> String {
    serde_json::from_value::<T>(body).unwrap_err().to_string()
}

#[test]
fn unknown_fields_are_refused() {
    for said in [
        refused::<CreateSandbox>(json!({"template": "python", "x": 1})),
        refused::<ExecRequest>(json!({"command": "true", "x": 1})),
        refused::<StartProcess>(json!({"command": "true", "x": 1})),
        refused::<EgressPolicy>(json!({"mode": "deny_all", "x": 1})),
        refused::<TimeoutRequest>(json!({"timeout": "1m", "x": 1})),
        refused::<Prepare>(json!({"image": "a", "x": 1})),
        refused::<ResourcesRequest>(json!({"x": 1})),
    ] {
        assert!(said.contains("unknown field `x`"), "{said}");
    }
}

#[test]
fn values_that_are_checked_on_reading_say_what_is_wrong_and_no_more() {
    let said = refused::<ExecRequest>(json!({"command": "true", "timeout": 5}));
    assert!(said.contains("expected a string"), "{said}");
    let said = refused::<ExecRequest>(json!({"command": "true", "timeout": "5"}));
    assert_eq!(said, r#""5" is not a duration such as 30s, 5m or 1h"#);
    let said = refused::<ExecRequest>(json!({"command": "true", "cwd": "srv"}));
    assert_eq!(said, r#""srv" must be absolute: start with '/'"#);
    let said = refused::<CreateSandbox>(json!({"template": "../x"}));
    assert!(
        said.contains("must start with a letter or a digit"),
        "{said}"
    );
}

#[test]
fn commands_are_bounded_in_time() {
    let exec = |timeout: &str| {
        let body = json!({"command": ["true"], "timeout": timeout});
        serde_json::from_value::<ExecRequest>(body)
            .unwrap()
            .into_core()
    };
    assert_eq!(field(exec("0s")), "timeout");
    assert_eq!(field(exec("5m1ms")), "timeout");
    exec("5m").unwrap();
    let default = ExecRequest::new(CommandLine::Shell("true".into()));
    let (command, _) = default.into_core().unwrap();
    assert_eq!(
        command.timeout,
        Some(sandbox_api_types::DEFAULT_EXEC_TIMEOUT)
    );
    let empty = ExecRequest::new(CommandLine::Argv(Vec::new()));
    assert_eq!(field(empty.into_core()), "command");
}

#[test]
fn input_is_given_once_and_decodes() {
    let mut exec = ExecRequest::new(CommandLine::Shell("cat".into()));
    exec.stdin_base64 = Some("not base 64".into());
    assert_eq!(field(exec.clone().into_core()), "stdin_base64");
    exec.stdin_base64 = Some("AAEC".into());
    let (_, input) = exec.clone().into_core().unwrap();
    assert_eq!(&input.unwrap()[..], [0, 1, 2]);
    exec.stdin = Some(String::new());
    assert_eq!(field(exec.into_core()), "stdin_base64");
}

#[test]
fn a_sandbox_is_made_from_one_thing() {
    let create = |body| serde_json::from_value::<CreateSandbox>(body).unwrap();
    assert_eq!(field(create(json!({})).source()), "template");
    let both = json!({"template": "a", "image": "b"});
    assert_eq!(field(create(both).source()), "template");
    let both = json!({"snapshot": "a", "image": "b"});
    assert_eq!(field(create(both).source()), "snapshot");
    assert_eq!(create(json!({"template": "a"})).source().unwrap(), None);
}

#[test]
fn times_to_live_are_bounded_whichever_counts() {
    for mode in ["ephemeral", "persistent"] {
        for name in ["timeout", "idle_timeout"] {
            for text in ["0s", "24h1s"] {
                let body = json!({"template": "a", "mode": mode, name: text});
                let create: CreateSandbox = serde_json::from_value(body).unwrap();
                assert_eq!(field(create.lifecycle()), name);
            }
        }
    }
    let extended = |text: &str| TimeoutRequest {
        timeout: text.parse().unwrap(),
    };
    assert_eq!(field(extended("0s").time_to_live()), "timeout");
    let day = std::time::Duration::from_secs(86_400);
    assert_eq!(extended("30days").time_to_live().unwrap(), day);
}

#[test]
fn a_start_command_is_checked() {
    let create = CreateSandbox {
        start: Some(CommandLine::Shell(" ".into())),
        ..CreateSandbox::default()
    };
    assert_eq!(field(create.start_command()), "start");
}

#[test]
fn cpus_are_given_once_and_make_sense() {
    let cpus = |cpus, milli_cpus| ResourcesRequest {
        cpus: Some(cpus),
        milli_cpus,
        ..ResourcesRequest::default()
    };
    assert_eq!(cpus(0.5, None).milli_cpus().unwrap(), Some(500));
    for nonsense in [0.0, -1.0, 1e9, f64::NAN, f64::INFINITY] {
        assert_eq!(field(cpus(nonsense, None).milli_cpus()), "resources.cpus");
    }
    assert_eq!(field(cpus(1.0, Some(1)).milli_cpus()), "resources.cpus");
}

#[test]
fn a_policy_that_contradicts_itself_is_refused() {
    let policy = |mode, deny: &[&str]| EgressPolicy {
        mode,
        allow_cidrs: Vec::new(),
        deny_cidrs: deny.iter().map(|net| (*net).to_owned()).collect(),
        allow_ports: Vec::new(),
        allow_domains: Vec::new(),
    };
    let denied = ["10.0.0.0/8"];
    let all = policy(EgressMode::AllowAll, &denied);
    assert_eq!(field(all.into_core()), "egress.deny_cidrs");
    let but = policy(EgressMode::AllowAllBut, &[]);
    assert_eq!(field(but.into_core()), "egress.deny_cidrs");
    policy(EgressMode::AllowAllBut, &denied)
        .into_core()
        .unwrap();
    let broken = policy(EgressMode::DenyAll, &["10.0.0.0/8", "x"]);
    assert_eq!(field(broken.into_core()), "egress.deny_cidrs[1]");
    let ports = EgressPolicy {
        allow_ports: vec![443],
        ..policy(EgressMode::DenyAll, &[])
    };
    assert_eq!(field(ports.into_core()), "egress.allow_ports");
}

#[test]
fn destinations_are_addresses_or_names() {
    let destination = |body| {
        let body: DestinationBody = serde_json::from_value(body).unwrap();
        body.into_core()
    };
    for good in [
        json!("203.0.113.7:443"),
        json!("[2001:db8::7]:443"),
        json!("203.0.113.7"),
        json!("example.com"),
        json!({"host": "203.0.113.7", "port": 53, "protocol": "udp"}),
        json!({"host": "203.0.113.7", "protocol": 47}),
    ] {
        destination(good).unwrap();
    }
    assert_eq!(field(destination(json!("a b"))), "destination");
    let named = json!({"host": "example.com", "port": 443});
    assert_eq!(field(destination(named)), "destination.host");
    let portless = json!({"host": "203.0.113.7", "protocol": "tcp"});
    assert_eq!(field(destination(portless)), "destination.port");
    let ported = json!({"host": "203.0.113.7", "port": 1, "protocol": "icmp"});
    assert_eq!(field(destination(ported)), "destination.port");
}

#[test]
fn modes_are_octal_and_permission_bits() {
    assert_eq!("0644".parse::<FileMode>().unwrap(), FileMode(0o644));
    assert_eq!("0o1777".parse::<FileMode>().unwrap().to_string(), "1777");
    for nonsense in ["", "0o", "8", "-1", "+7", "10000", "rw-r--r--"] {
        assert_eq!(field(nonsense.parse::<FileMode>()), "mode");
    }
}

#[test]
fn parameters_without_a_meaning_are_refused() {
    let check = |query: &str| {
        let pairs: serde_json::Map<_, _> = serde_json::from_str(query).unwrap();
        let query: FileQuery = serde_json::from_value(pairs.into()).unwrap();
        field(query.check())
    };
    assert_eq!(check(r#"{"list": true, "stat": true}"#), "stat");
    assert_eq!(check(r#"{"depth": 2}"#), "depth");
    assert_eq!(check(r#"{"stat": true, "limit": 2}"#), "limit");
    assert_eq!(check(r#"{"list": true, "offset": 2}"#), "offset");
    let list = |pairs: &[(&str, &str)]| field(ListSandboxes::from_pairs(pairs.iter().copied()));
    assert_eq!(list(&[("stauts", "running")]), "stauts");
    assert_eq!(list(&[("status", "asleep")]), "status");
    assert_eq!(list(&[("limit", "-1")]), "limit");
    assert_eq!(list(&[("cursor", "1"), ("cursor", "2")]), "cursor");
    assert_eq!(
        list(&[("metadata.a", "1"), ("metadata.a", "1")]),
        "metadata.a"
    );
}

#[test]
fn a_process_is_referred_to_in_three_ways() {
    assert_eq!("7".parse::<ProcessRef>().unwrap(), ProcessRef::Pid(7));
    for nonsense in ["", "+7", "4294967296", "web"] {
        assert_eq!(field(nonsense.parse::<ProcessRef>()), "pid");
    }
}

#[test]
fn a_chunk_has_its_bytes_once() {
    let chunk = |data: Option<&str>, base64: Option<&str>| OutputChunk {
        seq: 1,
        stream: OutputStream::Stdout,
        data: data.map(str::to_owned),
        data_base64: base64.map(str::to_owned),
    };
    for broken in [
        chunk(None, None),
        chunk(Some("a"), Some("YQ==")),
        chunk(None, Some("!")),
    ] {
        assert_eq!(broken.bytes().unwrap_err().kind(), ErrorKind::Internal);
    }
    assert_eq!(&chunk(None, Some("YQ==")).bytes().unwrap()[..], b"a");
}
