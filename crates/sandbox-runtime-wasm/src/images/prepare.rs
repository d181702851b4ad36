//! Making an image ready, with progress.

use futures_util::{FutureExt, StreamExt, stream};
use sandbox_core::{BoxStream, Progress, Result};
use tokio::sync::mpsc;

use super::catalogue::Images;
#[cfg(feature = "pull")]
use super::{Manifest, Registries, pull};

/// How many reports may wait for a slow reader; later ones are dropped: the next says more.
const REPORTS: usize = 16;

/// Where work says how far it is. Dropping the reader stops nothing.
#[derive(Debug, Clone)]
pub(super) struct Reporter(mpsc::Sender<Progress>);

impl Reporter {
    /// For work that nobody watches.
    #[cfg(feature = "pull")]
    pub(super) fn nobody() -> Self {
        Self(mpsc::channel(1).0)
    }

    /// Says that `current` bytes of `total` are done.
    pub(super) fn bytes(&self, message: &str, current: u64, total: Option<u64>) {
        let progress = Progress {
            message: message.to_owned(),
            current,
            total,
        };
        let _ = self.0.try_send(progress);
    }

    /// Says what is being done.
    pub(super) fn step(&self, message: &str) {
        self.bytes(message, 0, None);
    }
}

/// Runs `work`; its reports, and its error at the end. Dropping the stream drops the work.
pub(super) fn reported<W>(work: impl FnOnce(Reporter) -> W) -> BoxStream<Result<Progress>>
where
    W: Future<Output = Result<()>> + Send + 'static,
{
    let (sender, receiver) = mpsc::channel(REPORTS);
    let reports = stream::unfold(receiver, |mut receiver| async {
        let report = receiver.recv().await?;
        Some((Ok(report), receiver))
    });
    let ended = work(Reporter(sender)).map(Result::err).into_stream();
    let ended = ended.filter_map(|error| async { error.map(Err) });
    // The sender goes with the work, and the reports end with the sender.
    stream::select(reports, ended).boxed()
}

/// Makes the image `name` ready: pulls it where it is missing and this program can, and compiles
/// its programs.
pub(super) fn prepare(images: Images, name: String) -> BoxStream<Result<Progress>> {
    reported(move |reporter| async move {
        #[cfg(feature = "pull")]
        fetch(&images, &name, &reporter).await?;
        reporter.step(&format!("compiling {name}"));
        images.compile(&name).await
    })
}

/// Pulls the image `name` when it is one that is missing.
#[cfg(feature = "pull")]
pub(super) async fn fetch(images: &Images, name: &str, reporter: &Reporter) -> Result<()> {
    let Some(manifest) = Manifest::named(name) else {
        return Ok(());
    };
    let store = images.store_of()?;
    if store.has(manifest) {
        return Ok(());
    }
    pull::fetch(&store, manifest, &Registries::of_this_machine(), reporter).await
}
