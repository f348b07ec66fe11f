-- Secrets at rest, and the machines that the hub reaches by SSH.

CREATE TABLE secrets (
    org TEXT NOT NULL,
    context TEXT NOT NULL,          -- what it is and whose: bound into the sealing; `check` proves the key
    sealed BLOB NOT NULL,           -- version, nonce, ciphertext; the key is a file beside the database
    sealed_at INTEGER NOT NULL,
    PRIMARY KEY (org, context)
) STRICT, WITHOUT ROWID;

CREATE TABLE ssh_keys (
    org TEXT NOT NULL,
    id TEXT NOT NULL,               -- its private half is the secret `ssh-key:ID`
    name TEXT NOT NULL,
    public_key TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (org, id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX ssh_keys_name ON ssh_keys (org, name);

CREATE TABLE ssh_targets (
    org TEXT NOT NULL,
    id TEXT NOT NULL,
    label TEXT NOT NULL,
    address TEXT NOT NULL,          -- without the port
    port INTEGER,
    mode TEXT NOT NULL,
    key_id TEXT NOT NULL,           -- of managed mode, else empty
    known_host TEXT NOT NULL,       -- pinned host keys, a line each; empty: none
    blocked_fingerprint TEXT NOT NULL, -- what the host showed instead of a pinned key; empty: it is not blocked
    last_test TEXT NOT NULL,        -- JSON of wire.ssh.SshTest, or empty
    is_default INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (org, id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX ssh_targets_label ON ssh_targets (org, label);
CREATE INDEX ssh_targets_key ON ssh_targets (org, key_id);
