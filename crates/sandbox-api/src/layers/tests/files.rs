//! Idempotency keys of uploads, whose body is never held whole.

use axum::body::{Body, Bytes};
use axum::http::Method;
use futures_util::stream;

use super::lab::Lab;
use super::support::Ask;

fn upload<'a>(lab: &'a Lab, body: impl Into<Body>) -> Ask<'a> {
    let ask = lab.ask(Method::PUT, "/test/file?mode=0644");
    ask.header("idempotency-key", "k").body(body)
}

#[tokio::test]
async fn the_same_file_again_is_answered_and_not_written() {
    let lab = Lab::new().await;
    let first = upload(&lab, "content").send().await.expect(200);
    let again = upload(&lab, "content").send().await.expect(200);
    assert_eq!(again.header("idempotent-replayed"), "true");
    assert_eq!(again.body, first.body);
    assert_eq!(lab.doings.done(), 1);
    for answer in [first, again] {
        assert!(
            !answer
                .headers
                .keys()
                .any(|name| name.as_str().contains("digest"))
        );
    }
}

#[tokio::test]
async fn another_file_of_the_same_length_is_a_conflict() {
    let lab = Lab::new().await;
    upload(&lab, "content").send().await.expect(200);
    for other in ["CONTENT", "contents"] {
        let answer = upload(&lab, other).send().await.expect(409);
        assert_eq!(answer.field(), "idempotency_key", "{other}");
    }
    let ask = lab.ask(Method::PUT, "/test/file?mode=0600").body("content");
    ask.header("idempotency-key", "k").send().await.expect(409);
    assert_eq!(lab.doings.done(), 1);
}

#[tokio::test]
async fn in_how_many_pieces_a_file_comes_does_not_matter() {
    let lab = Lab::new().await;
    let pieces = |all: &'static [&'static str]| {
        let all = all
            .iter()
            .map(|piece| Ok::<_, std::io::Error>(Bytes::from_static(piece.as_bytes())));
        Body::from_stream(stream::iter(all))
    };
    upload(&lab, pieces(&["con", "tent"]))
        .send()
        .await
        .expect(200);
    let again = upload(&lab, pieces(&["c", "ontent"]))
        .send()
        .await
        .expect(200);
    assert_eq!(again.header("idempotent-replayed"), "true");
    upload(&lab, pieces(&["c", "ontenT"]))
        .send()
        .await
        .expect(409);
}

#[tokio::test]
async fn an_upload_that_broke_off_can_be_sent_again() {
    let lab = Lab::new().await;
    let broken = [
        Ok(Bytes::from_static(b"con")),
        Err(std::io::Error::other("reset")),
    ];
    let broken = Body::from_stream(stream::iter(broken));
    upload(&lab, broken).send().await.expect(400);
    let whole = Body::from_stream(stream::iter([Ok::<_, std::io::Error>(Bytes::from(
        "content",
    ))]));
    let answer = upload(&lab, whole).send().await.expect(200);
    assert_eq!(answer.body, "7");
    assert_eq!(lab.doings.done(), 1);
}
