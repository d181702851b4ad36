//! Writing a file whole: its content goes beside it first, and takes its place at the end.

use bytes::BytesMut;
use futures_util::StreamExt;
use sandbox_core::{ByteStream, FileInfo, OutputStream, Result, SandboxPath, WriteOptions};
use tokio::io::AsyncWriteExt;

use super::files::{check, failure, one, yes};
use super::scripts;
use super::session::{Running, Session, root_script};
use crate::context::Context;
use crate::random;

pub(super) async fn write(
    session: &Session,
    context: &Context,
    path: &SandboxPath,
    body: ByteStream,
    options: WriteOptions,
) -> Result<FileInfo> {
    let staged = stage(session, path, body, options.create_parents).await?;
    let script = [scripts::RECORD, scripts::OWNER, scripts::COMMIT].concat();
    let user = options.user.as_ref().map_or("", |user| user.as_str());
    let mode = options
        .mode
        .map(|mode| format!("{mode:o}"))
        .unwrap_or_default();
    let arguments = [path.as_str(), &staged.path, user, context.user(), &mode];
    let done = session.script(&script, &arguments).await?;
    let info = one(&check(done, "path", "path")?)?;
    staged.keep();
    Ok(info)
}

/// Content that has not taken its place; dropping it throws it away.
struct Staged {
    session: Session,
    path: String,
    kept: bool,
}

impl Staged {
    fn keep(mut self) {
        self.kept = true;
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return;
        };
        if self.kept || self.path.is_empty() {
            return;
        }
        let (session, path) = (self.session.clone(), std::mem::take(&mut self.path));
        runtime.spawn(async move {
            if let Err(error) = session.script(scripts::DISCARD, &[&path]).await {
                tracing::debug!(%error, path, "an unfinished file stays behind");
            }
        });
    }
}

async fn stage(
    session: &Session,
    path: &SandboxPath,
    mut body: ByteStream,
    parents: bool,
) -> Result<Staged> {
    let token = random::token()?;
    let script = [scripts::RECORD, scripts::STAGE].concat();
    let arguments = [path.as_str(), &token, yes(parents)];
    let mut running = session
        .start(root_script(&script, &arguments, true))
        .await?;
    let mut staged = Staged {
        session: session.clone(),
        path: String::new(),
        kept: false,
    };
    // The path comes before anything is read, or the script has ended with an error.
    staged.path = match running.output.next().await {
        Some(Ok((OutputStream::Stdout, path))) => String::from_utf8_lossy(&path).into_owned(),
        other => return Err(refusal(session, running, other).await),
    };
    while let Some(chunk) = body.next().await {
        let chunk = chunk?;
        if running.input.write_all(&chunk).await.is_err() {
            let next = running.output.next().await;
            return Err(refusal(session, running, next).await);
        }
    }
    // An end that does not arrive shows as an exec that does not end well.
    let _ = running.input.shutdown().await;
    let next = running.output.next().await;
    match next {
        None if session.exit_code(&running.id).await? == 0 => Ok(staged),
        other => Err(refusal(session, running, other).await),
    }
}

type Chunk = Option<Result<(OutputStream, bytes::Bytes)>>;

/// Why a script that should go on did not.
async fn refusal(session: &Session, mut running: Running, mut next: Chunk) -> sandbox_core::Error {
    let mut said = BytesMut::new();
    while let Some(chunk) = next {
        match chunk {
            Ok((_, data)) => said.extend_from_slice(&data),
            Err(error) => return error,
        }
        next = running.output.next().await;
    }
    match session.exit_code(&running.id).await {
        Ok(code) => failure(code, &said, "path", "path"),
        Err(error) => error,
    }
}
