//! What a program finds, area by area.

use bytes::Bytes;
use sandbox_core::{ExitStatus, Signal};

use super::guest::{Guest, command, finish};
use crate::fs::{Caller, Limits};
use crate::kernel::HostCommand;

macro_rules! areas {
    ($($name:ident = $area:literal;)*) => {
        $(#[tokio::test]
        async fn $name() {
            Guest::new().pass($area).await;
        })*
    };
}

areas! {
    files_are_read_written_and_cut = "files";
    files_have_holes_and_a_largest_size = "sparse";
    appending_goes_to_the_end_whoever_else_writes = "append";
    a_file_without_a_name_lives_until_it_is_closed = "unlinked";
    directories_are_made_listed_and_removed = "directories";
    a_large_directory_is_listed_once_while_it_shrinks = "big-directory";
    an_open_directory_is_where_it_was_moved_to = "moved-directory";
    files_have_further_names = "links";
    links_are_followed_and_read = "symlinks";
    paths_are_linuxs_and_end_at_the_root = "paths";
    names_are_text = "not-text";
    times_are_set_and_kept = "times";
    devices_are_found_however_one_gets_there = "devices";
    descriptors_say_what_they_are_and_move = "descriptors";
    the_root_is_the_one_preopened_directory = "preopens";
    a_process_has_a_bounded_number_of_descriptors = "many-descriptors";
    clocks_go_on = "clocks";
    polling_waits_for_times_and_descriptors = "polling";
    pipes_carry_bytes_and_say_when_they_can = "pipes";
    a_caught_signal_ends_what_waits = "interrupted";
    random_bytes_fill_what_is_asked = "random";
    addresses_outside_of_memory_are_errors = "hostile-memory";
    lists_of_buffers_are_bounded = "hostile-buffers";
    numbers_out_of_range_are_errors = "hostile-numbers";
}

#[tokio::test]
async fn a_disk_fills_to_the_end_and_says_so() {
    let limits = Limits {
        bytes: 6 << 20,
        ..Limits::default()
    };
    let program = super::guest::program("sandbox-guest-tests");
    Guest::with(limits, &program).pass("full-disk").await;
}

#[tokio::test]
async fn standard_streams_are_files_by_name() {
    let guest = Guest::new();
    let process = guest.start(piped(&["dev-fd"])).await;
    process
        .write_stdin(Bytes::from_static(b"input"))
        .await
        .unwrap();
    process.close_stdin();
    let run = finish(&process).await;
    assert_eq!(run.status, ExitStatus::from_code(0), "{}", run.err);
    assert_eq!((&*run.out, &*run.err), ("out", "err"));
}

#[tokio::test]
async fn polling_waits_for_input_and_its_end() {
    let guest = Guest::new();
    let process = guest.start(piped(&["poll-stdin"])).await;
    let output = process.take_output().unwrap();
    let first = output.next().await;
    assert!(format!("{first:?}").contains("ready"), "{first:?}");
    process
        .write_stdin(Bytes::from_static(b"in"))
        .await
        .unwrap();
    process
        .write_stdin(Bytes::from_static(b"put"))
        .await
        .unwrap();
    process.close_stdin();
    assert_eq!(process.wait().await, ExitStatus::from_code(0));
}

#[tokio::test]
async fn arguments_and_variables_arrive() {
    let guest = Guest::new();
    let mut command = command(&["environment", "two words", "", "ü"]);
    command.env.insert("EMPTY".to_owned(), String::new());
    let run = guest.run(command).await;
    assert_eq!(run.status, ExitStatus::from_code(0), "{}", run.err);
}

#[tokio::test]
async fn streams_carry_more_than_a_pipe_holds() {
    let guest = Guest::new();
    let process = guest.start(piped(&["echo"])).await;
    let input: Bytes = (0..1_000_000_u32).map(|i| b'a' + (i % 26) as u8).collect();
    let (_, run) = tokio::join!(
        async {
            process.write_stdin(input.clone()).await.unwrap();
            process.close_stdin();
        },
        finish(&process),
    );
    assert_eq!(run.status, ExitStatus::from_code(0), "{}", run.err);
    assert!(run.out.as_bytes() == input);
}

#[tokio::test]
async fn a_program_ends_with_its_code_or_signal() {
    let guest = Guest::new();
    let status = async |args: &[&str]| guest.run(command(args)).await.status;
    assert_eq!(status(&["exit", "0"]).await, ExitStatus::from_code(0));
    assert_eq!(status(&["exit", "7"]).await, ExitStatus::from_code(7));
    assert_eq!(status(&["exit", "255"]).await, ExitStatus::from_code(255));
    let raised = guest.run(command(&["raise", "15"])).await;
    assert_eq!(raised.status, ExitStatus::from_signal(Signal::TERM));
    assert_eq!(raised.out, "", "it does nothing more");
    let child = guest.run(command(&["raise", "16"])).await;
    assert_eq!((child.status, &*child.out), (ExitStatus::from_code(0), "0"));
    let none = guest.run(command(&["no such area"])).await;
    assert_eq!(
        none.status,
        ExitStatus::from_signal(Signal::new(6).unwrap())
    );
}

#[tokio::test]
async fn writing_to_a_pipe_that_nobody_reads_ends_who_does_not_care() {
    let run = Guest::new().run(command(&["broken-pipe"])).await;
    assert_eq!(
        run.status,
        ExitStatus::from_signal(Signal::PIPE),
        "{}",
        run.err
    );
    assert_eq!(run.out, "ignored\n");
}

#[tokio::test]
async fn a_program_without_a_library_has_its_working_directory() {
    let guest = Guest::with(Limits::default(), &super::guest::program("plain"));
    make_work(&guest);
    let run = guest
        .run(HostCommand {
            cwd: Some("/tmp/work".to_owned()),
            ..command(&[])
        })
        .await;
    assert_eq!(run.status, ExitStatus::from_code(0));
    let files = guest.machine.files.lock();
    for made in [
        "/tmp/work/here",
        "/tmp/above",
        "/tmp/absolute",
        "/tmp/whole",
    ] {
        assert!(files.metadata(made, false).is_ok(), "{made}");
    }
}

#[tokio::test]
async fn relative_paths_start_at_the_working_directory() {
    for area in ["working-directory", "change-directory"] {
        let guest = Guest::new();
        make_work(&guest);
        let run = guest
            .run(HostCommand {
                cwd: Some("/tmp/work".to_owned()),
                ..command(&[area])
            })
            .await;
        assert_eq!(run.status, ExitStatus::from_code(0), "{area}: {}", run.err);
    }
}

fn make_work(guest: &Guest) {
    let mut files = guest.machine.files.lock();
    let made = files.make_dir("/tmp/work", 0o777, Caller::default());
    made.unwrap();
}

fn piped(args: &[&str]) -> HostCommand {
    HostCommand {
        piped_stdin: true,
        ..command(args)
    }
}
