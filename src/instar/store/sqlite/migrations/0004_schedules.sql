-- Schedules and what became of their slots.

CREATE TABLE schedules (
    org TEXT NOT NULL,
    id TEXT NOT NULL,
    grant_id TEXT NOT NULL,         -- whose right it speaks by
    owner TEXT NOT NULL,            -- the principal of that grant
    body TEXT NOT NULL,             -- JSON of wire.schedules.CreateSchedule
    revision INTEGER NOT NULL,
    is_paused INTEGER NOT NULL,
    settled_until INTEGER NOT NULL, -- every slot up to here has ended, so none is ever done twice
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    removed_at INTEGER,
    PRIMARY KEY (org, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE slots (
    org TEXT NOT NULL,
    schedule TEXT NOT NULL,
    at INTEGER NOT NULL,            -- when it was due
    nth INTEGER NOT NULL,           -- 0 for the slot itself; each manual run of the same instant counts on
    state TEXT NOT NULL,
    recorded_at INTEGER NOT NULL,
    message_id TEXT NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY (org, schedule, at, nth)
) STRICT, WITHOUT ROWID;
