//! API keys: made, hashed, scoped.
//!
//! # Why plain SHA-256
//!
//! Slow password hashes (Argon2, bcrypt) make guessing expensive where secrets are guessable. These
//! keys are 256 random bits (160 in the `e2b_` shape): whoever steals the hashes can guess for ever.
//! A slow hash would only cost every request its milliseconds. For the same reason no salt is needed,
//! and the hash itself can be the index by which a key is found: the time that a lookup takes
//! depends on the hash of what was presented, which says nothing about a key without inverting
//! SHA-256. The comparison that decides is constant-time all the same.

use std::fmt;
use std::str::FromStr;

use sandbox_core::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::id::{hex, random};
use super::store::KeyHash;

/// The longest key that is looked at; anything longer is no key.
pub const MAX_KEY_BYTES: usize = 256;
/// The shortest key that can be imported: shorter ones can be guessed.
pub const MIN_IMPORTED_KEY_BYTES: usize = 16;
/// How much of a key is kept to recognise it by.
const HINT_BYTES: usize = 8;

/// What a new key looks like.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyShape {
    /// `sbk_` and 64 hexadecimal digits: 256 bits.
    #[default]
    Native,
    /// `e2b_` and 40 hexadecimal digits, 160 bits: the shape E2B's SDKs insist on.
    E2b,
}

/// An API key in clear. It is shown once; neither `Debug` nor anything stored has it.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey(String);

impl ApiKey {
    /// A new random key.
    pub(super) fn generate(shape: KeyShape) -> Result<Self> {
        Ok(Self(match shape {
            KeyShape::Native => format!("sbk_{}", hex(&random::<32>()?)),
            KeyShape::E2b => format!("e2b_{}", hex(&random::<20>()?)),
        }))
    }

    /// A key that somebody else made, to be imported.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidSpec`] with field `key` unless it is [`MIN_IMPORTED_KEY_BYTES`] to
    /// [`MAX_KEY_BYTES`] visible ASCII characters. It should be random: it is stored as a plain hash.
    pub fn import(text: impl Into<String>) -> Result<Self> {
        let text = text.into();
        let fits = (MIN_IMPORTED_KEY_BYTES..=MAX_KEY_BYTES).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_graphic());
        if fits {
            return Ok(Self(text));
        }
        let message = format!(
            "must be {MIN_IMPORTED_KEY_BYTES} to {MAX_KEY_BYTES} visible ASCII characters, and random"
        );
        Err(Error::invalid("owners.import_key", "key", message))
    }

    /// The key itself, to be shown once.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// What a key is recognised by in a list: its first characters.
    pub(super) fn hint(&self) -> String {
        self.0.chars().take(HINT_BYTES).collect()
    }

    pub(super) fn hash(&self) -> KeyHash {
        hash(&self.0)
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey(…)")
    }
}

/// The hash of a key as presented, of at most [`MAX_KEY_BYTES`].
pub(super) fn hash(presented: &str) -> KeyHash {
    KeyHash(Sha256::digest(presented.as_bytes()).into())
}

/// What a key may do. Each includes the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Look: list, get, read files and events.
    Read,
    /// Change: create, run, write, destroy.
    Write,
    /// Manage the organisation's keys, webhooks and quotas.
    Admin,
}

impl Scope {
    /// The scope's name, as it is written in lists.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Admin => "admin",
        }
    }
}

impl FromStr for Scope {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "read" => Ok(Self::Read),
            "write" => Ok(Self::Write),
            "admin" => Ok(Self::Admin),
            other => {
                let shown: String = other.chars().take(40).collect();
                let message = format!("{shown:?} is not a scope; known are: read, write, admin");
                Err(Error::invalid("owners.scope", "scopes", message))
            }
        }
    }
}

/// The scopes of a key: at least one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Scope>", into = "Vec<Scope>")]
pub struct Scopes {
    highest: Scope,
}

impl Scopes {
    /// Everything up to and including `scope`.
    pub const fn up_to(scope: Scope) -> Self {
        Self { highest: scope }
    }

    /// The scopes in `list`, and what they include.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidSpec`] with field `scopes` for an empty list: a key that may do
    /// nothing is a mistake.
    pub fn from_list(list: &[Scope]) -> Result<Self> {
        let highest = list.iter().max().copied().ok_or_else(|| {
            Error::invalid("owners.scope", "scopes", "must name at least one scope")
        })?;
        Ok(Self { highest })
    }

    /// Whether `scope` is among them.
    pub fn allows(self, scope: Scope) -> bool {
        scope <= self.highest
    }

    /// Every scope, lowest first.
    pub fn to_list(self) -> Vec<Scope> {
        [Scope::Read, Scope::Write, Scope::Admin]
            .into_iter()
            .filter(|scope| self.allows(*scope))
            .collect()
    }

    /// Refuses what needs `scope` unless it is among them.
    ///
    /// # Errors
    /// [`ErrorKind::PermissionDenied`] naming the scope.
    pub fn require(self, scope: Scope) -> Result<()> {
        if self.allows(scope) {
            return Ok(());
        }
        let message = format!("this API key does not have the scope {:?}", scope.as_str());
        Err(Error::new(
            ErrorKind::PermissionDenied,
            "owners.require",
            message,
        ))
    }
}

impl TryFrom<Vec<Scope>> for Scopes {
    type Error = Error;

    fn try_from(list: Vec<Scope>) -> Result<Self> {
        Self::from_list(&list)
    }
}

impl From<Scopes> for Vec<Scope> {
    fn from(scopes: Scopes) -> Self {
        scopes.to_list()
    }
}
