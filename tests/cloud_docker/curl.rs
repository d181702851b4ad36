//! Requests by the real curl.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// A request on its way.
pub(crate) struct Curl(Command);

/// What the server answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: Vec<u8>,
}

impl Curl {
    pub(crate) fn new(method: &str, url: &str) -> Self {
        let mut curl = Command::new("curl");
        // A path goes out as it is written: what climbs is the server's business.
        curl.args(["--silent", "--show-error", "--include", "--no-buffer"])
            .args(["--path-as-is", "--globoff", "--max-time", "120"])
            .args(["--request", method, url]);
        Self(curl)
    }

    pub(crate) fn header(mut self, header: &str) -> Self {
        self.0.args(["--header", header]);
        self
    }

    pub(crate) fn key(self, key: &str) -> Self {
        self.header(&format!("Authorization: Bearer {key}"))
    }

    pub(crate) fn json(self, body: &Value) -> Self {
        self.text(&body.to_string())
    }

    /// A body said to be JSON, whatever it is.
    pub(crate) fn text(mut self, body: &str) -> Self {
        self.0.args(["--data-binary", body]);
        self.header("Content-Type: application/json")
    }

    /// Raw bytes from a file, streamed.
    pub(crate) fn upload(mut self, file: &Path) -> Self {
        self.0.arg("--upload-file").arg(file);
        self
    }

    /// Writes the body to a file instead of answering it.
    pub(crate) fn download(mut self, file: &Path) -> Self {
        self.0.args(["--no-include", "--dump-header", "-"]);
        self.0.arg("--output").arg(file);
        self
    }

    pub(crate) fn send(mut self) -> Answer {
        let output = self.0.output().expect("the tests need curl");
        let answer = Answer::parse(output.stdout);
        match answer {
            Some(answer) if output.status.success() => answer,
            answer => panic!(
                "{:?} ended with {}: {}; answered {answer:?}",
                self.0,
                output.status,
                String::from_utf8_lossy(&output.stderr)
            ),
        }
    }
}

impl Answer {
    /// The last head and what follows it: an upload is answered `100 Continue` first.
    fn parse(whole: Vec<u8>) -> Option<Self> {
        let mut rest = whole.as_slice();
        loop {
            let end = rest.windows(4).position(|window| window == b"\r\n\r\n")?;
            let head = String::from_utf8_lossy(&rest[..end]).into_owned();
            rest = &rest[end + 4..];
            let status = head.split(' ').nth(1)?.parse().ok()?;
            if status >= 200 {
                return Some(Self {
                    status,
                    head,
                    body: rest.to_vec(),
                });
            }
        }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|e| panic!("{e} in the answer {} {}", self.status, self.text()))
    }

    /// The answer, which must have this status.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}\n{}", self.head, self.text());
        self
    }

    /// The answer, which must be an error of this status about `field`.
    #[track_caller]
    pub(crate) fn refused(self, status: u16, field: &str) {
        let answer = self.expect(status);
        let error = &answer.json()["error"];
        assert!(error["code"].is_string(), "{error}");
        let message = error["message"].as_str();
        assert!(message.is_some_and(|text| !text.is_empty()), "{error}");
        assert_eq!(error["field"], field, "{error}");
    }
}
