-- Devices, what they asked for, and the grants that they have in each role.

CREATE TABLE devices (
    org TEXT NOT NULL,
    id TEXT NOT NULL,               -- hex SHA-256 of the public key; random for a device without one
    principal TEXT NOT NULL,
    public_key BLOB,                -- 32 raw bytes; NULL: it shows its token alone
    facts TEXT NOT NULL,            -- JSON of wire.devices.Facts
    alias TEXT NOT NULL,            -- the id that its dialect knows it by; empty: the same
    dialect TEXT NOT NULL,
    approved_by TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    revoked_at INTEGER,
    last_seen_at INTEGER,
    PRIMARY KEY (org, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX devices_alias ON devices (org, alias) WHERE alias <> '';

CREATE TABLE device_grants (
    org TEXT NOT NULL,
    device TEXT NOT NULL,
    role TEXT NOT NULL,
    grant_id TEXT NOT NULL,
    withheld TEXT NOT NULL,         -- JSON list of the scopes that it asked for and was not given
    rotated_at INTEGER,             -- when it was given its token; NULL: nobody knows one yet
    PRIMARY KEY (org, device, role)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX device_grants_grant ON device_grants (org, grant_id);

CREATE TABLE pairing_requests (
    org TEXT NOT NULL,
    id TEXT NOT NULL,
    device TEXT NOT NULL,
    state TEXT NOT NULL,
    body TEXT NOT NULL,             -- JSON of wire.devices.PairingRequest; it never changes while the state is pending
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    decided_at INTEGER,
    PRIMARY KEY (org, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX pairing_requests_pending ON pairing_requests (org, device) WHERE state = 'pending';
CREATE INDEX pairing_requests_age ON pairing_requests (created_at);

CREATE TABLE pairing_codes (
    org TEXT NOT NULL,
    hash TEXT NOT NULL,
    holder TEXT NOT NULL,           -- the grant that the device's is narrowed from
    role TEXT NOT NULL,
    scopes TEXT NOT NULL,           -- JSON list
    name TEXT NOT NULL,
    tries INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    used_at INTEGER,
    PRIMARY KEY (org, hash)
) STRICT, WITHOUT ROWID;

-- Revoking a grant ends what was narrowed from it.
CREATE INDEX grants_parent ON grants (org, parent);
