-- Events of an owner up to this number may be gone. The owner '' stands for all of whom nothing is
-- kept, and for what was removed before there was this table.
CREATE TABLE event_trims (
    owner TEXT    PRIMARY KEY,
    upto  INTEGER NOT NULL
) WITHOUT ROWID;
INSERT INTO event_trims (owner, upto)
SELECT '', COALESCE((SELECT MIN(seq) - 1 FROM events),
                    (SELECT seq FROM sqlite_sequence WHERE name = 'events'), 0);
