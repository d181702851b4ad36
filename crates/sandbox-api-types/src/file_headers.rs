//! A file's attributes beside its content: headers of a download.

use std::str::FromStr;

use sandbox_core::{Error, ErrorKind, Result, SandboxPath, Timestamp};

use crate::{FileInfo, FileKind, FileMode, Time};

/// The whole file's size in bytes, however much of it is sent.
pub const FILE_SIZE: &str = "x-file-size";
const MODE: &str = "x-file-mode";
const UID: &str = "x-file-uid";
const GID: &str = "x-file-gid";
const OWNER: &str = "x-file-owner";
const GROUP: &str = "x-file-group";
const MODIFIED: &str = "x-file-modified";

impl FileInfo {
    /// The attributes of a regular file as headers: names in lower case, values in visible ASCII.
    /// A name of an owner or a group that is no visible ASCII is left out.
    pub fn to_headers(&self) -> Vec<(&'static str, String)> {
        let name = |header, name: &Option<String>| {
            let name = name.clone().filter(|name| is_header(name));
            name.map(|name| (header, name))
        };
        let always = [
            (FILE_SIZE, self.size.to_string()),
            (MODE, self.mode.to_string()),
            (UID, self.uid.to_string()),
            (GID, self.gid.to_string()),
            (MODIFIED, self.modified_at.to_string()),
        ];
        let names = [name(OWNER, &self.owner), name(GROUP, &self.group)];
        always
            .into_iter()
            .chain(names.into_iter().flatten())
            .collect()
    }

    /// Reads the attributes of the regular file at `path` from the headers that `get` gives by their
    /// names in lower case. Those that are missing are zero, but the size.
    ///
    /// # Errors
    /// `Internal` when there is no size, or one of them makes no sense.
    pub fn from_headers<'a>(
        path: SandboxPath,
        get: impl Fn(&'static str) -> Option<&'a str>,
    ) -> Result<Self> {
        let size = get(FILE_SIZE).ok_or_else(|| broken(FILE_SIZE))?;
        Ok(Self {
            path,
            kind: FileKind::File,
            size: parse(FILE_SIZE, size)?,
            mode: get(MODE).map_or(Ok(FileMode(0)), |text| parse(MODE, text))?,
            uid: get(UID).map_or(Ok(0), |text| parse(UID, text))?,
            gid: get(GID).map_or(Ok(0), |text| parse(GID, text))?,
            owner: get(OWNER).map(str::to_owned),
            group: get(GROUP).map(str::to_owned),
            modified_at: get(MODIFIED)
                .map_or(Ok(Time(Timestamp::EPOCH)), |text| parse(MODIFIED, text))?,
            link: None,
        })
    }
}

fn is_header(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn parse<T: FromStr>(header: &'static str, text: &str) -> Result<T> {
    text.parse().map_err(|_| broken(header))
}

fn broken(header: &'static str) -> Error {
    let message = format!("the header {header} makes no sense");
    Error::new(ErrorKind::Internal, "file.decode", message)
}
