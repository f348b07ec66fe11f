"""Sessions: the conversations of agents, listed and managed."""

from typing import Annotated, Any

from msgspec import UNSET, Meta, UnsetType

from instar.wire.gateway.method import Generation, Method
from instar.wire.gateway.scopes import ADMIN, READ, WRITE
from instar.wire.identity import Id
from instar.wire.limits import NAME_MAX_CHARS, PAGE_MAX, SEARCH_MAX_CHARS

from .messaging import Attachments
from .params import Count, Key, Params, Text, Unserved

V4 = frozenset({Generation.V4})
MODERN = frozenset({Generation.V4, Generation.MOLTIS})

Label = Annotated[str, Meta(min_length=1, max_length=NAME_MAX_CHARS)]


class SessionsListParams(Params):
    """Sessions by last message, newest first."""

    limit: Annotated[int, Meta(ge=1)] = 100
    """More than a page holds is read as a page."""
    offset: Count = 0
    active_minutes: Annotated[int, Meta(ge=1)] | None = None
    agent_id: Text | None = None
    search: str = ""
    label: str | None = None
    include_last_message: bool = False
    include_derived_titles: bool = False
    include_global: bool = True
    """There are no global sessions, nor unknown ones."""
    include_unknown: bool = True
    configured_agents_only: bool = False
    require_last_interaction: bool = False
    sort_by: str = ""
    archived: bool | str = False
    """There are no archived ones; only `true` asks for something."""
    spawned_by: Unserved = UNSET
    board_face: Unserved = UNSET
    creator_id: Unserved = UNSET
    owner_id: Unserved = UNSET
    owner_first: bool = False
    involving_me: Unserved = UNSET
    involving_profile_id: Unserved = UNSET
    include_people: bool = False


class SessionsPreviewParams(Params):
    """The latest words of some sessions."""

    keys: Annotated[list[Key], Meta(min_length=1, max_length=PAGE_MAX)]
    limit: Annotated[int, Meta(ge=1)] = 12
    max_chars: Annotated[int, Meta(ge=20)] = 240


class SessionsResolveParams(Params):
    """Find one session; name one of the first three."""

    key: Key | None = None
    session_id: Text | None = None
    label: Text | None = None
    agent_id: Text | None = None
    include_global: bool = True
    include_unknown: bool = True
    allow_missing: bool = False
    spawned_by: Unserved = UNSET
    short_id: Unserved = UNSET
    slug_hint: str = ""


class SessionsPatchParams(Params):
    """Change a session. Of what the dialect knows, Instar has the label."""

    key: Key
    label: Label | UnsetType | None = UNSET
    agent_id: Text | None = None
    expected_session_id: Unserved = UNSET
    thinking_level: Unserved = UNSET
    verbose_level: Unserved = UNSET
    reasoning_level: Unserved = UNSET
    trace_level: Unserved = UNSET
    response_usage: Unserved = UNSET
    elevated_level: Unserved = UNSET
    exec_host: Unserved = UNSET
    exec_security: Unserved = UNSET
    exec_ask: Unserved = UNSET
    exec_node: Unserved = UNSET
    model: Unserved = UNSET
    spawned_by: Unserved = UNSET
    send_policy: Unserved = UNSET
    group_activation: Unserved = UNSET
    fast_mode: Unserved = UNSET
    permission_mode: Unserved = UNSET
    tool_overrides: Unserved = UNSET
    context_window: Unserved = UNSET
    category: Unserved = UNSET
    icon: Unserved = UNSET
    color: Unserved = UNSET
    board_face: Unserved = UNSET
    status_note: Unserved = UNSET
    attention: Unserved = UNSET
    ttl_minutes: Unserved = UNSET
    archived: Unserved = UNSET
    pinned: Unserved = UNSET
    unread: Unserved = UNSET


class SessionsResetParams(Params):
    """Begin a session anew."""

    key: Key
    agent_id: Text | None = None
    reason: str = ""


class SessionsDeleteParams(Params):
    """Remove a session. What was said stays in the log: to erase it, redact its messages."""

    key: Key
    agent_id: Text | None = None
    delete_transcript: bool | None = None
    expected_session_id: Unserved = UNSET
    emit_lifecycle_hooks: bool | None = None
    expected_lifecycle_revision: Unserved = UNSET
    expected_session_updated_at: Unserved = UNSET
    archived_only: Unserved = UNSET


class SessionsCreateParams(Params):
    """Open a session, and perhaps say something in it."""

    key: Key | None = None
    agent_id: Text | None = None
    label: Label | None = None
    display_name: Label | None = None
    message: str = ""
    task: str = ""
    attachments: Attachments = ()
    idempotency_key: Id | None = None
    visibility: Unserved = UNSET
    category: Unserved = UNSET
    model: Unserved = UNSET
    context_window: Unserved = UNSET
    thinking_level: Unserved = UNSET
    fast_mode: Unserved = UNSET
    permission_mode: Unserved = UNSET
    tool_overrides: Unserved = UNSET
    incognito: Unserved = UNSET
    catalog_id: Unserved = UNSET
    parent_session_key: Unserved = UNSET
    spawn_depth: Unserved = UNSET
    fork: Unserved = UNSET
    fork_from: Unserved = UNSET
    emit_command_hooks: bool | None = None
    succeeds_parent: Unserved = UNSET
    project_id: Unserved = UNSET
    project_git_url: Unserved = UNSET
    worktree: Unserved = UNSET
    worktree_base_ref: Unserved = UNSET
    worktree_name: Unserved = UNSET
    exec_node: Unserved = UNSET
    cwd: Unserved = UNSET


class SessionKeyParams(Params):
    """One session."""

    key: Key
    agent_id: Text | None = None
    include_derived_titles: bool = False
    include_last_message: bool = False


class SessionsGetParams(Params):
    """The latest messages of one session."""

    key: Key
    agent_id: Text | None = None
    limit: Annotated[int, Meta(ge=1, le=1_000)] = 200


class SessionsSendParams(Params):
    """Say something in a session; its agent answers."""

    key: Key
    message: str
    agent_id: Text | None = None
    attachments: Attachments = ()
    thinking: str | None = None
    timeout_ms: Count | None = None
    idempotency_key: Id | None = None


class SessionsAbortParams(Params):
    """Stop one turn, or all turns of a session."""

    key: Key | None = None
    run_id: Text | None = None
    agent_id: Text | None = None
    clear_queued: bool | None = None


class SessionsSearchParams(Params):
    """Find messages of sessions."""

    query: Annotated[str, Meta(min_length=1, max_length=SEARCH_MAX_CHARS)]
    agent_id: Text | None = None
    session_keys: Annotated[tuple[Key, ...], Meta(max_length=PAGE_MAX)] | None = None
    limit: Annotated[int, Meta(ge=1, le=25)] = 10


class SessionsMessagesParams(Params):
    """Hear the messages of one session, or no more."""

    key: Key
    agent_id: Text | None = None
    include_approvals: Any = None


METHODS = (
    Method("sessions.list", SessionsListParams, "List sessions, newest first", READ),
    Method("sessions.preview", SessionsPreviewParams, "Read the latest words of some sessions", READ),
    Method("sessions.resolve", SessionsResolveParams, "Find one session", READ),
    Method("sessions.patch", SessionsPatchParams, "Call a session something else", WRITE, v3_scope=ADMIN),
    Method("sessions.reset", SessionsResetParams, "Begin a session anew", ADMIN),
    Method("sessions.delete", SessionsDeleteParams, "Remove a session", ADMIN),
    Method("sessions.create", SessionsCreateParams, "Open a session", WRITE, generations=MODERN),
    Method("sessions.describe", SessionKeyParams, "Show one session", READ, generations=MODERN),
    Method("sessions.get", SessionsGetParams, "Read the latest messages of one session", READ, generations=MODERN),
    Method("sessions.send", SessionsSendParams, "Say something in a session", WRITE, generations=MODERN),
    Method("sessions.abort", SessionsAbortParams, "Stop the turns of a session", WRITE, generations=MODERN),
    Method("sessions.search", SessionsSearchParams, "Find messages of sessions", READ, generations=MODERN),
    Method("sessions.subscribe", SessionsListParams, "Hear of changed sessions", READ, generations=V4),
    Method("sessions.messages.subscribe", SessionsMessagesParams, "Hear a session's messages", READ, generations=V4),
    Method(
        "sessions.messages.unsubscribe", SessionsMessagesParams, "Hear a session's messages no more", READ,
        generations=V4,
    ),
)  # fmt: skip
