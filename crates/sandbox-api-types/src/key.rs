//! API keys.

use serde::{Deserialize, Serialize};

use crate::{DurationText, Time};

/// What a key may do. Each includes the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Look: list, get, read files and events.
    Read,
    /// Change: create, run, write, destroy.
    Write,
    /// Manage the organisation's keys.
    Admin,
}

/// Asks for a new key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct CreateApiKey {
    /// What it is for, in the caller's words: at most 128 bytes.
    pub name: String,
    /// What it may do: at least one scope.
    pub scopes: Vec<Scope>,
    /// How long it is valid; without it, until it is revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_in: Option<DurationText>,
}

/// A key as it is listed: everything but the key itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ApiKey {
    /// Its id.
    pub id: String,
    /// What it is for.
    pub name: String,
    /// Its first characters, to recognise it by.
    pub hint: String,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// When it was made.
    pub created_at: Time,
    /// When it was last used, to the minute.
    #[serde(default)]
    pub last_used_at: Option<Time>,
    /// When it ends; null: not by itself.
    #[serde(default)]
    pub expires_at: Option<Time>,
    /// When it was revoked.
    #[serde(default)]
    pub revoked_at: Option<Time>,
}

/// A new key. This is the only time that it is shown.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CreatedApiKey {
    /// The key itself.
    pub key: String,
    /// The rest of it.
    #[serde(flatten)]
    pub record: ApiKey,
}

impl std::fmt::Debug for CreatedApiKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CreatedApiKey")
            .field("record", &self.record)
            .finish_non_exhaustive()
    }
}

/// The keys of an organisation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ApiKeyList {
    /// The keys, oldest first, revoked ones included.
    pub keys: Vec<ApiKey>,
}
