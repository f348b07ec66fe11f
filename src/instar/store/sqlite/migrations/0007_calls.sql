-- Calls: what was asked for, what would run, and what became of it; and where calls go.

CREATE TABLE calls (
    org TEXT NOT NULL,
    id TEXT NOT NULL,
    state TEXT NOT NULL,            -- `streaming` is never stored: it is `dispatched`
    room TEXT NOT NULL,             -- key of its room; empty: its requester's own
    requester TEXT NOT NULL,
    target TEXT NOT NULL,           -- id of its target, once it is routed
    request TEXT NOT NULL,          -- JSON of hub.calls.records.Request; it never changes
    prepared TEXT NOT NULL,         -- JSON of wire.execution.Prepared; empty until it is dispatched or waits for an approval
    course TEXT NOT NULL,           -- JSON of hub.calls.records.Course: everything else that changes
    result TEXT NOT NULL,           -- JSON of what a tool answered that runs no program
    created_at INTEGER NOT NULL,
    ended_at INTEGER,
    owed INTEGER NOT NULL,          -- 1: it ended here while its executor was away, which must still be told
    has_output INTEGER NOT NULL,    -- 1: there are stored bytes, until they are swept
    PRIMARY KEY (org, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX calls_age ON calls (org, created_at);
CREATE INDEX calls_room ON calls (org, room, created_at);
CREATE INDEX calls_live ON calls (org, state) WHERE ended_at IS NULL;
CREATE INDEX calls_owed ON calls (org, target) WHERE owed = 1;
CREATE INDEX calls_kept ON calls (org, ended_at) WHERE has_output = 1;

CREATE TABLE routes (
    org TEXT NOT NULL,
    room TEXT NOT NULL,             -- key of the room that it is for; empty: of none
    agent TEXT NOT NULL,            -- the agent that it is for; neither: the org
    target TEXT NOT NULL,
    set_by TEXT NOT NULL,
    set_at INTEGER NOT NULL,
    PRIMARY KEY (org, room, agent)
) STRICT, WITHOUT ROWID;
