"""Chat: one conversation as a client of people shows it."""

from typing import Annotated

from msgspec import UNSET, Meta

from instar.wire.gateway.method import Generation, Method
from instar.wire.gateway.scopes import ADMIN, READ, WRITE
from instar.wire.identity import Id

from .messaging import Attachments
from .params import Count, Key, Params, Text, Unserved

HISTORY_MAX = 1_000


class ChatHistoryParams(Params):
    """The latest messages of a conversation."""

    session_key: Key
    limit: Annotated[int, Meta(ge=1, le=HISTORY_MAX)] = 200
    agent_id: Text | None = None
    max_chars: Annotated[int, Meta(ge=1, le=500_000)] | None = None
    """Generation 4: longest text of one message."""
    offset: Count = 0
    """Generation 4: so many of the latest are left out."""
    session_id: Text | None = None
    cursor: Unserved = UNSET
    message_id: Unserved = UNSET
    pending_before: Unserved = UNSET
    input_run_ids: Unserved = UNSET


class ChatSendParams(Params):
    """Say something in a conversation; its agent answers."""

    session_key: Key
    message: str
    idempotency_key: Id
    agent_id: Text | None = None
    session_id: Text | None = None
    attachments: Attachments = ()
    reply_to_id: str = ""
    thinking: str | None = None
    """A hint to models that think; nothing here does."""
    fast_mode: bool | str | None = None
    fast_auto_on_seconds: Count | None = None
    deliver: bool | None = None
    timeout_ms: Count | None = None
    queue_mode: Unserved = UNSET
    intent: Unserved = UNSET
    expected_leaf_entry_id: Unserved = UNSET
    originating_channel: Unserved = UNSET
    originating_to: Unserved = UNSET
    originating_account_id: Unserved = UNSET
    originating_thread_id: Unserved = UNSET
    tool_bindings: Unserved = UNSET
    system_input_provenance: Unserved = UNSET
    system_provenance_receipt: Unserved = UNSET
    suppress_command_interpretation: Unserved = UNSET


class ChatAbortParams(Params):
    """Stop one turn of a conversation, or all of them."""

    session_key: Key
    run_id: Text | None = None
    agent_id: Text | None = None
    preserve_side_runs: bool | None = None


class ChatInjectParams(Params):
    """Put words into the agent's mouth, as an operator."""

    session_key: Key
    message: Text
    label: Annotated[str, Meta(max_length=100)] = ""
    agent_id: Text | None = None


class ChatMessageParams(Params):
    """One message of a conversation."""

    session_key: Key
    message_id: Text
    agent_id: Text | None = None
    max_chars: Annotated[int, Meta(ge=1, le=2_000_000)] | None = None


METHODS = (
    Method("chat.history", ChatHistoryParams, "Read the latest messages of a conversation", READ),
    Method("chat.send", ChatSendParams, "Say something in a conversation", WRITE, needs_key=True),
    Method("chat.abort", ChatAbortParams, "Stop the turns of a conversation", WRITE),
    Method("chat.inject", ChatInjectParams, "Speak as the agent of a conversation", ADMIN),
    Method(
        "chat.message.get", ChatMessageParams, "Read one message whole", READ, generations=frozenset({Generation.V4})
    ),
)
