-- AUTOINCREMENT: numbers of rows that were purged are never given again.
CREATE TABLE sandboxes (
    seq            INTEGER PRIMARY KEY AUTOINCREMENT,
    id             TEXT    NOT NULL UNIQUE,
    owner          TEXT    NOT NULL,
    runtime        TEXT    NOT NULL,
    state          TEXT    NOT NULL,
    destroyed_at   INTEGER,
    spec           TEXT    NOT NULL,
    egress         TEXT    NOT NULL,
    egress_applied INTEGER NOT NULL,
    lifecycle      TEXT    NOT NULL,
    accounted_ms   INTEGER NOT NULL
);
CREATE INDEX sandboxes_destroyed ON sandboxes (destroyed_at, seq) WHERE destroyed_at IS NOT NULL;
CREATE INDEX sandboxes_owner ON sandboxes (owner, seq) WHERE destroyed_at IS NOT NULL;

CREATE TABLE events (
    seq     INTEGER PRIMARY KEY AUTOINCREMENT,
    owner   TEXT NOT NULL,
    sandbox TEXT,
    body    TEXT NOT NULL
);
CREATE INDEX events_owner ON events (owner, seq);

CREATE TABLE processes (
    id      TEXT PRIMARY KEY,
    sandbox TEXT NOT NULL,
    body    TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX processes_sandbox ON processes (sandbox);

-- sandbox is '' for the sum over sandboxes that are no longer kept.
CREATE TABLE usage (
    owner   TEXT    NOT NULL,
    month   TEXT    NOT NULL,
    sandbox TEXT    NOT NULL,
    millis  INTEGER NOT NULL,
    PRIMARY KEY (owner, month, sandbox)
) WITHOUT ROWID;
CREATE INDEX usage_sandbox ON usage (sandbox);
