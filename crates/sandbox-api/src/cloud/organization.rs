//! The caller's organisation: what it may use and has used.

use axum::extract::State;
use sandbox_api_types::{Organization, OrganizationUsage, Quotas, Usage, UsageQuery};
use sandbox_engine::owners::{self, Month};
use utoipa_axum::routes;

use crate::Caller;
use crate::error::ApiError;
use crate::extract::{Json, Query};
use crate::route::Deadline::Unary;
use crate::route::{Table, read};
use crate::state::AppState;

pub(super) fn table() -> Table {
    Table::new(&super::DIALECT)
        .add(routes!(get_organization), read(Unary))
        .add(routes!(get_usage), read(Unary))
}

fn shown(quotas: owners::Quotas) -> Quotas {
    let owners::Quotas {
        concurrent_sandboxes,
        milli_cpus,
        memory,
        compute_seconds_per_month,
        requests_per_minute,
    } = quotas;
    Quotas {
        concurrent_sandboxes,
        milli_cpus,
        memory,
        compute_seconds_per_month,
        requests_per_minute,
    }
}

/// Get the organisation
///
/// Its quotas, and what it holds of them now.
#[utoipa::path(
    get, path = "/v1/organization", tag = "organization",
    responses((status = 200, description = "The caller's organisation", body = Organization)),
)]
async fn get_organization(
    State(state): State<AppState>,
    caller: Caller,
) -> Result<Json<Organization>, ApiError> {
    let organisation = state.owners().organisation(caller.organisation()).await?;
    let held = state.owners().held(caller.organisation());
    let month = Month::of(state.now());
    let used = state.engine().usage(caller.owner(), month).await?;
    Ok(Json(Organization {
        id: organisation.id.into(),
        name: organisation.name,
        quotas: shown(organisation.quotas),
        usage: OrganizationUsage {
            concurrent_sandboxes: held.sandboxes,
            milli_cpus: held.milli_cpus,
            memory: held.memory,
            compute_seconds: used.seconds,
        },
    }))
}

/// Get the usage of a month
///
/// Seconds that the organisation's sandboxes ran: of each rounded up, those of destroyed ones
/// included, suspended time not. The limit is today's, for whichever month.
#[utoipa::path(
    get, path = "/v1/usage", tag = "organization",
    params(UsageQuery),
    responses((status = 200, description = "The usage", body = Usage)),
)]
async fn get_usage(
    State(state): State<AppState>,
    caller: Caller,
    Query(query): Query<UsageQuery>,
) -> Result<Json<Usage>, ApiError> {
    let month = match &query.month {
        Some(text) => text.parse::<Month>()?,
        None => Month::of(state.now()),
    };
    let used = state.engine().usage(caller.owner(), month).await?.seconds;
    let limit = caller.quotas().compute_seconds_per_month;
    Ok(Json(Usage {
        month: month.to_string(),
        compute_seconds: used,
        limit_seconds: limit,
        remaining_seconds: limit.map(|limit| limit.saturating_sub(used)),
    }))
}
