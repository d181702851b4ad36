//! The suite can fail: for each promise, a runtime that breaks it, and the case that notices.

mod process;
mod runtime;
mod sandbox;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sandbox_core::{Runtime, Source};
use sandbox_testkit::FakeRuntime;
use sandbox_testkit::conformance::{Case, FakeHarness, FakeLab, Harness, NetworkLab, cases};

use runtime::Bent;

/// What a runtime does wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sabotage {
    /// Nothing: the wrapper itself must not be what a case notices.
    Nothing,
    AnswersWhenTheOutputEnds,
    ConnectsToNothing,
    CutsInput,
    CutsOutput,
    DeadlineSparesSessions,
    DestroysNothing,
    FindsNothing,
    FollowsLinksToTheHost,
    ForgetsLimits,
    ForgetsMetadata,
    ForgetsVariables,
    GivesAnIdTwice,
    IgnoresDeadlines,
    IgnoresModes,
    IgnoresRuntimeClasses,
    IgnoresUsers,
    KeepsOldEgress,
    LeavesAllEgressOpen,
    LeavesHostOpen,
    ListsInAnyOrder,
    ListsPartly,
    LosesDirectories,
    LosesExitCodes,
    LosesFields,
    MixesStreams,
    NeverResizes,
    PausesNothing,
    PausesOnlyNewWork,
    SharesFiles,
    SignalsOneProcess,
    SnapshotsLate,
    TakesHiddenTerminals,
    WaitsOnce,
    WatchesNothing,
    WritesInParts,
}

struct BentHarness {
    how: Sabotage,
    fake: FakeRuntime,
}

#[async_trait]
impl Harness for BentHarness {
    async fn runtime(&self) -> Arc<dyn Runtime> {
        Arc::new(Bent::new(self.how, self.fake.clone()))
    }

    fn source(&self) -> Source {
        FakeHarness::default().source()
    }

    async fn network(&self) -> Option<Box<dyn NetworkLab>> {
        Some(Box::new(FakeLab))
    }

    async fn reopen(&self) -> Option<Arc<dyn Runtime>> {
        Some(self.runtime().await)
    }

    fn patience(&self) -> Duration {
        Duration::from_secs(6)
    }
}

fn harness(how: Sabotage) -> Arc<dyn Harness> {
    let harness = FakeHarness::default();
    let fake = harness.daemon().connect();
    Arc::new(BentHarness { how, fake })
}

fn case(name: &str) -> &'static Case {
    let (group, name) = name.split_once("::").expect("group::name");
    let found = cases().iter().find(|c| c.group == group && c.name == name);
    found.unwrap_or_else(|| panic!("there is no case {group}::{name}"))
}

/// Asserts that a case fails for a saboteur for the reason meant, and passes without one.
async fn is_noticed(how: Sabotage, name: &str, complaint: &str) {
    let honest = case(name).run(harness(Sabotage::Nothing)).await;
    assert!(honest.is_ok(), "{name} fails without sabotage: {honest:?}");
    let outcome = case(name).run(harness(how)).await;
    let why = outcome.expect_err("the case did not notice");
    assert!(
        why.contains(complaint),
        "{name} failed for another reason: {why}"
    );
}

macro_rules! noticed {
    ($($test:ident: $how:ident by $case:literal saying $complaint:literal;)*) => {
        $(#[tokio::test(flavor = "multi_thread")]
        async fn $test() {
            is_noticed(Sabotage::$how, $case, $complaint).await;
        })*
    };
}

noticed! {
    a_runtime_that_pauses_nothing: PausesNothing
        by "pause::a_paused_sandbox_stands_still_and_goes_on" saying "while it was paused";
    a_runtime_that_pauses_only_new_work: PausesOnlyNewWork
        by "pause::a_paused_sandbox_stands_still_and_goes_on" saying "while it was paused";
    a_runtime_that_ignores_deadlines: IgnoresDeadlines
        by "exec::a_time_limit_kills_the_command" saying "nothing after";
    a_deadline_that_spares_sessions: DeadlineSparesSessions
        by "exec::a_time_limit_kills_everything_the_command_started"
        saying "nothing writes any more";
    an_answer_held_by_children: AnswersWhenTheOutputEnds
        by "exec::children_left_behind_do_not_hold_the_answer" saying "nothing after";
    output_cut_short: CutsOutput
        by "exec::ten_megabytes_of_output_arrive_whole" saying "left == right";
    input_cut_short: CutsInput
        by "input::ten_megabytes_of_input_arrive_whole" saying "left == right";
    streams_mixed_up: MixesStreams
        by "exec::standard_output_and_error_are_kept_apart" saying "left == right";
    exit_codes_lost: LosesExitCodes
        by "exec::exit_codes_are_kept" saying "left == right";
    a_second_wait_that_fails: WaitsOnce
        by "exec::any_number_of_callers_can_wait" saying "waited already";
    variables_forgotten: ForgetsVariables
        by "exec::variables_are_passed_and_overridden" saying "left == right";
    missing_directories_ignored: LosesDirectories
        by "exec::a_missing_directory_names_the_field" saying "went through";
    signals_to_one_process_alone: SignalsOneProcess
        by "processes::a_signal_reaches_the_whole_group" saying "nothing writes any more";
    terminals_that_never_resize: NeverResizes
        by "terminal::a_terminal_can_be_resized" saying "33 91";
    a_capability_not_reported_and_not_refused: TakesHiddenTerminals
        by "terminal::a_terminal_has_the_size_it_was_given" saying "went through";
    writes_in_parts_left_by_an_error: WritesInParts
        by "files::a_write_that_fails_changes_nothing" saying "left == right";
    writes_in_parts_left_by_a_caller_who_gave_up: WritesInParts
        by "files::a_write_that_is_given_up_changes_nothing" saying "left == right";
    writes_in_parts_seen_by_readers: WritesInParts
        by "files::readers_see_one_write_or_the_other" saying "part of a write";
    errors_without_fields: LosesFields
        by "files::a_missing_file_is_not_found" saying "left == right";
    modes_ignored: IgnoresModes
        by "tree::permissions_are_kept" saying "left == right";
    users_ignored: IgnoresUsers
        by "tree::commands_run_as_their_user" saying "left == right";
    listings_in_any_order: ListsInAnyOrder
        by "tree::listings_are_sorted_and_go_as_deep_as_asked" saying "left == right";
    listings_cut_short: ListsPartly
        by "tree::listings_are_never_cut_short_silently" saying "went through";
    a_link_out_of_the_sandbox: FollowsLinksToTheHost
        by "links::an_absolute_link_stays_inside" saying "went through";
    a_link_that_climbs_out_of_the_sandbox: FollowsLinksToTheHost
        by "links::a_link_that_climbs_stays_inside" saying "went through";
    a_watch_that_sees_nothing: WatchesNothing
        by "watch::changes_are_told" saying "nothing after";
    metadata_forgotten: ForgetsMetadata
        by "life::a_sandbox_knows_what_it_was_made_from" saying "left == right";
    an_id_given_twice: GivesAnIdTwice
        by "life::an_id_is_given_once" saying "went through";
    classes_ignored: IgnoresRuntimeClasses
        by "life::what_is_not_supported_is_refused_before_anything_is_made"
        saying "went through";
    a_destroy_that_destroys_nothing: DestroysNothing
        by "life::a_destroyed_sandbox_is_gone" saying "contains";
    any_sandbox_left_behind: DestroysNothing
        by "exec::exit_codes_are_kept" saying "is still there";
    sandboxes_not_found_again: FindsNothing
        by "life::another_program_finds_what_was_left" saying "it is found";
    memory_without_a_limit: ForgetsLimits
        by "limits::a_hog_dies_and_its_sandbox_lives" saying "survived";
    processes_without_a_limit: ForgetsLimits
        by "limits::no_more_processes_than_allowed" saying "processes at once";
    cpus_without_a_limit: ForgetsLimits
        by "limits::cpu_time_is_shared_out" saying "CPUs of 0.25";
    a_disk_without_a_limit: ForgetsLimits
        by "limits::the_disk_is_full_when_it_is_full" saying "went through";
    files_without_a_limit: ForgetsLimits
        by "limits::only_so_many_files_can_be_open" saying "left == right";
    shared_files: SharesFiles
        by "isolation::files_are_not_shared" saying "exists";
    shared_processes: SharesFiles
        by "isolation::processes_are_not_shared" saying "599.5";
    a_connection_to_nothing: ConnectsToNothing
        by "ports::a_port_without_a_listener_is_unavailable" saying "went through";
    a_snapshot_that_moves_on: SnapshotsLate
        by "snapshots::a_snapshot_keeps_files_and_not_processes" saying "left == right";
    egress_left_open: LeavesAllEgressOpen
        by "egress::deny_all_reaches_nothing" saying "gets through";
    ranges_left_open: LeavesAllEgressOpen
        by "egress::an_allowed_range_is_all_that_is_reached" saying "gets through";
    ports_left_open: LeavesAllEgressOpen
        by "egress::allowed_ports_narrow_allowed_ranges" saying "gets through";
    names_left_open: LeavesAllEgressOpen
        by "egress::an_allowed_name_opens_its_addresses" saying "gets through";
    the_host_left_open: LeavesHostOpen
        by "egress::the_host_and_metadata_are_never_reached" saying "gets through";
    old_policies_kept: KeepsOldEgress
        by "egress::a_new_policy_cuts_what_it_no_longer_allows"
        saying "the open connection is cut";
}
