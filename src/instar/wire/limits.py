"""Every limit of the hub: a named constant with its unit. The reference page is generated from this file.

A limit that an operator may change is a setting whose default stands here.
"""

# Identifiers (spec: Moltnet http.v1 §1.1)
ID_MAX_BYTES = 128
ID_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$"
NAME_MAX_CHARS = 256
"""Longest display name of a room, agent or key."""

# Requests
BODY_MAX_BYTES = 1_048_576
"""Largest JSON request body."""
UPLOAD_MAX_BYTES = 67_108_864
"""Largest uploaded file (setting `uploads.max_bytes`)."""
UPLOAD_KEEP_S = 86_400.0
"""An uploaded file that no message names is deleted after this time."""
FRAME_MAX_BYTES = 1_048_576
"""Largest WebSocket message from a client."""
HEADER_MAX_BYTES = 65_536
"""Largest request head."""
JSON_DEPTH_MAX = 64
"""Deepest nesting of a `data` part."""
BATCH_MAX_MESSAGES = 500
"""Messages in one batch send."""

# Messages and rooms
PARTS_MAX = 64
"""Parts of one message."""
MENTIONS_MAX = 64
"""Mentions of one message that are resolved; further ones are refused."""
MEMBERS_MAX = 256
"""Members that one request may name, and participants of one direct conversation."""
REACTION_MAX_CHARS = 32
REACTIONS_PER_MESSAGE_MAX = 64
"""Distinct reactions on one message."""
REASON_MAX_CHARS = 500

# Paging
PAGE_DEFAULT = 100
PAGE_MAX = 500
SEARCH_MAX_CHARS = 256
SEARCH_BUSY_EVENTS_PER_S = 2_000
"""Above this many events per second the search index rests between its batches."""
SEARCH_GATHER_S = 0.1
"""How long the search index lets messages gather before it takes them in."""
SEARCH_BUSY_PAUSE_S = 0.25
"""How long it rests; it catches up when the hub is quiet."""
UNREAD_COUNT_MAX = 1_000
"""Unread messages are counted up to here; the answer then says `1000` and means `or more`."""
WAIT_MAX_S = 60.0
"""Longest long poll."""

# Attachments and streams
ATTACH_HEARTBEAT_MS = 5_000
"""Heartbeat interval that HELLO advertises; the hub pings at half of it."""
ATTACH_IDENTIFY_S = 10.0
ATTACH_SILENCE_S = 10.0
"""A client that says nothing for this long is cut (twice the heartbeat interval)."""
SSE_KEEPALIVE_S = 15.0
STREAMS_MAX = 16_384
"""Live sockets and streams of one hub (setting `limits.streams`)."""
STREAMS_PER_PRINCIPAL_MAX = 2_048
"""Live sockets and streams of one credential (setting `limits.streams_per_principal`)."""
SEND_BUFFER_MAX_BYTES = 1_048_576
"""Bytes that may wait in one socket before it counts as lagging and is fed from the log."""
LAG_MAX_S = 30.0
"""A socket that takes nothing for this long while lagging is closed with its last cursor."""
LAG_POLL_S = 1.0
"""A lagging socket whose carrier says nothing is looked at this often."""
CATCH_UP_PAGE = 512
"""Events per page when a socket is fed from the log."""
CURSOR_FLUSH_S = 0.1
"""Acknowledged cursors of attachments are written within this time."""
LINK_HELLO_S = 10.0
"""The first frame of a native link must come within this time."""
LINK_PING_S = 20.0
"""A native link that was silent this long is asked whether it lives …"""
LINK_PONG_S = 15.0
"""… and is cut when it stays silent for this time more."""
LINK_OPS_MAX = 256
"""Operations under way on one native link; more are refused with `overloaded`."""

# Log
WRITER_BATCH_MAX = 2_048
"""Drafts in one transaction."""
WRITER_BATCH_MAX_BYTES = 4_194_304
WRITER_QUEUE_MAX = 10_000
"""Drafts that may wait; more are refused with `overloaded`."""
WRITER_QUEUE_MAX_BYTES = 67_108_864
WRITER_RETRY_S = 1.0
"""What a caller is told to wait when the writer is overloaded or the disk is full."""
WAL_CHECKPOINT_BYTES = 16_777_216
GUARD_RETRIES = 3
"""How often an append is decided anew when its guard no longer holds."""
LEDGER_KEEP_S = 86_400.0
"""Idempotency keys are remembered at least this long."""
IDEMPOTENCY_KEY_MAX_CHARS = 128

# Delivery
RECENT_EVENTS_MAX = 65_536
"""Event ids whose `seq` is known without reading the log, so that an acknowledgement costs no query."""
WAKES_UNACKED_MAX = 1_024
"""Unacknowledged wakes of one agent that are remembered for `agent.wake.delivered`."""
LOOP_MEMORY_MESSAGES = 64
"""Latest messages of one room from which an answer may inherit its hops."""
INBOX_LEASE_S = 300.0
"""How long a leased inbox item is hidden from other consumers (setting `delivery.lease_s`)."""
INBOX_ATTEMPTS_MAX = 5
"""Failed attempts before an item is dead-lettered (setting `delivery.attempts`)."""
INBOX_RETRY_BASE_S = 1.0
INBOX_RETRY_MAX_S = 60.0
INBOX_PAGE_MAX = 100
LOOP_HOPS_MAX = 20
"""Longest chain of agents answering agents (setting `loops.max_hops`)."""
LOOP_CAUSE_WINDOW_S = 600.0
"""An item delivered longer ago than this causes nothing unless it is named."""
LOOP_PAIR_RATE_PER_MIN = 60
"""Answers between the same two agents in one room per minute (setting `loops.pair_per_min`)."""
LOOP_ROOM_RATE_PER_MIN = 240
"""Caused agent messages in one room per minute (setting `loops.room_per_min`)."""
LOOP_COOL_DOWN_S = 60.0
"""How long a room refuses caused agent messages after a stopped loop (setting `loops.cool_down_s`)."""

# Runs
RUN_LEASE_S = 30.0
RUN_HEARTBEAT_S = 5.0
RUN_ATTEMPTS_MAX = 3
RUN_PARTIAL_S = 1.0
"""The partial text of a streaming run is stored this often."""
RUN_BUDGET_S = 600.0
"""Longest run (setting `runs.budget_s`)."""
RUN_TEXT_MAX_CHARS = 262_144
RUN_ROOMS_MAX = 16
"""Rooms in which one hosted agent runs at the same time; in each room it runs once."""

# Devices and people
CHALLENGE_S = 60.0
"""A challenge is good once, for this long."""
CHALLENGES_MAX = 4_096
"""Challenges that wait; the oldest are forgotten beyond."""
PAIRING_REQUEST_S = 300.0
"""A pairing request that nobody decides expires after this time."""
PAIRING_PENDING_MAX = 20
"""Pairing requests that may wait at once; more are refused."""
PAIRING_WINDOW_S = 600.0
"""How long `pairing.open` lets unknown devices ask, unless it says otherwise."""
PAIRING_WINDOW_MAX_S = 3_600.0
PAIRING_CODE_S = 600.0
"""Life of a pairing code, unless it is made for another."""
PAIRING_CODE_MAX_S = 86_400.0
PAIRING_CODE_TRIES = 5
"""Wrong pairing codes, from all addresses together, that end every pairing code there is."""
DEVICE_SESSION_S = 3_600.0
"""Life of the session that a device gets for its signature."""
ENDED_KEEP_S = 604_800.0
"""Sessions that ended and pairing requests that were settled are forgotten after this time."""
DEVICES_MAX = 10_000
SIGNATURE_SKEW_V3_S = 600.0
"""How far `signedAt` of a gateway client of generation 3 may be from now, either way."""
SIGNATURE_SKEW_V4_S = 120.0
"""The same of generation 4."""
SIGNATURES_SEEN_MAX = 16_384
"""Signatures of devices that are remembered, so that none is taken twice; the oldest are forgotten beyond."""
REFUSALS_WAITING_MAX = 1_000
"""Events about refused callers that wait to be written; further ones are dropped until then."""
PASSWORD_MIN_CHARS = 12
PASSWORD_MAX_CHARS = 256
PASSWORD_CHECKS_MAX = 2
"""Passwords that are checked at the same time: each takes 64 MiB and tens of milliseconds."""
PASSWORD_CHECKS_WAITING_MAX = 64
"""Further ones that may wait for their turn; beyond them a sign-in is refused as overloaded."""
PEOPLE_MAX = 10_000
TAILNET_WHOIS_S = 5.0
"""`tailscale whois` must answer within this time."""
TAILNET_WHOIS_MAX = 4
"""Questions to tailscale at the same time."""
TAILNET_WHOIS_MAX_BYTES = 65_536
"""Most that is read of its answer."""
TAILNET_KEEP_S = 30.0
"""How long its answer is believed."""
TAILNET_KNOWN_MAX = 1_024
"""Answers that are remembered."""
SHARED_SECRET_MIN_CHARS = 32
"""Shortest shared secret of a hub that other machines reach."""

# Gateway
GATEWAY_UNAUTHENTICATED_FRAME_MAX_BYTES = 65_536
"""Largest frame before `connect` has been answered."""
GATEWAY_FRAME_MAX_BYTES = 26_214_400
"""Largest frame of a client of generation 4 …"""
GATEWAY_V3_FRAME_MAX_BYTES = 524_288
"""… and of generation 3 and of Moltis."""
GATEWAY_BUFFER_MAX_BYTES = 52_428_800
GATEWAY_V3_BUFFER_MAX_BYTES = 1_572_864
GATEWAY_TICK_S = 30.0
GATEWAY_HEALTH_S = 60.0
"""`health` without `probe` may be as old as this."""
GATEWAY_HANDSHAKE_S = 15.0
"""`connect` must have come and been answered within this time."""
GATEWAY_UNAUTHENTICATED_PER_PEER_MAX = 32
"""Sockets of one address that have yet to pass `connect`; more are answered 503."""
GATEWAY_PENDING_MAX = 256
"""Requests under way on one gateway socket; more are refused."""
GATEWAY_EARLY_FRAMES_MAX = 16
"""Frames that a client may send before its `connect` is answered; more end it."""
GATEWAY_WRITES_PER_MIN = 30
"""Calls of one method that writes settings, by one device or credential per minute."""
GATEWAY_CHOICES_MAX = 1_024
"""Sessions, channels or event names, each, that one gateway connection may subscribe to."""
GATEWAY_PROGRESS_AHEAD_MAX = 64
"""Chunks of progress that a dialect's node may send before the one that is due; more are refused."""
GATEWAY_INVOKE_S = 30.0
"""How long `node.invoke` waits when the client names no other time, as the dialects have it."""
GATEWAY_NODE_GRACE_S = 10.0
"""What a dialect's node is given beyond the time of a command, to say that this time was over."""
GATEWAY_RESULT_MAX_BYTES = 8_388_608
"""Most output of one call in an answer to `node.invoke` of generation 4, where it stands twice …"""
GATEWAY_V3_RESULT_MAX_BYTES = 262_144
"""… and of generation 3 and of Moltis. All of it is read with `calls.output`."""
GATEWAY_PROVIDERS_S = 10.0
"""How long a Moltis node may take to name its providers of models, once it is connected."""
GATEWAY_CLOSE_REASON_MAX_BYTES = 120
PAIRING_WAIT_S = 300.0
"""How long a Moltis node's socket is held while its request waits."""
PRESENCE_S = 300.0
"""A note of presence without a connection is forgotten after this time."""
PRESENCE_MAX = 200
"""Rows of presence, the hub's own among them; the oldest gives way, one without a connection first."""
PRESENCE_PAUSE_S = 0.1
"""Changes of presence are signalled at most once in this time …"""
PRESENCE_ROWS_PER_S = 100_000
"""… and less often where many listen: a signal brings every row to each of them."""

# Schedules
SCHEDULES_MAX = 5_000
SCHEDULE_TEXT_MAX_CHARS = 32_768
SCHEDULE_ID_PATTERN = r"^(sch_[A-Za-z0-9._-]{1,124})?$"
SCHEDULE_EVERY_MIN_S = 1.0
SCHEDULE_EVERY_MAX_S = 315_360_000.0
SCHEDULE_LATENESS_MAX_S = 31_536_000.0
SCHEDULE_CATCH_UP_MAX = 1_000
"""Slots of one schedule that are fired or recorded one by one after an absence; older ones are recorded as one."""
SCHEDULE_COUNT_MAX = 10_000
"""Older slots are counted up to here; the reason then says `more than`."""
SCHEDULE_TICK_S = 1.0
"""The clock is looked at this often, so that a jump of it is noticed."""
SCHEDULE_STALL_S = 30.0
"""A scheduler that has not looked at the clock for this long is started anew; a slot that is found later than this
counts as passed while the hub did not run."""
SLOTS_KEEP = 1_000
"""Slots of one schedule that its history keeps, at least; the oldest ones beyond are forgotten once in a while."""

# Settings and logs
SETTINGS_FILE_MAX_BYTES = 262_144
SETTINGS_VERSIONS_MAX = 10
"""Versions of the settings file that are kept."""
LOG_TAIL_MAX_LINES = 5_000
LOG_TAIL_MAX_BYTES = 1_000_000
LOG_FILE_MAX_BYTES = 16_777_216
"""The hub's log file is begun anew at this size; `LOG_FILES` old ones are kept."""
LOG_FILES = 3
SESSION_NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,79}$"

# Identity
CONSOLE_LINK_S = 300.0
"""Life of a single-use sign-in link."""
SETUP_CODE_S = 900.0
SETUP_CODE_TRIES = 5
SESSION_S = 2_592_000.0
"""Life of a console session (30 days)."""
KEY_EXPIRES_MAX_S = 315_360_000.0
AUTH_FAILURES_MAX = 10
"""Failed credentials of one address within `AUTH_FAILURES_WINDOW_S` before it is locked."""
AUTH_FAILURES_WINDOW_S = 60.0
AUTH_LOCK_S = 300.0
"""How long an address with too many failures is refused."""
AUTH_PEERS_MAX = 100_000
"""Addresses whose failures are remembered; an IPv6 /64 counts as one."""
TOKEN_MAX_CHARS = 512
"""Longest credential that is looked at."""
LAST_USED_FLUSH_S = 60.0
"""When a key was last used is written this often."""
REQUEST_ID_MAX_CHARS = 128
HTTP_RATE_PER_S = 0.0
"""Requests per second of one principal, 0 = unlimited (setting `limits.requests_per_s`)."""
AGENT_RATE_PER_S = 0.0
"""Messages per second of one agent, 0 = unlimited (setting `limits.agent_messages_per_s`)."""
ROOM_RATE_PER_S = 0.0
"""Messages per second in one room, 0 = unlimited (setting `limits.room_messages_per_s`)."""

# Nodes
NODE_COMMANDS_MAX = 256
"""Commands of one declaration, and globs of one permit."""
NODE_ENV_MAX = 64
"""Names of variables that one permit lists."""
NODE_LABELS_MAX = 64
"""Labels of one node."""
NODE_CALLS_MAX = 64
"""Calls at once on one node that names no limit of its own; further ones wait for their turn."""
TELEMETRY_S = 30.0
"""A node reports how it is at once, and then this often."""
DISKS_MAX = 32
"""File systems in one report."""
TELEMETRY_STALE_S = 120.0
"""A report older than this is shown as stale."""
TELEMETRY_KEEP_S = 604_800.0
"""Reports are kept this long (setting `nodes.telemetry_keep_s`)."""
TELEMETRY_MIN_S = 5.0
"""Reports that come sooner than this after the one before are passed over."""
TELEMETRY_DENSE_S = 86_400.0
"""Of reports older than this, one in `TELEMETRY_SPARSE_S` is kept."""
TELEMETRY_SPARSE_S = 600.0
NODE_REPORT_MAX_BYTES = 65_536
"""Largest declaration, and largest report of telemetry."""
NODE_DECLARATIONS_MAX = 20
"""Declarations that one node may change in a row; then one in `NODE_DECLARATION_S`."""
NODE_DECLARATION_S = 10.0
NODE_LEDGER_KEEP_S = 604_800.0
"""A node remembers calls that the hub has settled for this long."""
NODE_RECONNECT_BASE_S = 0.5
NODE_RECONNECT_MAX_S = 60.0
"""A node that lost the hub comes back within full jitter of this, for ever."""
NODE_ASK_S = 20.0
"""How long a connected node may take to answer one request of the link (`prepare` and `start` included)."""
LOCAL_NODE_START_S = 15.0
"""How long the hub waits for the node of its own machine to come up at the first call."""

# Calls
CALL_TIMEOUT_MAX_S = 86_400.0
CALL_TOOL_S = 120.0
"""Longest run of a tool when the caller names no other (Molf)."""
CALL_COMMAND_S = 300.0
"""Longest run of `exec`, `shell` and a dialect's command when the caller names no other (Moltis)."""
CALL_QUEUE_S = 86_400.0
"""How long a queued call waits for its node before it expires."""
CALL_ENV_MAX = 128
"""Variables that one call may ask to forward."""
CALL_OUTPUT_MAX_BYTES = 67_108_864
"""Of one stream of a call so much is stored; the rest is counted and thrown away (setting `calls.output_max_bytes`)."""
CALL_OUTPUT_PAGE_BYTES = 1_048_576
"""Largest range of output in one answer."""
CALL_INLINE_LINES = 2_000
"""Lines of output that the call itself shows, whichever of this and the next is reached first (Molf)."""
CALL_INLINE_BYTES = 51_200
CALL_KEEP_S = 2_592_000.0
"""Output of ended calls is kept this long (setting `calls.keep_s`); the call itself stays in the log."""
CALL_UNWATCHED_S = 3_600.0
"""A terminal of the console that nobody watches ends after this time: long enough for a reload, a walk, a closed lid
(setting `calls.unwatched_s`)."""
CALL_KILL_GRACE_S = 2.0
"""Between SIGTERM and SIGKILL of a cancelled call's processes."""
CALL_RECALL_S = 150.0
"""After a restart of the hub, how long a call waits for its node to come back before it fails, or is lost."""
CALL_OBEY_S = 10.0
"""How long an executor may take to end a call that it was told to end, beyond `CALL_KILL_GRACE_S`."""
CALLS_LIVE_MAX = 10_000
"""Calls that have not ended, of all requesters …"""
CALLS_LIVE_PER_REQUESTER_MAX = 1_000
"""… and of each of them."""
CALLS_SCAN_MAX = 1_000
"""Calls that one page of `calls.list` looks at, where the caller may not read most; the next page goes on."""
CALL_SIGNAL_S = 0.033
"""Output is gathered so long before a room is told of it."""
CALL_SIGNAL_MAX_BYTES = 16_384
"""Most output in one signal; the rest is read by `calls.output`."""
AGENT_EXEC_S = 30.0
"""Longest run of an agent's `exec` that names no other time (Moltis) …"""
AGENT_EXEC_MAX_S = 1_800.0
"""… and the longest that it may name."""
TARGET_MAX_CHARS = 256
TERMINAL_MAX_CELLS = 1_000
"""Rows, and columns, of a terminal."""
SHELL_LINE_MAX_CHARS = 65_536
"""Longest shell line; it is shown to approvers whole."""
PATH_MAX_CHARS = 4_096
PATTERN_MAX_CHARS = 4_096
URL_MAX_CHARS = 8_192
TOOL_ARGUMENTS_MAX = 1_024
EDIT_TEXT_MAX_CHARS = 900_000
"""Longest text that a tool writes; larger files are transferred."""
EDIT_FILE_MAX_BYTES = 16_777_216
"""Largest file that `edit_file` and `apply_patch` change."""
READ_TEXT_MAX_CHARS = 100_000
"""Longest text that `read_file` shows of lines that are named (Molf); of a whole file it is `CALL_INLINE_BYTES`."""
FOLDER_ENTRIES_MAX = 2_000
"""Entries that `list` shows of one folder."""
READ_MEDIA_MAX_BYTES = 104_857_600
"""Largest media file that `read_file` sends."""
SEARCH_RESULTS_MAX = 100
"""Results of `glob` and of `grep` (Molf)."""
GREP_LINE_MAX_CHARS = 500
SEARCH_S = 15.0
"""Longest search of `grep` and of `glob`."""
PLAN_FILE_MAX_BYTES = 268_435_456
"""A file that a call names is hashed up to this size; a larger one cannot be bound, and the approval says so."""
PLAN_FILES_MAX = 64
"""Files that one plan binds."""
FETCH_MAX_BYTES = 5_242_880
FETCH_S = 30.0
FETCH_REDIRECTS_MAX = 5

# Links that carry bytes
LINK_CHUNK_MAX_BYTES = 262_144
"""Most bytes in one binary frame."""
LINK_CREDIT_BYTES = 4_194_304
"""How far the sender of a stream may run ahead of what its reader has taken."""
LINK_STREAMS_MAX = 256
"""Calls that one link watches at once."""
WATCH_BUFFER_MAX_BYTES = 67_108_864
"""Output that waits in the hub for a client which granted it but does not read; beyond, its link ends as lagging."""
LINK_ASKS_MAX = 1_024
"""Requests to one node that wait for their answer; more are refused with `overloaded`."""

# Approvals
APPROVAL_S = 3_600.0
"""How long a call waits for a decision (setting `approvals.expires_s`)."""
APPROVALS_MAX = 1_000
"""Calls that wait for an approval at once."""
APPROVALS_OF_ONE_MAX = 200
"""Of one requester: nobody takes the place of all others."""
RULE_GLOB_MAX_CHARS = 4_096
RULE_EXPIRES_MAX_S = 31_536_000.0
RULES_LAYER_MAX = 1_000
"""Rules of one layer."""
READ_RULES_MAX = 1_000
"""Rules that go with one search, which holds each file that it finds against them, …"""
READ_RULES_MAX_CHARS = 65_536
"""… and what their globs have in all."""
RULES_FILE_MAX_CHARS = 262_144
SHELL_READ_MAX_CHARS = 8_192
"""Longest shell line that the parser looks at; a longer one asks."""
SHELL_READ_S = 0.25
"""How long the shell parser may look at one line; one that takes longer asks."""
SHELL_COMMANDS_MAX = 256
"""Commands in one shell line that are looked at; a line with more asks."""
SHELL_DEPTH_MAX = 16
"""How deep shells, `env`, `sudo`, `xargs` and `ssh` may be nested in a line before it asks."""

# SSH
SSH_HOST_MAX_CHARS = 320
DNS_LABEL_MAX_CHARS = 63
"""One part of a host's name (RFC 1035, section 2.3.4)."""
SSH_KEY_MAX_CHARS = 32_768
KNOWN_HOST_MAX_CHARS = 16_384
SSH_CONNECT_S = 15.0
SSH_TEST_S = 10.0
SSH_TARGETS_MAX = 256
SSH_KEYS_MAX = 64
SSH_CALLS_MAX = 8
"""Calls at once on one SSH target; servers commonly refuse more logins than ten at a time."""
SSH_COMMAND_MAX_BYTES = 120_000
"""Longest command that is sent to an SSH host, as it is encoded; beyond it systems refuse to start a program."""
SSH_KEEPALIVE_S = 15.0
"""An SSH connection that is silent so long is asked whether it lives, twice more before it counts as broken."""

# Server
SHUTDOWN_GRACE_S = 10.0
"""A stopping hub waits so long for requests under way; then it drops them."""
FORCED_EXIT_S = 1.0
"""After a second signal the process ends within this time, whatever still runs."""
HEADER_TIMEOUT_S = 5.0
"""A request head must be complete within this time of its first byte (or of the connection)."""
BODY_TIMEOUT_S = 15.0
"""A request body must be complete within this time, plus a second for each `BODY_RATE_MIN_BYTES_PER_S`."""
BODY_RATE_MIN_BYTES_PER_S = 16_384
"""Slowest upload that is waited for once `BODY_TIMEOUT_S` has passed."""
DISCARD_MAX_BYTES = 8_388_608
"""Of a body that is refused already, so much is read and thrown away; then the connection is cut."""
WRITE_STALL_S = 15.0
"""An HTTP client that takes no byte of a waiting response for this long is cut."""
IDLE_TIMEOUT_S = 75.0
"""A kept-alive connection without a request is closed after this time."""
HEADERS_MAX = 128
"""Headers of one request."""
QUERY_PARAMETERS_MAX = 64
"""Parameters of one query string."""
UPGRADE_TIMEOUT_S = 10.0
"""A WebSocket handshake is answered within this time."""
LINK_CLOSE_S = 5.0
"""How long a closing WebSocket waits for the client's close frame and end of stream."""
SEND_HIGH_BYTES = 65_536
"""A socket with more waiting bytes than this is written to no more until it has drained to a quarter of it."""
SOCKET_SEND_BUFFER_BYTES = 262_144
"""Kernel send buffer of a WebSocket: a reader that stopped must be noticed, not absorbed."""
TLS_HANDSHAKE_S = 10.0
"""A TLS handshake must be complete within this time of the connection."""
TLS_HANDSHAKES_MAX = 1_024
"""TLS handshakes under way; connections beyond are closed at once."""
CERTIFICATE_DAYS = 3_650
"""Life of the certificate that a hub makes for itself."""
CERTIFICATE_WARN_DAYS = 21
"""A certificate that ends within this time is reported."""
LISTEN_BACKLOG = 4_096
"""Connections that may wait to be accepted."""
RESERVED_FILES = 128
"""File descriptors kept free for the store and blobs; connections beyond are answered 503."""
