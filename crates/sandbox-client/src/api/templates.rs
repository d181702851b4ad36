//! What sandboxes are made from, and by what.

use sandbox_api_types::{Prepare, PrepareEvent, Runtime, RuntimeList, Template, TemplateList};
use sandbox_core::{Result, TemplateName};

use crate::EventStream;
use crate::call::Call;
use crate::client::Client;
use crate::route::Route;

impl Client {
    /// The templates, by name.
    ///
    /// # Errors
    /// What a call may fail with.
    pub async fn list_templates(&self) -> Result<Vec<Template>> {
        let call = Call::get("client.templates", Route::v1(["templates"]));
        let list: TemplateList = self.fetch(call).await?;
        Ok(list.templates)
    }

    /// A template.
    ///
    /// # Errors
    /// `NotFound` with field `template`.
    pub async fn get_template(&self, name: &TemplateName) -> Result<Template> {
        let route = Route::v1(["templates", name.as_str()]);
        self.fetch(Call::get("client.template", route)).await
    }

    /// The runtimes, by name.
    ///
    /// # Errors
    /// What a call may fail with.
    pub async fn list_runtimes(&self) -> Result<Vec<Runtime>> {
        let call = Call::get("client.runtimes", Route::v1(["runtimes"]));
        let list: RuntimeList = self.fetch(call).await?;
        Ok(list.runtimes)
    }

    /// Makes a source ready, so that the next sandbox from it does not wait. The stream says how
    /// far it is.
    ///
    /// # Errors
    /// `NotFound` with field `template`, `image` or `source.snapshot`, here or in the stream.
    pub async fn prepare(&self, request: &Prepare) -> Result<EventStream<PrepareEvent>> {
        let call = Call::post("client.prepare", Route::v1(["prepare"]));
        let call = call.json(request)?.once();
        self.events_of("client.prepare", call).await
    }
}
