//! The caller's organisation and its keys.

use sandbox_api_types::{
    ApiKey, ApiKeyList, CreateApiKey, CreatedApiKey, Organization, Usage, UsageQuery,
};
use sandbox_core::Result;

use crate::call::Call;
use crate::client::Client;
use crate::route::Route;

impl Client {
    /// The organisation that the key belongs to.
    ///
    /// # Errors
    /// What a call may fail with.
    pub async fn organization(&self) -> Result<Organization> {
        let call = Call::get("client.organization", Route::v1(["organization"]));
        self.fetch(call).await
    }

    /// How long its sandboxes ran in a month (`2026-01`); without one, in the current.
    ///
    /// # Errors
    /// `InvalidSpec` with field `month`.
    pub async fn usage(&self, month: Option<&str>) -> Result<Usage> {
        let query = UsageQuery {
            month: month.map(str::to_owned),
        };
        let route = Route::v1(["usage"]).query(&query)?;
        self.fetch(Call::get("client.usage", route)).await
    }

    /// Makes a key. It is shown this once.
    ///
    /// # Errors
    /// `InvalidSpec` naming the field; `PermissionDenied` without the scope `admin`.
    pub async fn create_key(&self, request: &CreateApiKey) -> Result<CreatedApiKey> {
        let call = Call::post("client.create_key", Route::v1(["keys"]));
        self.fetch(call.json(request)?).await
    }

    /// The keys of the organisation, oldest first, revoked ones included.
    ///
    /// # Errors
    /// `PermissionDenied` without the scope `admin`.
    pub async fn list_keys(&self) -> Result<Vec<ApiKey>> {
        let call = Call::get("client.keys", Route::v1(["keys"]));
        let list: ApiKeyList = self.fetch(call).await?;
        Ok(list.keys)
    }

    /// Revokes a key.
    ///
    /// # Errors
    /// `NotFound`; `PermissionDenied` without the scope `admin`.
    pub async fn revoke_key(&self, id: &str) -> Result<()> {
        let route = Route::v1(["keys", id]);
        self.run(Call::delete("client.revoke_key", route)).await
    }
}
