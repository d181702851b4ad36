//! What the properties are tried with.

use std::time::Duration;

use proptest::prelude::*;
use sandbox_core::ErrorKind;
use sandbox_core::lifecycle::{
    ActionError, Ephemeral, LifecyclePolicy, OnTimeout, Persistent, Request,
};

pub(crate) fn policies() -> impl Strategy<Value = LifecyclePolicy> {
    let ephemeral = (1..60_000u64, 0..60_000u64, any::<bool>(), any::<bool>()).prop_map(
        |(time_to_live, more, pause, pause_stops_clock)| {
            LifecyclePolicy::new(Ephemeral {
                time_to_live: Duration::from_millis(time_to_live),
                max_time_to_live: Duration::from_millis(time_to_live + more),
                on_timeout: if pause {
                    OnTimeout::Pause
                } else {
                    OnTimeout::Kill
                },
                pause_stops_clock,
            })
            .unwrap()
        },
    );
    let persistent = (1..60_000u64).prop_map(|idle| {
        LifecyclePolicy::new(Persistent::new(Duration::from_millis(idle))).unwrap()
    });
    (prop_oneof![ephemeral, persistent], any::<bool>())
        .prop_map(|(policy, auto_wake)| policy.with_auto_wake(auto_wake))
}

pub(crate) fn requests() -> impl Strategy<Value = Request> {
    let durations = prop_oneof![
        (0..200_000_000u64).prop_map(Duration::from_micros),
        Just(Duration::MAX)
    ];
    prop_oneof![
        4 => Just(Request::Pause),
        4 => Just(Request::Resume),
        1 => Just(Request::Destroy),
        4 => Just(Request::Activity),
        2 => durations.clone().prop_map(|time_to_live| Request::KeepAlive { time_to_live }),
        2 => durations.prop_map(|time_to_live| Request::SetTimeout { time_to_live }),
    ]
}

pub(crate) fn errors() -> impl Strategy<Value = ActionError> {
    prop_oneof![Just(ErrorKind::Unavailable), Just(ErrorKind::Unsupported)]
        .prop_map(|kind| ActionError::new(kind, "it did not work"))
}
