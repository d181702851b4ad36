//! Who asks.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use sandbox_core::{Error, ErrorKind, Timestamp};
use sandbox_engine::OwnerId;
use sandbox_engine::owners::{KeyHash, KeyId, OrganisationId, Principal, Quotas, Scopes};

use crate::error::ApiError;

/// Who asks: the key that was presented and the organisation it belongs to.
#[derive(Debug, Clone)]
pub struct Caller {
    principal: Principal,
    owner: OwnerId,
    /// What tells whether the key still is one; `None` for somebody whom the embedder let in.
    proof: Option<KeyHash>,
}

impl Caller {
    /// The organisation, as the owner of what it makes.
    pub fn owner(&self) -> &OwnerId {
        &self.owner
    }

    /// The organisation.
    pub fn organisation(&self) -> &OrganisationId {
        &self.principal.organisation
    }

    /// Somebody who presented the key with this hash.
    pub(crate) fn proven(principal: Principal, key: KeyHash) -> Self {
        Self {
            proof: Some(key),
            ..Self::from(principal)
        }
    }

    pub(crate) fn proof(&self) -> Option<KeyHash> {
        self.proof
    }

    pub(crate) fn principal(&self) -> &Principal {
        &self.principal
    }

    /// The key that was presented.
    pub fn key_id(&self) -> &KeyId {
        &self.principal.key_id
    }

    /// What the key may do.
    pub fn scopes(&self) -> Scopes {
        self.principal.scopes
    }

    /// When the key ends by itself.
    pub fn expires_at(&self) -> Option<Timestamp> {
        self.principal.expires_at
    }

    /// The organisation's quotas, as they are with this request.
    pub fn quotas(&self) -> &Quotas {
        &self.principal.quotas
    }
}

impl From<Principal> for Caller {
    fn from(principal: Principal) -> Self {
        Self {
            owner: OwnerId::from(&principal.organisation),
            principal,
            proof: None,
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        parts.extensions.get::<Self>().cloned().ok_or_else(|| {
            let message = "the route asks for no key, and its handler for a caller";
            Error::new(ErrorKind::Internal, "api.caller", message).into()
        })
    }
}
