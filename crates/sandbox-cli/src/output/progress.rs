//! How far something is, on a terminal alone.

use std::io::{IsTerminal, stderr};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use sandbox_core::Progress;

use super::Plain;

fn target(quiet: bool) -> ProgressDrawTarget {
    match quiet || !stderr().is_terminal() {
        true => ProgressDrawTarget::hidden(),
        false => ProgressDrawTarget::stderr(),
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// Shows that an image is fetched; gone when dropped.
#[derive(Debug)]
pub(crate) struct Spinner(ProgressBar);

impl Spinner {
    /// Nothing to see until something is reported; never where `quiet`, or without a terminal.
    pub(crate) fn new(quiet: bool) -> Self {
        let bar = ProgressBar::with_draw_target(None, target(quiet));
        bar.set_style(style("{spinner} {msg} {bytes}"));
        Self(bar)
    }

    /// Shows `progress`.
    pub(crate) fn report(&self, progress: &Progress) {
        self.0.set_message(Plain(&progress.message).to_string());
        if let Some(total) = progress.total.filter(|total| *total > 0) {
            self.0
                .set_style(style("{spinner} {msg} [{bar:30}] {bytes}/{total_bytes}"));
            self.0.set_length(total);
        }
        self.0.set_position(progress.current);
    }
}

impl Drop for Spinner {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// Shows how much of a file is through; gone when dropped.
#[derive(Debug)]
pub(crate) struct Bar(ProgressBar);

impl Bar {
    /// A bar for `name`, of `total` bytes where that is known.
    pub(crate) fn new(quiet: bool, name: &str, total: Option<u64>) -> Self {
        let bar = ProgressBar::with_draw_target(total, target(quiet));
        bar.set_style(style(match total {
            Some(_) => "{msg} [{bar:30}] {bytes}/{total_bytes} {bytes_per_sec}",
            None => "{msg} {bytes} {bytes_per_sec}",
        }));
        bar.set_message(Plain(name).to_string());
        Self(bar)
    }

    /// Counts `bytes` more.
    pub(crate) fn add(&self, bytes: u64) {
        self.0.inc(bytes);
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
