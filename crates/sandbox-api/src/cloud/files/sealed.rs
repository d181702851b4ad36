//! Uploads that say themselves whether they are whole.

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use sandbox_api_types::SEAL_WHOLE;
use sandbox_core::{ByteStream, Error, ErrorKind, Result};

/// A sealed body without its seal. It ends with an error unless the seal says that it is whole.
pub(super) fn unsealed(body: ByteStream) -> ByteStream {
    // The chunk before the one that comes is held back: the last byte of the last is the seal.
    let chunks = stream::unfold(Some((body, None)), |state| async move {
        let (mut body, held) = state?;
        let mut held: Option<Bytes> = held;
        loop {
            match body.next().await {
                Some(Ok(chunk)) if chunk.is_empty() => {}
                Some(Ok(chunk)) => {
                    if let Some(chunk) = held.replace(chunk) {
                        return Some((Ok(chunk), Some((body, held))));
                    }
                }
                Some(Err(error)) => return Some((Err(error), None)),
                None => return opened(held).transpose().map(|last| (last, None)),
            }
        }
    });
    Box::pin(chunks)
}

/// What the last chunk holds beside the seal.
fn opened(last: Option<Bytes>) -> Result<Option<Bytes>> {
    let Some(mut last) = last.filter(|last| last.last() == Some(&SEAL_WHOLE)) else {
        let message = "was given up by its sender";
        let error = Error::new(ErrorKind::Conflict, "api.upload", message);
        return Err(error.with_field("body"));
    };
    last.truncate(last.len() - 1);
    Ok(Some(last).filter(|last| !last.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(chunks: &[&'static [u8]]) -> Result<Vec<u8>, (Vec<u8>, Error)> {
        let chunks: Vec<_> = chunks
            .iter()
            .map(|chunk| Ok(Bytes::from_static(chunk)))
            .collect();
        let (mut whole, mut failed) = (Vec::new(), None);
        let mut body = unsealed(Box::pin(stream::iter(chunks)));
        while let Some(chunk) = body.next().await {
            match chunk {
                Ok(chunk) => whole.extend_from_slice(&chunk),
                Err(error) => failed = Some(error),
            }
        }
        match failed {
            Some(error) => Err((whole, error)),
            None => Ok(whole),
        }
    }

    #[tokio::test]
    async fn the_seal_is_none_of_the_file() {
        assert_eq!(read(&[b"ab", b"c\x01"]).await.unwrap(), b"abc");
        assert_eq!(read(&[b"ab", b"", b"\x01"]).await.unwrap(), b"ab");
        assert_eq!(read(&[b"\x01"]).await.unwrap(), b"");
        assert_eq!(read(&[b"\x00\x01\x01"]).await.unwrap(), b"\x00\x01");
    }

    #[tokio::test]
    async fn what_is_given_up_or_not_sealed_is_not_whole() {
        for chunks in [&[&b"ab"[..], &b"\x00"[..]][..], &[b"ab"], &[], &[b""]] {
            let (_, error) = read(chunks).await.unwrap_err();
            assert_eq!(error.field(), Some("body"));
        }
    }
}
