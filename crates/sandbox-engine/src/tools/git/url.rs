//! Addresses of remotes: checked, and parted from the credentials in them.

use sandbox_core::{Error, Result};

use super::Credentials;

const MAX_URL_BYTES: usize = 2048;

/// The schemes that remotes may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Protocols {
    /// `https://`
    pub https: bool,
    /// `http://`
    pub http: bool,
    /// `ssh://` and `user@host:path`
    pub ssh: bool,
    /// `git://`
    pub git: bool,
    /// `file://` and absolute paths, inside the sandbox.
    pub file: bool,
}

impl Default for Protocols {
    /// Everything but `file`.
    fn default() -> Self {
        Self {
            https: true,
            http: true,
            ssh: true,
            git: true,
            file: false,
        }
    }
}

impl Protocols {
    fn list(self) -> Vec<Scheme> {
        let all = [
            (self.https, Scheme::Https),
            (self.http, Scheme::Http),
            (self.ssh, Scheme::Ssh),
            (self.git, Scheme::Git),
            (self.file, Scheme::File),
        ];
        let allowed = all.into_iter().filter(|(allowed, _)| *allowed);
        allowed.map(|(_, scheme)| scheme).collect()
    }

    /// As `GIT_ALLOW_PROTOCOL` has it.
    pub(super) fn to_git(self) -> String {
        let names: Vec<&str> = self.list().into_iter().map(Scheme::as_str).collect();
        names.join(":")
    }
}

/// How a remote is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scheme {
    Https,
    Http,
    Ssh,
    Git,
    File,
}

impl Scheme {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Https => "https",
            Self::Http => "http",
            Self::Ssh => "ssh",
            Self::Git => "git",
            Self::File => "file",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [Self::Https, Self::Http, Self::Ssh, Self::Git, Self::File]
            .into_iter()
            .find(|scheme| text.eq_ignore_ascii_case(scheme.as_str()))
    }
}

/// The address of a remote, without a password in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteUrl {
    text: String,
    scheme: Scheme,
    /// `host` or `host:port`, for http and https.
    authority: Option<String>,
    credentials: Option<Credentials>,
}

impl RemoteUrl {
    /// Checks an address against `protocols` and parts it from its credentials.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidSpec`](sandbox_core::ErrorKind::InvalidSpec) with field `url` for a scheme
    /// that is not allowed, a helper (`ext::…`), anything that git or ssh could take for an
    /// option, control characters or blanks, written out or percent-encoded.
    pub fn parse(text: &str, protocols: Protocols) -> Result<Self> {
        if text.is_empty() || text.len() > MAX_URL_BYTES {
            return Err(refuse(&format!("must have 1 to {MAX_URL_BYTES} bytes")));
        }
        if text.starts_with('-') {
            return Err(refuse("must not start with '-'"));
        }
        if text.contains(|c: char| c.is_control() || c.is_whitespace()) {
            return Err(refuse("must not contain blanks or control characters"));
        }
        let url = match text.split_once("://") {
            Some((scheme, rest)) => Self::with_scheme(scheme, rest)?,
            None if text.starts_with('/') => Self::bare(text, Scheme::File),
            None => Self::scp_like(text)?,
        };
        if protocols.list().contains(&url.scheme) {
            return Ok(url);
        }
        let message = format!("the scheme {} is not allowed", url.scheme.as_str());
        Err(refuse(&message))
    }

    fn bare(text: &str, scheme: Scheme) -> Self {
        Self {
            text: text.to_owned(),
            scheme,
            authority: None,
            credentials: None,
        }
    }

    fn with_scheme(scheme: &str, rest: &str) -> Result<Self> {
        let scheme = Scheme::parse(scheme).ok_or_else(|| {
            refuse("must start with https://, http://, ssh://, git:// or be user@host:path")
        })?;
        let (authority, path) = rest
            .find('/')
            .map_or((rest, ""), |slash| rest.split_at(slash));
        if scheme == Scheme::File {
            if !authority.is_empty() || path.is_empty() {
                return Err(refuse("must be file:// and an absolute path"));
            }
            return Ok(Self::bare(&format!("file://{path}"), scheme));
        }
        let (user, host) = match authority.rsplit_once('@') {
            Some((user, host)) => (Some(user), host),
            None => (None, authority),
        };
        check_host(host)?;
        if scheme == Scheme::Ssh {
            let user = user.map(check_ssh_user).transpose()?;
            let user = user.map(|user| format!("{user}@")).unwrap_or_default();
            return Ok(Self::bare(&format!("ssh://{user}{host}{path}"), scheme));
        }
        Ok(Self {
            text: format!("{}://{host}{path}", scheme.as_str()),
            scheme,
            authority: Some(host.to_ascii_lowercase()),
            credentials: user.map(from_userinfo).transpose()?.flatten(),
        })
    }

    /// `user@host:path`, as ssh has it.
    fn scp_like(text: &str) -> Result<Self> {
        if text.contains("::") {
            return Err(refuse("must not name a remote helper (\"…::\")"));
        }
        let (target, path) = text
            .split_once(':')
            .ok_or_else(|| refuse("is not an address such as https://host/path"))?;
        let (user, host) = match target.rsplit_once('@') {
            Some((user, host)) => (Some(check_ssh_user(user)?), host),
            None => (None, target),
        };
        check_host(host)?;
        if path.is_empty() || path.starts_with('-') {
            return Err(refuse("must have a path that does not start with '-'"));
        }
        let user = user.map(|user| format!("{user}@")).unwrap_or_default();
        Ok(Self::bare(&format!("{user}{host}:{path}"), Scheme::Ssh))
    }

    /// The address, as git gets it.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The credentials that were in it.
    pub fn credentials(&self) -> Option<&Credentials> {
        self.credentials.as_ref()
    }

    /// `scheme://host:port`, for which a credential helper can be set; `None` but for http(s).
    pub(super) fn origin(&self) -> Option<String> {
        let authority = self.authority.as_ref()?;
        Some(format!("{}://{authority}", self.scheme.as_str()))
    }

    /// `host` or `host:port` in lower case; `None` but for http(s).
    pub(super) fn authority(&self) -> Option<&str> {
        self.authority.as_deref()
    }

    pub(super) fn is_plaintext(&self) -> bool {
        self.scheme == Scheme::Http
    }
}

fn refuse(message: &str) -> Error {
    Error::invalid("git.url", "url", message)
}

/// A host name or address with an optional port. What starts with `-` would be an option to ssh.
fn check_host(host: &str) -> Result<()> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || ".-_:[]".contains(c);
    let fits = host.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '[')
        && host.chars().all(allowed);
    if fits {
        return Ok(());
    }
    Err(refuse("has a host that is not a host name"))
}

fn check_ssh_user(user: &str) -> Result<&str> {
    if user.contains(':') {
        return Err(refuse(
            "must not have a password: ssh takes none from an address",
        ));
    }
    let allowed = |c: char| c.is_ascii_alphanumeric() || "._-+".contains(c);
    if user.starts_with('-') || user.is_empty() || !user.chars().all(allowed) {
        return Err(refuse("has a user that is not a user name"));
    }
    Ok(user)
}

/// The credentials before an `@`. A name alone is a token, as `https://TOKEN@host` has it.
fn from_userinfo(text: &str) -> Result<Option<Credentials>> {
    if text.is_empty() || text == ":" {
        return Ok(None);
    }
    let (user, password) = text.split_once(':').unwrap_or((text, ""));
    let decoded = |part: &str| {
        percent_decode(part)
            .ok_or_else(|| refuse("has credentials that are not percent-encoded text"))
    };
    let (user, password) = (decoded(user)?, decoded(password)?);
    Credentials::from_url(user, password).map(Some)
}

fn percent_decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let (digits, after) = after.split_at_checked(2)?;
        let digits = std::str::from_utf8(digits).ok()?;
        if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        rest = after;
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Protocols = Protocols {
        https: true,
        http: true,
        ssh: true,
        git: true,
        file: true,
    };

    #[test]
    fn credentials_are_parted_from_the_address() {
        let url = RemoteUrl::parse("https://me:p%40ss@Host.example:8443/a/b.git", ALL).unwrap();
        assert_eq!(url.as_str(), "https://Host.example:8443/a/b.git");
        assert_eq!(url.origin().unwrap(), "https://host.example:8443");
        let credentials = url.credentials().unwrap();
        assert_eq!(credentials.username(), "me");
        assert_eq!(credentials.expose(), "p@ss");
        assert!(!format!("{url:?}").contains("p@ss"));
        let token = RemoteUrl::parse("https://ghp_x@github.com/a", ALL).unwrap();
        assert_eq!(token.as_str(), "https://github.com/a");
        assert!(!format!("{token:?}").contains("ghp_x"));
    }

    #[test]
    fn usual_addresses_are_accepted() {
        for text in [
            "https://github.com/a/b.git",
            "http://127.0.0.1:3000/a",
            "https://[::1]:8443/a",
            "ssh://git@host:22/a.git",
            "git@github.com:a/b.git",
            "git://host/a",
            "file:///srv/a.git",
            "/srv/a.git",
        ] {
            assert_eq!(RemoteUrl::parse(text, ALL).unwrap().as_str(), text);
        }
    }

    #[test]
    fn addresses_that_are_options_helpers_or_tricks_are_refused() {
        for text in [
            "",
            "-u",
            "--upload-pack=touch /x",
            "ext::sh -c touch% /x",
            "ext::sh",
            "fd::17",
            "host::path",
            "ftp://host/a",
            "https://-oProxyCommand=x/a",
            "ssh://-oProxyCommand=touch/a",
            "ssh://-l@host/a",
            "ssh://me:pw@host/a",
            "-oProxyCommand=x@host:a",
            "-host:path",
            "git@host:-x",
            "https://host/a b",
            "https://host/a\nb",
            "https://a%0ahost=evil:x@host/a",
            "https://a%0@host/a",
            "https:///a",
            "https://ho%73t/a",
            "file://host/a",
            "relative/path",
            "https://evil.example\\@host/a\0",
        ] {
            let error = RemoteUrl::parse(text, ALL).unwrap_err();
            assert_eq!(error.field(), Some("url"), "{text:?}");
        }
        assert!(RemoteUrl::parse("/srv/a", Protocols::default()).is_err());
        let only = Protocols {
            http: false,
            ..Protocols::default()
        };
        assert!(RemoteUrl::parse("HTTP://host/a", only).is_err());
        assert_eq!(only.to_git(), "https:ssh:git");
    }
}
