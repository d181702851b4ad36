//! A terminal's line discipline: echo, lines, `^C` and `^D`.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use sandbox_core::{PtySize, Signal};
use tokio::sync::Notify;

use super::outbox::OutWriter;
use crate::lock::Locked;

#[derive(Debug)]
struct State {
    size: PtySize,
    echo: bool,
    canonical: bool,
    /// The line being typed.
    line: Vec<u8>,
    /// Whole lines that nobody has read; an empty one is the end of the file.
    ready: VecDeque<Bytes>,
}

/// Both ends of one terminal.
#[derive(Debug)]
pub(crate) struct Pty {
    state: Mutex<State>,
    screen: Arc<OutWriter>,
    typed: Notify,
}

impl Pty {
    pub(crate) fn new(size: PtySize, screen: Arc<OutWriter>) -> Self {
        Self {
            state: Mutex::new(State {
                size,
                echo: true,
                canonical: true,
                line: Vec::new(),
                ready: VecDeque::new(),
            }),
            screen,
            typed: Notify::new(),
        }
    }

    pub(crate) fn size(&self) -> PtySize {
        self.state.locked().size
    }

    pub(crate) fn resize(&self, size: PtySize) {
        self.state.locked().size = size;
    }

    pub(crate) fn set_echo(&self, echo: bool) {
        self.state.locked().echo = echo;
    }

    pub(crate) fn set_canonical(&self, canonical: bool) {
        self.state.locked().canonical = canonical;
    }

    /// Takes what is typed; gives the signals it asks for.
    pub(crate) fn type_in(&self, data: &[u8]) -> Vec<Signal> {
        let mut signals = Vec::new();
        let mut echo = Vec::new();
        let mut state = self.state.locked();
        for byte in data {
            state.key(*byte, &mut echo, &mut signals);
        }
        drop(state);
        self.screen.write_now(echo.into());
        self.typed.notify_waiters();
        signals
    }

    /// The next line, or part of it; empty at the end of the file.
    pub(crate) async fn read(&self, max: usize) -> Bytes {
        loop {
            let typed = self.typed.notified();
            tokio::pin!(typed);
            typed.as_mut().enable();
            {
                let mut state = self.state.locked();
                if let Some(mut line) = state.ready.pop_front() {
                    if line.len() > max {
                        let rest = line.split_off(max);
                        state.ready.push_front(rest);
                    }
                    return line;
                }
            }
            typed.await;
        }
    }

    /// Shows output, every line feed with a carriage return.
    pub(crate) async fn write(&self, data: &[u8]) {
        let mut shown = Vec::with_capacity(data.len());
        for byte in data {
            if *byte == b'\n' {
                shown.push(b'\r');
            }
            shown.push(*byte);
        }
        self.screen.write(shown.into()).await;
    }
}

impl State {
    fn key(&mut self, byte: u8, echo: &mut Vec<u8>, signals: &mut Vec<Signal>) {
        if !self.canonical {
            if self.echo {
                echo.push(byte);
            }
            self.ready.push_back(Bytes::copy_from_slice(&[byte]));
            return;
        }
        match byte {
            0x03 => self.interrupt(b"^C", Signal::INT, echo, signals),
            0x1c => self.interrupt(b"^\\", Signal::QUIT, echo, signals),
            0x04 => {
                let line = std::mem::take(&mut self.line);
                self.ready.push_back(line.into());
            }
            0x08 | 0x7f => {
                if self.line.pop().is_some() && self.echo {
                    echo.extend_from_slice(b"\x08 \x08");
                }
            }
            b'\r' | b'\n' => {
                if self.echo {
                    echo.extend_from_slice(b"\r\n");
                }
                self.line.push(b'\n');
                let line = std::mem::take(&mut self.line);
                self.ready.push_back(line.into());
            }
            _ => {
                if self.echo {
                    echo.push(byte);
                }
                self.line.push(byte);
            }
        }
    }

    fn interrupt(
        &mut self,
        shown: &[u8],
        signal: Signal,
        echo: &mut Vec<u8>,
        signals: &mut Vec<Signal>,
    ) {
        self.line.clear();
        self.ready.clear();
        if self.echo {
            echo.extend_from_slice(shown);
        }
        signals.push(signal);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::kernel::Outbox;
    use sandbox_core::OutputStream;

    fn pty() -> Pty {
        let screen = Outbox::new().writer(OutputStream::Pty);
        Pty::new(PtySize::default(), screen)
    }

    #[tokio::test]
    async fn lines_can_be_corrected_until_they_are_entered() {
        let pty = pty();
        assert!(pty.type_in(b"helo\x7flo\x08\x08lo\r").is_empty());
        assert_eq!(pty.read(100).await, "hello\n");
        pty.type_in(b"long line\n");
        assert_eq!(pty.read(4).await, "long");
        assert_eq!(pty.read(100).await, " line\n");
    }

    #[tokio::test]
    async fn control_keys_mean_signals_and_the_end() {
        let pty = pty();
        assert_eq!(pty.type_in(b"half\x03"), [Signal::INT]);
        assert_eq!(pty.type_in(b"\x1c"), [Signal::QUIT]);
        pty.type_in(b"\x04");
        assert!(
            pty.read(100).await.is_empty(),
            "^C took the half line along"
        );
        pty.set_canonical(false);
        assert!(pty.type_in(b"\x03").is_empty());
        assert_eq!(pty.read(100).await, "\x03");
    }
}
