//! Who is connected over TCP.

use std::collections::VecDeque;
use std::io;
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Connections at once.
pub(super) const MAX: usize = 16;

/// The connected clients, oldest first. One too many makes the oldest give way: whoever keeps
/// connections open cannot keep others out.
#[derive(Debug, Default)]
pub(super) struct Clients(Mutex<Connected>);

#[derive(Debug, Default)]
struct Connected {
    next: u64,
    streams: VecDeque<(u64, TcpStream)>,
}

/// A client's place, given up when dropped.
#[derive(Debug)]
pub(super) struct Client {
    clients: Arc<Clients>,
    number: u64,
}

impl Clients {
    /// Makes room for `stream`.
    pub(super) fn admit(self: &Arc<Self>, stream: &TcpStream) -> io::Result<Client> {
        let stream = stream.try_clone()?;
        let mut connected = self.lock();
        if connected.streams.len() >= MAX
            && let Some((_, oldest)) = connected.streams.pop_front()
        {
            // Its thread wakes up from reading. One that is gone already needs no telling.
            let _ = oldest.shutdown(Shutdown::Both);
        }
        let number = connected.next;
        connected.next += 1;
        connected.streams.push_back((number, stream));
        Ok(Client {
            clients: Arc::clone(self),
            number,
        })
    }

    /// A panic elsewhere leaves a list that is whole.
    fn lock(&self) -> MutexGuard<'_, Connected> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let mut connected = self.clients.lock();
        connected
            .streams
            .retain(|(number, _)| *number != self.number);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::net::TcpListener;

    use super::*;

    fn connect(listener: &TcpListener) -> (TcpStream, TcpStream) {
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (client, listener.accept().unwrap().0)
    }

    fn is_closed(client: &mut TcpStream) -> bool {
        client.set_nonblocking(true).unwrap();
        matches!(client.read(&mut [0]), Ok(0))
    }

    #[test]
    fn the_oldest_gives_way_to_one_too_many() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let clients = Arc::new(Clients::default());
        let mut open = Vec::new();
        for _ in 0..=MAX {
            let (client, stream) = connect(&listener);
            open.push((client, clients.admit(&stream).unwrap(), stream));
        }
        assert!(is_closed(&mut open[0].0));
        assert!(open[1..].iter_mut().all(|(client, ..)| !is_closed(client)));
    }

    #[test]
    fn one_that_left_makes_room() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let clients = Arc::new(Clients::default());
        let (mut first, stream) = connect(&listener);
        let _stays = clients.admit(&stream).unwrap();
        for _ in 0..2 * MAX {
            let (_client, stream) = connect(&listener);
            clients.admit(&stream).unwrap();
        }
        assert!(!is_closed(&mut first));
    }
}
