"""Messages and agents' turns: `send`, `agent` and what belongs to them."""

from typing import Annotated

from msgspec import UNSET, Meta

from instar.wire.gateway.method import Method
from instar.wire.gateway.scopes import READ, WRITE
from instar.wire.identity import Id

from .params import Count, Key, Params, Text, Unserved

ATTACHMENTS_MAX = 16


class Attachment(Params):
    """A file that comes with a message, in base64 (a `data:` URL is read as well)."""

    content: Text
    type: str = ""
    mime_type: str = ""
    file_name: str = ""
    source: Unserved = UNSET
    size_bytes: float | None = None
    duration_ms: float | None = None
    width: float | None = None
    height: float | None = None


Attachments = Annotated[tuple[Attachment, ...], Meta(max_length=ATTACHMENTS_MAX)]


class SendParams(Params):
    """A message into a conversation of the hub."""

    to: Text
    """`room:ID` (or just ID, or `channel:ID`), `thread:ID` or `dm:ID`."""
    idempotency_key: Id
    message: str = ""
    media_url: str = ""
    media_urls: Annotated[tuple[str, ...], Meta(max_length=ATTACHMENTS_MAX)] = ()
    channel: str = ""
    account_id: str = ""
    session_key: Key | None = None
    reply_to_id: str = ""
    """Generation 4: the message that it answers."""
    gif_playback: Unserved = UNSET
    buffer: Unserved = UNSET
    filename: Unserved = UNSET
    content_type: Unserved = UNSET
    as_voice: Unserved = UNSET
    agent_id: Unserved = UNSET
    thread_id: Unserved = UNSET
    force_document: Unserved = UNSET
    silent: Unserved = UNSET
    parse_mode: Unserved = UNSET


class AgentParams(Params):
    """A turn of an agent: what is said to it in one of its sessions."""

    message: Text
    idempotency_key: Id
    """It becomes the id of the message and of the turn."""
    agent_id: Text | None = None
    session_key: Key | None = None
    session_id: Text | None = None
    timeout: Count | None = None
    """Seconds until the answer is given up, 600 when it is 0 or missing; the turn goes on."""
    attachments: Attachments = ()
    thinking: str | None = None
    """A hint to models that think; nothing here does."""
    deliver: bool | None = None
    """Whether the answer shall be seen in the conversation. It always is."""
    best_effort_deliver: bool | None = None
    channel: str = ""
    label: Annotated[str, Meta(max_length=256)] | None = None
    lane: Unserved = UNSET
    to: Unserved = UNSET
    reply_to: Unserved = UNSET
    reply_channel: Unserved = UNSET
    account_id: Unserved = UNSET
    reply_account_id: Unserved = UNSET
    thread_id: Unserved = UNSET
    group_id: Unserved = UNSET
    group_channel: Unserved = UNSET
    group_space: Unserved = UNSET
    extra_system_prompt: Unserved = UNSET
    spawned_by: Unserved = UNSET
    provider: Unserved = UNSET
    model: Unserved = UNSET
    expected_existing_session_id: Unserved = UNSET
    cwd: Unserved = UNSET
    model_run: Unserved = UNSET
    prompt_mode: Unserved = UNSET
    bootstrap_context_mode: Unserved = UNSET
    bootstrap_context_run_kind: Unserved = UNSET
    input_provenance: Unserved = UNSET
    session_effects: Unserved = UNSET
    internal_events: Unserved = UNSET
    voice_wake_trigger: Unserved = UNSET


class AgentWaitParams(Params):
    """Wait for a turn to end."""

    run_id: Text
    timeout_ms: Annotated[int, Meta(ge=0, le=86_400_000)] = 30_000


class AgentIdentityParams(Params):
    """Ask what an agent is called."""

    agent_id: Text | None = None
    session_key: Key | None = None


METHODS = (
    Method("send", SendParams, "Send a message into a conversation", WRITE, needs_key=True),
    Method("agent", AgentParams, "Say something to an agent and wait for its answer", WRITE, needs_key=True),
    Method("agent.wait", AgentWaitParams, "Wait for a turn to end", WRITE),
    Method("agent.identity.get", AgentIdentityParams, "Say what an agent is called", READ),
)
