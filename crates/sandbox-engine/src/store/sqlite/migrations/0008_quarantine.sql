-- Rows that could not be read when the engine started, as they were. `row` is JSON: each column as
-- the SQL literal that would bring it back.
CREATE TABLE quarantine (
    number  INTEGER PRIMARY KEY AUTOINCREMENT,
    -- The table it was in.
    source  TEXT    NOT NULL,
    sandbox TEXT,
    runtime TEXT,
    reason  TEXT    NOT NULL,
    at      INTEGER NOT NULL,
    row     TEXT    NOT NULL
);
