-- From when on a key is none any more; NULL: not by itself.
ALTER TABLE owner_keys ADD COLUMN expires_at INTEGER;
