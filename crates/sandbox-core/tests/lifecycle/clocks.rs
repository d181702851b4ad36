//! Deadlines, the clock of the time to live, retries and usage, by example.

use std::time::Duration;

use sandbox_core::lifecycle::{
    Action, ActionError, ActionKind, Ephemeral, Failure, Input, Lifecycle, LifecyclePolicy,
    Observation, OnTimeout, Persistent, Request, State,
};
use sandbox_core::{ErrorKind, Timestamp};

use crate::checked::kinds;

const MINUTE: Duration = Duration::from_secs(60);

fn at(secs: u64) -> Timestamp {
    Timestamp::from_millis(secs * 1000)
}

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

fn away() -> ActionError {
    ActionError::new(ErrorKind::Unavailable, "the daemon is away")
}

/// Lives a minute and can be kept for two.
fn ephemeral(on_timeout: OnTimeout, pause_stops_clock: bool) -> LifecyclePolicy {
    LifecyclePolicy::new(Ephemeral {
        max_time_to_live: 2 * MINUTE,
        on_timeout,
        pause_stops_clock,
        ..Ephemeral::new(MINUTE)
    })
    .unwrap()
}

fn persistent() -> LifecyclePolicy {
    LifecyclePolicy::new(Persistent::new(MINUTE)).unwrap()
}

/// Asked for at 0 s, running since 100 s.
fn running(policy: LifecyclePolicy) -> Lifecycle {
    let (mut life, create) = Lifecycle::new(policy, at(0));
    assert_eq!(
        life.next_deadline(),
        None,
        "a slow creation is not cut short"
    );
    life.handle(create[0].succeeded(), at(100)).unwrap();
    life
}

fn ask(life: &mut Lifecycle, request: Request, now: u64) -> Vec<Action> {
    life.handle(request, at(now)).unwrap()
}

/// Asks for something and has it done at once.
fn done(life: &mut Lifecycle, input: impl Into<Input>, now: u64) {
    for action in life.handle(input, at(now)).unwrap() {
        life.handle(action.succeeded(), at(now)).unwrap();
    }
}

#[test]
fn the_time_to_live_begins_when_it_first_runs() {
    let life = running(ephemeral(OnTimeout::Kill, false));
    assert_eq!(life.expires_at(), Some(at(160)));
    assert_eq!(life.created_at(), at(0));
    assert_eq!(life.state_since(), at(100));
}

#[test]
fn the_end_kills_a_paused_sandbox_whose_clock_runs_on() {
    let mut life = running(ephemeral(OnTimeout::Kill, false));
    done(&mut life, Request::Pause, 110);
    assert_eq!(life.next_deadline(), Some(at(160)));
    let actions = life.handle(Input::Tick, at(160)).unwrap();
    assert_eq!(kinds(&actions), [ActionKind::Destroy]);
}

#[test]
fn a_stopped_clock_goes_on_with_what_was_left() {
    let mut life = running(ephemeral(OnTimeout::Kill, true));
    done(&mut life, Request::Pause, 120);
    assert_eq!((life.next_deadline(), life.expires_at()), (None, None));
    assert_eq!(life.time_left(at(9_999)), Some(secs(40)));
    done(&mut life, Request::Resume, 500);
    assert_eq!(life.expires_at(), Some(at(540)));
}

#[test]
fn a_timeout_that_pauses_begins_anew_on_resume() {
    for stops in [false, true] {
        let mut life = running(ephemeral(OnTimeout::Pause, stops));
        done(&mut life, Input::Tick, 160);
        assert_eq!(life.state(), State::Paused);
        assert_eq!(life.next_deadline(), None, "it waits as long as it takes");
        done(&mut life, Request::Resume, 1_000);
        assert_eq!(life.expires_at(), Some(at(1_060)));
    }
}

#[test]
fn a_timeout_set_while_paused_counts_from_the_resume() {
    let mut life = running(ephemeral(OnTimeout::Pause, true));
    done(&mut life, Input::Tick, 160);
    let time_to_live = secs(90);
    ask(&mut life, Request::SetTimeout { time_to_live }, 999);
    done(&mut life, Request::Resume, 1_000);
    assert_eq!(life.expires_at(), Some(at(1_090)));
}

#[test]
fn keep_alive_extends_to_the_maximum_and_never_shortens() {
    let mut life = running(ephemeral(OnTimeout::Kill, false));
    for (time_to_live, expires) in [(secs(1), 160), (secs(90), 190), (Duration::MAX, 220)] {
        ask(&mut life, Request::KeepAlive { time_to_live }, 100);
        assert_eq!(life.expires_at(), Some(at(expires)));
    }
}

#[test]
fn set_timeout_shortens_and_lengthens_to_the_maximum() {
    let mut life = running(ephemeral(OnTimeout::Kill, false));
    for (time_to_live, millis) in [
        (secs(5), 105_000),
        (Duration::MAX, 220_000),
        (Duration::ZERO, 100_001),
    ] {
        ask(&mut life, Request::SetTimeout { time_to_live }, 100);
        assert_eq!(life.expires_at(), Some(Timestamp::from_millis(millis)));
    }
}

#[test]
fn a_keep_alive_before_the_first_run_counts_from_the_first_run() {
    let (mut life, create) = Lifecycle::new(ephemeral(OnTimeout::Kill, false), at(0));
    let time_to_live = secs(90);
    ask(&mut life, Request::KeepAlive { time_to_live }, 1);
    life.handle(create[0].succeeded(), at(50)).unwrap();
    assert_eq!(life.expires_at(), Some(at(140)));
}

#[test]
fn activity_and_resume_push_the_idle_deadline_away() {
    let mut life = running(persistent());
    assert_eq!(life.next_deadline(), Some(at(160)));
    ask(&mut life, Request::Activity, 159);
    assert_eq!(life.next_deadline(), Some(at(219)));
    ask(&mut life, Request::Resume, 200);
    assert_eq!(life.next_deadline(), Some(at(260)));
    done(&mut life, Input::Tick, 260);
    assert_eq!(life.state(), State::Paused);
    assert_eq!(life.next_deadline(), None);
    done(&mut life, Request::Resume, 300);
    assert_eq!(life.next_deadline(), Some(at(360)));
}

#[test]
fn a_suspend_that_fails_is_tried_again_later_and_later() {
    for policy in [persistent(), ephemeral(OnTimeout::Pause, true)] {
        let mut life = running(policy);
        for (now, next) in [(160, 161), (161, 163), (163, 167)] {
            let pause = life.handle(Input::Tick, at(now)).unwrap();
            life.handle(pause[0].failed(away()), at(now)).unwrap();
            assert_eq!(life.state(), State::Running);
            assert_eq!(life.next_deadline(), Some(at(next)));
        }
        done(&mut life, Input::Tick, 167);
        assert_eq!(life.state(), State::Paused);
    }
}

#[test]
fn a_pause_that_failed_gives_no_time_away() {
    let mut life = running(ephemeral(OnTimeout::Kill, true));
    let pause = ask(&mut life, Request::Pause, 150);
    life.handle(pause[0].failed(away()), at(152)).unwrap();
    assert_eq!(life.next_deadline(), Some(at(162)));
}

#[test]
fn destroy_is_tried_again_without_end() {
    let mut life = running(persistent());
    let mut destroy = ask(&mut life, Request::Destroy, 100);
    let mut delays = Vec::new();
    for _ in 0..12 {
        let now = life.state_since().max(at(100_000));
        life.handle(destroy[0].failed(away()), now).unwrap();
        let next = life.next_deadline().unwrap();
        delays.push(next.since(now).as_secs());
        assert_eq!(ask(&mut life, Request::Destroy, 100_000), [], "it is known");
        destroy = life.handle(Input::Tick, next).unwrap();
        assert_eq!(kinds(&destroy), [ActionKind::Destroy]);
    }
    assert_eq!(delays, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]);
    life.handle(destroy[0].succeeded(), at(200_000)).unwrap();
    assert_eq!(life.state(), State::Destroyed);
}

#[test]
fn a_creation_that_fails_cleans_up_and_is_readable_for_one_time_to_live() {
    let (mut life, create) = Lifecycle::new(ephemeral(OnTimeout::Pause, true), at(0));
    let cleanup = life.handle(create[0].failed(away()), at(10)).unwrap();
    assert_eq!(kinds(&cleanup), [ActionKind::Destroy]);
    assert!(life.holds_resources());
    life.handle(cleanup[0].succeeded(), at(11)).unwrap();
    assert!(!life.holds_resources());
    let failure = life.failure().unwrap();
    assert_eq!(
        failure.to_string(),
        "it could not be created: the daemon is away"
    );
    assert_eq!(life.next_deadline(), Some(at(70)));
    done(&mut life, Input::Tick, 70);
    assert_eq!(life.state(), State::Destroyed);
}

#[test]
fn a_cleanup_that_fails_is_tried_again_and_survives_the_end_of_the_record() {
    let (mut life, create) = Lifecycle::new(ephemeral(OnTimeout::Kill, false), at(0));
    let mut cleanup = life.handle(create[0].failed(away()), at(10)).unwrap();
    // The record ends at 70 s. The sixth try would be at 73 s.
    for (now, next) in [(10, 11), (11, 13), (13, 17), (17, 25), (25, 41), (41, 70)] {
        life.handle(cleanup[0].failed(away()), at(now)).unwrap();
        assert_eq!(life.next_deadline(), Some(at(next)));
        assert_eq!(life.state(), State::Failed);
        cleanup = life.handle(Input::Tick, at(next)).unwrap();
    }
    assert_eq!(life.state(), State::Destroying);
    assert_eq!(cleanup, [], "the next try is not brought forward");
    assert_eq!(life.next_deadline(), Some(at(73)));
    done(&mut life, Input::Tick, 73);
    assert_eq!(life.state(), State::Destroyed);
}

#[test]
fn a_retry_and_the_end_of_the_record_due_at_once_are_one_destroy() {
    let (mut life, create) = Lifecycle::new(ephemeral(OnTimeout::Kill, false), at(0));
    let cleanup = life.handle(create[0].failed(away()), at(10)).unwrap();
    life.handle(cleanup[0].failed(away()), at(10)).unwrap();
    let actions = life.handle(Input::Tick, at(9_999)).unwrap();
    assert_eq!(kinds(&actions), [ActionKind::Destroy]);
    assert_eq!(life.state(), State::Destroying);
    assert_eq!(life.next_deadline(), None);
}

#[test]
fn a_persistent_sandbox_that_ran_out_of_memory_keeps_its_files_until_destroyed() {
    let mut life = running(persistent());
    assert_eq!(life.handle(Observation::OutOfMemory, at(110)).unwrap(), []);
    assert_eq!(life.failure(), Some(&Failure::OutOfMemory));
    assert!(life.holds_resources());
    assert_eq!(life.next_deadline(), None);
    let destroy = ask(&mut life, Request::Destroy, 9_999);
    assert_eq!(kinds(&destroy), [ActionKind::Destroy]);
}

#[test]
fn the_first_cause_of_a_failure_is_kept() {
    let mut life = running(persistent());
    life.handle(Observation::Exited { code: Some(3) }, at(110))
        .unwrap();
    life.handle(Observation::OutOfMemory, at(111)).unwrap();
    life.handle(Observation::Missing, at(112)).unwrap();
    assert_eq!(life.failure(), Some(&Failure::Exited { code: Some(3) }));
}

#[test]
fn a_deadline_that_passed_while_the_process_was_down_fires_at_the_first_tick() {
    let mut life = running(ephemeral(OnTimeout::Kill, false));
    assert_eq!(
        life.handle(Observation::FoundRunning, at(5_000)).unwrap(),
        []
    );
    let actions = life.handle(Input::Tick, at(5_000)).unwrap();
    assert_eq!(kinds(&actions), [ActionKind::Destroy]);
}

#[test]
fn usage_counts_running_time_alone_and_rounds_the_sum_up() {
    let mut life = running(persistent());
    let millis = Timestamp::from_millis;
    let pause = life.handle(Request::Pause, millis(100_400)).unwrap();
    life.handle(pause[0].succeeded(), millis(100_900)).unwrap();
    let resume = life.handle(Request::Resume, millis(200_000)).unwrap();
    life.handle(resume[0].succeeded(), millis(200_200)).unwrap();
    assert_eq!(life.usage(millis(200_300)).as_millis(), 500);
    assert_eq!(life.usage_seconds(millis(200_300)), 1);
    assert_eq!(life.usage_seconds(millis(200_800)), 1);
    assert_eq!(life.usage_seconds(millis(200_801)), 2);
}

#[test]
fn time_that_nobody_saw_it_run_is_not_counted() {
    for seen in [
        Observation::Missing,
        Observation::FoundBroken,
        Observation::FoundPaused,
    ] {
        let mut life = running(persistent());
        ask(&mut life, Request::Activity, 110);
        life.handle(seen, at(5_000)).unwrap();
        assert_eq!(life.usage_seconds(at(5_000)), 10, "{}", seen.name());
    }
}

#[test]
fn a_clock_set_back_keeps_usage_and_pulls_deadlines_within_reach() {
    let mut life = running(persistent());
    ask(&mut life, Request::Activity, 10_000);
    assert_eq!(life.handle(Input::Tick, at(200)).unwrap(), []);
    assert_eq!(life.next_deadline(), Some(at(260)));
    assert_eq!(life.usage_seconds(at(200)), 9_900);
    assert_eq!(life.usage_seconds(at(210)), 9_910);

    let mut life = running(ephemeral(OnTimeout::Kill, false));
    life.handle(Input::Tick, at(10)).unwrap();
    assert_eq!(
        life.expires_at(),
        Some(at(130)),
        "at most the maximum ahead"
    );

    let mut life = running(persistent());
    let destroy = ask(&mut life, Request::Destroy, 90_000);
    life.handle(destroy[0].failed(away()), at(90_000)).unwrap();
    life.handle(Input::Tick, at(100)).unwrap();
    assert_eq!(life.next_deadline(), Some(at(400)));
}
