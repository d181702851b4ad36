//! What goes onto the wire comes off it as it was.

mod values;

use std::fmt::Debug;

use proptest::prelude::*;
use sandbox_api_types::{
    Capabilities, ClientMessage, CreateSandbox, DestinationBody, EgressPolicy, ErrorBody,
    ErrorDetail, ExecRequest, ExitStatus, FileEvent, FileInfo, FileQuery, Gap, ListSandboxes,
    MakeDirectory, OutputChunk, OutputEvent, OutputExit, OutputFrame, OutputStream, Prepare,
    ProcessRef, Progress, SandboxStatus, ServerMessage, SignalName, SseEvent, StartProcess, Stats,
    SystemProcess, WatchEvent, WriteQuery,
};
use sandbox_core::egress::EgressRules;
use sandbox_core::lifecycle::State;
use sandbox_core::{Stdin, WriteOptions};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Over JSON and back.
fn wire<T: Serialize + DeserializeOwned>(value: &T) -> T {
    let json = serde_json::to_string(value).unwrap();
    serde_json::from_str(&json).unwrap_or_else(|e| panic!("{e}: {json}"))
}

/// Over an event and back.
fn sse<T: SseEvent>(value: &T) -> T {
    let (name, data) = value.encode().unwrap();
    assert!(!data.contains('\n'), "an event's data is one line");
    T::decode(name, &data).unwrap().unwrap()
}

fn same<T: PartialEq + Debug>(left: T, right: T) -> Result<(), TestCaseError> {
    prop_assert_eq!(left, right);
    Ok(())
}

proptest! {
    #[test]
    fn file_attributes(info in values::file_info()) {
        let back = wire(&FileInfo::from(info.clone()));
        same(sandbox_core::FileInfo::from(back), info)?;
    }

    #[test]
    fn file_attributes_beside_the_content(info in values::file_info()) {
        let mut there = FileInfo::from(info);
        there.link = None;
        there.kind = sandbox_api_types::FileKind::File;
        let ascii = |name: &String| !name.is_empty() && name.bytes().all(|b| b.is_ascii_graphic());
        there.owner = there.owner.filter(ascii);
        there.group = there.group.filter(ascii);
        let headers = there.to_headers();
        for (_, value) in &headers {
            prop_assert!(value.bytes().all(|b| b.is_ascii_graphic()), "{value:?}");
        }
        let get = |name| headers.iter().find(|(n, _)| *n == name).map(|(_, v)| v.as_str());
        same(FileInfo::from_headers(there.path.clone(), get).unwrap(), there)?;
    }

    #[test]
    fn file_events(event in values::file_event()) {
        let there = WatchEvent::Change(FileEvent::from(event.clone()));
        let WatchEvent::Change(back) = sse(&there) else { panic!("another event") };
        same(sandbox_core::FileEvent::from(back), event)?;
    }

    #[test]
    fn stats(stats in values::stats()) {
        same(sandbox_core::Stats::from(wire(&Stats::from(stats.clone()))), stats)?;
    }

    #[test]
    fn processes_of_the_system(info in values::process_info()) {
        let back = wire(&SystemProcess::from(info.clone()));
        same(sandbox_core::ProcessInfo::from(back), info)?;
    }

    #[test]
    fn capabilities(capabilities in values::capabilities()) {
        let back = wire(&Capabilities::from(capabilities.clone()));
        same(sandbox_core::Capabilities::from(back), capabilities)?;
    }

    #[test]
    fn progress(message in ".*", current: u64, total: Option<u64>) {
        let progress = sandbox_core::Progress { message, current, total };
        same(sandbox_core::Progress::from(wire(&Progress::from(progress.clone()))), progress)?;
    }

    #[test]
    fn exit_statuses(status in values::exit_status()) {
        let back = wire(&ExitStatus::from(status));
        same(sandbox_core::ExitStatus::try_from(back).unwrap(), status)?;
    }

    #[test]
    fn signals(number in 1..=64) {
        let signal = sandbox_core::Signal::new(number).unwrap();
        same(wire(&SignalName(signal)).0, signal)?;
    }

    #[test]
    fn egress_rules(rules in values::egress_rules()) {
        let back: EgressRules = wire(&EgressPolicy::from(&rules)).into_core().unwrap();
        same(back, rules)?;
    }

    #[test]
    fn destinations(destination in values::destination()) {
        let back = wire(&DestinationBody::from(&destination));
        same(back.into_core().unwrap(), destination)?;
    }

    #[test]
    fn commands(command in values::command(), tag in prop::option::of(".{0,20}")) {
        let there = StartProcess::from_core(command.clone(), tag.clone());
        same(wire(&there).into_core().unwrap(), (command, tag))?;
    }

    #[test]
    fn commands_with_input(
        command in values::short_command(),
        input in prop::option::of(prop::collection::vec(any::<u8>(), 0..40)),
    ) {
        let mut command = command;
        command.stdin = if input.is_some() { Stdin::Piped } else { Stdin::Null };
        let input = input.map(bytes::Bytes::from);
        let there = ExecRequest::from_core(command.clone(), input.clone());
        same(wire(&there).into_core().unwrap(), (command, input))?;
    }

    #[test]
    fn specs(spec in values::spec()) {
        let back = wire(&CreateSandbox::from_spec(&spec, None));
        same(back.id.as_ref(), Some(spec.id()))?;
        same(back.source().unwrap().as_ref(), Some(spec.source()))?;
        same(&back.lifecycle().unwrap(), spec.lifecycle())?;
        let egress = back.egress.clone().map(|egress| egress.into_core().unwrap());
        same(egress.as_ref(), Some(spec.egress()))?;
        let resources = back.resources.clone().unwrap();
        same(resources.milli_cpus().unwrap(), Some(spec.resources().milli_cpus))?;
        same(resources.memory, Some(spec.resources().memory))?;
        same(resources.disk, spec.resources().disk)?;
        same(resources.pids, Some(spec.resources().pids))?;
        same(resources.open_files, Some(spec.resources().open_files))?;
        same(&back.env, spec.env())?;
        same(&back.metadata, spec.metadata())?;
        same(back.workdir.as_ref(), spec.workdir())?;
        same(back.user.as_ref(), spec.user())?;
        same(back.hostname.as_deref(), spec.hostname())?;
        same(back.runtime_class.as_deref(), spec.runtime_class())?;
    }

    #[test]
    fn sandboxes(
        spec in values::spec(),
        inputs in prop::collection::vec(0..6u8, 0..6),
        now in values::time(),
    ) {
        let sandbox = values::sandbox(&spec, &inputs, now);
        same(wire(&sandbox), sandbox.clone())?;
        // What is shown is all of the spec but its environment and fractions of a second.
        let shown = sandbox.to_spec().unwrap();
        let without_env = values::without_env(&spec);
        same(shown.to_builder().lifecycle(spec.lifecycle().clone()).build().unwrap(), without_env)?;
        let whole = sandbox.to_spec_with(spec.env().clone()).unwrap();
        same(whole.env(), spec.env())?;
    }

    #[test]
    fn errors(kind in values::error_kind(), message in ".*", field in prop::option::of(".*")) {
        let mut error = sandbox_core::Error::new(kind, "test.there", message);
        if let Some(field) = field {
            error = error.with_field(field);
        }
        let back = wire(&ErrorBody::from(&error)).error.into_error("test.back");
        same(back.kind(), error.kind())?;
        same(back.message(), error.message())?;
        same(back.field(), error.field())?;
        same(back.operation(), "test.back")?;
    }

    #[test]
    fn frames(seq: u64, stream in values::stream(), data in prop::collection::vec(any::<u8>(), 1..99)) {
        let frame = OutputFrame { stream: stream.into(), seq, data: data.into() };
        let back = OutputFrame::decode(frame.encode()).unwrap();
        same(sandbox_core::OutputStream::from(back.stream), stream)?;
        same(back, frame)?;
    }

    #[test]
    fn no_message_makes_a_frame_panic(message in prop::collection::vec(any::<u8>(), 0..32)) {
        let _ = OutputFrame::decode(message.into());
    }

    #[test]
    fn chunks(seq: u64, data in prop::collection::vec(any::<u8>(), 0..40)) {
        let there = OutputEvent::Output(OutputChunk::new(seq, OutputStream::Stdout, &data));
        let OutputEvent::Output(back) = sse(&there) else { panic!("another event") };
        same(back.seq, seq)?;
        same(&back.bytes().unwrap()[..], &data[..])?;
    }

    #[test]
    fn messages(message in values::server_message()) {
        same(wire(&message), message)?;
    }

    #[test]
    fn messages_of_the_client(message in values::client_message()) {
        same(wire(&message), message)?;
    }

    #[test]
    fn ends(seq: u64, status in values::exit_status(), duration in prop::option::of(any::<u32>())) {
        let duration = duration.map(|ms| std::time::Duration::from_millis(ms.into()));
        let there = OutputEvent::Exit(OutputExit::new(seq, status, duration));
        same(sse(&there), there)?;
    }

    #[test]
    fn events(item in values::event_item()) {
        same(sse(&item), item)?;
    }

    #[test]
    fn directories(path in values::path(), mode in prop::option::of(0..=0o7777u32), create_parents: bool) {
        let options = sandbox_core::MakeDirOptions { mode, user: None, create_parents };
        let there = MakeDirectory::from_core(path.clone(), options.clone());
        same(wire(&there).into_core(), (path, options))?;
    }

    #[test]
    fn write_options(mode in prop::option::of(0..=0o7777u32), user in prop::option::of(values::user()), create_parents: bool) {
        let options = WriteOptions { mode, user, create_parents };
        same(WriteOptions::from(wire(&WriteQuery::from(options.clone()))), options)?;
    }

    #[test]
    fn read_options(offset: u64, length: Option<u64>) {
        let options = sandbox_core::ReadOptions { offset, length };
        let query = wire(&FileQuery::from(options));
        query.check().unwrap();
        same(query.read_options(), options)?;
    }

    #[test]
    fn list_options(depth: u32, limit: u32) {
        let options = sandbox_core::ListOptions { depth, limit };
        let query = wire(&FileQuery::from(options));
        query.check().unwrap();
        same(query.list_options(), options)?;
    }

    #[test]
    fn sources(source in values::source()) {
        same(wire(&Prepare::from_core(source.clone(), None)).source().unwrap(), Some(source))?;
    }

    #[test]
    fn lists(
        status in prop::option::of(prop::sample::select(SandboxStatus::ALL.to_vec())),
        limit: Option<u16>,
        cursor in prop::option::of("[0-9a-f]{1,16}"),
        metadata in prop::collection::btree_map(".{0,8}", ".{0,8}", 0..4),
    ) {
        let list = ListSandboxes { status, limit: limit.map(usize::from), cursor, metadata };
        same(ListSandboxes::from_pairs(list.to_pairs()).unwrap(), list)?;
    }

    #[test]
    fn references(reference in values::process_ref()) {
        same(reference.to_string().parse::<ProcessRef>().unwrap(), reference)?;
    }

    #[test]
    fn gaps(from: u64, to: u64) {
        let there = OutputEvent::Gap(Gap { from, to });
        same(sse(&there), there)?;
    }

    #[test]
    fn answers_of_exec(stdout in prop::collection::vec(any::<u8>(), 0..40), stderr in ".*") {
        let result = values::exec_result(&stdout, stderr.as_bytes());
        let back = wire(&result);
        same(&back.stdout_bytes().unwrap()[..], &stdout[..])?;
        same(&back.stderr_bytes().unwrap()[..], stderr.as_bytes())?;
        same(back.stderr, stderr)?;
    }
}

#[test]
fn every_state_has_one_status_and_every_status_its_states() {
    for state in State::ALL {
        let status = SandboxStatus::from(state);
        assert!(status.states().contains(&state), "{state}");
    }
    let states: usize = SandboxStatus::ALL
        .map(|one| one.states().len())
        .iter()
        .sum();
    assert_eq!(states, State::ALL.len());
}

#[test]
fn an_error_of_a_newer_server_is_internal() {
    let detail = ErrorDetail::new("teapot", "is short and stout");
    assert_eq!(detail.kind(), sandbox_core::ErrorKind::Internal);
}

#[test]
fn messages_and_events_of_a_newer_server_are_told_apart_from_broken_ones() {
    assert_eq!(OutputEvent::decode("aroma", "{}").unwrap(), None);
    assert!(OutputEvent::decode("gap", "{}").is_err());
    let unknown = r#"{"type":"aroma","strength":3}"#;
    assert!(serde_json::from_str::<ServerMessage>(unknown).is_err());
    assert!(serde_json::from_str::<ClientMessage>(unknown).is_err());
    let event = r#"{"seq":1,"at":"2026-01-02T03:04:05Z","sandbox_id":null,"type":"aroma","x":[1]}"#;
    let event: sandbox_api_types::Event = serde_json::from_str(event).unwrap();
    assert_eq!(event.kind, sandbox_api_types::EventKind::Unknown);
}
