-- What nodes may be asked, what they said of themselves, and how they were.

CREATE TABLE nodes (
    org TEXT NOT NULL,
    id TEXT NOT NULL,               -- of the device; `local` is the hub's own machine
    grant_id TEXT NOT NULL,         -- the device's grant for which the permit was given; with another one it is void
    permit TEXT NOT NULL,           -- JSON of wire.nodes.Permit
    labels TEXT NOT NULL,           -- JSON: those that operators set
    declaration TEXT NOT NULL,      -- JSON of wire.execution.Declaration: the last one
    dialect TEXT NOT NULL,
    address TEXT NOT NULL,
    connected_at INTEGER,           -- when it dialled in last
    last_seen_at INTEGER,
    PRIMARY KEY (org, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE telemetry (
    org TEXT NOT NULL,
    node TEXT NOT NULL,
    at INTEGER NOT NULL,            -- when the hub heard it
    is_sparse INTEGER NOT NULL,     -- the first in its span of time: kept after the others were swept
    body TEXT NOT NULL,             -- JSON of wire.nodes.Telemetry
    PRIMARY KEY (org, node, at)
) STRICT, WITHOUT ROWID;

CREATE INDEX telemetry_by_time ON telemetry (org, at);
