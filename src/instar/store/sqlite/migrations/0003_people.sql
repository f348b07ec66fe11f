-- People sign in with a password; their rights are a grant like any other. Who is disabled has one that has ended.

CREATE TABLE people (
    org TEXT NOT NULL,
    id TEXT NOT NULL,               -- of the principal
    login TEXT NOT NULL,            -- lower case
    password TEXT NOT NULL,         -- Argon2id in its own encoding
    grant_id TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    changed_at INTEGER NOT NULL,    -- when the password was set
    PRIMARY KEY (org, id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX people_login ON people (org, login);
