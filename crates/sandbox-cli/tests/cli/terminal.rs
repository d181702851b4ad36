//! Shells on a terminal.

use std::io::{Read, Write};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::Duration;

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use rustix::termios::{LocalModes, tcgetattr};

use crate::server::{PROGRAM, Server};

/// The longest time that anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// The program on a terminal.
struct Terminal {
    master: Box<dyn MasterPty + Send>,
    child: Box<dyn Child + Send + Sync>,
    keys: Box<dyn Write + Send>,
    shown: Receiver<Vec<u8>>,
    seen: String,
}

impl Terminal {
    fn start(server: &Server, args: &[&str]) -> Self {
        let size = PtySize {
            rows: 33,
            cols: 91,
            ..PtySize::default()
        };
        let pair = native_pty_system().openpty(size).unwrap();
        let mut command = CommandBuilder::new(PROGRAM);
        command.args(args);
        command.env_clear();
        command.env("TERM", "xterm");
        command.env("SANDBOX_URL", &server.url);
        command.env("SANDBOX_API_KEY", &server.key);
        let child = pair.slave.spawn_command(command).unwrap();
        let mut reader = pair.master.try_clone_reader().unwrap();
        let (tell, shown) = mpsc::channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(read @ 1..) = reader.read(&mut buffer) {
                if tell.send(buffer[..read].to_vec()).is_err() {
                    return;
                }
            }
        });
        Self {
            keys: pair.master.take_writer().unwrap(),
            master: pair.master,
            child,
            shown,
            seen: String::new(),
        }
    }

    fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
        self.keys.flush().unwrap();
    }

    /// Waits until the screen has shown `text`, and forgets what came up to its end.
    #[track_caller]
    fn see(&mut self, text: &str) {
        loop {
            if let Some(at) = self.seen.find(text) {
                self.seen.drain(..at + text.len());
                return;
            }
            match self.shown.recv_timeout(PATIENCE) {
                Ok(more) => self.seen.push_str(&String::from_utf8_lossy(&more)),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    panic!("{text:?} was not shown: {:?}", self.seen)
                }
            }
        }
    }

    /// Whether keys are passed on as they are pressed, and not shown by the terminal itself.
    fn is_raw(&self) -> bool {
        let fd = self.master.as_raw_fd().unwrap();
        #[expect(
            unsafe_code,
            reason = "the terminal is open for as long as this is borrowed"
        )]
        let fd = unsafe { std::os::fd::BorrowedFd::borrow_raw(fd) };
        let modes = tcgetattr(fd).unwrap().local_modes;
        !modes.intersects(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG)
    }

    /// Waits for the end of the program, and answers its code.
    fn end(&mut self) -> u32 {
        self.child.wait().unwrap().exit_code()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shell_has_the_terminals_size_follows_it_and_gives_it_back() {
    let server = Server::start().await;
    let id = server.sandbox().await;
    let test = move || {
        let mut terminal = Terminal::start(&server, &["shell", &id]);
        terminal.see("$ ");
        assert!(terminal.is_raw());
        terminal.press("stty size\r");
        terminal.see("33 91");
        // What the terminal is told, the shell is told.
        let size = PtySize {
            rows: 50,
            cols: 132,
            ..PtySize::default()
        };
        terminal.master.resize(size).unwrap();
        let mut resized = false;
        for _ in 0..300 {
            terminal.press("stty size\r");
            terminal.see("stty size");
            terminal.see("$ ");
            resized = server_says(&mut terminal, "50 132");
            if resized {
                break;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        assert!(resized, "the new size never arrived");
        // ^C is the business of the terminal inside, where this shell ignores it.
        terminal.press("\u{3}");
        terminal.press("echo alive-$((40 + 2))\r");
        terminal.see("alive-42");
        terminal.press("exit 3\r");
        assert_eq!(terminal.end(), 3);
        assert!(!terminal.is_raw(), "the terminal is as it was");
    };
    tokio::task::spawn_blocking(test).await.unwrap();
}

/// Whether the next answer is `text`.
fn server_says(terminal: &mut Terminal, text: &str) -> bool {
    terminal.press("stty size; echo end-$((1 + 1))\r");
    loop {
        if let Some(at) = terminal.seen.find("end-2") {
            let answer: String = terminal.seen.drain(..at + 5).collect();
            return answer.contains(text);
        }
        let more = terminal
            .shown
            .recv_timeout(PATIENCE)
            .expect("the shell answers");
        terminal.seen.push_str(&String::from_utf8_lossy(&more));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_terminal_is_given_back_when_the_sandbox_goes_away_or_a_signal_comes() {
    let server = Server::start().await;
    let (first, second) = (server.sandbox().await, server.sandbox().await);
    let test = move || {
        let mut terminal = Terminal::start(&server, &["shell", &first]);
        terminal.see("$ ");
        let handle = tokio::runtime::Handle::current();
        handle.block_on(server.run(["rm", &first])).done();
        // Killed with its sandbox, or lost with it.
        assert!(matches!(terminal.end(), 137 | 1));
        assert!(!terminal.is_raw());

        let mut terminal = Terminal::start(&server, &["shell", &second]);
        terminal.see("$ ");
        let pid = i32::try_from(terminal.child.process_id().unwrap()).unwrap();
        let pid = rustix::process::Pid::from_raw(pid).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        // The shell is told that its terminal is gone.
        assert_eq!(terminal.end(), 129);
        assert!(!terminal.is_raw());
    };
    tokio::task::spawn_blocking(test).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_on_a_terminal_ends_with_its_code() {
    let server = Server::start().await;
    let id = server.sandbox().await;
    let test = move || {
        let line = "test -t 0 && read word && echo \"got <$word> $TERM\"; exit 6";
        let args = ["exec", "--tty", &id, "--", "sh", "-c", line];
        let mut terminal = Terminal::start(&server, &args);
        terminal.press("hello\r");
        terminal.see("got <hello> xterm");
        assert_eq!(terminal.end(), 6);
    };
    tokio::task::spawn_blocking(test).await.unwrap();
}
