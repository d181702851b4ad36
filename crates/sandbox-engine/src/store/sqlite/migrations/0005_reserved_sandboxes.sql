-- The id that the sandbox of a request has, or will have: known before the request does anything.
ALTER TABLE idempotency_records ADD COLUMN sandbox TEXT;
