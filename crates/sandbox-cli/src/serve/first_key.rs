//! The organisation and the key of the first start.

use sandbox_core::{Error, Result, Timestamp};
use sandbox_engine::owners::{
    ApiKey, KeyShape, NewKey, Organisation, Owners, Quotas, Scope, Scopes,
};

/// The name of the organisation of the first start.
const ORGANISATION: &str = "default";
/// How many different characters a preset key has at least: keys are kept as plain hashes, and
/// have to be random.
const MIN_DIFFERENT: usize = 8;

/// Makes sure that there is an organisation with a key. Answers the key that was made, to be shown
/// this once; `None` when there was one, or `preset` is it.
///
/// # Errors
/// `InvalidSpec` with field `SANDBOX_API_KEY` for a preset that is too weak, `Conflict` for one
/// that was revoked; what the store fails with.
pub(super) async fn ensure(
    owners: &Owners,
    quotas: Quotas,
    preset: Option<String>,
    now: Timestamp,
) -> Result<Option<ApiKey>> {
    let preset = preset.map(check).transpose()?;
    let organisation = match owners.organisations().await?.into_iter().next() {
        Some(organisation) => organisation,
        None => {
            owners
                .create_organisation(ORGANISATION, quotas, now)
                .await?
        }
    };
    match preset {
        Some(key) => import(owners, &organisation, &key, now)
            .await
            .map(|()| None),
        None => first(owners, &organisation, now).await,
    }
}

async fn import(
    owners: &Owners,
    organisation: &Organisation,
    key: &ApiKey,
    now: Timestamp,
) -> Result<()> {
    let scopes = Scopes::up_to(Scope::Admin);
    let imported = owners.import_key(&organisation.id, key, "preset", scopes, now);
    imported.await.map(|_| ()).map_err(of_the_preset)
}

/// A key, where the organisation never had one.
async fn first(
    owners: &Owners,
    organisation: &Organisation,
    now: Timestamp,
) -> Result<Option<ApiKey>> {
    if !owners.keys(&organisation.id).await?.is_empty() {
        return Ok(None);
    }
    let new = NewKey {
        label: "first".to_owned(),
        scopes: Scopes::up_to(Scope::Admin),
        shape: KeyShape::Native,
        ..NewKey::default()
    };
    let (key, _) = owners.create_key(&organisation.id, new, now).await?;
    Ok(Some(key))
}

fn check(text: String) -> Result<ApiKey> {
    let mut different: Vec<char> = text.chars().collect();
    different.sort_unstable();
    different.dedup();
    let key = ApiKey::import(text).map_err(of_the_preset)?;
    if different.len() < MIN_DIFFERENT {
        let message =
            format!("can be guessed: it has fewer than {MIN_DIFFERENT} different characters");
        return Err(Error::invalid("serve.key", "SANDBOX_API_KEY", message));
    }
    Ok(key)
}

fn of_the_preset(error: Error) -> Error {
    Error::new(error.kind(), "serve.key", error.message()).with_field("SANDBOX_API_KEY")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use sandbox_engine::owners::MemoryOwners;

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1);

    fn owners() -> Owners {
        Owners::new(Arc::new(MemoryOwners::default()))
    }

    async fn made(owners: &Owners, preset: Option<&str>) -> Result<Option<ApiKey>> {
        let preset = preset.map(str::to_owned);
        ensure(owners, Quotas::default(), preset, NOW).await
    }

    #[tokio::test]
    async fn a_key_is_shown_once_and_manages_everything() {
        let owners = owners();
        let key = made(&owners, None).await.unwrap().unwrap();
        let principal = owners
            .authenticate(key.expose(), NOW)
            .await
            .unwrap()
            .unwrap();
        principal.require(Scope::Admin).unwrap();
        assert_eq!(made(&owners, None).await.unwrap(), None);
        assert_eq!(owners.organisations().await.unwrap().len(), 1);
    }

    #[tokio::test]
    async fn a_preset_key_works_and_is_not_shown_also_at_the_next_start() {
        let owners = owners();
        let preset = "0123456789abcdef0123";
        for _ in 0..2 {
            assert_eq!(made(&owners, Some(preset)).await.unwrap(), None);
        }
        assert!(owners.authenticate(preset, NOW).await.unwrap().is_some());
        assert_eq!(made(&owners, None).await.unwrap(), None);
    }

    #[tokio::test]
    async fn a_preset_that_can_be_guessed_is_refused_before_anything_is_made() {
        for weak in [
            "",
            "secret",
            "aaaaaaaaaaaaaaaaaaaaaaaa",
            "0123456789 abcdef",
        ] {
            let owners = owners();
            let error = made(&owners, Some(weak)).await.unwrap_err();
            assert_eq!(error.field(), Some("SANDBOX_API_KEY"), "{weak:?}");
            assert!(owners.organisations().await.unwrap().is_empty());
        }
    }
}
