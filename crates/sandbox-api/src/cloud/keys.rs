//! API keys of the caller's organisation.
//!
//! A key is shown once, in the answer that makes it. Only a key with the scope `admin` manages keys,
//! and what it makes never outdoes it: not in scopes, and not in time, so that a key that ends
//! cannot live on in one that does not. Revoking holds from the next request on; a stream that is
//! open ends within seconds. The last key that works and has the scope `admin` cannot be revoked here:
//! without one the organisation could not help itself, and to replace it, another is made first.

use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use sandbox_api_types::{ApiKey, ApiKeyList, CreateApiKey, CreatedApiKey, DurationText, Scope};
use sandbox_core::{Error, ErrorKind, Result, Timestamp};
use sandbox_engine::owners::{self, KeyId, KeyRecord, NewKey, Scopes};
use utoipa_axum::routes;

use crate::Caller;
use crate::error::ApiError;
use crate::extract::{Json, Path, ShownOnce};
use crate::route::BodyClass::{Json as JsonBody, None as NoBody};
use crate::route::Deadline::Unary;
use crate::route::Repeat::{Once, Repeatable, Safe};
use crate::route::{Table, admin};
use crate::state::AppState;

/// The shortest time that a key can be made for.
const MIN_LIFE: Duration = Duration::from_secs(1);

pub(super) fn table() -> Table {
    Table::new(&super::DIALECT)
        .add(routes!(create_key), admin(JsonBody, Unary, Once))
        .add(routes!(list_keys), admin(NoBody, Unary, Safe))
        .add(routes!(revoke_key), admin(NoBody, Unary, Repeatable))
}

/// Make an API key
///
/// The answer is the only place where the key is ever shown. Its scopes are at most those of the key
/// that makes it, and where that one expires, it expires no later.
#[utoipa::path(
    post, path = "/v1/keys", tag = "keys",
    request_body = CreateApiKey,
    responses(
        (status = 201, description = "The new key", body = CreatedApiKey),
        (status = 403, description = "It would outdo the key that makes it"),
    ),
)]
async fn create_key(
    State(state): State<AppState>,
    caller: Caller,
    Json(request): Json<CreateApiKey>,
) -> Result<(StatusCode, ShownOnce, Json<CreatedApiKey>), ApiError> {
    let now = state.now();
    let new = NewKey {
        scopes: granted(caller.scopes(), &request.scopes)?,
        expires_at: end(now, caller.expires_at(), request.expires_in)?,
        label: request.name,
        ..NewKey::default()
    };
    let made = state.owners().create_key(caller.organisation(), new, now);
    let (key, record) = made.await.map_err(named)?;
    let created = CreatedApiKey {
        key: key.expose().to_owned(),
        record: shown(record),
    };
    Ok((StatusCode::CREATED, ShownOnce, Json(created)))
}

/// List API keys
///
/// Everything but the keys themselves: `hint` is how one begins.
#[utoipa::path(
    get, path = "/v1/keys", tag = "keys",
    responses((status = 200, description = "Oldest first, revoked ones included", body = ApiKeyList)),
)]
async fn list_keys(
    State(state): State<AppState>,
    caller: Caller,
) -> Result<Json<ApiKeyList>, ApiError> {
    let records = state.owners().keys(caller.organisation()).await?;
    let keys = records.into_iter().map(shown).collect();
    Ok(Json(ApiKeyList { keys }))
}

/// Revoke an API key
///
/// From the next request on. Safe to call again. The last key with the scope `admin` that works
/// stays: make another one first.
#[utoipa::path(
    delete, path = "/v1/keys/{id}", tag = "keys",
    params(("id" = String, Path, description = "The key's id, not the key")),
    responses(
        (status = 204, description = "It is revoked"),
        (status = 404, description = "The organisation has no such key"),
        (status = 409, description = "It is the last that may manage keys"),
    ),
)]
async fn revoke_key(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<StatusCode, ApiError> {
    // What cannot be an id is the id of no key.
    let id = KeyId::new(id).map_err(|cause| {
        let message = "the organisation has no such key";
        let error = Error::new(ErrorKind::NotFound, "api.key", message);
        named(error.with_field("key").with_source(cause))
    })?;
    let revoked = state
        .owners()
        .revoke_spare_key(caller.organisation(), &id, state.now());
    revoked.await.map_err(named)?;
    Ok(StatusCode::NO_CONTENT)
}

/// The scopes that a key with `own` may give away.
///
/// # Errors
/// `InvalidSpec` with field `scopes` when none is asked for; `PermissionDenied` with that field for
/// more than its own.
fn granted(own: Scopes, wanted: &[Scope]) -> Result<Scopes> {
    let wanted: Vec<_> = wanted.iter().map(|scope| scope_from(*scope)).collect();
    if let Some(beyond) = wanted.iter().find(|scope| !own.allows(**scope)) {
        let message = format!(
            "a key cannot give away {:?}, which it does not have",
            beyond.as_str()
        );
        let error = Error::new(ErrorKind::PermissionDenied, "api.key", message);
        return Err(error.with_field("scopes"));
    }
    Scopes::from_list(&wanted)
}

/// When a key ends that is made `now` by one that ends at `own`.
///
/// # Errors
/// `InvalidSpec` with field `expires_in` below a second; `PermissionDenied` with that field for a
/// time after `own`.
fn end(
    now: Timestamp,
    own: Option<Timestamp>,
    wanted: Option<DurationText>,
) -> Result<Option<Timestamp>> {
    let Some(DurationText(life)) = wanted else {
        return Ok(own);
    };
    if life < MIN_LIFE {
        return Err(Error::invalid(
            "api.key",
            "expires_in",
            "must be at least 1s",
        ));
    }
    let end = now.plus(life);
    match own {
        Some(own) if end > own => {
            let message = format!("a key that ends cannot make one that ends later, after {own}");
            let error = Error::new(ErrorKind::PermissionDenied, "api.key", message);
            Err(error.with_field("expires_in"))
        }
        Some(_) | None => Ok(Some(end)),
    }
}

/// The error with the fields as this dialect names them.
fn named(error: Error) -> ApiError {
    let field = match error.field() {
        Some("label") => Some("name"),
        Some("key") => Some("key_id"),
        Some(_) | None => None,
    };
    let error = ApiError::from(error);
    match field {
        Some(field) => error.with_field(field),
        None => error,
    }
}

const fn scope_from(scope: Scope) -> owners::Scope {
    match scope {
        Scope::Read => owners::Scope::Read,
        Scope::Write => owners::Scope::Write,
        Scope::Admin => owners::Scope::Admin,
    }
}

const fn scope_shown(scope: owners::Scope) -> Scope {
    match scope {
        owners::Scope::Read => Scope::Read,
        owners::Scope::Write => Scope::Write,
        owners::Scope::Admin => Scope::Admin,
    }
}

fn shown(record: KeyRecord) -> ApiKey {
    ApiKey {
        id: record.id.into(),
        name: record.label,
        hint: record.hint,
        scopes: record
            .scopes
            .to_list()
            .into_iter()
            .map(scope_shown)
            .collect(),
        created_at: record.created_at.into(),
        last_used_at: record.last_used_at.map(Into::into),
        expires_at: record.expires_at.map(Into::into),
        revoked_at: record.revoked_at.map(Into::into),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_gives_away_no_more_than_it_has() {
        use owners::Scope as Own;
        for (own, wanted, given) in [
            (Own::Admin, &[Scope::Admin][..], Ok(Own::Admin)),
            (Own::Admin, &[Scope::Read], Ok(Own::Read)),
            (Own::Write, &[Scope::Read, Scope::Write], Ok(Own::Write)),
            (
                Own::Write,
                &[Scope::Read, Scope::Admin],
                Err(ErrorKind::PermissionDenied),
            ),
            (Own::Read, &[Scope::Write], Err(ErrorKind::PermissionDenied)),
            (Own::Admin, &[], Err(ErrorKind::InvalidSpec)),
        ] {
            let answer = granted(Scopes::up_to(own), wanted);
            let answer = answer.map_err(|error| {
                assert_eq!(error.field(), Some("scopes"));
                error.kind()
            });
            assert_eq!(answer, given.map(Scopes::up_to), "{own:?} {wanted:?}");
        }
    }

    #[test]
    fn a_key_that_ends_makes_none_that_ends_later() {
        let at = |seconds| Timestamp::EPOCH.plus(Duration::from_secs(seconds));
        let life = |seconds| Some(DurationText(Duration::from_secs(seconds)));
        let now = at(100);
        for (own, wanted, given) in [
            (None, None, Ok(None)),
            (None, life(60), Ok(Some(at(160)))),
            (Some(at(160)), None, Ok(Some(at(160)))),
            (Some(at(160)), life(60), Ok(Some(at(160)))),
            (Some(at(160)), life(61), Err(ErrorKind::PermissionDenied)),
            (None, life(0), Err(ErrorKind::InvalidSpec)),
        ] {
            let answer = end(now, own, wanted).map_err(|error| {
                assert_eq!(error.field(), Some("expires_in"));
                error.kind()
            });
            assert_eq!(answer, given, "{own:?} {wanted:?}");
        }
    }
}
