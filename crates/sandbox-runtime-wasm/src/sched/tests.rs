//! The executor as its users see it.

use std::future::{pending, poll_fn};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::task::Poll;
use std::thread;
use std::time::{Duration, Instant};

use super::{Executor, Group, slice_over};

/// Far longer than anything here takes, on any machine.
const PATIENCE: Duration = Duration::from_secs(60);

fn executor(workers: usize) -> (Executor, Arc<AtomicU64>) {
    let ticks = Arc::new(AtomicU64::new(0));
    let counted = ticks.clone();
    let executor = Executor::new(workers, move || {
        counted.fetch_add(1, Ordering::Relaxed);
    });
    (executor.unwrap(), ticks)
}

/// Waits until `done`.
fn eventually(mut done: impl FnMut() -> bool) {
    let began = Instant::now();
    while !done() {
        assert!(began.elapsed() < PATIENCE, "it never came to be");
        thread::sleep(Duration::from_millis(1));
    }
}

/// Keeps a worker busy from when this returns until the answer is sent to.
fn occupy(group: &Arc<Group>) -> Sender<()> {
    let (release, released) = channel::<()>();
    let (begun, begins) = channel();
    group.spawn(async move {
        begun.send(()).unwrap();
        let _released = released.recv();
    });
    begins.recv_timeout(PATIENCE).unwrap();
    release
}

/// Spawns a task that says its name.
fn name(group: &Arc<Group>, names: &Sender<&'static str>, name: &'static str) {
    let names = names.clone();
    group.spawn(async move { names.send(name).unwrap() });
}

fn next(names: &Receiver<&'static str>) -> &'static str {
    names.recv_timeout(PATIENCE).unwrap()
}

/// Uses CPU time until the group has had `time` more.
fn burn(group: &Arc<Group>, time: Duration) {
    let (done, finished) = channel();
    group.spawn(async move {
        let began = Instant::now();
        while began.elapsed() < time {
            std::hint::spin_loop();
        }
        done.send(()).unwrap();
    });
    finished.recv_timeout(PATIENCE).unwrap();
}

#[test]
fn the_group_that_has_had_least_goes_first() {
    let (executor, _) = executor(1);
    let [busy, greedy, modest] = [(); 3].map(|()| executor.group(1000));
    burn(&greedy, Duration::from_millis(30));
    let (names, said) = channel();
    let release = occupy(&busy);
    name(&greedy, &names, "greedy");
    name(&modest, &names, "modest");
    release.send(()).unwrap();
    assert_eq!([next(&said), next(&said)], ["modest", "greedy"]);
}

#[test]
fn tasks_of_one_group_run_in_the_order_they_came() {
    let (executor, _) = executor(1);
    let group = executor.group(1000);
    let (names, said) = channel();
    let release = occupy(&group);
    for each in ["a", "b", "c"] {
        name(&group, &names, each);
    }
    release.send(()).unwrap();
    assert_eq!([next(&said), next(&said), next(&said)], ["a", "b", "c"]);
}

#[test]
fn what_a_group_did_not_use_while_it_slept_is_not_owed_to_it() {
    let (executor, _) = executor(1);
    let [old, worker] = [(); 2].map(|()| executor.group(1000));
    for _ in 0..5 {
        burn(&worker, Duration::from_millis(5));
    }
    burn(&old, Duration::from_micros(1));
    let had = |group: &Arc<Group>| group.state.lock().had;
    eventually(|| had(&old) > 0);
    assert!(
        had(&old) + 10_000_000 > had(&worker),
        "it starts near the others"
    );
}

#[test]
fn a_paused_group_stands_still_while_others_run() {
    let (executor, _) = executor(1);
    let [paused, other] = [(); 2].map(|()| executor.group(1000));
    let (names, said) = channel();
    paused.pause();
    name(&paused, &names, "paused");
    name(&other, &names, "other");
    assert_eq!(next(&said), "other");
    name(&other, &names, "other");
    assert_eq!(next(&said), "other");
    paused.resume();
    assert_eq!(next(&said), "paused");
}

#[test]
fn pausing_makes_what_runs_yield_and_waits_for_it() {
    let (executor, _) = executor(1);
    let group = executor.group(1000);
    let (begun, begins) = channel();
    group.spawn(async move {
        begun.send(()).unwrap();
        poll_fn(|cx| {
            while !slice_over() {
                std::hint::spin_loop();
            }
            cx.waker().wake_by_ref();
            Poll::<()>::Pending
        })
        .await;
    });
    begins.recv_timeout(PATIENCE).unwrap();
    group.pause();
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(group.quiet());
    let used = group.cpu_time();
    thread::sleep(Duration::from_millis(5));
    assert_eq!(group.cpu_time(), used, "it runs no more");
}

#[test]
fn a_group_past_its_rate_waits_while_others_run() {
    let (executor, _) = executor(1);
    // A hundredth of a CPU: a millisecond at once.
    let [slow, other] = [10, 1000].map(|rate| executor.group(rate));
    burn(&slow, Duration::from_millis(3));
    eventually(|| slow.state.lock().throttled);
    let (names, said) = channel();
    name(&slow, &names, "slow");
    name(&other, &names, "other");
    assert_eq!([next(&said), next(&said)], ["other", "slow"]);
}

#[test]
fn a_slice_ends_when_somebody_who_has_had_less_waits() {
    let (executor, ticks) = executor(1);
    let [greedy, modest] = [(); 2].map(|()| executor.group(1000));
    let (names, said) = channel();
    let other = names.clone();
    let release = occupy(&greedy);
    greedy.spawn(async move {
        let mut yields = 0;
        poll_fn(|cx| {
            yields += 1;
            if yields > 1 {
                return Poll::Ready(());
            }
            while !slice_over() {
                std::hint::spin_loop();
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
        other.send("greedy").unwrap();
    });
    release.send(()).unwrap();
    eventually(|| greedy.state.lock().running == 1 && ticks.load(Ordering::Relaxed) > 3);
    name(&modest, &names, "modest");
    assert_eq!([next(&said), next(&said)], ["modest", "greedy"]);
}

#[test]
fn a_first_slice_needs_no_other_thread_when_nobody_waits() {
    let (executor, _) = executor(2);
    let group = executor.group(1000);
    let (ids, id) = channel();
    let sent = ids.clone();
    group.spawn_here(async move {
        assert!(
            slice_over(),
            "a borrowed thread is given back at the next tick"
        );
        sent.send(thread::current().id()).unwrap();
    });
    assert_eq!(id.recv_timeout(PATIENCE).unwrap(), thread::current().id());
    let busy = [occupy(&group), occupy(&group)];
    executor
        .group(1000)
        .spawn_here(async move { ids.send(thread::current().id()).unwrap() });
    drop(busy);
    assert_ne!(id.recv_timeout(PATIENCE).unwrap(), thread::current().id());
}

#[test]
fn sleeps_end_in_the_order_of_their_times() {
    let (executor, _) = executor(2);
    let group = executor.group(1000);
    let (names, said) = channel();
    for (millis, name) in [(40, "late"), (1, "early"), (20, "middle")] {
        let (names, sleep) = (names.clone(), group.sleep(Duration::from_millis(millis)));
        group.spawn(async move {
            sleep.await;
            names.send(name).unwrap();
        });
    }
    assert_eq!(
        [next(&said), next(&said), next(&said)],
        ["early", "middle", "late"]
    );
    eventually(|| executor.timers() == 0);
}

#[test]
fn time_stands_still_for_a_paused_group() {
    let (executor, _) = executor(1);
    let [paused, other] = [(); 2].map(|()| executor.group(1000));
    let (names, said) = channel();
    let alarm = names.clone();
    paused.pause();
    let _alarm = paused.after(Duration::from_millis(2), move || {
        alarm.send("alarm").unwrap()
    });
    let sleep = other.sleep(Duration::from_millis(30));
    other.spawn(async move {
        sleep.await;
        names.send("other").unwrap();
    });
    assert_eq!(next(&said), "other", "the alarm's time does not come");
    paused.resume();
    assert_eq!(next(&said), "alarm");
}

#[test]
fn what_is_called_off_leaves_nothing_behind() {
    let (executor, _) = executor(1);
    let group = executor.group(1000);
    let alarm = group.after(Duration::from_secs(3600), || {
        unreachable!("it was called off")
    });
    let sleep = group.sleep(Duration::from_secs(3600));
    let (begun, begins) = channel();
    group.spawn(async move {
        let mut sleep = Box::pin(sleep);
        poll_fn(|cx| {
            assert!(sleep.as_mut().poll(cx).is_pending());
            begun.send(()).unwrap();
            Poll::Ready(())
        })
        .await;
    });
    begins.recv_timeout(PATIENCE).unwrap();
    drop(alarm);
    eventually(|| executor.timers() == 0);
}

#[test]
fn nothing_ticks_while_nothing_runs() {
    let (executor, ticks) = executor(1);
    let group = executor.group(1000);
    // It ticks while something runs.
    let release = occupy(&group);
    let before = ticks.load(Ordering::Relaxed);
    eventually(|| ticks.load(Ordering::Relaxed) > before + 2);
    release.send(()).unwrap();
    group.spawn(pending());
    let mut last = u64::MAX;
    eventually(|| {
        thread::sleep(Duration::from_millis(20));
        let now = ticks.load(Ordering::Relaxed);
        std::mem::replace(&mut last, now) == now
    });
}

#[test]
fn dropping_the_executor_drops_what_has_not_run() {
    let (executor, _) = executor(1);
    let group = executor.group(1000);
    let release = occupy(&group);
    let held = Arc::new(());
    let task = held.clone();
    group.spawn(async move { drop(task) });
    drop(executor);
    release.send(()).unwrap();
    eventually(|| Arc::strong_count(&held) == 1);
}
