-- JSON: the command that is started when the sandbox has been made, and whether that was begun.
-- NULL once it is started.
ALTER TABLE sandboxes ADD COLUMN start TEXT;
