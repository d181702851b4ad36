-- Times are milliseconds since the Unix epoch.

CREATE TABLE owner_organisations (
    id TEXT PRIMARY KEY NOT NULL,
    name TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    -- JSON: limits come and go without a migration.
    quotas TEXT NOT NULL
) STRICT;

CREATE TABLE owner_keys (
    id TEXT PRIMARY KEY NOT NULL,
    organisation_id TEXT NOT NULL REFERENCES owner_organisations (id),
    -- SHA-256 of the key; the key itself is nowhere.
    hash BLOB NOT NULL UNIQUE,
    label TEXT NOT NULL,
    hint TEXT NOT NULL,
    -- JSON: a list of scopes.
    scopes TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    last_used_at INTEGER,
    revoked_at INTEGER
) STRICT;

CREATE INDEX owner_keys_by_organisation ON owner_keys (organisation_id);
