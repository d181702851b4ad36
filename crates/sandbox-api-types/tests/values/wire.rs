//! Random values that only the wire has.

use std::time::Duration;

use proptest::prelude::*;
use sandbox_api_types::{
    ClientMessage, ErrorDetail, Event, EventKind, EventStreamItem, ExecResult, Gap, OutputExit,
    ProcessRef, ServerMessage, SignalName, StartProcess, Time,
};

use super::{command, egress_rules, exit_status, path, signal, time};

pub(crate) fn process_ref() -> impl Strategy<Value = ProcessRef> {
    prop_oneof![
        "proc_[0-9a-f]{32}".prop_map(ProcessRef::Id),
        any::<u32>().prop_map(ProcessRef::Pid),
        ".*".prop_map(ProcessRef::Tag),
    ]
}

pub(crate) fn client_message() -> impl Strategy<Value = ClientMessage> {
    prop_oneof![
        command().prop_map(|command| ClientMessage::Start(StartProcess::from_core(command, None))),
        Just(ClientMessage::CloseStdin),
        Just(ClientMessage::CloseWrite),
        signal().prop_map(|signal| ClientMessage::Signal {
            signal: SignalName(signal)
        }),
        any::<(u16, u16)>().prop_map(|(cols, rows)| ClientMessage::Resize { cols, rows }),
    ]
}

pub(crate) fn server_message() -> impl Strategy<Value = ServerMessage> {
    let process = (command(), time(), exit_status()).prop_map(|(command, at, status)| {
        let process = sandbox_api_types::Process::running("proc_1", 7, &command, Time(at));
        process.tagged(Some("x")).ended(Time(at), status)
    });
    prop_oneof![
        process.prop_map(|process| ServerMessage::Started { process }),
        any::<(u64, u64)>().prop_map(|(from, to)| ServerMessage::Gap(Gap { from, to })),
        (any::<u64>(), exit_status())
            .prop_map(|(seq, status)| ServerMessage::Exited(OutputExit::new(seq, status, None))),
        any::<u64>().prop_map(|bytes| ServerMessage::StdinTaken { bytes }),
        (".*", ".*", any::<bool>()).prop_map(|(code, message, fatal)| ServerMessage::Error {
            error: ErrorDetail::new(code, message),
            fatal,
        }),
        Just(ServerMessage::CloseWrite),
    ]
}

pub(crate) fn event_item() -> impl Strategy<Value = EventStreamItem> {
    let kind = prop_oneof![
        Just(EventKind::Created { template: None }),
        Just(EventKind::Running),
        (".*", any::<u32>()).prop_map(|(command, pid)| EventKind::CommandExecuted { command, pid }),
        (exit_status(), any::<u32>()).prop_map(|(status, pid)| EventKind::ProcessExited {
            process_id: "proc_1".to_owned(),
            pid,
            status: status.into(),
        }),
        (path(), path()).prop_map(|(from, to)| EventKind::FileMoved { from, to }),
        (path(), any::<u64>()).prop_map(|(path, size)| EventKind::FileWritten { path, size }),
        egress_rules().prop_map(|rules| EventKind::EgressUpdated {
            egress: rules.into()
        }),
        prop::option::of(time()).prop_map(|at| EventKind::TimeoutChanged {
            expires_at: at.map(Time)
        }),
        any::<u64>().prop_map(|count| EventKind::PermissionViolated { count }),
    ];
    let event = (any::<u64>(), time(), kind).prop_map(|(seq, at, kind)| {
        EventStreamItem::Event(Event {
            seq,
            at: Time(at),
            sandbox_id: Some("sbx_1".parse().unwrap()),
            kind,
        })
    });
    prop_oneof![
        event,
        any::<(u64, u64)>().prop_map(|(from, to)| EventStreamItem::Gap(Gap { from, to })),
    ]
}

pub(crate) fn exec_result(stdout: &[u8], stderr: &[u8]) -> ExecResult {
    let status = sandbox_core::ExitStatus::from_code(3);
    ExecResult::from_parts(stdout, stderr, status, Duration::from_millis(5))
}
