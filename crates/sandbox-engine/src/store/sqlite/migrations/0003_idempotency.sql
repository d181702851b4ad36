-- Times are milliseconds since the Unix epoch.

CREATE TABLE idempotency_records (
    owner TEXT NOT NULL,
    route TEXT NOT NULL,
    key TEXT NOT NULL,
    -- SHA-256 of the request's body.
    body BLOB NOT NULL,
    started_at INTEGER NOT NULL,
    -- 0 started, 1 taken over after an interruption, 2 finished.
    state INTEGER NOT NULL,
    -- JSON: the answer without its body. NULL until finished.
    head TEXT,
    -- The answer's body. NULL until finished, and when it was too large to keep.
    answer BLOB,
    PRIMARY KEY (owner, route, key)
) STRICT;

CREATE INDEX idempotency_records_by_age ON idempotency_records (started_at);
