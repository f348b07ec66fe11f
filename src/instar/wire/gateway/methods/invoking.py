"""Commands on nodes: asked for by operators, answered by the nodes themselves."""

from types import MappingProxyType
from typing import Annotated, Any

from msgspec import UNSET, Meta, field

from instar.wire.gateway.method import NODE, Generation, Method, NoParams
from instar.wire.gateway.scopes import WRITE
from instar.wire.identity import Id
from instar.wire.limits import CALL_QUEUE_S, CALL_TIMEOUT_MAX_S, TARGET_MAX_CHARS

from .devices import MODERN, MOLTIS, V4
from .params import Count, Key, Params, Text, Unserved

Command = Annotated[str, Meta(min_length=1, max_length=128)]
Target = Annotated[str, Meta(min_length=1, max_length=TARGET_MAX_CHARS)]
TimeoutMs = Annotated[int, Meta(ge=0, le=int(CALL_TIMEOUT_MAX_S * 1_000))]
CHUNK_MAX_CHARS = 16_384
REPORT_ITEMS_MAX = 256


class InvokeParams(Params):
    """Ask a node for a command; a repeat with the same key is the same call."""

    node_id: Target
    command: Command
    idempotency_key: Id
    params: Any = None
    timeout_ms: TimeoutMs | None = None
    session_key: Key | None = None
    """Whose call it is: who reads the session sees it."""
    turn_source_channel: str | None = None
    turn_source_to: str | None = None
    turn_source_account_id: str | None = None
    turn_source_thread_id: str | int | None = None


class V3InvokeParams(Params):
    """The same of generation 3."""

    node_id: Target
    command: Command
    idempotency_key: Id
    params: Any = None
    timeout_ms: TimeoutMs | None = None


class MoltisInvokeParams(Params):
    """The same of Moltis."""

    node_id: Target
    command: Command
    args: Any = None
    idempotency_key: Id | None = None


class NodeError(Params):
    """Why a node could not."""

    code: Text | None = None
    message: Text | None = None


class ResultParams(Params):
    """The answer of a node to what it was asked on this connection."""

    id: Text
    node_id: Text
    ok: bool
    payload: Any = None
    payload_json: Annotated[str | None, Meta(description="JSON in a string; it wins over `payload`.")] = field(
        name="payloadJSON", default=None
    )
    error: NodeError | None = None


class MoltisResultParams(Params):
    """The answer of a Moltis node."""

    invoke_id: Text
    result: Any = None


class ProgressParams(Params):
    """Text that a running command wrote; `seq` counts from 0."""

    invoke_id: Text
    node_id: Text
    seq: Count
    chunk: Annotated[str, Meta(max_length=CHUNK_MAX_CHARS)]


class EventParams(Params):
    """What a node says by itself."""

    event: Annotated[str, Meta(min_length=1, max_length=128)]
    payload: Any = None
    payload_json: str | None = field(name="payloadJSON", default=None)


class EnqueueParams(Params):
    """Ask a node for its state or its place as soon as it is connected."""

    node_id: Target
    type: Annotated[str, Meta(pattern=r"^(status|location)\.request$")]
    priority: Annotated[str, Meta(pattern="^(normal|high)$")] = "normal"
    expires_in_ms: Annotated[int, Meta(ge=1_000, le=int(CALL_QUEUE_S * 1_000))] | None = None
    wake: Unserved = UNSET


class DrainParams(Params):
    """Take what waits for the calling node."""

    max_items: Annotated[int, Meta(ge=1, le=10)] | None = None


class AckParams(Params):
    """Say that it was taken."""

    ids: Annotated[list[Text], Meta(min_length=1, max_length=REPORT_ITEMS_MAX)]


class SetSessionParams(Params, rename=None):
    """Choose where the calls of a session go; null leaves it to the next rule."""

    session_key: Key
    node_id: Target | None = None


class ListFolderParams(Params):
    """List a folder of a node, which must offer `fs.listDir`."""

    path: Text | None = None
    node_id: Target | None = None


class BrowserParams(Params):
    """Ask the browser of a node, which must offer `browser.proxy`."""

    method: Annotated[str, Meta(pattern="^(GET|POST|DELETE)$")]
    path: Text
    query: Any = None
    body: Any = None
    timeout_ms: TimeoutMs | None = None
    node_id: Target | None = None


_INVOKE_BY = MappingProxyType({Generation.V3: V3InvokeParams, Generation.MOLTIS: MoltisInvokeParams})
_RESULT_BY = MappingProxyType({Generation.MOLTIS: MoltisResultParams})

METHODS = (
    Method("node.invoke", InvokeParams, "Ask a node for a command", WRITE, params_by=_INVOKE_BY),
    Method("node.invoke.result", ResultParams, "Answer what the node was asked", NODE, params_by=_RESULT_BY),
    Method("node.invoke.progress", ProgressParams, "Show what a running command wrote", NODE, generations=V4),
    Method("node.event", EventParams, "Say something as a node", NODE),
    Method("node.pending.enqueue", EnqueueParams, "Ask a node that may be away", WRITE, generations=V4),
    Method("node.pending.pull", DrainParams, "Take what waits for the node", NODE, generations=V4),
    Method("node.pending.drain", DrainParams, "Take what waits for the node", NODE, generations=V4),
    Method("node.pending.ack", AckParams, "Say that it was taken", NODE, generations=V4),
    Method("nodes.set_session", SetSessionParams, "Choose where calls of a session go", WRITE, generations=MOLTIS),
    Method("skills.bins", NoParams, "List the programs that skills need", NODE),
    Method("fs.listDir", ListFolderParams, "List a folder of a node", WRITE, generations=MODERN),
    Method("browser.request", BrowserParams, "Ask the browser of a node", WRITE),
)
