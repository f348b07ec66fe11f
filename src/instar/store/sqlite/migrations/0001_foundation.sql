-- Every row belongs to an org. Times are microseconds since the epoch. JSON is TEXT or, on the hot path, BLOB.

CREATE TABLE orgs (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE events (
    seq INTEGER PRIMARY KEY,
    prev INTEGER NOT NULL,
    org TEXT NOT NULL,
    room TEXT NOT NULL,
    id TEXT NOT NULL,
    type TEXT NOT NULL,
    actor TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    payload BLOB NOT NULL,
    digest BLOB NOT NULL,
    content BLOB NOT NULL,      -- digest of what a repeat under the same id must match; empty: `digest`
    chain BLOB NOT NULL,
    redacted INTEGER NOT NULL DEFAULT 0
) STRICT;
-- `org` stands second: an index that began with it would draw every read of the whole log away from `seq`, to be sorted.
CREATE UNIQUE INDEX events_id ON events (id, org);
CREATE INDEX events_room ON events (room, org, seq);

-- Where each room's log ends: what `prev` and `chain` of its next event are made from.
CREATE TABLE heads (
    org TEXT NOT NULL,
    room TEXT NOT NULL,
    seq INTEGER NOT NULL,
    chain BLOB NOT NULL,
    messages INTEGER NOT NULL,
    last_message_at INTEGER NOT NULL,
    PRIMARY KEY (org, room)
) STRICT, WITHOUT ROWID;

-- How far each follower of the log has come.
CREATE TABLE cursors (
    org TEXT NOT NULL,
    name TEXT NOT NULL,
    seq INTEGER NOT NULL,
    PRIMARY KEY (org, name)
) STRICT, WITHOUT ROWID;

-- Idempotency keys and the first answers, written in the effect's transaction.
CREATE TABLE ledger (
    org TEXT NOT NULL,
    principal TEXT NOT NULL,
    key TEXT NOT NULL,
    operation TEXT NOT NULL,
    request BLOB NOT NULL,      -- digest of the parameters
    result BLOB NOT NULL,       -- JSON
    created_at INTEGER NOT NULL,
    PRIMARY KEY (org, principal, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX ledger_age ON ledger (created_at);

CREATE TABLE principals (
    org TEXT NOT NULL,
    id TEXT NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    removed_at INTEGER,
    PRIMARY KEY (org, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE grants (
    org TEXT NOT NULL,
    id TEXT NOT NULL,
    principal TEXT NOT NULL,
    parent TEXT NOT NULL,       -- the grant that it was attenuated from; empty for the local grant
    name TEXT NOT NULL,
    kind TEXT NOT NULL,         -- local, key, agent, session
    scopes TEXT NOT NULL,       -- JSON list
    agents TEXT,                -- JSON list; NULL: none by name
    rooms TEXT,                 -- JSON list; NULL: every room the scopes reach
    token_hash TEXT NOT NULL,
    prefix TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    revoked_at INTEGER,
    last_used_at INTEGER,
    PRIMARY KEY (org, id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX grants_token ON grants (token_hash);

-- Single-use sign-in codes: console links and setup codes.
CREATE TABLE codes (
    org TEXT NOT NULL,
    hash TEXT NOT NULL,
    kind TEXT NOT NULL,         -- link, setup
    grant_id TEXT NOT NULL,     -- whose authority the session narrows
    tries INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    used_at INTEGER,
    PRIMARY KEY (org, hash)
) STRICT, WITHOUT ROWID;

-- Rooms of every kind. `revision` rises with each change of policy or members and guards appends.
CREATE TABLE rooms (
    org TEXT NOT NULL,
    key TEXT NOT NULL,
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    parent TEXT NOT NULL,           -- room key of a thread's room; else empty
    parent_message_id TEXT NOT NULL,
    visibility TEXT NOT NULL,
    write_policy TEXT NOT NULL,
    revision INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    removed_at INTEGER,
    PRIMARY KEY (org, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX rooms_parent ON rooms (org, parent);

CREATE TABLE members (
    org TEXT NOT NULL,
    room TEXT NOT NULL,
    member TEXT NOT NULL,
    since_seq INTEGER NOT NULL,     -- its inbox holds nothing older
    PRIMARY KEY (org, room, member)
) STRICT, WITHOUT ROWID;
CREATE INDEX members_member ON members (org, member);

-- What history folds into a message; rows only for messages that were changed.
CREATE TABLE message_changes (
    org TEXT NOT NULL,
    message_id TEXT NOT NULL,
    seq INTEGER NOT NULL,           -- of the message
    edit TEXT,                      -- JSON of wire.messages.Edit
    redaction TEXT,                 -- JSON of wire.messages.Redaction
    reactions TEXT,                 -- JSON of list[wire.messages.Reaction]
    PRIMARY KEY (org, message_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX message_changes_seq ON message_changes (org, seq);

CREATE TABLE artifacts (
    org TEXT NOT NULL,
    id TEXT NOT NULL,
    room TEXT NOT NULL,
    seq INTEGER NOT NULL,
    part_index INTEGER NOT NULL,
    message_id TEXT NOT NULL,
    body TEXT NOT NULL,             -- JSON of wire.messages.Artifact
    blob TEXT NOT NULL,
    PRIMARY KEY (org, room, seq, part_index)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX artifacts_id ON artifacts (org, id);
CREATE INDEX artifacts_blob ON artifacts (org, blob) WHERE blob <> '';

CREATE TABLE blobs (
    org TEXT NOT NULL,
    digest TEXT NOT NULL,           -- sha256-HEX
    size_bytes INTEGER NOT NULL,
    media_type TEXT NOT NULL,
    filename TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (org, digest)
) STRICT, WITHOUT ROWID;

CREATE TABLE uploads (
    org TEXT NOT NULL,
    digest TEXT NOT NULL,
    principal TEXT NOT NULL,        -- who had the bytes, and so may put them into messages
    created_at INTEGER NOT NULL,
    PRIMARY KEY (org, digest, principal)
) STRICT, WITHOUT ROWID;

CREATE TABLE read_markers (
    org TEXT NOT NULL,
    principal TEXT NOT NULL,
    room TEXT NOT NULL,
    seq INTEGER NOT NULL,
    PRIMARY KEY (org, principal, room)
) STRICT, WITHOUT ROWID;

CREATE TABLE agents (
    org TEXT NOT NULL,
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    actor_uid TEXT NOT NULL,
    credential TEXT NOT NULL,       -- grant id that owns it; empty: none yet
    runtime TEXT NOT NULL,
    wake TEXT NOT NULL,
    wake_rooms TEXT NOT NULL,       -- JSON: room id → policy
    paused INTEGER NOT NULL,
    cursor INTEGER,                 -- feed: last acknowledged seq; NULL: never attached
    low_water INTEGER NOT NULL,     -- inbox: everything up to here is settled
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    last_seen_at INTEGER,
    removed_at INTEGER,
    PRIMARY KEY (org, id)
) STRICT, WITHOUT ROWID;

-- Exceptions of the computed inbox: items above the low water that are not simply pending, and dead letters.
CREATE TABLE inbox (
    org TEXT NOT NULL,
    agent TEXT NOT NULL,
    seq INTEGER NOT NULL,
    state TEXT NOT NULL,            -- leased, acked, failed, dead; pending after a replay
    attempts INTEGER NOT NULL,
    lease TEXT NOT NULL,
    until INTEGER NOT NULL,         -- lease end, or when a failed item is offered again
    error TEXT NOT NULL,
    PRIMARY KEY (org, agent, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE runs (
    org TEXT NOT NULL,
    id TEXT NOT NULL,
    agent TEXT NOT NULL,
    room TEXT NOT NULL,
    state TEXT NOT NULL,
    cause TEXT NOT NULL,
    item_seq INTEGER NOT NULL,
    message_id TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    fence INTEGER NOT NULL,         -- rises with each lease; a writer with an older one is refused
    lease_until INTEGER NOT NULL,
    partial TEXT NOT NULL,
    error TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    started_at INTEGER,
    ended_at INTEGER,
    PRIMARY KEY (org, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX runs_open ON runs (org, state) WHERE state NOT IN ('done', 'failed', 'cancelled');
CREATE UNIQUE INDEX runs_item ON runs (org, agent, item_seq, attempt);
CREATE INDEX runs_age ON runs (org, created_at);

-- Switches that outlive a restart, for example `stopped`.
CREATE TABLE switches (
    org TEXT NOT NULL,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (org, name)
) STRICT, WITHOUT ROWID;
