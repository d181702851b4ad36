//! The cases, a module for each group.

pub(super) mod egress;
pub(super) mod exec;
pub(super) mod files;
pub(super) mod input;
pub(super) mod isolation;
pub(super) mod life;
pub(super) mod limits;
pub(super) mod links;
pub(super) mod pause;
pub(super) mod ports;
pub(super) mod processes;
pub(super) mod snapshots;
pub(super) mod terminal;
pub(super) mod tree;
pub(super) mod watch;

use futures_util::StreamExt;
use sandbox_core::{BoxStream, ProcessEvent, Result};

use super::trial::Trial;

/// Reads a process's output until it ends with, or has in it, `mark`.
async fn read_until(
    t: &Trial,
    events: &mut BoxStream<Result<ProcessEvent>>,
    mark: &str,
) -> Result<String> {
    let mut seen = Vec::new();
    let reading = async {
        while let Some(event) = events.next().await {
            match event? {
                ProcessEvent::Output(_, data) => seen.extend_from_slice(&data),
                ProcessEvent::Exited(status) => panic!("ended with {status:?} before {mark:?}"),
            }
            let text = String::from_utf8_lossy(&seen);
            if text.contains(mark) {
                return Ok(text.into_owned());
            }
        }
        panic!("the output ended before {mark:?}");
    };
    t.soon(&format!("output with {mark:?}"), reading).await
}
