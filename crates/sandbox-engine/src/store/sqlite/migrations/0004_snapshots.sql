-- Times are milliseconds since the Unix epoch. Ids are unique within a runtime only.
CREATE TABLE snapshots (
    seq        INTEGER PRIMARY KEY AUTOINCREMENT,
    runtime    TEXT    NOT NULL,
    id         TEXT    NOT NULL,
    owner      TEXT    NOT NULL,
    sandbox    TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    UNIQUE (runtime, id)
) STRICT;
CREATE INDEX snapshots_owner ON snapshots (owner, seq);
