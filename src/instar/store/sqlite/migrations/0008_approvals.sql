-- Approvals of calls, and the rules that are kept: remembered ones and the vetoes of agents.

CREATE TABLE approvals (
    org TEXT NOT NULL,
    id TEXT NOT NULL,
    call_id TEXT NOT NULL,
    digest TEXT NOT NULL,           -- over everything that was shown; a decision names it
    plan_digest TEXT NOT NULL,      -- of what the executor would run
    state TEXT NOT NULL,
    requester TEXT NOT NULL,
    room TEXT NOT NULL,
    body TEXT NOT NULL,             -- JSON of wire.approvals.Approval
    question TEXT NOT NULL,         -- JSON: what the rules are asked, to judge it again when they change
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    decided_at INTEGER,
    PRIMARY KEY (org, id)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX approvals_by_call ON approvals (org, call_id, digest);
CREATE INDEX approvals_by_state ON approvals (org, state, created_at);

CREATE TABLE rules (
    org TEXT NOT NULL,
    id TEXT NOT NULL,
    layer TEXT NOT NULL,            -- `agent` or `remembered`; the layer `file` is a file
    agent_id TEXT NOT NULL,         -- of layer `agent`: whose
    position INTEGER NOT NULL,      -- later ones win
    body TEXT NOT NULL,             -- JSON of wire.approvals.KnownRule
    PRIMARY KEY (org, id)
) STRICT, WITHOUT ROWID;
