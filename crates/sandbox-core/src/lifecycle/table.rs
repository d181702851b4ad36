//! Every input in every situation, as a table.
//!
//! A cell is the situation after the input and, behind a colon, the action issued: `C`reate,
//! `P`ause, `R`esume, `D`estroy. A dot is no change, a number the refusal as a status code.

use std::time::Duration;

use super::phase::{CleanupStep, Phase, Remains, Rest};
use super::{
    Action, ActionError, ActionKind, Ephemeral, Input, Lifecycle, LifecyclePolicy, Observation,
    Persistent, Refused, Request,
};
use crate::{Error, ErrorKind, Timestamp};

/// `W` waits for the next try; `P` and `R` want to be paused or running afterwards.
const SITUATIONS: [&str; 15] = [
    "cre", "creP", "run", "psg", "psgR", "psd", "rsm", "rsmP", "dst", "dstW", "gone", "kept",
    "rel", "relW", "rlsd",
];

const INPUTS: [&str; 18] = [
    "pause",
    "resume",
    "destroy",
    "keep_alive",
    "set_timeout",
    "activity",
    "tick_early",
    "tick_due",
    "succeeded",
    "failed",
    "late_succeeded",
    "late_failed",
    "exited",
    "out_of_memory",
    "found_running",
    "found_paused",
    "found_broken",
    "missing",
];

/// Killed after its time to live, which runs on while it is paused; not woken by activity.
/// It is never `kept`.
const EPHEMERAL: &str = "
               cre    creP   run    psg    psgR   psd    rsm    rsmP   dst    dstW   gone   rel    relW   rlsd
pause          creP   .      psg:P  .      psg    .      rsmP   .      409    409    404    409    409    409
resume         .      cre    .      psgR   .      rsm:R  .      rsm    409    409    404    409    409    409
destroy        dst:D  dst:D  dst:D  dst:D  dst:D  dst:D  dst:D  dst:D  .      .      .      dst    dstW   dst:D
keep_alive     .      .      .      409    409    409    .      .      409    409    404    409    409    409
set_timeout    .      .      .      .      .      .      .      .      409    409    404    409    409    409
activity       .      409    .      409    .      409    .      409    409    409    404    409    409    409
tick_early     .      .      .      .      .      .      .      .      .      .      .      .      .      .
tick_due       .      .      dst:D  dst:D  dst:D  dst:D  dst:D  dst:D  .      dst:D  .      dst    rel:D  dst:D
succeeded      run    psg:P  .      psd    rsm:R  .      run    psg:P  gone   .      .      rlsd   .      .
failed         rel:D  rel:D  .      run    run    .      psd    psd    dstW   .      .      relW   .      .
late_succeeded .      .      .      .      .      .      .      .      .      .      .      .      .      .
late_failed    .      .      .      .      .      .      .      .      .      .      .      .      .      .
exited         rel:D  rel:D  rel:D  rel:D  rel:D  rel:D  rel:D  rel:D  .      .      .      .      .      .
out_of_memory  rel:D  rel:D  rel:D  rel:D  rel:D  rel:D  rel:D  rel:D  .      .      .      .      .      .
found_running  run    psg:P  .      psg:P  run    psg:P  run    psg:P  dst:D  dst:D  .:D    rel:D  rel:D  rel:D
found_paused   rsm:R  psd    rsm:R  psd    rsm:R  .      rsm:R  psd    dst:D  dst:D  .:D    rel:D  rel:D  rel:D
found_broken   rel:D  rel:D  rel:D  rel:D  rel:D  rel:D  rel:D  rel:D  dst:D  dst:D  .:D    rel:D  rel:D  rel:D
missing        rel:D  rel:D  rel:D  rel:D  rel:D  rel:D  rel:D  rel:D  gone   gone   .      rlsd   rlsd   .
";

/// Suspended when idle, woken by activity, and its files are kept when it ends by itself.
const PERSISTENT: &str = "
               cre    creP   run    psg    psgR   psd    rsm    rsmP   dst    dstW   gone   kept   rel    relW   rlsd
pause          creP   .      psg:P  .      psg    .      rsmP   .      409    409    404    409    409    409    409
resume         .      cre    .      psgR   .      rsm:R  .      rsm    409    409    404    409    409    409    409
destroy        dst:D  dst:D  dst:D  dst:D  dst:D  dst:D  dst:D  dst:D  .      .      .      dst:D  dst    dstW   dst:D
keep_alive     409    409    409    409    409    409    409    409    409    409    404    409    409    409    409
set_timeout    409    409    409    409    409    409    409    409    409    409    404    409    409    409    409
activity       .      cre    .      psgR   .      rsm:R  .      rsm    409    409    404    409    409    409    409
tick_early     .      .      .      .      .      .      .      .      .      .      .      .      .      .      .
tick_due       .      .      psg:P  .      .      .      .      .      .      dst:D  .      .      .      rel:D  .
succeeded      run    psg:P  .      psd    rsm:R  .      run    psg:P  gone   .      .      .      rlsd   .      .
failed         rel:D  rel:D  .      run    run    .      psd    psd    dstW   .      .      .      relW   .      .
late_succeeded .      .      .      .      .      .      .      .      .      .      .      .      .      .      .
late_failed    .      .      .      .      .      .      .      .      .      .      .      .      .      .      .
exited         rel:D  rel:D  kept   kept   kept   kept   kept   kept   .      .      .      .      .      .      .
out_of_memory  rel:D  rel:D  kept   kept   kept   kept   kept   kept   .      .      .      .      .      .      .
found_running  run    psg:P  .      psg:P  run    psg:P  run    psg:P  dst:D  dst:D  .:D    run    rel:D  rel:D  rel:D
found_paused   rsm:R  psd    rsm:R  psd    rsm:R  .      rsm:R  psd    dst:D  dst:D  .:D    psd    rel:D  rel:D  rel:D
found_broken   rel:D  rel:D  kept   kept   kept   kept   kept   kept   dst:D  dst:D  .:D    .      rel:D  rel:D  rel:D
missing        rel:D  rel:D  rel:D  rel:D  rel:D  rel:D  rel:D  rel:D  gone   gone   .      rel:D  rlsd   rlsd   .
";

const HOUR: Duration = Duration::from_secs(3600);
/// Late enough that a second before it is still a time.
const NOW: Timestamp = Timestamp::from_millis(1_000_000);

#[test]
fn ephemeral_follows_its_table() {
    let policy = LifecyclePolicy::new(Ephemeral::new(HOUR)).unwrap();
    check(&policy, EPHEMERAL, &["kept"]);
}

#[test]
fn persistent_follows_its_table() {
    let policy = LifecyclePolicy::new(Persistent::new(HOUR)).unwrap();
    check(&policy.with_auto_wake(true), PERSISTENT, &[]);
}

fn check(policy: &LifecyclePolicy, table: &str, absent: &[&str]) {
    let mut lines = table.trim_start_matches('\n').lines();
    let columns: Vec<&str> = lines.next().unwrap().split_whitespace().collect();
    let expected: Vec<&str> = SITUATIONS
        .into_iter()
        .filter(|name| !absent.contains(name))
        .collect();
    assert_eq!(
        columns, expected,
        "the table has a column for each situation"
    );

    let rows: Vec<Vec<&str>> = lines
        .map(|line| line.split_whitespace().collect())
        .collect();
    let names: Vec<&str> = rows.iter().map(|row| row[0]).collect();
    assert_eq!(names, INPUTS, "the table has a row for each input");

    let mut wrong = Vec::new();
    for row in &rows {
        assert_eq!(
            row.len(),
            columns.len() + 1,
            "{}: a cell for each column",
            row[0]
        );
        for (column, cell) in columns.iter().zip(&row[1..]) {
            let got = cell_of(policy, column, row[0]);
            if got != **cell {
                wrong.push(format!(
                    "{} in {column}: is {got}, should be {cell}",
                    row[0]
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn cell_of(policy: &LifecyclePolicy, situation: &str, input: &str) -> String {
    let mut life = reach(policy, situation);
    assert_eq!(name_of(&life.phase), situation, "the situation was reached");
    let (input, at) = input_for(&life, input);
    match life.handle(input, at) {
        Ok(actions) => {
            let after = name_of(&life.phase);
            let letters: String = actions.iter().map(letter).collect();
            let after = if after == situation && (letters.is_empty() || after == "gone") {
                "."
            } else {
                after
            };
            if letters.is_empty() {
                after.to_owned()
            } else {
                format!("{after}:{letters}")
            }
        }
        Err(refused) => {
            assert_eq!(name_of(&life.phase), situation, "a refusal changes nothing");
            status(refused).to_owned()
        }
    }
}

fn status(refused: Refused) -> &'static str {
    match Error::from(refused).kind() {
        ErrorKind::Conflict => "409",
        ErrorKind::NotFound => "404",
        other => panic!("{other} is not how a request is refused"),
    }
}

fn letter(action: &Action) -> char {
    match action.kind {
        ActionKind::Create => 'C',
        ActionKind::Pause => 'P',
        ActionKind::Resume => 'R',
        ActionKind::Destroy => 'D',
    }
}

fn name_of(phase: &Phase) -> &'static str {
    let wants = |wanted: &Rest, running, paused| match wanted {
        Rest::Running => running,
        Rest::Paused => paused,
    };
    match phase {
        Phase::Creating { wanted, .. } => wants(wanted, "cre", "creP"),
        Phase::Running => "run",
        Phase::Pausing { wanted, .. } => wants(wanted, "psgR", "psg"),
        Phase::Paused => "psd",
        Phase::Resuming { wanted, .. } => wants(wanted, "rsm", "rsmP"),
        Phase::Destroying { cleanup } => match cleanup.step {
            CleanupStep::Issued { .. } => "dst",
            CleanupStep::RetryAt { .. } => "dstW",
        },
        Phase::Destroyed => "gone",
        Phase::Failed { remains } => match remains {
            Remains::Kept => "kept",
            Remains::Releasing(cleanup) => match cleanup.step {
                CleanupStep::Issued { .. } => "rel",
                CleanupStep::RetryAt { .. } => "relW",
            },
            Remains::Released => "rlsd",
        },
    }
}

fn reach(policy: &LifecyclePolicy, situation: &str) -> Lifecycle {
    let path: &[&str] = match situation {
        "cre" => &[],
        "creP" => &["pause"],
        "run" => &["succeeded"],
        "psg" => &["succeeded", "pause"],
        "psgR" => &["succeeded", "pause", "resume"],
        "psd" => &["succeeded", "pause", "succeeded"],
        "rsm" => &["succeeded", "pause", "succeeded", "resume"],
        "rsmP" => &["succeeded", "pause", "succeeded", "resume", "pause"],
        "dst" => &["succeeded", "destroy"],
        "dstW" => &["succeeded", "destroy", "failed"],
        "gone" => &["succeeded", "destroy", "succeeded"],
        "kept" => &["succeeded", "exited"],
        "rel" => &["failed"],
        "relW" => &["failed", "failed"],
        "rlsd" => &["failed", "succeeded"],
        other => panic!("no way to {other}"),
    };
    let (mut life, _create) = Lifecycle::new(policy.clone(), NOW);
    for input in path {
        let (input, _) = input_for(&life, input);
        life.handle(input, NOW).unwrap();
    }
    life
}

fn input_for(life: &Lifecycle, name: &str) -> (Input, Timestamp) {
    let error = || ActionError::new(ErrorKind::Unavailable, "away");
    // The id of no action: what an outcome carries when nothing, or something newer, is awaited.
    let stale = Action {
        id: super::ActionId::new(0),
        kind: ActionKind::Create,
    };
    let awaited = life.outstanding().unwrap_or(stale);
    let time_to_live = HOUR;
    let input = match name {
        "pause" => Request::Pause.into(),
        "resume" => Request::Resume.into(),
        "destroy" => Request::Destroy.into(),
        "keep_alive" => Request::KeepAlive { time_to_live }.into(),
        "set_timeout" => Request::SetTimeout { time_to_live }.into(),
        "activity" => Request::Activity.into(),
        "tick_early" => Input::Tick,
        "tick_due" => return (Input::Tick, life.next_deadline().unwrap_or(Timestamp::MAX)),
        "succeeded" => awaited.succeeded(),
        "failed" => awaited.failed(error()),
        "late_succeeded" => stale.succeeded(),
        "late_failed" => stale.failed(error()),
        "exited" => Observation::Exited { code: Some(1) }.into(),
        "out_of_memory" => Observation::OutOfMemory.into(),
        "found_running" => Observation::FoundRunning.into(),
        "found_paused" => Observation::FoundPaused.into(),
        "found_broken" => Observation::FoundBroken.into(),
        "missing" => Observation::Missing.into(),
        other => panic!("no such input: {other}"),
    };
    assert!(name.ends_with(input.name()) || name.starts_with(input.name()));
    (input, NOW)
}
