//! The section `engine`.

use sandbox_engine::EngineConfig;
use serde::{Deserialize, Serialize};

use super::units::{Bytes, Span};

/// What the engine is told: [`EngineConfig`], as it is written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct EngineSection {
    pub(crate) create_timeout: Span,
    pub(crate) action_timeout: Span,
    pub(crate) destroy_timeout: Span,
    pub(crate) snapshot_timeout: Span,
    pub(crate) recover_timeout: Span,
    pub(crate) shutdown_grace: Span,
    pub(crate) activity_precision: Span,
    pub(crate) destroyed_retention: Span,
    pub(crate) max_destroyed: u64,
    pub(crate) max_failed: usize,
    pub(crate) max_snapshots: usize,
    pub(crate) max_events: u64,
    pub(crate) process_output: Bytes,
    pub(crate) max_processes: usize,
    pub(crate) process_retention: Span,
    pub(crate) max_ended_processes: usize,
}

impl Default for EngineSection {
    fn default() -> Self {
        let defaults = EngineConfig::default();
        Self {
            create_timeout: Span(defaults.create_timeout),
            action_timeout: Span(defaults.action_timeout),
            destroy_timeout: Span(defaults.destroy_timeout),
            snapshot_timeout: Span(defaults.snapshot_timeout),
            recover_timeout: Span(defaults.recover_timeout),
            shutdown_grace: Span(defaults.shutdown_grace),
            activity_precision: Span(defaults.activity_precision),
            destroyed_retention: Span(defaults.destroyed_retention),
            max_destroyed: defaults.max_destroyed,
            max_failed: defaults.max_failed,
            max_snapshots: defaults.max_snapshots,
            max_events: defaults.max_events,
            process_output: Bytes(defaults.process_output as u64),
            max_processes: defaults.max_processes,
            process_retention: Span(defaults.process_retention),
            max_ended_processes: defaults.max_ended_processes,
        }
    }
}

impl EngineSection {
    /// What the engine is told.
    pub(crate) fn config(&self) -> EngineConfig {
        let mut config = EngineConfig::default();
        config.create_timeout = self.create_timeout.0;
        config.action_timeout = self.action_timeout.0;
        config.destroy_timeout = self.destroy_timeout.0;
        config.snapshot_timeout = self.snapshot_timeout.0;
        config.recover_timeout = self.recover_timeout.0;
        config.shutdown_grace = self.shutdown_grace.0;
        config.activity_precision = self.activity_precision.0;
        config.destroyed_retention = self.destroyed_retention.0;
        config.max_destroyed = self.max_destroyed;
        config.max_failed = self.max_failed;
        config.max_snapshots = self.max_snapshots;
        config.max_events = self.max_events;
        config.process_output = usize::try_from(self.process_output.0).unwrap_or(usize::MAX);
        config.max_processes = self.max_processes;
        config.process_retention = self.process_retention.0;
        config.max_ended_processes = self.max_ended_processes;
        config
    }
}
