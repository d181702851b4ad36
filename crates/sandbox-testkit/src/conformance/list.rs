//! The one list of cases, from which the table and every [`conformance!`](crate::conformance!)
//! are made.

/// Hands every case to a macro of this crate: groups of `name [needs]`.
#[doc(hidden)]
#[macro_export]
macro_rules! __for_each_case {
    ($callback:ident $arguments:tt) => {
        $crate::$callback! { $arguments
            exec {
                exit_codes_are_kept [];
                a_signal_ends_a_command_as_that_signal [];
                an_unknown_command_in_a_shell_ends_with_127 [];
                a_missing_program_is_not_found [];
                a_file_that_may_not_be_executed_is_denied [];
                a_script_that_may_be_executed_runs [];
                an_empty_command_is_refused [];
                standard_output_and_error_are_kept_apart [];
                the_exit_comes_once_and_after_all_output [];
                ten_megabytes_of_output_arrive_whole [];
                output_that_nobody_reads_blocks_nothing [];
                a_process_goes_on_without_its_handle [];
                any_number_of_callers_can_wait [];
                variables_are_passed_and_overridden [];
                odd_values_of_variables_are_kept [];
                commands_start_in_their_directory [];
                a_missing_directory_names_the_field [];
                arguments_are_kept_as_they_are [];
                a_long_argument_is_kept [];
                bytes_that_are_no_text_pass_unchanged [];
                children_left_behind_do_not_hold_the_answer [];
                a_time_limit_kills_the_command [Timeout];
                a_time_limit_kills_everything_the_command_started [Timeout];
                a_command_within_its_time_is_not_disturbed [Timeout];
                fifty_commands_at_once_keep_their_outputs_apart [];
            }
            input {
                ten_megabytes_of_input_arrive_whole [Stdin];
                a_command_sees_the_end_of_its_input [Stdin];
                a_command_without_input_reads_nothing [];
                input_that_is_not_read_hurts_nobody [Stdin];
                input_and_output_take_turns [Stdin];
            }
            processes {
                a_spawned_process_is_listed_while_it_lives [Processes];
                children_are_listed_and_are_not_spawned [Processes];
                a_signal_reaches_the_process [Signals];
                a_signal_reaches_the_whole_group [Signals];
                any_process_can_be_signalled_by_its_id [Signals, Processes];
                an_unknown_process_cannot_be_signalled [Signals];
                a_stopped_process_stands_still_until_it_continues [Signals];
                a_process_can_be_taken_up_again [Attach];
                an_unknown_process_cannot_be_taken_up [Attach];
            }
            terminal {
                a_terminal_has_the_size_it_was_given [Pty];
                a_terminal_can_be_resized [Pty];
                a_command_without_a_terminal_cannot_be_resized [];
                the_interrupt_key_interrupts [Pty];
                the_end_of_file_key_ends_the_input [Pty];
                typed_lines_are_echoed_and_reach_the_program [Pty];
                a_terminal_shows_one_stream [Pty];
                programs_know_whether_they_have_a_terminal [Pty];
            }
            files {
                every_byte_survives [];
                an_empty_file_is_a_file [];
                a_hundred_megabytes_pass_as_a_stream [];
                odd_names_are_kept [];
                files_and_commands_see_the_same [];
                a_part_of_a_file_is_read [];
                a_write_that_fails_changes_nothing [];
                a_write_that_is_given_up_changes_nothing [];
                readers_see_one_write_or_the_other [];
                a_missing_file_is_not_found [];
                parents_are_made_only_when_asked_for [];
            }
            tree {
                a_directory_is_not_a_file [];
                a_file_is_not_a_directory [];
                making_a_directory_says_whether_it_was_there [];
                directories_are_removed_whole_only_when_asked_for [];
                the_root_stays [];
                renaming_moves_and_replaces [];
                renaming_refuses_what_makes_no_sense [];
                permissions_are_kept [];
                owners_are_kept [Users];
                commands_run_as_their_user [Users];
                a_sandbox_can_have_another_user [Users];
                listings_are_sorted_and_go_as_deep_as_asked [];
                listings_are_never_cut_short_silently [];
            }
            links {
                links_are_described_and_followed [];
                dangling_links_and_loops_end [];
                an_absolute_link_stays_inside [];
                a_link_that_climbs_stays_inside [];
                a_link_to_a_directory_is_no_way_out [];
            }
            watch {
                changes_are_told [Watch];
                what_is_below_is_told_when_asked_for [Watch];
                only_a_directory_can_be_watched [Watch];
            }
            pause {
                a_paused_sandbox_stands_still_and_goes_on [Pause];
                pausing_and_resuming_twice_changes_nothing [Pause];
                a_paused_sandbox_takes_no_work [Pause];
                a_paused_sandbox_can_be_looked_at_and_destroyed [Pause];
                time_limits_stand_still_while_paused [Pause, Timeout];
            }
            life {
                a_sandbox_knows_what_it_was_made_from [];
                a_sandbox_has_the_host_name_it_was_given [];
                a_backend_is_healthy [];
                a_source_can_be_prepared [];
                an_image_that_does_not_exist_is_not_found [];
                an_id_is_given_once [];
                what_is_not_supported_is_refused_before_anything_is_made [];
                what_exists_is_found [];
                another_program_finds_what_was_left [Recover];
                another_program_finds_what_was_paused [Recover, Pause];
                destroying_twice_is_fine [];
                nothing_works_on_a_destroyed_sandbox [];
                destroying_ends_what_runs [];
                a_destroyed_sandbox_is_gone [];
                many_sandboxes_live_at_once [];
            }
            limits {
                a_hog_dies_and_its_sandbox_lives [Memory];
                no_more_processes_than_allowed [Pids];
                cpu_time_is_shared_out [Cpu];
                the_disk_is_full_when_it_is_full [Disk];
                only_so_many_files_can_be_open [OpenFiles];
                use_shows_in_the_stats [];
            }
            isolation {
                files_are_not_shared [];
                processes_are_not_shared [Processes, Signals];
                destroying_one_leaves_the_other [];
                variables_are_not_shared [];
                sandboxes_do_not_reach_each_other [AllowAll];
                a_dead_sandboxs_processes_cannot_be_signalled [Signals];
            }
            ports {
                a_listener_on_loopback_is_reached [Connect];
                each_direction_closes_on_its_own [Connect];
                a_port_without_a_listener_is_unavailable [Connect];
            }
            snapshots {
                a_snapshot_keeps_files_and_not_processes [Snapshot];
                a_snapshot_outlives_its_sandbox [Snapshot];
                an_unknown_snapshot_is_not_found [Snapshot];
                a_removed_snapshot_is_gone_and_its_sandboxes_stay [Snapshot];
            }
            egress {
                deny_all_reaches_nothing [AllowAll];
                nothing_is_reached_unless_a_policy_says_so [AllowAll];
                allow_all_reaches_every_host [AllowAll];
                the_host_and_metadata_are_never_reached [AllowAll];
                an_allowed_range_does_not_open_the_host [Cidrs];
                a_denied_range_is_denied_in_allow_all [AllowAll, Cidrs];
                an_allowed_range_is_all_that_is_reached [Cidrs];
                one_family_does_not_open_the_other [Cidrs];
                a_denied_range_wins_over_an_allowed_one [Cidrs];
                allowed_ports_narrow_allowed_ranges [Cidrs, Ports];
                an_allowed_name_opens_its_addresses [Domains];
                a_wildcard_covers_what_is_below_it [Domains];
                a_new_policy_cuts_what_it_no_longer_allows [AllowAll, LiveUpdate];
                a_new_policy_opens_what_it_allows [Cidrs, LiveUpdate];
                a_policy_holds_for_every_user [AllowAll, Users];
            }
        }
    };
}

/// The table of cases.
#[doc(hidden)]
#[macro_export]
macro_rules! __conformance_table {
    ([] $($group:ident { $($name:ident [$($need:ident),*];)* })*) => {
        static CASES: &[Case] = &[$($(
            Case {
                group: stringify!($group),
                name: stringify!($name),
                needs: &[$(Need::$need),*],
                run: |trial| Box::pin(cases::$group::$name(trial)),
            },
        )*)*];
    };
}

/// The tests of one harness.
#[doc(hidden)]
#[macro_export]
macro_rules! __conformance_tests {
    ($arguments:tt $($group:ident { $($name:ident [$($need:ident),*];)* })*) => {
        $(mod $group {
            #[allow(unused_imports, reason = "a harness named by its full path needs none")]
            use super::*;
            $($crate::__conformance_test! { $arguments $group $name })*
        })*
    };
}

/// One test of one harness.
#[doc(hidden)]
#[macro_export]
macro_rules! __conformance_test {
    ([[$($attribute:tt)*] $harness:expr] $group:ident $name:ident) => {
        #[test]
        $($attribute)*
        fn $name() {
            $crate::conformance::test(
                module_path!(),
                stringify!($group),
                stringify!($name),
                || $harness,
            );
        }
    };
}

/// Makes one test of every case of the suite, in a module for each group:
/// `exec::exit_codes_are_kept` and so on.
///
/// The expression makes a [`Harness`](crate::conformance::Harness); it is evaluated once a test,
/// inside a multi-threaded Tokio runtime. With `ignore = "why"` the tests are marked
/// `#[ignore = "why"]`: listed, counted as ignored, and run with `--ignored`.
///
/// ```text
/// mod fake { sandbox_testkit::conformance!(super::FakeHarness::new()); }
/// mod docker { sandbox_testkit::conformance!(super::docker(), ignore = "needs a Docker daemon"); }
/// ```
#[macro_export]
macro_rules! conformance {
    ($harness:expr $(,)?) => {
        $crate::__for_each_case! { __conformance_tests [[] $harness] }
    };
    ($harness:expr, ignore = $reason:literal $(,)?) => {
        $crate::__for_each_case! { __conformance_tests [[#[ignore = $reason]] $harness] }
    };
}
