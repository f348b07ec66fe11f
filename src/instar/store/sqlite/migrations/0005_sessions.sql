-- Sessions begin anew under the same key; what causes a run is found by it.

ALTER TABLE rooms ADD COLUMN generation INTEGER NOT NULL DEFAULT 1;
ALTER TABLE rooms ADD COLUMN begins_after INTEGER NOT NULL DEFAULT 0;    -- what is older is no part of the conversation
ALTER TABLE rooms ADD COLUMN messages_before INTEGER NOT NULL DEFAULT 0; -- of `heads.messages`, those of earlier generations

CREATE INDEX runs_cause ON runs (org, cause);
