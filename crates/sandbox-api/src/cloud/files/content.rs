//! The bytes of a file as the body of an answer.

use axum::body::Body;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use sandbox_api_types::FileInfo;
use sandbox_core::{ByteStream, Error, ErrorKind, FileContent, ReadOptions, Result};

use crate::extract::RequestId;

/// The answer that sends `content`, which was read with `options`, with the file's attributes as
/// headers. When the file cannot be read to its end, the body breaks.
pub(super) fn answer(
    content: FileContent,
    options: ReadOptions,
    request_id: &RequestId,
) -> Response {
    let left = content.info.size.saturating_sub(options.offset);
    let length = options.length.map_or(left, |length| length.min(left));
    let request_id = request_id.clone();
    let body = exactly(length, content.body).inspect(move |chunk| {
        if let Err(error) = chunk {
            tracing::warn!(%request_id, error = error.report(), "a download breaks off");
        }
    });
    let mut response = Body::from_stream(body).into_response();
    let headers = response.headers_mut();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("application/octet-stream"),
    );
    headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    for (name, value) in FileInfo::from(content.info).to_headers() {
        // The values are visible ASCII.
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    response
}

/// `body`, which ends with an error unless it has exactly the `length` bytes that were promised: one
/// that ended early without would look like the whole file.
fn exactly(length: u64, body: ByteStream) -> impl Stream<Item = Result<Bytes>> + Send {
    stream::unfold(Some((body, length)), |state| async move {
        let (mut body, left) = state?;
        match body.next().await {
            None if left == 0 => None,
            None => Some((Err(changed()), None)),
            Some(Err(error)) => Some((Err(error), None)),
            Some(Ok(chunk)) => match left.checked_sub(chunk.len() as u64) {
                Some(left) => Some((Ok(chunk), Some((body, left)))),
                None => Some((Err(changed()), None)),
            },
        }
    })
}

fn changed() -> Error {
    let message = "the file changed its size while it was read";
    Error::new(ErrorKind::Conflict, "api.download", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn sent(length: u64, chunks: &[&'static str]) -> (String, bool) {
        let chunks: Vec<_> = chunks.iter().map(|chunk| Ok(Bytes::from(*chunk))).collect();
        let all: Vec<_> = exactly(length, Box::pin(stream::iter(chunks)))
            .collect()
            .await;
        let broken = all.last().is_some_and(Result::is_err);
        let text = all.into_iter().flatten().collect::<Vec<_>>().concat();
        (String::from_utf8(text).unwrap(), broken)
    }

    #[tokio::test]
    async fn a_body_of_another_length_than_promised_breaks() {
        assert_eq!(sent(4, &["ab", "cd"]).await, ("abcd".into(), false));
        assert_eq!(sent(0, &[]).await, (String::new(), false));
        assert_eq!(sent(5, &["ab", "cd"]).await, ("abcd".into(), true));
        assert_eq!(sent(3, &["ab", "cd"]).await, ("ab".into(), true));
    }
}
