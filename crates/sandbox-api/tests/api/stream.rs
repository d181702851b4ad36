//! Streams of events as a test reads them.

use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use axum::response::Response;
use futures_util::StreamExt;
use serde_json::Value;

/// How long something may take that happens at once on a machine with nothing else to do.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// `work`, which must end.
pub(crate) async fn soon<T>(work: impl Future<Output = T>) -> T {
    let done = tokio::time::timeout(PATIENCE, work).await;
    done.expect("this ends in time")
}

/// Waits until `holds`.
pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let held = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let done = tokio::time::timeout(PATIENCE, held).await;
    done.unwrap_or_else(|_| panic!("{what}"));
}

/// One event.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Told {
    pub(crate) id: Option<u64>,
    pub(crate) name: String,
    pub(crate) data: Value,
}

/// A stream of Server-Sent Events.
pub(crate) struct Events {
    chunks: BodyDataStream,
    buffer: String,
}

impl Events {
    /// Takes the answer, which must be such a stream.
    #[track_caller]
    pub(crate) fn of(response: Response) -> Self {
        assert_eq!(response.status(), 200, "{response:?}");
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self::read(response.into_body())
    }

    pub(crate) fn read(body: Body) -> Self {
        Self {
            chunks: body.into_data_stream(),
            buffer: String::new(),
        }
    }

    /// The next event; `None` at a clean end. Comments are passed over.
    pub(crate) async fn next(&mut self) -> Option<Told> {
        loop {
            while let Some((block, rest)) = self.buffer.split_once("\n\n") {
                let told = parse(block);
                self.buffer = rest.to_owned();
                if told.is_some() {
                    return told;
                }
            }
            let chunk = soon(self.chunks.next()).await?.unwrap();
            self.buffer.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }

    /// The next event, which must be called `name`.
    #[track_caller]
    pub(crate) fn expect(&mut self, name: &str) -> impl Future<Output = Told> {
        let name = name.to_owned();
        async move {
            let told = self.next().await.expect("the stream goes on");
            assert_eq!(told.name, name, "{told:?}");
            told
        }
    }

    /// Every event up to the end.
    pub(crate) async fn rest(mut self) -> Vec<Told> {
        let mut all = Vec::new();
        while let Some(told) = self.next().await {
            all.push(told);
        }
        all
    }
}

fn parse(block: &str) -> Option<Told> {
    let field = |name: &str| {
        let lines = block.lines().filter_map(|line| line.split_once(": "));
        lines
            .filter(|(key, _)| *key == name)
            .map(|(_, value)| value)
            .next()
    };
    let data = field("data")?;
    Some(Told {
        id: field("id").map(|id| id.parse().unwrap()),
        name: field("event").unwrap_or_default().to_owned(),
        data: serde_json::from_str(data).unwrap(),
    })
}
