//! Files of cases.

use std::fs;
use std::path::PathBuf;

/// A script, and why it is allowed to differ (in `differences.txt`).
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) text: String,
    pub(crate) reason: String,
}

fn directory() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(crate::CASES)
}

/// The names of the files.
pub(crate) fn subjects() -> Vec<String> {
    let entries = fs::read_dir(directory()).unwrap();
    let stem = |entry: fs::DirEntry| {
        entry
            .path()
            .file_stem()
            .unwrap()
            .to_str()
            .unwrap()
            .to_owned()
    };
    entries.map(|entry| stem(entry.unwrap())).collect()
}

/// The cases of a file: paragraphs, whose first line is a reason when it begins with `#!`.
pub(crate) fn read(subject: &str) -> Vec<Case> {
    let text = fs::read_to_string(directory().join(subject).with_extension("txt")).unwrap();
    let paragraphs = text
        .split("\n\n")
        .map(|paragraph| paragraph.trim_matches('\n'));
    let cases = paragraphs
        .filter(|paragraph| !paragraph.is_empty())
        .map(|paragraph| {
            let reason = paragraph
                .strip_prefix("#! ")
                .and_then(|rest| rest.split_once('\n'));
            match reason {
                Some((reason, text)) => Case {
                    text: text.to_owned(),
                    reason: reason.to_owned(),
                },
                None => Case {
                    text: paragraph.to_owned(),
                    reason: String::new(),
                },
            }
        });
    let cases: Vec<_> = cases.collect();
    assert!(!cases.is_empty(), "{subject} has no cases");
    cases
}
