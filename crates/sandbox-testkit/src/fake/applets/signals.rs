//! `kill`.

use sandbox_core::{Pid, Signal};

use crate::fake::kernel::{INIT, Task};

/// The process ids among a command's arguments.
pub(in crate::fake) fn pids(arguments: &[String]) -> Vec<Pid> {
    arguments
        .iter()
        .filter_map(|text| text.parse().ok())
        .collect()
}

pub(super) async fn kill(task: &Task, arguments: &[String]) -> u8 {
    let mut arguments = arguments.iter().peekable();
    let mut name = "TERM".to_owned();
    if let Some(option) = arguments.next_if(|text| text.starts_with('-')) {
        name = match option.as_str() {
            "-s" | "-n" => arguments.next().cloned().unwrap_or_default(),
            _ => option.trim_start_matches('-').to_owned(),
        };
    }
    // Zero only asks whether the process is there.
    let signal = match name.as_str() {
        "0" => None,
        name => match name.parse::<Signal>() {
            Ok(signal) => Some(signal),
            Err(_) => {
                task.complain(&format!("kill: {name}: invalid signal"))
                    .await;
                return 1;
            }
        },
    };
    let mut code = 0;
    for target in arguments {
        if !reach(task, signal, target) {
            task.complain(&format!("kill: {target}: No such process"))
                .await;
            code = 1;
        }
    }
    code
}

fn reach(task: &Task, signal: Option<Signal>, target: &str) -> bool {
    let kernel = &task.kernel;
    match (target.parse::<i64>(), signal) {
        (Ok(pid @ 1..), Some(signal)) => {
            let pid = Pid::try_from(pid).unwrap_or(Pid::MAX);
            // The first process takes no signals from those below it.
            pid == INIT || kernel.signal_one(pid, signal)
        }
        (Ok(pid @ 1..), None) => kernel.is_alive(Pid::try_from(pid).unwrap_or(Pid::MAX)),
        (Ok(group), Some(signal)) if group < -1 => {
            let group = Pid::try_from(-group).unwrap_or(Pid::MAX);
            kernel.signal_group(group, signal)
        }
        (Ok(0), Some(signal)) => {
            let group = task.proc.group.load(std::sync::atomic::Ordering::Relaxed);
            kernel.signal_group(group, signal)
        }
        (Ok(_) | Err(_), _) => false,
    }
}
