//! Killing all that is below a process, whatever it did to get away. One thread, started with the
//! program: when the guest has used up all processes there may be, no other could be.

use std::collections::{HashMap, HashSet};
use std::io;
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::Duration;

use super::exec::ExecId;
use super::procfs;
use super::sys::signal;
use super::worker::{Completion, Completions};

/// How often it is looked for survivors before it is given up. Each round kills all it sees, so
/// only something that forks faster than `/proc` can be read sees a second one.
const ROUNDS: u32 = 2000;

/// The thread that kills.
#[derive(Debug)]
pub(super) struct Sweeper {
    tasks: Sender<Task>,
}

/// What is to be killed.
#[derive(Debug)]
struct Task {
    victims: Victims,
    rounds: u32,
}

#[derive(Debug)]
enum Victims {
    /// Everything below this process, for this command.
    Below(i32, ExecId),
    /// Every child of this program that is not one of these, and everything below.
    StraysBut(HashSet<i32>),
}

impl Sweeper {
    pub(super) fn start(completions: Completions) -> io::Result<Self> {
        let (tasks, queue) = mpsc::channel();
        std::thread::Builder::new()
            .name("sweeper".into())
            .stack_size(256 * 1024)
            .spawn(move || work(&queue, &completions))?;
        Ok(Self { tasks })
    }

    /// Kills everything below the process `root`, but not itself, and reports `id`.
    pub(super) fn kill_below(&self, root: i32, id: ExecId) {
        self.start_task(Victims::Below(root, id));
    }

    /// Kills every child of this program that is not `known`, and everything below.
    pub(super) fn kill_strays_but(&self, known: HashSet<i32>) {
        self.start_task(Victims::StraysBut(known));
    }

    fn start_task(&self, victims: Victims) {
        // The thread ends only with the program.
        let _ = self.tasks.send(Task { victims, rounds: 0 });
    }
}

fn work(queue: &Receiver<Task>, completions: &Completions) {
    let mut tasks = Vec::new();
    loop {
        if tasks.is_empty() {
            match queue.recv() {
                Ok(task) => tasks.push(task),
                Err(_) => return,
            }
        }
        tasks.extend(queue.try_iter());
        let processes = alive();
        tasks.retain_mut(|task| {
            let goes_on = task.round(&processes);
            if !goes_on && let Victims::Below(_, id) = task.victims {
                completions.push(Completion::Swept(id));
            }
            goes_on
        });
        // The first rounds are quick, for those that are dying; then it is worth a pause.
        if tasks.iter().any(|task| task.rounds > 3) {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

impl Task {
    /// Kills once; true when it has to be looked again.
    fn round(&mut self, processes: &[Link]) -> bool {
        let victims = match &self.victims {
            Victims::Below(root, _) => descendants(processes, *root),
            Victims::StraysBut(known) => strays(processes, std::process::id() as i32, known),
        };
        for pid in &victims {
            // Killing its group is atomic: no member forks meanwhile. Only a leader has a group of
            // its own number, so that nobody else's is hit.
            let _ = signal::kill(-pid, libc::SIGKILL);
            let _ = signal::kill(*pid, libc::SIGKILL);
        }
        self.rounds += 1;
        !victims.is_empty() && self.rounds < ROUNDS
    }
}

/// A process and its parent.
type Link = (i32, i32);

/// Every process that has not ended, with its parent.
fn alive() -> Vec<Link> {
    let processes = procfs::pids().into_iter().filter_map(procfs::stat);
    processes
        .filter(|stat| !stat.is_dead())
        .map(|stat| (stat.pid, stat.parent))
        .collect()
}

fn strays(processes: &[Link], own: i32, known: &HashSet<i32>) -> Vec<i32> {
    let orphans = processes
        .iter()
        .filter(|(pid, parent)| *parent == own && !known.contains(pid))
        .map(|(pid, _)| *pid);
    let mut found: Vec<i32> = orphans.collect();
    for orphan in found.clone() {
        found.extend(descendants(processes, orphan));
    }
    found
}

fn descendants(processes: &[Link], root: i32) -> Vec<i32> {
    let mut children: HashMap<i32, Vec<i32>> = HashMap::new();
    for (pid, parent) in processes {
        children.entry(*parent).or_default().push(*pid);
    }
    let mut found = Vec::new();
    let mut next = vec![root];
    while let Some(parent) = next.pop() {
        // Removing them ends it even if ids were used again while they were read.
        for pid in children.remove(&parent).unwrap_or_default() {
            found.push(pid);
            next.push(pid);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_below_is_found() {
        let processes = [(2, 1), (3, 2), (4, 3), (5, 1), (6, 5), (7, 2)];
        let mut below = descendants(&processes, 2);
        below.sort_unstable();
        assert_eq!(below, [3, 4, 7]);
        // A loop cannot be, but ids are read one after the other.
        assert_eq!(descendants(&[(8, 9), (9, 8)], 8).len(), 2);
        let mut strays = strays(&processes, 1, &HashSet::from([2]));
        strays.sort_unstable();
        assert_eq!(strays, [5, 6]);
    }
}
