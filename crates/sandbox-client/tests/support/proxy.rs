//! A way to a server that can be cut.

use std::sync::{Arc, Mutex};

use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::{CancellationToken, DropGuard};

/// A relay in front of a server.
pub(crate) struct Proxy {
    pub(crate) url: String,
    state: Arc<Mutex<State>>,
    _serving: DropGuard,
}

struct State {
    /// Cancelled to cut what is connected.
    connected: CancellationToken,
    closed: bool,
    accepted: usize,
}

impl Proxy {
    /// In front of the server at `url`.
    pub(crate) async fn new(url: &str) -> Self {
        let to = url.strip_prefix("http://").expect("an address").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("its address"));
        let state = Arc::new(Mutex::new(State {
            connected: CancellationToken::new(),
            closed: false,
            accepted: 0,
        }));
        let (stop, shared) = (CancellationToken::new(), Arc::clone(&state));
        tokio::spawn(stop.clone().run_until_cancelled_owned(async move {
            while let Ok((client, _)) = listener.accept().await {
                let connected = {
                    let mut state = shared.lock().unwrap();
                    state.accepted += 1;
                    if state.closed {
                        continue;
                    }
                    state.connected.clone()
                };
                tokio::spawn(connected.run_until_cancelled_owned(relay(client, to.clone())));
            }
        }));
        Self {
            url,
            state,
            _serving: stop.drop_guard(),
        }
    }

    /// Cuts every connection, in the middle of whatever it carries. New ones are let through.
    pub(crate) fn cut(&self) {
        let mut state = self.state.lock().unwrap();
        std::mem::take(&mut state.connected).cancel();
    }

    /// Cuts every connection and lets no new one through, or lets them through again.
    pub(crate) fn close(&self, closed: bool) {
        self.state.lock().unwrap().closed = closed;
        self.cut();
    }

    /// How many connections there were.
    pub(crate) fn accepted(&self) -> usize {
        self.state.lock().unwrap().accepted
    }
}

async fn relay(mut client: TcpStream, to: String) {
    if let Ok(mut server) = TcpStream::connect(to).await {
        // Whichever side breaks it off, it ends.
        let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
    }
}
