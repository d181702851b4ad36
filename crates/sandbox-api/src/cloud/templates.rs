//! Templates.

use axum::extract::State;
use sandbox_api_types::{Template, TemplateList};
use utoipa_axum::routes;

use crate::error::ApiError;
use crate::extract::{Json, Path};
use crate::route::Deadline::Unary;
use crate::route::{Table, read};
use crate::state::AppState;

pub(super) fn table() -> Table {
    Table::new(&super::DIALECT)
        .add(routes!(list_templates), read(Unary))
        .add(routes!(get_template), read(Unary))
}

/// List templates
#[utoipa::path(
    get, path = "/v1/templates", tag = "templates",
    responses((status = 200, description = "By name", body = TemplateList)),
)]
async fn list_templates(State(state): State<AppState>) -> Json<TemplateList> {
    let templates = state.engine().templates().iter();
    Json(TemplateList {
        templates: templates.map(Template::from).collect(),
    })
}

/// Get a template
///
/// By its name or an alias.
#[utoipa::path(
    get, path = "/v1/templates/{name}", tag = "templates",
    params(("name" = String, Path, description = "The template's name, or an alias")),
    responses(
        (status = 200, description = "The template", body = Template),
        (status = 404, description = "There is no such template"),
    ),
)]
async fn get_template(
    State(state): State<AppState>,
    Path(name): Path<String>,
) -> Result<Json<Template>, ApiError> {
    let template = state.engine().templates().get(&name)?;
    Ok(Json(template.into()))
}
