//! Random values of the core.

mod wire;

use std::net::IpAddr;
use std::time::Duration;

use proptest::prelude::*;
use sandbox_core::egress::{Destination, EgressRules, Protocol, RawEgressRules};
use sandbox_core::lifecycle::{
    Ephemeral, Lifecycle, LifecyclePolicy, Mode, Observation, OnTimeout, Persistent, Request,
};
use sandbox_core::{
    Capabilities, Command, ErrorKind, Exit, ExitStatus, FileChange, FileEvent, FileInfo, FileKind,
    KillCause, Link, LinkTarget, OutputStream, ProcessInfo, Program, PtySize, Resources, SandboxId,
    SandboxPath, SandboxSpec, Signal, SnapshotId, Source, Stats, Timestamp, User,
};

pub(crate) use self::wire::{client_message, event_item, exec_result, process_ref, server_message};

pub(crate) fn path() -> impl Strategy<Value = SandboxPath> {
    prop_oneof![
        "(/[^/\0]{1,20}){0,4}".prop_filter_map("climbs", |text| {
            SandboxPath::new(format!("/{text}")).ok()
        }),
        Just(SandboxPath::root()),
    ]
}

pub(crate) fn user() -> impl Strategy<Value = User> {
    "[a-z][a-z0-9_]{0,9}(:[a-z]{1,9})?".prop_map(|text| text.parse().unwrap())
}

pub(crate) fn time() -> impl Strategy<Value = Timestamp> {
    (0..=253_402_300_799_999u64).prop_map(Timestamp::from_millis)
}

fn millis() -> impl Strategy<Value = Duration> {
    any::<u64>().prop_map(|ms| Duration::from_millis(ms >> 8))
}

fn kind() -> impl Strategy<Value = FileKind> {
    use FileKind::{Directory, File, Other, Symlink};
    prop::sample::select(vec![File, Directory, Symlink, Other])
}

pub(crate) fn file_info() -> impl Strategy<Value = FileInfo> {
    let target = (path(), kind()).prop_map(|(path, kind)| LinkTarget { path, kind });
    let link = (".*", prop::option::of(target)).prop_map(|(text, target)| Link { text, target });
    let names = (prop::option::of(".*"), prop::option::of(".*"));
    let ids: (_, _, _) = (any::<u64>(), any::<u32>(), any::<u32>());
    let rest = (0..=0o7777u32, time(), prop::option::of(link));
    (path(), kind(), ids, names, rest).prop_map(
        |(path, kind, (size, uid, gid), (owner, group), (mode, modified, link))| {
            let mut info = FileInfo::new(path, kind, size);
            (info.uid, info.gid, info.owner, info.group) = (uid, gid, owner, group);
            (info.mode, info.modified, info.link) = (mode, modified, link);
            info
        },
    )
}

pub(crate) fn file_event() -> impl Strategy<Value = FileEvent> {
    use FileChange::{Chmod, Create, Overflow, Remove, Rename, Write};
    let change = prop::sample::select(vec![Create, Write, Chmod, Rename, Remove, Overflow]);
    (change, path()).prop_map(|(change, path)| FileEvent { change, path })
}

pub(crate) fn stats() -> impl Strategy<Value = Stats> {
    let numbers: [_; 5] = std::array::from_fn(|_| any::<u64>());
    let disk = (any::<Option<u64>>(), any::<Option<u64>>());
    (millis(), numbers, any::<u32>(), disk).prop_map(|(cpu_time, n, pids, (disk, limit))| {
        let mut stats = Stats::default();
        stats.cpu_time = cpu_time;
        (stats.memory, stats.memory_limit, stats.memory_cache) = (n[0], n[1], n[2]);
        (stats.network_received, stats.network_sent) = (n[3], n[4]);
        (stats.pids, stats.disk, stats.disk_limit) = (pids, disk, limit);
        stats
    })
}

pub(crate) fn process_info() -> impl Strategy<Value = ProcessInfo> {
    let argv = prop::collection::vec(".*", 0..4);
    let numbers: [_; 3] = std::array::from_fn(|_| any::<u32>());
    (argv, numbers, any::<bool>(), any::<u64>(), millis()).prop_map(
        |(argv, [pid, parent, uid], spawned, memory, cpu_time)| {
            let mut info = ProcessInfo::new(pid, parent, argv);
            (info.uid, info.spawned, info.memory, info.cpu_time) = (uid, spawned, memory, cpu_time);
            info
        },
    )
}

pub(crate) fn capabilities() -> impl Strategy<Value = Capabilities> {
    let classes = prop::collection::vec("[a-z]{1,9}", 0..3);
    let limits = (
        any::<Option<u32>>(),
        any::<Option<u64>>(),
        any::<Option<u64>>(),
    );
    (any::<u32>(), classes, limits).prop_map(|(bits, classes, (cpus, memory, disk))| {
        let on = |bit: u32| bits >> bit & 1 == 1;
        let mut all = Capabilities::default();
        (all.pause, all.pty, all.stdin, all.timeout) = (on(0), on(1), on(2), on(3));
        (all.signals, all.processes, all.attach, all.users) = (on(4), on(5), on(6), on(7));
        (all.watch, all.connect, all.snapshot) = (on(8), on(9), on(10));
        (all.native_binaries, all.recover) = (on(11), on(12));
        all.runtime_classes = classes;
        (all.limits.cpu, all.limits.memory, all.limits.disk) = (on(13), on(14), on(15));
        (all.limits.pids, all.limits.open_files) = (on(16), on(17));
        (
            all.limits.max_milli_cpus,
            all.limits.max_memory,
            all.limits.max_disk,
        ) = (cpus, memory, disk);
        (all.egress.allow_all, all.egress.cidrs, all.egress.ports) = (on(18), on(19), on(20));
        (all.egress.domains, all.egress.live_update) = (on(21), on(22));
        all
    })
}

fn signal() -> impl Strategy<Value = Signal> {
    (1..=64i32).prop_map(|number| Signal::new(number).unwrap())
}

pub(crate) fn exit_status() -> impl Strategy<Value = ExitStatus> {
    let exit = prop_oneof![
        any::<u8>().prop_map(Exit::Code),
        signal().prop_map(Exit::Signal),
        Just(Exit::Lost),
    ];
    let causes = vec![None, Some(KillCause::Timeout), Some(KillCause::OutOfMemory)];
    (exit, prop::sample::select(causes)).prop_map(|(exit, cause)| ExitStatus { exit, cause })
}

pub(crate) fn stream() -> impl Strategy<Value = OutputStream> {
    use OutputStream::{Pty, Stderr, Stdout};
    prop::sample::select(vec![Stdout, Stderr, Pty])
}

pub(crate) fn error_kind() -> impl Strategy<Value = ErrorKind> {
    prop::sample::select(vec![
        ErrorKind::InvalidSpec,
        ErrorKind::NotFound,
        ErrorKind::Conflict,
        ErrorKind::Unsupported,
        ErrorKind::PermissionDenied,
        ErrorKind::LimitExceeded,
        ErrorKind::Timeout,
        ErrorKind::Unavailable,
        ErrorKind::Internal,
    ])
}

pub(crate) fn egress_rules() -> impl Strategy<Value = EgressRules> {
    let net = (any::<IpAddr>(), any::<u8>()).prop_map(|(address, bits)| {
        let most = if address.is_ipv4() { 32 } else { 128 };
        ipnet::IpNet::new_assert(address, bits % (most + 1)).to_string()
    });
    let nets = || prop::collection::vec(net.clone(), 0..4);
    let ports = prop::collection::vec(1..=65535i64, 0..3);
    let domains = prop::collection::vec("(\\*\\.)?[a-z]{1,9}\\.[a-z]{2,5}", 0..3);
    (any::<bool>(), nets(), nets(), ports, domains).prop_map(
        |(all, allow_cidrs, deny_cidrs, allow_ports, allow_domains)| {
            let ports = !all && !allow_cidrs.is_empty();
            let raw = RawEgressRules {
                mode: if all { "allow_all" } else { "deny_all" }.to_owned(),
                allow_cidrs: if all { Vec::new() } else { allow_cidrs },
                deny_cidrs,
                allow_ports: if ports { allow_ports } else { Vec::new() },
                allow_domains: if all { Vec::new() } else { allow_domains },
            };
            raw.parse().unwrap()
        },
    )
}

pub(crate) fn destination() -> impl Strategy<Value = Destination> {
    let protocol = prop_oneof![
        any::<u16>().prop_map(Protocol::Tcp),
        any::<u16>().prop_map(Protocol::Udp),
        Just(Protocol::Icmp),
        any::<u8>().prop_map(Protocol::Other),
    ];
    prop_oneof![
        (any::<IpAddr>(), protocol).prop_map(|(to, by)| Destination::address(to, by)),
        "[a-z]{1,9}\\.[a-z]{2,5}".prop_map(|name| Destination::lookup(&name).unwrap()),
    ]
}

pub(crate) fn command() -> impl Strategy<Value = Command> {
    (short_command(), any::<bool>(), 1..=31_536_000_000u64).prop_map(|(command, pty, timeout)| {
        let command = command.timeout(Duration::from_millis(timeout));
        match pty {
            true => command.pty(PtySize { cols: 1, rows: 2 }).piped_stdin(),
            false => command,
        }
    })
}

/// A command that may be run to its end: on no terminal, for at most five minutes.
pub(crate) fn short_command() -> impl Strategy<Value = Command> {
    let program = prop_oneof![
        "[^\0]{0,20}x".prop_map(Program::Shell),
        prop::collection::vec("[^\0]{1,9}", 1..4).prop_map(Program::Argv),
    ];
    let env = prop::collection::btree_map("[A-Z]{1,9}", "[^\0]{0,9}", 0..3);
    let place = (prop::option::of(path()), prop::option::of(user()));
    (program, env, place, 1..=300_000_000_000u64).prop_map(|(program, env, (cwd, user), nanos)| {
        let mut command = match program {
            Program::Shell(line) => Command::shell(line),
            Program::Argv(argv) => Command::argv(argv),
        };
        (command.env, command.cwd, command.user) = (env, cwd, user);
        command.timeout(Duration::from_nanos(nanos))
    })
}

pub(crate) fn source() -> impl Strategy<Value = Source> {
    prop_oneof![
        "[a-z]{1,9}(:[a-z0-9]{1,9})?".prop_map(Source::Image),
        any::<[u8; 16]>().prop_map(|random| Source::Snapshot(SnapshotId::from_random(random))),
    ]
}

fn policy() -> impl Strategy<Value = LifecyclePolicy> {
    let duration = (1..=86_400_000u64).prop_map(Duration::from_millis);
    let what = prop::sample::select(vec![OnTimeout::Kill, OnTimeout::Pause]);
    (any::<bool>(), duration, what, any::<bool>()).prop_map(
        |(persistent, duration, on_timeout, wake)| {
            let mode = match persistent {
                true => Mode::Persistent(Persistent::new(duration)),
                false => Mode::Ephemeral(Ephemeral {
                    on_timeout,
                    ..Ephemeral::new(duration)
                }),
            };
            LifecyclePolicy::new(mode).unwrap().with_auto_wake(wake)
        },
    )
}

pub(crate) fn spec() -> impl Strategy<Value = SandboxSpec> {
    let maps = || prop::collection::btree_map("[A-Za-z]{1,9}", "[^\0]{0,9}", 0..3);
    let place = (prop::option::of(path()), prop::option::of(user()));
    let labels = || prop::option::of("[a-z][a-z0-9]{0,20}");
    let sizes = (10..=1_024_000u32, prop::option::of((1u64 << 20)..(1 << 50)));
    let parts = (source(), sizes, maps(), maps(), place);
    let rest = (labels(), labels(), egress_rules(), policy());
    (any::<[u8; 16]>(), parts, rest).prop_map(|(id, parts, rest)| {
        let (source, (milli_cpus, disk), env, metadata, (workdir, user)) = parts;
        let (hostname, class, egress, lifecycle) = rest;
        let resources = Resources {
            milli_cpus,
            disk,
            ..Resources::default()
        };
        let mut spec = SandboxSpec::builder(SandboxId::from_random(id), source)
            .resources(resources)
            .envs(env)
            .metadatas(metadata)
            .egress(egress)
            .lifecycle(lifecycle);
        if let Some(workdir) = workdir {
            spec = spec.workdir(workdir);
        }
        if let Some(user) = user {
            spec = spec.user(user);
        }
        if let Some(hostname) = hostname {
            spec = spec.hostname(hostname);
        }
        if let Some(class) = class {
            spec = spec.runtime_class(class);
        }
        spec.build().unwrap()
    })
}

/// `spec` as it is shown.
pub(crate) fn without_env(spec: &SandboxSpec) -> SandboxSpec {
    let mut json = serde_json::to_value(spec).unwrap();
    json["env"] = serde_json::json!({});
    serde_json::from_value(json).unwrap()
}

/// A sandbox of `spec` after some of its life.
pub(crate) fn sandbox(
    spec: &SandboxSpec,
    inputs: &[u8],
    now: Timestamp,
) -> sandbox_api_types::Sandbox {
    let (mut life, mut actions) = Lifecycle::new(spec.lifecycle().clone(), now);
    for input in inputs {
        let result = match (input, actions.first()) {
            (0..3, Some(action)) => life.handle(action.succeeded(), now),
            (3, _) => life.handle(Request::Pause, now),
            (4, _) => life.handle(Observation::Exited { code: Some(3) }, now),
            _ => life.handle(Request::Destroy, now),
        };
        actions = result.unwrap_or_default();
    }
    sandbox_api_types::SandboxView {
        spec,
        egress: spec.egress(),
        lifecycle: &life,
        runtime: &"docker".parse().unwrap(),
        size: Some("shared-cpu-1x"),
        available: true,
        now,
    }
    .into()
}
