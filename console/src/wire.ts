// Made by `make docs` from the operation table. Do not edit.

/** What the caller may do in a room. */
export interface Access {
  "can_read": boolean;
  "can_write": boolean;
  "reason": string;
}

/** Settle items by `seq`, or everything up to and including `up_to`. The answer comes when it is on disk. */
export interface AckInbox {
  "agent_id": string;
  "items"?: number[];
  "up_to"?: number;
  "lease"?: string;
}

/** What a rule says. Of several answers the most restrictive one wins: deny, then ask, then allow. */
export type Action = "allow" | "ask" | "deny";

/** What an agent is doing. */
export type Activity = "busy" | "idle" | "offline" | "paused";

/** Who speaks. `network_id` and `fqid` are filled by the hub. */
export interface Actor {
  "type"?: string;
  "id"?: string;
  "name"?: string;
  "network_id"?: string;
  "fqid"?: string;
}

/** A new person, with rights within the creator's own grant. */
export interface AddPerson {
  "login": string;
  "password": string;
  "scopes": Scope[];
  "name"?: string;
  "rooms"?: string[] | null;
}

/** Remember a rule. */
export interface AddRule {
  "rule": Rule;
}

/** Name a machine. */
export interface AddTarget {
  "label": string;
  "address": string;
  "port"?: number | null;
  "mode"?: SshMode;
  "key"?: string;
  "known_host"?: string;
  "is_default"?: boolean;
}

/** Payload of every `agent.*` event. */
export interface AgentEvent {
  "agent_id": string;
  "network_id"?: string;
  "fqid"?: string;
  "name"?: string;
  "message_id"?: string;
  "reason"?: string;
  "target"?: Target | null;
  "error"?: string;
}

/** Agents by id. */
export interface AgentPage {
  "agents": AgentSummary[];
  "page": Page;
}

/** One agent by its id. */
export interface AgentRef {
  "agent_id": string;
}

/** A claimed agent id; `agent_token` is shown once. */
export interface AgentRegistration {
  "network_id": string;
  "agent_id": string;
  "actor_uid": string;
  "actor_uri": string;
  "created_at": string;
  "updated_at": string;
  "display_name"?: string;
  "agent_token"?: string;
  "created"?: boolean;
}

/** An agent as callers see it: a registered one, or a name that some room lists as member. */
export interface AgentSummary {
  "id": string;
  "fqid": string;
  "network_id": string;
  "connected": boolean;
  "name"?: string;
  "actor_uid"?: string;
  "rooms"?: string[];
  "registered"?: boolean;
  "activity"?: Activity;
  "task"?: string;
  "last_seen_at"?: string;
  "wake"?: Wake;
  "wake_rooms"?: Record<string, Wake>;
  "runtime"?: string;
  "pending_count"?: number;
}

/** A fresh agent token, shown once; older ones of the agent have ended. */
export interface AgentToken {
  "agent_id": string;
  "agent_token": string;
}

/** One tool. */
export interface AgentTool {
  "name": string;
  "description": string;
  "parameters": Record<string, unknown>;
}

/** What was done, or with `dry_run` what would be. */
export interface Applied {
  "applied": boolean;
  "changes": Change[];
  "rooms"?: Room[];
}

/** Rooms and agents as they shall be; what is not named stays. One transaction: all of it or nothing. */
export interface Apply {
  "network_id"?: string;
  "rooms"?: ApplyRoom[];
  "agents"?: ApplyAgent[];
  "dry_run"?: boolean;
}

/** An agent as it shall be. `credential_key` binds it to a key (`token:KEY_ID`).

    The older spelling of `wake` is accepted as in `UpdateAgent`: `read`, and `reply: never`. */
export interface ApplyAgent {
  "id": string;
  "name"?: string;
  "credential_key"?: string;
  "wake"?: string;
  "read"?: string;
  "reply"?: string;
  "runtime"?: string;
}

/** A room as it shall be. */
export interface ApplyRoom {
  "id": string;
  "name"?: string;
  "members"?: string[];
  "visibility"?: Visibility;
  "write_policy"?: WritePolicy;
}

/** A call that waits, as it is shown. Everything here but `reason` is derived by hub and node, never by a model. */
export interface Approval {
  "id": string;
  "call_id": string;
  "state": ApprovalState;
  "digest": string;
  "requester": string;
  "target_id": string;
  "target_name": string;
  "tool": string;
  "command": string;
  "plan": Plan;
  "created_at": string;
  "expires_at": string;
  "requester_name"?: string;
  "agent_id"?: string;
  "room"?: string;
  "files"?: FileFact[];
  "judged"?: Judged[];
  "unbound"?: string[];
  "rules"?: Rule[];
  "rule_texts"?: string[];
  "reason"?: string;
  "decided_at"?: string;
  "decided_by"?: string;
  "feedback"?: string;
  "is_dangerous"?: boolean;
}

/** Approvals. */
export interface ApprovalList {
  "approvals": Approval[];
}

/** Approvals, those that wait first (oldest first), then the decided ones, newest first. */
export interface ApprovalQuery {
  "state"?: ApprovalState | null;
  "all"?: boolean;
  "room"?: string;
  "limit"?: number;
  "wait"?: number;
}

/** One approval by its id, or by the id of its call. */
export interface ApprovalRef {
  "approval_id": string;
}

/** What became of an approval. */
export type ApprovalState = "approved" | "cancelled" | "denied" | "expired" | "pending";

/** Let exactly what was shown run, once; or remember the rules that were shown with it. */
export interface Approve {
  "approval_id": string;
  "digest": string;
  "always"?: boolean;
  "expires_in_s"?: number | null;
}

/** Let a machine in as a node, and say in the same step what it may be asked. */
export interface ApproveNode {
  "request_id": string;
  "digest"?: string;
  "permit"?: Permit;
  "labels"?: Record<string, string>;
  "name"?: string;
}

/** Let a device in, with these grants. What is left out is as it was asked for; nothing can be wider. */
export interface ApprovePairing {
  "request_id": string;
  "digest"?: string;
  "scopes"?: Scope[] | null;
  "agents"?: string[] | null;
  "rooms"?: string[] | null;
  "expires_in_s"?: number | null;
}

/** One non-text part of a message. */
export interface Artifact {
  "id": string;
  "network_id": string;
  "fqid": string;
  "message_id": string;
  "target": Target;
  "part_index": number;
  "kind": PartKind;
  "created_at": string;
  "media_type"?: string;
  "filename"?: string;
  "url"?: string;
  "blob"?: string;
}

/** Artifacts in ascending order. */
export interface ArtifactPage {
  "artifacts": Artifact[];
  "page": Page;
}

/** Artifacts of one conversation; at least one id is needed. */
export interface ArtifactQuery {
  "limit"?: string;
  "before"?: string;
  "after"?: string;
  "room_id"?: string;
  "thread_id"?: string;
  "dm_id"?: string;
  "session_id"?: string;
}

/** To a node: `prepare` (Preparation → Prepared), `start` (Start → Ok), `cancel`, `signal`, `resize`,
    `close_input` (CallOrder → Ok), `recall` (Recall → Recalled), `resume` (CallOrder → Ok).

    `start` names the stream on which the call's chunks travel: `stream` of this frame. */
export interface Ask {
  "t": "ask";
  "id": number;
  "method": string;
  "params": unknown;
  "stream"?: number;
}

/** A device begins. */
export interface AskChallenge {
  "public_key": string;
  "client_nonce": string;
}

/** A device asks to be let in; `signature` is of `signatures.device_message("pair", …)`. */
export interface AskPairing {
  "public_key": string;
  "nonce": string;
  "signature": string;
  "scopes"?: Scope[];
  "role"?: Role;
  "facts"?: Facts;
}

/** Once. */
export interface At {
  "kind": "at";
  "time": string;
}

/** One privileged act, or something that was noticed about access. */
export interface AuditEntry {
  "seq": number;
  "id": string;
  "at": string;
  "kind": string;
  "operation"?: string;
  "principal"?: string;
  "grant"?: string;
  "subject"?: string;
  "detail"?: string;
  "request_id"?: string;
  "chain"?: string;
}

/** Entries, newest first. */
export interface AuditList {
  "entries": AuditEntry[];
  "has_more": boolean;
}

/** Whether the chain holds from the first entry to the last. */
export interface AuditProof {
  "is_whole": boolean;
  "entries": number;
  "head": string;
  "head_seq": number;
  "broken_at"?: number;
  "problem"?: string;
}

/** Entries, newest first. */
export interface AuditQuery {
  "limit"?: number;
  "before"?: number | null;
  "principal"?: string;
  "operation"?: string;
}

/** One call; wait for its end (or, from `awaiting_approval`, for the decision) up to `wait` seconds. */
export interface AwaitCall {
  "call_id": string;
  "wait"?: number;
}

/** Ask what became of one's request; wait for the decision up to `wait` seconds. */
export interface AwaitPairing {
  "request_id": string;
  "wait"?: number;
}

/** Wait for the run that a message caused (or for one by id) to end; name one of both. */
export interface AwaitRun {
  "run_id"?: string;
  "message_id"?: string;
  "agent_id"?: string;
  "wait"?: number;
}

/** The run as it stands, ended or not; none when the message woke nobody yet. */
export interface AwaitedRun {
  "run"?: Run | null;
  "text"?: string;
  "ended"?: boolean;
}

/** Where to write a backup: a file name inside the backup folder; empty means a dated name. */
export interface Backup {
  "name"?: string;
}

/** A verified backup. */
export interface BackupDone {
  "path": string;
  "last_seq": number;
  "size_bytes": number;
  "sha256": string;
}

/** One outcome per message, in the order sent. */
export interface BatchAccepted {
  "results": BatchOutcome[];
}

/** The outcome of one message of a batch: either `accepted` or `error`. */
export interface BatchOutcome {
  "accepted"?: MessageAccepted | null;
  "code"?: string;
  "error"?: string;
}

/** A stored file's facts; over HTTP the answer is the bytes themselves. */
export interface BlobContent {
  "blob": string;
  "size_bytes": number;
  "media_type": string;
  "filename": string;
}

/** A file of a message: readable by who may read the message. */
export interface BlobRef {
  "blob": string;
}

/** The hub closes this link; resume with `cursor`. */
export interface Bye {
  "t": "bye";
  "code": string;
  "message": string;
  "cursor": string;
}

/** A call as callers see it. */
export interface Call {
  "id": string;
  "tool": string;
  "state": CallState;
  "created_at": string;
  "requester": string;
  "args"?: Record<string, unknown>;
  "target_id"?: string;
  "target_name"?: string;
  "routed_by"?: string;
  "room"?: string;
  "agent_id"?: string;
  "run_id"?: string;
  "plan"?: Plan | null;
  "digest"?: string;
  "approval_id"?: string;
  "approved_by"?: string;
  "waits_for"?: string;
  "has_run"?: boolean;
  "dispatched_at"?: string;
  "ended_at"?: string;
  "exit_status"?: number | null;
  "signal"?: string;
  "error"?: CallError | null;
  "result"?: unknown;
  "stdout"?: string;
  "stderr"?: string;
  "is_truncated"?: boolean;
  "streams"?: StreamEnd[];
  "is_background"?: boolean;
  "has_terminal"?: boolean;
  "ends_unwatched"?: boolean;
  "if_away"?: IfAway;
  "deadline_at"?: string;
}

/** Why a call did not end well. */
export interface CallError {
  "code": string;
  "message": string;
  "hint"?: string;
}

/** Write to a call's standard input, as the body of the request. */
export interface CallInput {
  "call_id": string;
  "offset"?: number | null;
  "eof"?: boolean;
}

/** Calls, newest first: fewer than asked for, or none, where many lie between that the caller may not read. */
export interface CallList {
  "calls": Call[];
  "has_more": boolean;
  "next_before"?: string;
}

/** Calls that the caller may read, newest first. */
export interface CallQuery {
  "room"?: string;
  "target"?: string;
  "state"?: CallState | null;
  "live"?: boolean;
  "limit"?: number;
  "before"?: string;
}

/** Where a call stands. `hub.calls.machine` holds the table of moves; the last five are for ever. */
export type CallState = "admitted" | "awaiting_approval" | "cancelled" | "dispatched" | "done" | "expired" | "failed" | "lost" | "streaming";

/** Stop a call, and every process that it started. */
export interface CancelCall {
  "call_id": string;
  "reason"?: string;
}

/** Cancel a run; what it has said so far ends in its last event. */
export interface CancelRun {
  "run_id": string;
  "reason"?: string;
}

/** What this hub can do (Moltnet http.v1 §1.2, and ours after it). */
export interface Capabilities {
  "event_stream": string;
  "attachment_protocol": string;
  "public_read": boolean;
  "human_ingress": boolean;
  "direct_messages": boolean;
  "message_pagination": string;
  "pairings": boolean;
  "agent_registration"?: string;
  "debug_events"?: boolean;
  "durability"?: string;
  "inbox"?: boolean;
  "search"?: boolean;
  "uploads"?: boolean;
  "native_link"?: string;
}

/** What becomes of the slots that passed while the hub did not run, or that its clock jumped over. */
export type CatchUp = "all" | "once" | "skip";

/** The hub's half of a handshake: what the device signs, and the proof that the hub is the one it knows. */
export interface Challenge {
  "hub_id": string;
  "hub_public_key": string;
  "hub_fingerprint": string;
  "nonce": string;
  "signature": string;
}

/** One difference between what is and what shall be. */
export interface Change {
  "kind": string;
  "id": string;
  "action": string;
  "fields"?: string[];
  "note"?: string;
}

/** Change some keys of the file; None removes one, so that its default holds. All or none. */
export interface ChangeSettings {
  "changes": Record<string, unknown>;
  "base_hash": string;
  "comment"?: string;
}

/** How bad a finding is. */
export type CheckLevel = "error" | "ok" | "warn";

/** The input of the watched call ends here. */
export interface CloseInput {
  "t": "close_input";
  "stream": number;
  "size_bytes": number;
}

/** What the console may do for this caller. */
export interface ConsoleAccess {
  "can_send_human": boolean;
}

/** A single-use link that signs a browser in. */
export interface ConsoleLink {
  "url": string;
  "expires_at": string;
}

/** A console session; its token travels in an HttpOnly cookie, not in this body. */
export interface ConsoleSession {
  "principal": Principal;
  "expires_at": string;
}

/** A new key; every part of it must lie within the creator's own grant. */
export interface CreateKey {
  "name": string;
  "scopes": Scope[];
  "agents"?: string[] | null;
  "rooms"?: string[] | null;
  "expires_in_s"?: number | null;
}

/** A new room. */
export interface CreateRoom {
  "id": string;
  "name"?: string;
  "members"?: string[];
  "visibility"?: Visibility;
  "write_policy"?: WritePolicy;
}

/** A new schedule. It speaks by the right of who made or last updated it, as long as that right holds. */
export interface CreateSchedule {
  "name": string;
  "timing": Cron | Every | At;
  "room": string;
  "text": string;
  "id"?: string;
  "catch_up"?: CatchUp;
  "lateness_s"?: number;
  "agent_id"?: string;
  "description"?: string;
  "is_paused"?: boolean;
  "is_once"?: boolean;
}

/** The only answer that ever carries the token. */
export interface CreatedKey {
  "key": Key;
  "token": string;
}

/** Either way: chunks of this stream and channel may go up to (not beyond) this offset. It never goes back. */
export interface Credit {
  "t": "credit";
  "stream": number;
  "channel": number;
  "upto": number;
}

/** A cron expression of five fields (or six, seconds last), read in a time zone.

    A local time that daylight saving skips fires at the end of the gap; one that comes twice fires once. Only an
    expression of every hour (`*`) goes by elapsed time: it fires in both of two equal hours, and misses nothing in a
    gap. */
export interface Cron {
  "kind": "cron";
  "expression": string;
  "time_zone"?: string;
}

/** What a node offers, said when it connects and whenever it changes. Nothing of it is granted by saying so. */
export interface Declaration {
  "name"?: string;
  "platform"?: string;
  "version"?: string;
  "commands"?: string[];
  "capabilities"?: string[];
  "labels"?: Record<string, string>;
  "roots"?: string[];
  "working_dir"?: string;
  "sandboxes"?: Sandbox[];
  "concurrency"?: number;
  "path_env"?: string;
  "permissions"?: Record<string, boolean>;
  "details"?: Record<string, unknown>;
}

/** Text of a streaming run. The `message.created` with this message id replaces it.

    `offset` counts characters: a reader that missed one waits for the message, or reads the run's `partial`. */
export interface DeltaSignal {
  "signal": "run.delta";
  "run_id": string;
  "agent_id": string;
  "message_id": string;
  "room": string;
  "offset": number;
  "text": string;
}

/** Do not let it run. The feedback is what the model reads. */
export interface Deny {
  "approval_id": string;
  "digest"?: string;
  "feedback"?: string;
}

/** A device that was let in. */
export interface Device {
  "id": string;
  "principal": string;
  "facts": Facts;
  "created_at": string;
  "grants"?: DeviceGrant[];
  "fingerprint"?: string;
  "public_key"?: string;
  "alias"?: string;
  "dialect"?: string;
  "approved_by"?: string;
  "revoked_at"?: string;
  "last_seen_at"?: string;
}

/** What a device may do in one role. Its token is never listed. */
export interface DeviceGrant {
  "role": Role;
  "key_id": string;
  "scopes": Scope[];
  "created_at": string;
  "agents"?: string[] | null;
  "rooms"?: string[] | null;
  "rotated_at"?: string;
  "last_used_at"?: string;
  "expires_at"?: string;
  "withheld"?: Scope[];
}

/** Devices, newest first; revoked ones included. */
export interface DeviceList {
  "devices": Device[];
}

/** One device by its id, or its alias. */
export interface DeviceRef {
  "device_id": string;
}

/** A device's new token: the only answer that carries it. */
export interface DeviceToken {
  "device_id": string;
  "role": Role;
  "token": string;
  "scopes": Scope[];
  "rotated_at": string;
}

/** A conversation between fixed participants. */
export interface DirectConversation {
  "id": string;
  "network_id": string;
  "fqid": string;
  "participant_ids": string[];
  "message_count": number;
  "last_message_at"?: string;
  "unread_count"?: number;
  "last_read_seq"?: number;
}

/** One mounted file system. */
export interface Disk {
  "mount": string;
  "total_bytes": number;
  "available_bytes": number;
}

/** A page of a direct conversation's messages. */
export interface DmMessages {
  "limit"?: string;
  "before"?: string;
  "after"?: string;
  "dm_id"?: string;
}

/** Direct conversations by id. */
export interface DmPage {
  "dms": DirectConversation[];
  "page": Page;
}

/** One direct conversation by its id. */
export interface DmRef {
  "dm_id": string;
}

/** New parts of a message. */
export interface Edit {
  "message_id": string;
  "by": string;
  "at": string;
  "parts": Part[];
  "mentions": string[];
}

/** Replace a message's parts; only its sender (or an admin that may write) may. */
export interface EditMessage {
  "message_id": string;
  "parts": Part[];
  "mentions"?: string[];
}

/** The failure of an operation; with id 0, of the link itself, and the hub closes it. */
export interface Error {
  "t": "error";
  "id": number;
  "error": ErrorBody;
}

/** A failure as data. */
export interface ErrorBody {
  "code": string;
  "message": string;
  "hint"?: string;
  "retryable"?: boolean;
  "retry_after_s"?: number | null;
  "request_id"?: string;
  "detail"?: Record<string, unknown>;
}

/** Events in order. Pass `cursor` as the next `after`; `has_more` says whether to ask at once. */
export interface EventPage {
  "events": EventView[];
  "cursor": string;
  "has_more": boolean;
}

/** The JSON shape of an event, for schemas and clients; `render` writes it without building one. */
export interface EventView {
  "id": string;
  "type": string;
  "network_id": string;
  "created_at": string;
  "seq"?: number;
  "prev"?: number;
  "room_key"?: string;
  "room"?: Record<string, unknown> | null;
  "message"?: Record<string, unknown> | null;
  "edit"?: Record<string, unknown> | null;
  "redaction"?: Record<string, unknown> | null;
  "reaction"?: Record<string, unknown> | null;
  "thread"?: Record<string, unknown> | null;
  "dm"?: Record<string, unknown> | null;
  "session"?: Record<string, unknown> | null;
  "agent"?: Record<string, unknown> | null;
  "loop"?: Record<string, unknown> | null;
  "run"?: Record<string, unknown> | null;
  "key"?: Record<string, unknown> | null;
  "hub"?: Record<string, unknown> | null;
  "audit"?: Record<string, unknown> | null;
  "person"?: Record<string, unknown> | null;
  "pairing"?: Record<string, unknown> | null;
  "device"?: Record<string, unknown> | null;
  "schedule"?: Record<string, unknown> | null;
  "slot"?: Record<string, unknown> | null;
  "node"?: Record<string, unknown> | null;
  "ssh"?: Record<string, unknown> | null;
  "route"?: Record<string, unknown> | null;
  "call"?: Record<string, unknown> | null;
  "approval"?: Record<string, unknown> | null;
  "rule"?: Record<string, unknown> | null;
  "rules"?: Record<string, unknown> | null;
  "replay_gap"?: Record<string, unknown> | null;
}

/** A batch of events (`wire.events.EventView`); `cursor` is the `seq` of the last. */
export interface Events {
  "t": "events";
  "events": unknown[];
  "cursor": string;
}

/** An interval; slots are at `anchor` and each multiple of `seconds` after it. */
export interface Every {
  "kind": "every";
  "seconds": number;
  "anchor"?: string;
}

/** A single-use sign-in code: from a console link's fragment, or a setup code typed by a person. */
export interface ExchangeCode {
  "code": string;
}

/** One finding about remote execution. */
export interface ExecCheck {
  "id": string;
  "level": CheckLevel;
  "title": string;
  "message": string;
  "hint"?: string;
  "subject"?: string;
}

/** The state of remote execution: what the Remote Exec Status panel and `instar doctor` show. */
export interface ExecStatus {
  "backend": string;
  "target_id"?: string;
  "target_name"?: string;
  "routed_by"?: string;
  "nodes_paired"?: number;
  "nodes_connected"?: number;
  "ssh_targets"?: number;
  "ssh_pinned"?: number;
  "ssh_keys"?: number;
  "ssh_keys_unreadable"?: number;
  "ssh_client"?: string;
  "is_local_forbidden"?: boolean;
  "checks"?: ExecCheck[];
}

/** The last line of an export. */
export interface ExportEnd {
  "events": number;
  "last_seq": number;
  "chain": string;
}

/** A conversation's whole history as NDJSON: one event a line, from the first. */
export interface ExportRoom {
  "room_id"?: string;
  "thread_id"?: string;
  "dm_id"?: string;
  "session_id"?: string;
}

/** What a device says of itself. Shown, never believed: nothing is decided on it. */
export interface Facts {
  "name"?: string;
  "platform"?: string;
  "family"?: string;
  "model"?: string;
  "version"?: string;
  "client_id"?: string;
  "client_mode"?: string;
}

/** A regular file that the call names, as it was when it was resolved. */
export interface FileFact {
  "path": string;
  "sha256": string;
  "size_bytes": number;
  "role"?: string;
}

/** The feed cannot go on at the cursor that was asked for (`wire.events.ReplayGap`); it goes on at the newest. */
export interface Gap {
  "t": "gap";
  "replay_gap": unknown;
}

/** Make an Ed25519 key. */
export interface GenerateKey {
  "name": string;
}

/** `ok` or `ready`; otherwise the answer is an error. */
export interface Health {
  "status": string;
}

/** The first frame of a client. */
export interface Hello {
  "t": "hello";
  "client"?: string;
  "feed"?: boolean;
  "cursor"?: string;
  "signals"?: boolean;
  "node"?: Declaration | null;
}

/** A node's telemetry over time, newest first. */
export interface HistoryQuery {
  "node_id": string;
  "limit"?: number;
  "before"?: string;
}

/** The hub's vital signs. */
export interface HubStatus {
  "version": string;
  "uptime_s": number;
  "mode": string;
  "listen": string[];
  "data_dir": string;
  "last_seq": number;
  "rooms": number;
  "agents": number;
  "connected_agents": number;
  "streams": number;
  "stopped": boolean;
  "search_lag": number;
  "store": string;
  "pid": number;
}

/** Whether agents are stopped. */
export interface HubSwitch {
  "stopped": boolean;
  "reason"?: string;
  "cancelled_runs"?: number;
}

/** What becomes of a call whose node is not connected, or goes away. */
export type IfAway = "fail" | "queue";

/** Take a private key (OpenSSH or PEM); one that is protected needs its passphrase. */
export interface ImportKey {
  "name": string;
  "private_key": string;
  "passphrase"?: string;
}

/** Replace the static file with a `permissions.jsonc` text (Molf's grammar, or a list of rules). */
export interface ImportRules {
  "text": string;
  "check_only"?: boolean;
}

/** Items in order of `seq`. `low_water`: everything up to it is settled. */
export interface Inbox {
  "agent_id": string;
  "items": InboxItem[];
  "low_water": number;
}

/** An event that wakes the agent, and where its delivery stands. */
export interface InboxItem {
  "seq": number;
  "event": EventView;
  "state": ItemState;
  "reason"?: string;
  "attempts"?: number;
  "lease"?: string;
  "lease_until"?: string;
  "retry_at"?: string;
  "error"?: string;
}

/** How far the input goes now. */
export interface InputTaken {
  "offset": number;
}

/** Where an inbox item stands. */
export type ItemState = "acked" | "dead" | "failed" | "leased" | "pending";

/** Ask what the rules would say, without asking for a call. */
export interface JudgeQuery {
  "tool": string;
  "command"?: string;
  "path"?: string;
  "target"?: string;
  "agent_id"?: string;
  "room"?: string;
}

/** What was decided about one value, and by which rule. */
export interface Judged {
  "value": string;
  "action": Action;
  "rule_id"?: string;
  "layer"?: string;
  "floor"?: string;
  "unclear"?: string;
}

/** A grant with a token, as it is listed: never the token itself. */
export interface Key {
  "id": string;
  "principal": string;
  "name": string;
  "scopes": Scope[];
  "created_at": string;
  "agents"?: string[] | null;
  "rooms"?: string[] | null;
  "prefix"?: string;
  "expires_at"?: string;
  "revoked_at"?: string;
  "last_used_at"?: string;
  "parent"?: string;
  "kind"?: string;
}

/** All keys, newest first; revoked and expired ones included. */
export interface KeyList {
  "keys": Key[];
}

/** One key by its id. */
export interface KeyRef {
  "key_id": string;
}

/** A rule with its place. */
export interface KnownRule {
  "id": string;
  "layer": Layer;
  "rule": Rule;
  "text": string;
  "position"?: number;
  "agent_id"?: string;
  "created_at"?: string;
  "created_by"?: string;
  "last_used_at"?: string;
}

/** Where a rule stands; later layers are asked later, and the last match of all wins. A deny of `agent` is final. */
export type Layer = "agent" | "file" | "remembered";

/** The hub's log from a byte offset on; without one its end. */
export interface LogQuery {
  "cursor"?: number | null;
  "limit"?: number;
  "max_bytes"?: number;
}

/** Whole lines of the log. */
export interface LogTail {
  "file": string;
  "cursor": number;
  "size": number;
  "lines": string[];
  "truncated"?: boolean;
  "reset"?: boolean;
}

/** Make a short code that lets one device in without a request, with these grants. */
export interface MakeCode {
  "scopes": Scope[];
  "role"?: Role;
  "name"?: string;
  "expires_in_s"?: number;
}

/** Everything up to this message (or `seq`) has been read. */
export interface MarkRead {
  "target": Target;
  "message_id"?: string;
  "seq"?: number;
  "as"?: string;
}

/** A message as it is stored and read; edits, reactions and redactions are folded in when it is read. */
export interface Message {
  "id": string;
  "network_id": string;
  "origin": Origin;
  "target": Target;
  "from": Actor;
  "parts": Part[];
  "created_at": string;
  "mentions"?: string[];
  "reply_to"?: string;
  "cause"?: string;
  "hops"?: number;
  "run"?: string;
  "seq"?: number;
  "edited_at"?: string;
  "redaction"?: Redaction | null;
  "reactions"?: Reaction[];
}

/** The message is on disk. */
export interface MessageAccepted {
  "message_id": string;
  "event_id": string;
  "accepted": boolean;
  "thread_created": boolean;
  "dm_created": boolean;
  "seq": number;
}

/** Messages in ascending order. */
export interface MessagePage {
  "messages": Message[];
  "page": Page;
}

/** One message by its id. */
export interface MessageRef {
  "message_id": string;
}

/** Say that items could not be handled; they come again later, or are dead-lettered. */
export interface NackInbox {
  "agent_id": string;
  "items": number[];
  "reason": string;
  "lease"?: string;
  "final"?: boolean;
}

/** The card of this network. */
export interface Network {
  "id": string;
  "name": string;
  "version": string;
  "protocols": Protocols;
  "capabilities": Capabilities;
  "console": ConsoleAccess;
  "warnings": Warning[];
}

/** A target of calls: a node, the hub's own machine, or an SSH target (which reports nothing of itself). */
export interface Node {
  "id": string;
  "name": string;
  "kind": NodeKind;
  "is_connected"?: boolean;
  "dialect"?: string;
  "platform"?: string;
  "version"?: string;
  "fingerprint"?: string;
  "address"?: string;
  "alias"?: string;
  "labels"?: Record<string, string>;
  "given_labels"?: Record<string, string>;
  "capabilities"?: string[];
  "declared"?: string[];
  "commands"?: string[];
  "permit"?: Permit;
  "working_dir"?: string;
  "roots"?: string[];
  "sandboxes"?: string[];
  "permissions"?: Record<string, boolean>;
  "path_env"?: string;
  "details"?: Record<string, unknown>;
  "connected_at"?: string;
  "last_seen_at"?: string;
  "telemetry"?: Telemetry | null;
  "is_stale"?: boolean;
  "calls_running"?: number;
  "calls_max"?: number;
  "host_pinned"?: boolean | null;
  "is_default"?: boolean;
}

/** How a target is reached. */
export type NodeKind = "local" | "node" | "ssh";

/** Nodes: the local one, then connected ones, then the others; by name. */
export interface NodeList {
  "nodes": Node[];
}

/** Which nodes to list. */
export interface NodeQuery {
  "connected"?: boolean;
  "select"?: string;
}

/** One node by its id, alias or unique name. */
export interface NodeRef {
  "node_id": string;
}

/** A machine that asks to be a node. */
export interface NodeRequest {
  "request_id": string;
  "device_id": string;
  "digest": string;
  "fingerprint": string;
  "facts": Facts;
  "created_at": string;
  "expires_at": string;
  "asked"?: Scope[];
  "declaration"?: Declaration | null;
  "address"?: string;
  "dialect"?: string;
}

/** Machines that ask, oldest first. */
export interface NodeRequestList {
  "requests": NodeRequest[];
}

/** No parameters. */
export interface Nothing {
}

/** Ask for an operation. `key` is its idempotency key. */
export interface Op {
  "t": "op";
  "id": number;
  "op": string;
  "params"?: unknown;
  "key"?: string;
}

/** Open (or find) the direct conversation with these participants; the caller's own name may be left out. */
export interface OpenDm {
  "participant_ids": string[];
  "as"?: string;
}

/** Let unknown devices ask, for this long. */
export interface OpenPairing {
  "for_s"?: number;
}

/** Open a session, or take part in one that is; the agent is a member from the start. */
export interface OpenSession {
  "agent_id": string;
  "name"?: string;
  "label"?: string;
}

/** Where a message was first stored. */
export interface Origin {
  "network_id": string;
  "message_id": string;
}

/** A range of a call's stored output, as bytes. */
export interface OutputQuery {
  "call_id": string;
  "channel"?: number;
  "offset"?: number;
  "limit"?: number;
  "wait"?: number;
}

/** What was read. Over HTTP the bytes are the body of the answer, the rest its headers (`instar-offset` …). */
export interface OutputRange {
  "offset": number;
  "size_bytes": number;
  "total_bytes": number;
  "dropped_bytes": number;
  "ended": boolean;
  "content"?: string;
}

/** A call of a room wrote more; `calls.output` replaces it. Text is what was written as UTF-8, as far as it fits. */
export interface OutputSignal {
  "signal": "call.output";
  "call_id": string;
  "room": string;
  "channel": number;
  "offset": number;
  "size_bytes": number;
  "text": string;
}

/** Where a page stands in its list. */
export interface Page {
  "has_more": boolean;
  "next_before"?: string;
  "next_after"?: string;
}

/** Paging: `before` and `after` are ids of items (message pages also take a `seq`); not both. */
export interface PageQuery {
  "limit"?: string;
  "before"?: string;
  "after"?: string;
}

/** A paired network. */
export interface Pairing {
  "id": string;
  "remote_network_id": string;
  "status": string;
}

/** A short code, shown once. */
export interface PairingCode {
  "code": string;
  "expires_at": string;
}

/** What the asking device may know of its request. */
export interface PairingOutcome {
  "request_id": string;
  "state": PairingState;
  "expires_at": string;
}

/** Paired networks by id. */
export interface PairingPage {
  "pairings": Pairing[];
  "page": Page;
}

/** Why a device has to ask. */
export type PairingReason = "metadata-upgrade" | "not-paired" | "role-upgrade" | "scope-upgrade";

/** A device that asks to be let in. It never changes: one that asks for something else gets another id. */
export interface PairingRequest {
  "id": string;
  "device_id": string;
  "facts": Facts;
  "role": Role;
  "scopes": Scope[];
  "state": PairingState;
  "created_at": string;
  "expires_at": string;
  "digest": string;
  "fingerprint"?: string;
  "public_key"?: string;
  "alias"?: string;
  "dialect"?: string;
  "asked"?: string[];
  "address"?: string;
  "reason"?: PairingReason;
  "is_repair"?: boolean;
  "is_silent"?: boolean;
  "decided_at"?: string;
  "decided_by"?: string;
}

/** What became of a pairing request. */
export type PairingState = "approved" | "expired" | "pending" | "rejected" | "superseded";

/** Whether unknown devices may ask. */
export interface PairingWindow {
  "is_open": boolean;
  "closes_at": string;
  "pending": number;
  "pending_max": number;
  "hub_fingerprint": string;
  "reach"?: Reach;
}

/** One piece of a message's content. */
export interface Part {
  "kind": PartKind;
  "text"?: string;
  "media_type"?: string;
  "url"?: string;
  "filename"?: string;
  "data"?: Record<string, unknown> | null;
  "blob"?: string;
}

/** What a part holds. */
export type PartKind = "audio" | "data" | "file" | "image" | "text" | "url";

/** Sign a browser in with a name and a password. */
export interface PasswordSignIn {
  "login": string;
  "password": string;
}

/** What a node may be asked. Pairing alone gives an empty one. */
export interface Permit {
  "commands"?: string[];
  "env"?: string[];
  "agents"?: string[] | null;
}

/** A person with a password. The password is never shown, nor its hash. */
export interface Person {
  "id": string;
  "login": string;
  "name": string;
  "scopes": Scope[];
  "created_at": string;
  "rooms"?: string[] | null;
  "disabled_at"?: string;
  "last_used_at"?: string;
}

/** People by login; disabled ones included. */
export interface PersonList {
  "people": Person[];
}

/** One person by login or id. */
export interface PersonRef {
  "person_id": string;
}

/** Pin host keys: known_hosts lines, or what a scan shows now when its fingerprint is the one named. */
export interface PinHost {
  "ssh_target_id": string;
  "known_host"?: string;
  "fingerprint"?: string;
}

/** Are you there? */
export interface Ping {
  "t": "ping";
  "n": number;
}

/** What would run, resolved by the executor; its digest is what an approval binds. */
export interface Plan {
  "target_id": string;
  "tool": string;
  "args": unknown;
  "cwd"?: string;
  "argv"?: string[];
  "env"?: Record<string, string>;
  "files"?: FileFact[];
  "sandbox"?: Sandbox;
  "has_terminal"?: boolean;
  "timeout_s"?: number;
  "is_background"?: boolean;
  "address"?: string;
  "host_keys"?: string[];
  "read_rules"?: ReadRule[];
}

/** The agent's plan, whole. */
export interface PlanUpdate {
  "kind": "plan";
  "entries": Record<string, unknown>[];
}

/** I am. */
export interface Pong {
  "t": "pong";
  "n": number;
}

/** Somebody came, went or changed; `presence.list` replaces it. */
export interface PresenceChanged {
  "signal": "presence.changed";
  "version": number;
  "entries": PresenceEntry[];
}

/** One connection, or a note that a client left of itself. */
export interface PresenceEntry {
  "key": string;
  "at": string;
  "since"?: string;
  "principal"?: string;
  "door"?: string;
  "role"?: string;
  "scopes"?: string[];
  "device_id"?: string;
  "instance_id"?: string;
  "host"?: string;
  "address"?: string;
  "mode"?: string;
  "version"?: string;
  "platform"?: string;
  "family"?: string;
  "model"?: string;
  "time_zone"?: string;
  "reason"?: string;
  "text"?: string;
  "tags"?: string[];
  "idle_s"?: number | null;
}

/** Everybody, the hub itself first. */
export interface PresenceList {
  "version": number;
  "entries": PresenceEntry[];
}

/** What a client says of itself or of another program on its machine. */
export interface PresenceNote {
  "text": string;
  "key"?: string;
  "host"?: string;
  "mode"?: string;
  "version"?: string;
  "platform"?: string;
  "family"?: string;
  "model"?: string;
  "reason"?: string;
  "tags"?: string[];
  "idle_s"?: number | null;
}

/** An agent became busy or idle; the agent's summary replaces it. */
export interface PresenceSignal {
  "signal": "agent.presence";
  "agent_id": string;
  "activity": string;
  "task"?: string;
}

/** Anyone or anything that can be authenticated. */
export interface Principal {
  "id": string;
  "kind": PrincipalKind;
  "name"?: string;
}

/** Who a principal is. */
export type PrincipalKind = "agent" | "anonymous" | "device" | "operator" | "person" | "service";

/** Versions of the dialects that this hub speaks. */
export interface Protocols {
  "http": string[];
  "attach": string[];
  "pair": string[];
}

/** A provider of models that the node reaches: which, never with what secret. */
export interface Provider {
  "name": string;
  "models"?: string[];
  "url"?: string;
}

/** How another machine reaches the hub, as far as the hub itself knows. */
export interface Reach {
  "url"?: string;
  "certificate"?: string;
}

/** Put or take a reaction. */
export interface ReactMessage {
  "message_id": string;
  "reaction": string;
  "as"?: string;
}

/** One reaction and who gave it. */
export interface Reaction {
  "reaction": string;
  "by": string[];
}

/** A reaction that was put or taken. */
export interface ReactionChange {
  "message_id": string;
  "reaction": string;
  "by": string;
}

/** The caller's feed after a cursor: an event id or a `seq`; absent means from the start of the log. */
export interface ReadEvents {
  "after"?: string;
  "limit"?: number;
  "wait"?: number;
  "room_id"?: string;
  "thread_id"?: string;
  "dm_id"?: string;
  "session_id"?: string;
}

/** Lease the next items, waiting for the first up to `wait` seconds.

    `lease=false` only looks. `state` picks dead-lettered (`dead`) or failed items to look at. */
export interface ReadInbox {
  "agent_id": string;
  "wait"?: number;
  "limit"?: number;
  "lease"?: boolean;
  "state"?: ItemState;
}

/** How far a principal has read in a conversation. */
export interface ReadMarker {
  "principal": string;
  "room": string;
  "last_read_seq": number;
  "unread_count": number;
}

/** A rule about what may be read, for an executor that comes upon files which the call does not name. */
export interface ReadRule {
  "layer": string;
  "value": string;
  "action": string;
}

/** Erase a message's content, its search entry and its unreferenced files for ever. */
export interface RedactMessage {
  "message_id": string;
  "reason"?: string;
}

/** What stands in place of erased content. */
export interface Redaction {
  "message_id": string;
  "by": string;
  "at": string;
  "reason"?: string;
}

/** A node's refusal of an `ask`. */
export interface Refusal {
  "t": "refusal";
  "id": number;
  "error": ErrorBody;
}

/** Claim an agent id, or the slug of a name. */
export interface RegisterAgent {
  "requested_agent_id"?: string;
  "name"?: string;
  "wake"?: Wake | null;
  "issue_token"?: boolean;
}

/** When a change of a setting takes effect, and who may make it. */
export type Reload = "host" | "live" | "restart";

/** A soft removal: the id stays taken, the history stays stored. */
export interface Removed {
  "removed": boolean;
  "kind": string;
  "id": string;
  "mode"?: string;
}

/** Call a device something else. */
export interface RenameDevice {
  "device_id": string;
  "name": string;
}

/** Replace the whole file by this text. */
export interface ReplaceSettings {
  "text": string;
  "base_hash": string;
  "comment"?: string;
}

/** What a stream says when it cannot resume at the cursor that was asked for. */
export interface ReplayGap {
  "requested_event_id": string;
  "oldest_event_id": string;
  "newest_event_id": string;
  "oldest_seq": number;
  "newest_seq": number;
}

/** Put dead-lettered items back as pending. */
export interface ReplayInbox {
  "agent_id": string;
  "items": number[];
}

/** A node's answer to an `ask`. */
export interface Reply {
  "t": "reply";
  "id": number;
  "result": unknown;
}

/** Pairing requests that wait, oldest first. */
export interface RequestList {
  "requests": PairingRequest[];
}

/** One pairing request by its id. */
export interface RequestRef {
  "request_id": string;
}

/** Tell a call's terminal its size. */
export interface ResizeCall {
  "call_id": string;
  "rows": number;
  "columns": number;
}

/** The answer of an operation. */
export interface Result {
  "t": "result";
  "id": number;
  "result": unknown;
}

/** End a device's rights: of one role, or of all, after which its key is refused until it is removed. */
export interface RevokeDevice {
  "device_id": string;
  "role"?: Role | null;
}

/** What a device connects as. It has a grant of its own for each. */
export type Role = "node" | "operator";

/** Make an earlier version the current one; that is a new version. */
export interface RollbackSettings {
  "version": number;
  "base_hash": string;
}

/** A room as callers see it. */
export interface Room {
  "id": string;
  "network_id": string;
  "fqid": string;
  "name": string;
  "visibility": Visibility;
  "write_policy": WritePolicy;
  "created_at": string;
  "members"?: string[];
  "access"?: Access | null;
  "message_count"?: number;
  "last_message_at"?: string;
  "unread_count"?: number;
  "last_read_seq"?: number;
  "last_seq"?: number;
}

/** A page of a room's messages; its threads are not among them. */
export interface RoomMessages {
  "limit"?: string;
  "before"?: string;
  "after"?: string;
  "room_id"?: string;
}

/** Rooms by id. */
export interface RoomPage {
  "rooms": Room[];
  "page": Page;
}

/** One room by its id. */
export interface RoomRef {
  "room_id": string;
}

/** A page of a room's threads. */
export interface RoomThreads {
  "limit"?: string;
  "before"?: string;
  "after"?: string;
  "room_id"?: string;
}

/** Replace the token of one role; `scopes` can only narrow. */
export interface RotateToken {
  "device_id": string;
  "role"?: Role;
  "scopes"?: Scope[] | null;
}

/** Where a call would go, or why nowhere, and how that came about. */
export interface RouteAnswer {
  "steps": RouteStep[];
  "target_id"?: string;
  "target_name"?: string;
  "kind"?: string;
  "by"?: string;
  "error"?: CallError | null;
}

/** Every choice that the caller may see. */
export interface RouteList {
  "routes": RouteRow[];
}

/** Ask where a call would go. */
export interface RouteQuery {
  "target"?: string;
  "room"?: string;
  "agent_id"?: string;
}

/** One choice that was made. */
export interface RouteRow {
  "target": string;
  "room"?: string;
  "agent_id"?: string;
  "set_by"?: string;
  "set_at"?: string;
}

/** One row of the truth table and what it said. */
export interface RouteStep {
  "by": string;
  "wanted"?: string;
  "verdict"?: string;
}

/** One rule. Every glob that is not `*` narrows it; `policy.globs` says what a glob matches. */
export interface Rule {
  "tool": string;
  "value": string;
  "action": Action;
  "target"?: string;
  "agent"?: string;
  "room"?: string;
  "expires_at"?: string;
}

/** Rules in the order in which they are asked. */
export interface RuleList {
  "rules": KnownRule[];
  "file"?: string;
  "file_fault"?: string;
}

/** One remembered rule by its id. */
export interface RuleRef {
  "rule_id": string;
}

/** A run as callers see it. */
export interface Run {
  "id": string;
  "agent_id": string;
  "room": string;
  "state": RunState;
  "created_at": string;
  "cause"?: string;
  "item_seq"?: number;
  "message_id"?: string;
  "attempt"?: number;
  "started_at"?: string;
  "ended_at"?: string;
  "error"?: string;
  "partial"?: string;
}

/** Runs, newest first. */
export interface RunList {
  "runs": Run[];
  "has_more": boolean;
}

/** Runs, newest first. */
export interface RunQuery {
  "agent_id"?: string;
  "state"?: RunState | null;
  "limit"?: number;
  "before"?: string;
}

/** One run by its id. */
export interface RunRef {
  "run_id": string;
}

/** A run moved; the run itself replaces it. */
export interface RunSignal {
  "signal": "run.state";
  "run_id": string;
  "agent_id": string;
  "room": string;
  "state": RunState;
}

/** Where a run stands. `hub.runs.machine` holds the table of moves. */
export type RunState = "admitted" | "cancelled" | "done" | "failed" | "leased" | "streaming" | "waiting";

/** Something that runs programs: an interpreter, a compiler. */
export interface Runtime {
  "name": string;
  "version"?: string;
  "path"?: string;
}

/** How far a call is kept from the machine it runs on. */
export type Sandbox = "network" | "none" | "strict";

/** Ask a host for its keys. What the network says is not trusted by this: compare the fingerprints. */
export interface ScanHost {
  "address": string;
  "port"?: number | null;
}

/** What a host showed. */
export interface ScannedHost {
  "host": string;
  "port": number;
  "keys": ScannedKey[];
}

/** One host key. */
export interface ScannedKey {
  "kind": string;
  "fingerprint": string;
  "known_host": string;
}

/** A schedule as callers see it. */
export interface Schedule {
  "id": string;
  "name": string;
  "timing": Cron | Every | At;
  "room": string;
  "text": string;
  "created_at": string;
  "updated_at": string;
  "owner": string;
  "catch_up"?: CatchUp;
  "lateness_s"?: number;
  "agent_id"?: string;
  "description"?: string;
  "is_paused"?: boolean;
  "is_once"?: boolean;
  "next_at"?: string;
  "last"?: Slot | null;
  "fault"?: string;
  "revision"?: number;
}

/** Schedules by when they are due next. */
export interface ScheduleList {
  "schedules": Schedule[];
}

/** One schedule by its id. */
export interface ScheduleRef {
  "schedule_id": string;
}

/** What a grant allows. A grant can only be narrowed when it is passed on. */
export type Scope = "admin" | "approve" | "attach" | "devices" | "execute" | "keys" | "node" | "observe" | "operate" | "pair" | "write";

/** A message that matches, and an excerpt with the matches between U+0001 and U+0002. */
export interface SearchHit {
  "message": Message;
  "excerpt": string;
}

/** Full-text search: every word must occur; `"quoted words"` are a phrase; `word*` is a prefix. */
export interface SearchQuery {
  "q": string;
  "room_id"?: string;
  "thread_id"?: string;
  "dm_id"?: string;
  "session_id"?: string;
  "from"?: string;
  "limit"?: number;
  "before"?: number;
}

/** Hits, newest first, of what the caller may read. `indexed_seq` says how far the index has come. */
export interface SearchResult {
  "hits": SearchHit[];
  "has_more": boolean;
  "indexed_seq": number;
}

/** Several messages in one request; each has its own outcome. */
export interface SendBatch {
  "messages": SendMessage[];
}

/** A message to send. `from` defaults to the caller; `id` makes the send safe to repeat. */
export interface SendMessage {
  "target": Target;
  "parts": Part[];
  "id"?: string;
  "origin"?: Origin | null;
  "from"?: Actor | null;
  "mentions"?: string[];
  "reply_to"?: string;
  "cause"?: string;
}

/** One conversation with an agent. */
export interface Session {
  "key": string;
  "id": string;
  "agent_id": string;
  "name": string;
  "label": string;
  "created_at": string;
  "updated_at": string;
  "messages": number;
  "members": string[];
  "generation"?: number;
  "created"?: boolean;
}

/** Sessions, newest first. */
export interface SessionList {
  "sessions": Session[];
  "total": number;
}

/** A page of a session's messages, of its present generation. */
export interface SessionMessages {
  "limit"?: string;
  "before"?: string;
  "after"?: string;
  "session_id"?: string;
}

/** Sessions by last message, newest first. */
export interface SessionQuery {
  "agent_id"?: string;
  "search"?: string;
  "active_s"?: number | null;
  "limit"?: number;
}

/** One session by its id (`agent:AGENT:NAME`). */
export interface SessionRef {
  "session_id": string;
}

/** Replace the veto of an agent: its own layer. */
export interface SetAgentRules {
  "agent_id": string;
  "rules": Rule[];
}

/** Give a node labels; they win over those that it declares. An empty value hides a declared one. */
export interface SetLabels {
  "node_id": string;
  "labels": Record<string, string>;
}

/** Give a person another password; every session of theirs ends. One's own needs the current one. */
export interface SetPassword {
  "person_id": string;
  "password": string;
  "current"?: string;
}

/** Say what a node may be asked from now on. */
export interface SetPermit {
  "node_id": string;
  "permit": Permit;
}

/** What the agent says of itself; a signal tells the others, and it ends with the last attachment. */
export interface SetPresence {
  "agent_id": string;
  "activity"?: Activity;
  "task"?: string;
}

/** Choose where the calls of a room, of an agent, or of the org go. An empty target leaves it to the next row. */
export interface SetRoute {
  "target": string;
  "room"?: string;
  "agent_id"?: string;
}

/** One setting. The value of a secret one is `(set)` or empty, never itself. */
export interface Setting {
  "key": string;
  "value": unknown;
  "origin": string;
  "reload": Reload;
  "default"?: unknown;
  "allowed"?: string;
  "meaning"?: string;
  "env"?: string;
  "is_secret"?: boolean;
  "is_pending"?: boolean;
}

/** Every setting in the order of the tree. */
export interface SettingList {
  "settings": Setting[];
  "hash": string;
  "path": string;
}

/** A change that is on disk. */
export interface SettingsChanged {
  "version": number;
  "hash": string;
  "path": string;
  "applied": string[];
  "needs_restart": string[];
  "shadowed": string[];
}

/** The settings file as text; secret values are replaced by `(set)`. */
export interface SettingsFile {
  "path": string;
  "exists": boolean;
  "text": string;
  "hash": string;
  "issues": string[];
}

/** The last versions, newest first. */
export interface SettingsHistory {
  "versions": SettingsVersion[];
}

/** JSON Schema of the settings file. */
export interface SettingsSchema {
  "schema": Record<string, unknown>;
  "version": string;
}

/** One of the last versions of the file. */
export interface SettingsVersion {
  "version": number;
  "hash": string;
  "saved_at": string;
  "changed": string[];
  "by"?: string;
  "comment"?: string;
}

/** What the acknowledgement settled. */
export interface Settled {
  "agent_id": string;
  "settled": number;
  "low_water": number;
}

/** A device proves itself; `signature` is of `signatures.device_message("sign-in", …)`. */
export interface SignIn {
  "public_key": string;
  "nonce": string;
  "signature": string;
  "scopes"?: Scope[];
  "role"?: Role;
}

/** Send a signal to a call's process group. */
export interface SignalCall {
  "call_id": string;
  "signal": string;
}

/** A signal (`wire.runs.Signal`): unnumbered, unstored, replaced by what it names. */
export interface SignalFrame {
  "t": "signal";
  "signal": unknown;
}

/** A short session of a device; the only answer that carries its token. */
export interface SignedIn {
  "token": string;
  "expires_at": string;
  "principal": Principal;
  "scopes": Scope[];
}

/** One slot of a schedule and what became of it. */
export interface Slot {
  "schedule_id": string;
  "at": string;
  "state": SlotState;
  "recorded_at": string;
  "message_id"?: string;
  "reason"?: string;
  "is_manual"?: boolean;
}

/** Slots, newest first. */
export interface SlotList {
  "slots": Slot[];
  "has_more": boolean;
}

/** What became of a schedule's slots, newest first. */
export interface SlotQuery {
  "schedule_id": string;
  "limit"?: number;
  "before"?: string;
}

/** How a slot ended. */
export type SlotState = "fired" | "missed";

/** A managed key; its private half is encrypted at rest and never shown. */
export interface SshKey {
  "id": string;
  "name": string;
  "public_key": string;
  "fingerprint": string;
  "created_at": string;
  "targets"?: number;
  "is_readable"?: boolean;
}

/** Managed keys. */
export interface SshKeyList {
  "keys": SshKey[];
}

/** One managed key by its id or name. */
export interface SshKeyRef {
  "ssh_key_id": string;
}

/** Who speaks SSH. */
export type SshMode = "managed" | "system";

/** A machine that is reached by SSH. */
export interface SshTarget {
  "id": string;
  "label": string;
  "address": string;
  "mode": SshMode;
  "created_at": string;
  "port"?: number | null;
  "key_id"?: string;
  "key_name"?: string;
  "known_host"?: string;
  "host_fingerprints"?: string[];
  "is_default"?: boolean;
  "is_blocked"?: boolean;
  "blocked_fingerprint"?: string;
  "last_test"?: SshTest | null;
}

/** What a connectivity test found. */
export interface SshTest {
  "ok": boolean;
  "tested_at": string;
  "failure_code"?: string;
  "message"?: string;
  "hint"?: string;
  "duration_s"?: number;
}

/** Ask for a call. */
export interface StartCall {
  "tool": string;
  "args"?: Record<string, unknown>;
  "target"?: string;
  "room"?: string;
  "agent_id"?: string;
  "run_id"?: string;
  "cwd"?: string;
  "env"?: Record<string, string>;
  "timeout_s"?: number | null;
  "terminal"?: Terminal | null;
  "has_input"?: boolean;
  "is_background"?: boolean;
  "if_away"?: IfAway;
  "sandbox"?: Sandbox | null;
  "reason"?: string;
  "ends_unwatched"?: boolean;
  "wait"?: number;
}

/** Stop every agent: cancel runs, refuse agent messages and wakes until resumed. */
export interface StopAll {
  "reason"?: string;
}

/** How much a stream held in all. */
export interface StreamEnd {
  "channel": number;
  "size_bytes": number;
  "sha256"?: string;
  "dropped_bytes"?: number;
}

/** The conversation of a message. */
export interface Target {
  "kind": TargetKind;
  "room_id"?: string;
  "thread_id"?: string;
  "parent_message_id"?: string;
  "dm_id"?: string;
  "participant_ids"?: string[];
  "session_id"?: string;
}

/** Where a message goes. */
export type TargetKind = "dm" | "room" | "session" | "thread";

/** SSH targets, the default first. */
export interface TargetList {
  "targets": SshTarget[];
}

/** One target by its id or label. */
export interface TargetRef {
  "ssh_target_id": string;
}

/** How a machine is, by its own word. */
export interface Telemetry {
  "taken_at"?: string;
  "cpu_count"?: number;
  "cpu_percent"?: number;
  "cpu_percents"?: number[];
  "memory_total_bytes"?: number;
  "memory_available_bytes"?: number;
  "disks"?: Disk[];
  "load"?: number[];
  "uptime_s"?: number;
  "runtimes"?: Runtime[];
  "providers"?: Provider[];
  "agents"?: Runtime[];
  "calls_running"?: number;
}

/** Reports, newest first. */
export interface TelemetryHistory {
  "reports": Telemetry[];
  "has_more": boolean;
}

/** A node reported how it is; `nodes.get` replaces it. */
export interface TelemetrySignal {
  "signal": "node.telemetry";
  "node_id": string;
  "telemetry": Telemetry;
}

/** Either way, without an answer. From a node: `declare` (Declaration), `telemetry` (Telemetry), `started`
    (CallOrder), `ended` (Outcome, repeated until it is settled). To a node: `settled` (CallOrder). */
export interface Tell {
  "t": "tell";
  "method": string;
  "params": unknown;
}

/** A terminal that the process has, instead of pipes. */
export interface Terminal {
  "rows"?: number;
  "columns"?: number;
}

/** More of the answer's text. */
export interface TextDelta {
  "kind": "agent_message_chunk";
  "text": string;
}

/** More of the model's visible reasoning; never part of the message. */
export interface ThoughtDelta {
  "kind": "agent_thought_chunk";
  "text": string;
}

/** A thread; it has its room's members and policy. */
export interface Thread {
  "id": string;
  "network_id": string;
  "fqid": string;
  "room_id": string;
  "message_count": number;
  "last_message_at"?: string;
  "parent_message_id"?: string;
}

/** A page of a thread's messages. */
export interface ThreadMessages {
  "limit"?: string;
  "before"?: string;
  "after"?: string;
  "thread_id"?: string;
}

/** Threads by id. */
export interface ThreadPage {
  "threads": Thread[];
  "page": Page;
}

/** One thread by its id. */
export interface ThreadRef {
  "thread_id": string;
}

/** A call began or moved on. */
export interface ToolCallUpdate {
  "kind": "tool_call_update";
  "call_id": string;
  "title"?: string;
  "status"?: string;
  "content"?: Record<string, unknown>[];
}

/** The tools that the caller may use now. */
export interface ToolList {
  "tools": AgentTool[];
}

/** Whose tools: with a room, `exec` names the targets that can be chosen now. */
export interface ToolQuery {
  "room"?: string;
  "agent_id"?: string;
}

/** What a model reads. A failure is a result as well: its text says why and what to do. */
export interface ToolResult {
  "text": string;
  "is_error"?: boolean;
  "data"?: Record<string, unknown>;
  "call_id"?: string;
  "is_pending"?: boolean;
}

/** Send no more on this stream; the call goes on. */
export interface Unwatch {
  "t": "unwatch";
  "stream": number;
}

/** Change what is given. `wake_rooms` maps room ids to policies; an empty string removes an entry.

    The older spelling is accepted: `read: all|mentions|thread_only|never` is `wake`; `reply: never` with no
    `read` is `wake: never`; other `reply` values change nothing on the hub. */
export interface UpdateAgent {
  "agent_id": string;
  "name"?: string | null;
  "wake"?: Wake | null;
  "wake_rooms"?: Record<string, string>;
  "read"?: Wake | null;
  "reply"?: string;
}

/** Add first, then remove. */
export interface UpdateMembers {
  "room_id": string;
  "add"?: string[];
  "remove"?: string[];
}

/** Change what is given; the rest stays. */
export interface UpdateRoom {
  "room_id": string;
  "name"?: string | null;
  "visibility"?: Visibility | null;
  "write_policy"?: WritePolicy | null;
}

/** Change parts of a schedule; None keeps one as it is. `revision` refuses a change that was not seen.

    A new timing counts from now on. Who updates it becomes its owner. */
export interface UpdateSchedule {
  "schedule_id": string;
  "revision"?: number | null;
  "name"?: string | null;
  "timing"?: Cron | Every | At | null;
  "room"?: string | null;
  "text"?: string | null;
  "catch_up"?: CatchUp | null;
  "lateness_s"?: number | null;
  "agent_id"?: string | null;
  "description"?: string | null;
  "is_once"?: boolean | null;
}

/** Call a session something else. */
export interface UpdateSession {
  "session_id": string;
  "label": string;
}

/** Change parts of a target; None keeps one as it is. */
export interface UpdateTarget {
  "ssh_target_id": string;
  "label"?: string | null;
  "address"?: string | null;
  "port"?: number | null;
  "mode"?: SshMode | null;
  "key"?: string | null;
  "is_default"?: boolean | null;
}

/** A file; its bytes are the request body. */
export interface Upload {
  "filename"?: string;
  "media_type"?: string;
}

/** A stored file; put `blob` into a part of kind file, image or audio. */
export interface Uploaded {
  "blob": string;
  "size_bytes": number;
  "media_type": string;
  "filename": string;
}

/** Tokens and cost so far. */
export interface UsageUpdate {
  "kind": "usage_update";
  "input_tokens"?: number;
  "output_tokens"?: number;
  "cost_usd"?: number;
}

/** A client without a key is let in by a code; from then on it shows its token alone. */
export interface UseCode {
  "code": string;
  "facts"?: Facts;
}

/** Use a tool. */
export interface UseTool {
  "name": string;
  "arguments"?: Record<string, unknown>;
  "room"?: string;
  "agent_id"?: string;
  "run_id"?: string;
  "wait"?: number;
}

/** What the rules say. */
export interface Verdict {
  "action": Action;
  "judged": Judged[];
  "rules"?: Rule[];
  "rule_texts"?: string[];
  "is_dangerous"?: boolean;
}

/** Verify the log, and that it goes on from where it was. */
export interface VerifyAudit {
  "noted"?: string;
}

/** Who may read a room besides its members and observers. */
export type Visibility = "private" | "public";

/** The run waits: for an approval, an input or a call. */
export interface WaitingUpdate {
  "kind": "waiting";
  "reason": string;
}

/** Which room messages wake an agent. Direct messages wake under `all` and `mentions`. */
export type Wake = "all" | "mentions" | "never" | "thread_only";

/** Something that an operator should know. */
export interface Warning {
  "severity": string;
  "code": string;
  "message": string;
  "action"?: string;
  "docs_url"?: string;
}

/** Send me a call's output as binary chunks on this stream, from these offsets, and its end when it comes.

    Chunks that the client sends on the same stream are the call's input, if it has any: none before the hub gave
    `credit` for it. What lies `LINK_CREDIT_BYTES` before that has arrived; after a break, send from there again. */
export interface Watch {
  "t": "watch";
  "stream": number;
  "call_id": string;
  "offsets"?: Record<string, number>;
  "credit_bytes"?: number;
}

/** A watched call has ended (its `Call`), or cannot be watched (any longer); the stream is over. */
export interface Watched {
  "t": "watched";
  "stream": number;
  "call"?: Record<string, unknown> | null;
  "error"?: ErrorBody | null;
}

/** The first frame of the hub. `cursor`: where the feed stands; what the client missed follows. */
export interface Welcome {
  "t": "welcome";
  "version": string;
  "network_id": string;
  "principal": string;
  "cursor": string;
  "node_id"?: string;
}

/** Who the caller is to the hub. */
export interface Whoami {
  "principal": Principal;
  "scopes": Scope[];
  "mode": "bearer" | "none" | "open";
  "agents"?: string[] | null;
  "expires_at"?: string;
}

/** Who may send into a room. */
export type WritePolicy = "members" | "operators" | "registered_agents";

/** Operation name to its parameters and result. */
export interface Operations {
  "hub.network": { params: Nothing; result: Network };
  "hub.health": { params: Nothing; result: Health };
  "hub.ready": { params: Nothing; result: Health };
  "hub.status": { params: Nothing; result: HubStatus };
  "hub.backup": { params: Backup; result: BackupDone };
  "pairings.list": { params: PageQuery; result: PairingPage };
  "audit.list": { params: AuditQuery; result: AuditList };
  "audit.verify": { params: VerifyAudit; result: AuditProof };
  "hub.logs": { params: LogQuery; result: LogTail };
  "keys.create": { params: CreateKey; result: CreatedKey };
  "keys.list": { params: Nothing; result: KeyList };
  "keys.revoke": { params: KeyRef; result: Key };
  "keys.rotate": { params: KeyRef; result: CreatedKey };
  "auth.whoami": { params: Nothing; result: Whoami };
  "auth.exchange": { params: ExchangeCode; result: ConsoleSession };
  "auth.logout": { params: Nothing; result: Nothing };
  "auth.console_link": { params: Nothing; result: ConsoleLink };
  "people.add": { params: AddPerson; result: Person };
  "people.list": { params: Nothing; result: PersonList };
  "people.set_password": { params: SetPassword; result: Person };
  "people.disable": { params: PersonRef; result: Person };
  "people.enable": { params: PersonRef; result: Person };
  "people.remove": { params: PersonRef; result: Person };
  "auth.password": { params: PasswordSignIn; result: ConsoleSession };
  "devices.challenge": { params: AskChallenge; result: Challenge };
  "devices.ask": { params: AskPairing; result: PairingRequest };
  "devices.outcome": { params: AwaitPairing; result: PairingOutcome };
  "devices.sign_in": { params: SignIn; result: SignedIn };
  "devices.use_code": { params: UseCode; result: DeviceToken };
  "devices.list": { params: Nothing; result: DeviceList };
  "devices.get": { params: DeviceRef; result: Device };
  "devices.requests": { params: Nothing; result: RequestList };
  "devices.approve": { params: ApprovePairing; result: Device };
  "devices.reject": { params: RequestRef; result: PairingRequest };
  "devices.rename": { params: RenameDevice; result: Device };
  "devices.rotate": { params: RotateToken; result: DeviceToken };
  "devices.revoke": { params: RevokeDevice; result: Device };
  "devices.remove": { params: DeviceRef; result: Device };
  "pairing.status": { params: Nothing; result: PairingWindow };
  "pairing.open": { params: OpenPairing; result: PairingWindow };
  "pairing.close": { params: Nothing; result: PairingWindow };
  "pairing.code": { params: MakeCode; result: PairingCode };
  "presence.list": { params: Nothing; result: PresenceList };
  "presence.note": { params: PresenceNote; result: PresenceEntry };
  "rooms.list": { params: PageQuery; result: RoomPage };
  "rooms.create": { params: CreateRoom; result: Room };
  "rooms.get": { params: RoomRef; result: Room };
  "rooms.update": { params: UpdateRoom; result: Room };
  "rooms.remove": { params: RoomRef; result: Removed };
  "rooms.members": { params: UpdateMembers; result: Room };
  "rooms.messages": { params: RoomMessages; result: MessagePage };
  "rooms.threads": { params: RoomThreads; result: ThreadPage };
  "threads.get": { params: ThreadRef; result: Thread };
  "threads.messages": { params: ThreadMessages; result: MessagePage };
  "dms.list": { params: PageQuery; result: DmPage };
  "dms.open": { params: OpenDm; result: DirectConversation };
  "dms.get": { params: DmRef; result: DirectConversation };
  "dms.messages": { params: DmMessages; result: MessagePage };
  "rooms.mark_read": { params: MarkRead; result: ReadMarker };
  "rooms.export": { params: ExportRoom; result: ExportEnd };
  "hub.apply": { params: Apply; result: Applied };
  "sessions.open": { params: OpenSession; result: Session };
  "sessions.list": { params: SessionQuery; result: SessionList };
  "sessions.get": { params: SessionRef; result: Session };
  "sessions.update": { params: UpdateSession; result: Session };
  "sessions.reset": { params: SessionRef; result: Session };
  "sessions.remove": { params: SessionRef; result: Session };
  "sessions.messages": { params: SessionMessages; result: MessagePage };
  "messages.send": { params: SendMessage; result: MessageAccepted };
  "messages.send_batch": { params: SendBatch; result: BatchAccepted };
  "messages.get": { params: MessageRef; result: Message };
  "messages.edit": { params: EditMessage; result: Message };
  "messages.redact": { params: RedactMessage; result: Message };
  "messages.react": { params: ReactMessage; result: Message };
  "messages.unreact": { params: ReactMessage; result: Message };
  "messages.search": { params: SearchQuery; result: SearchResult };
  "artifacts.list": { params: ArtifactQuery; result: ArtifactPage };
  "blobs.get": { params: BlobRef; result: BlobContent };
  "agents.list": { params: PageQuery; result: AgentPage };
  "agents.get": { params: AgentRef; result: AgentSummary };
  "agents.register": { params: RegisterAgent; result: AgentRegistration };
  "agents.rotate_token": { params: AgentRef; result: AgentToken };
  "agents.update": { params: UpdateAgent; result: AgentSummary };
  "agents.remove": { params: AgentRef; result: Removed };
  "agents.pause": { params: AgentRef; result: AgentSummary };
  "agents.resume": { params: AgentRef; result: AgentSummary };
  "agents.set_presence": { params: SetPresence; result: AgentSummary };
  "agents.stop_all": { params: StopAll; result: HubSwitch };
  "agents.resume_all": { params: Nothing; result: HubSwitch };
  "inbox.read": { params: ReadInbox; result: Inbox };
  "inbox.ack": { params: AckInbox; result: Settled };
  "inbox.nack": { params: NackInbox; result: Settled };
  "inbox.replay": { params: ReplayInbox; result: Settled };
  "events.read": { params: ReadEvents; result: EventPage };
  "runs.list": { params: RunQuery; result: RunList };
  "runs.get": { params: RunRef; result: Run };
  "runs.cancel": { params: CancelRun; result: Run };
  "runs.await": { params: AwaitRun; result: AwaitedRun };
  "schedules.create": { params: CreateSchedule; result: Schedule };
  "schedules.list": { params: Nothing; result: ScheduleList };
  "schedules.get": { params: ScheduleRef; result: Schedule };
  "schedules.update": { params: UpdateSchedule; result: Schedule };
  "schedules.remove": { params: ScheduleRef; result: Schedule };
  "schedules.pause": { params: ScheduleRef; result: Schedule };
  "schedules.resume": { params: ScheduleRef; result: Schedule };
  "schedules.run": { params: ScheduleRef; result: Slot };
  "schedules.history": { params: SlotQuery; result: SlotList };
  "settings.list": { params: Nothing; result: SettingList };
  "settings.file": { params: Nothing; result: SettingsFile };
  "settings.change": { params: ChangeSettings; result: SettingsChanged };
  "settings.replace": { params: ReplaceSettings; result: SettingsChanged };
  "settings.history": { params: Nothing; result: SettingsHistory };
  "settings.rollback": { params: RollbackSettings; result: SettingsChanged };
  "settings.schema": { params: Nothing; result: SettingsSchema };
  "nodes.list": { params: NodeQuery; result: NodeList };
  "nodes.get": { params: NodeRef; result: Node };
  "nodes.requests": { params: Nothing; result: NodeRequestList };
  "nodes.approve": { params: ApproveNode; result: Node };
  "nodes.permit": { params: SetPermit; result: Node };
  "nodes.label": { params: SetLabels; result: Node };
  "nodes.history": { params: HistoryQuery; result: TelemetryHistory };
  "nodes.exec_status": { params: Nothing; result: ExecStatus };
  "ssh.keys": { params: Nothing; result: SshKeyList };
  "ssh.generate_key": { params: GenerateKey; result: SshKey };
  "ssh.import_key": { params: ImportKey; result: SshKey };
  "ssh.remove_key": { params: SshKeyRef; result: SshKey };
  "ssh.targets": { params: Nothing; result: TargetList };
  "ssh.add_target": { params: AddTarget; result: SshTarget };
  "ssh.update_target": { params: UpdateTarget; result: SshTarget };
  "ssh.remove_target": { params: TargetRef; result: SshTarget };
  "ssh.test": { params: TargetRef; result: SshTest };
  "ssh.scan": { params: ScanHost; result: ScannedHost };
  "ssh.pin": { params: PinHost; result: SshTarget };
  "ssh.unpin": { params: TargetRef; result: SshTarget };
  "calls.start": { params: StartCall; result: Call };
  "calls.get": { params: AwaitCall; result: Call };
  "calls.list": { params: CallQuery; result: CallList };
  "calls.cancel": { params: CancelCall; result: Call };
  "calls.signal": { params: SignalCall; result: Call };
  "calls.resize": { params: ResizeCall; result: Call };
  "calls.output": { params: OutputQuery; result: OutputRange };
  "calls.route": { params: RouteQuery; result: RouteAnswer };
  "routes.list": { params: Nothing; result: RouteList };
  "routes.set": { params: SetRoute; result: RouteAnswer };
  "tools.list": { params: ToolQuery; result: ToolList };
  "tools.use": { params: UseTool; result: ToolResult };
  "approvals.list": { params: ApprovalQuery; result: ApprovalList };
  "approvals.get": { params: ApprovalRef; result: Approval };
  "approvals.approve": { params: Approve; result: Approval };
  "approvals.deny": { params: Deny; result: Approval };
  "approvals.rules": { params: Nothing; result: RuleList };
  "approvals.add_rule": { params: AddRule; result: KnownRule };
  "approvals.remove_rule": { params: RuleRef; result: KnownRule };
  "approvals.set_agent_rules": { params: SetAgentRules; result: RuleList };
  "approvals.import": { params: ImportRules; result: RuleList };
  "approvals.judge": { params: JudgeQuery; result: Verdict };
}
