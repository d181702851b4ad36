//! API keys.

use sandbox_api_types::{ApiKey, Scope};

use super::units::time;
use crate::output::Table;

/// Keys as a table.
pub(crate) fn keys(all: &[ApiKey]) -> Table {
    let mut table = Table::new([
        "ID",
        "NAME",
        "KEY",
        "SCOPE",
        "CREATED",
        "LAST USED",
        "STATUS",
    ]);
    for one in all {
        let when = |at: &Option<_>| at.as_ref().map(time).unwrap_or_default();
        let status = match (&one.revoked_at, &one.expires_at) {
            (Some(at), _) => format!("revoked {}", time(at)),
            (None, Some(at)) => format!("until {}", time(at)),
            (None, None) => "valid".to_owned(),
        };
        table.row([
            one.id.clone(),
            one.name.clone(),
            format!("{}…", one.hint),
            highest(&one.scopes).to_owned(),
            time(&one.created_at),
            when(&one.last_used_at),
            status,
        ]);
    }
    table
}

fn highest(scopes: &[Scope]) -> &'static str {
    match scopes.iter().max() {
        Some(Scope::Admin) => "admin",
        Some(Scope::Write) => "write",
        Some(Scope::Read) => "read",
        None => "",
    }
}
