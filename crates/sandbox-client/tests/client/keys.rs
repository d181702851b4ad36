//! Where the key goes, and where it does not.

use sandbox_client::Client;
use sandbox_core::{Error, ErrorKind};

use crate::script::{Answer, KEY, Script};

/// Everything that an error can be made to say.
fn everything(error: &Error) -> String {
    format!("{error} {error:?} {} {error:#?}", error.report())
}

#[tokio::test]
async fn the_key_goes_into_its_header_and_nowhere_else() {
    let script = Script::new([Answer::json(200, r#"{"templates":[]}"#)]).await;
    script.client().list_templates().await.unwrap();
    let requests = script.requests();
    let header = format!("authorization: bearer {KEY}");
    assert!(requests[0].contains(&header), "{requests:?}");
    assert_eq!(requests[0].matches(KEY).count(), 1);
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let other = Script::new([Answer::json(200, r#"{"templates":[]}"#)]).await;
    for status in [301, 302, 303, 307, 308] {
        let to = format!("location: {}/v1/templates\r\n", other.url);
        let script = Script::new([Answer::new(status, &to, "")]).await;
        let error = script.client().list_templates().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Internal);
    }
    assert!(other.requests().is_empty());
}

#[tokio::test]
async fn nothing_shown_has_the_key() {
    let builder = Client::builder().url("http://127.0.0.1:1").api_key(KEY);
    assert!(!format!("{builder:?}").contains(KEY));
    let client = builder.build().unwrap();
    assert!(!format!("{client:?}{client:#?}").contains(KEY));
    let echo = format!("you sent {KEY}");
    for answer in [
        Answer::nothing(),
        Answer::new(500, "", &echo),
        Answer::json(200, &echo),
        Answer::Bytes(echo.clone().into_bytes()),
        Answer::new(200, "content-type: text/plain\r\n", &echo),
    ] {
        let script = Script::new([answer]).await;
        let client = script.client();
        let error = client.list_templates().await.unwrap_err();
        assert!(!everything(&error).contains(KEY), "{}", everything(&error));
        let sandbox = client.sandbox("sbx_1".parse().unwrap());
        let error = sandbox.connect(80).await.err().unwrap();
        assert!(!everything(&error).contains(KEY), "{}", everything(&error));
    }
}

#[test]
fn a_key_that_cannot_be_sent_is_refused_without_showing_it() {
    for key in ["", "with space", "a\nb: injected", "ünï"] {
        let built = Client::builder().url("http://h").api_key(key).build();
        let error = built.unwrap_err();
        assert_eq!(
            (error.kind(), error.field()),
            (ErrorKind::InvalidSpec, Some("api_key"))
        );
        assert!(key.is_empty() || !everything(&error).contains(key));
    }
}
