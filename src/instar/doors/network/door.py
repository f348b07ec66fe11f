"""The door: a request becomes an operation, its result a response; sockets become sessions. No rule lives here."""

from collections.abc import Awaitable, Callable
from typing import Any, Final

from instar.base.errors import InstarError
from instar.base.tasks import TaskScope
from instar.doors import credentials
from instar.doors.heartbeat import Heartbeat
from instar.hub.operations.hub import Caller, Credential, Hub
from instar.wire import sessions
from instar.wire.agents import REGISTER, AgentRegistration
from instar.wire.calls import OUTPUT
from instar.wire.devices import ASK, CHALLENGE, OUTCOME, SIGN_IN, USE_CODE
from instar.wire.http import Request, Response, StreamResponse, Upgrade
from instar.wire.hub import HEALTH, NETWORK, READY, Network
from instar.wire.identity import EXCHANGE, LOGOUT, WHOAMI, ConsoleSession, Whoami
from instar.wire.messages import BLOB, PageQuery
from instar.wire.native.frames import SUBPROTOCOL
from instar.wire.operation import Nothing
from instar.wire.people import PASSWORD
from instar.wire.rooms import EXPORT, LIST, RoomPage

from . import guides, specials
from .attach import AttachDoor, AttachSession
from .native import LinkDoor, LinkSession
from .renderers import StreamRenderer
from .replies import error_reply, json_reply, text_reply, unknown_path
from .routes import Endpoint, Routes
from .stream import open_stream

ATTACH_PATH: Final = "/v1/attach"
STREAM_PATH: Final = "/v1/events/stream"
"""Both are sockets and streams, not operations."""

NEEDS_NO_CREDENTIAL: Final = frozenset(
    operation.name for operation in (HEALTH, READY, EXCHANGE, PASSWORD, CHALLENGE, ASK, OUTCOME, SIGN_IN, USE_CODE)
)
"""A credential that comes with these is not even looked at, so a stale cookie cannot keep anybody from signing in."""
MAY_BRING_ONE: Final = frozenset({ASK.name})
"""Of these, what a credential helps with: who holds one may ask for a device while pairing is closed."""

GUIDES: Final = {
    "/install.md": (guides.install_md, "text/markdown"),
    "/skill.md": (guides.skill_md, "text/markdown"),
    "/llms.txt": (guides.llms_txt, "text/plain"),
}

Answer = Response | StreamResponse


class NetworkDoor:
    """A `wire.http.Door` for everything under `/v1`, the discovery documents, health and metrics.

    It takes every path but the console's, so doors of other paths stand before it.

    Args:
        hub: The facade.
        tasks: Parent of the tasks that sockets start.
        metrics: Renders the metrics.
    """

    def __init__(self, hub: Hub, tasks: TaskScope, *, metrics: Callable[[], bytes]) -> None:
        self._hub = hub
        self._metrics = metrics
        self._routes = Routes()
        heartbeat = Heartbeat()
        self._attach = AttachDoor(hub, heartbeat, tasks)
        self._link = LinkDoor(hub, heartbeat, tasks)
        self._stream_renderer = StreamRenderer(hub.network.id)
        self._documents: dict[str, Callable[[Request, str], Awaitable[Answer]]] = {
            STREAM_PATH: self._events,
            ATTACH_PATH: self._no_upgrade,
            "/metrics": self._read_metrics,
            "/install.md": self._guide,
            "/skill.md": self._guide,
            "/llms.txt": self._guide,
        }
        self._specials: dict[str, Callable[[Request, Endpoint, Any, Caller], Awaitable[Answer]]] = {
            REGISTER.name: self._registered,
            sessions.OPEN.name: self._session_opened,
            EXCHANGE.name: self._signed_in,
            PASSWORD.name: self._signed_in,
            LOGOUT.name: self._logged_out,
            BLOB.name: self._blob,
            EXPORT.name: self._export,
            OUTPUT.name: self._output,
        }

    async def handle(self, request: Request) -> Answer | None:
        """Answer a request; None for the console's paths."""
        path = request.path
        if path == "/console" or path.startswith("/console/"):
            return self._console(request)
        route = ""
        try:
            found = self._routes.find(request.method, path)
            if found is not None:
                endpoint, segments = found
                route = endpoint.path
                return await self._operate(request, endpoint, segments)
            document = self._documents.get(path)
            if document is not None and request.method in ("GET", "HEAD"):
                route = path
                return await document(request, path)
            return await self._unknown(request)
        except InstarError as error:
            return error_reply(error, request.request_id, route=route)

    async def upgrade(self, request: Request) -> Upgrade | None:
        """Answer a WebSocket handshake on `/v1/attach`; the subprotocol `instar.v1` asks for our own link."""
        if request.path != ATTACH_PATH:
            return None
        offered = request.headers.get("sec-websocket-protocol", "").split(",")
        is_link = SUBPROTOCOL in {name.strip() for name in offered}
        try:
            caller = await self._caller(request)
            if not is_link:
                self._hub.admit_attachment(caller)
        except InstarError as error:
            return Upgrade(refusal=error_reply(error, request.request_id, route=ATTACH_PATH))
        holder = credentials.holder(caller, request.peer)
        if is_link:
            link = LinkSession(self._link, caller, request.request_id, request.peer)
            return Upgrade(link, SUBPROTOCOL, principal=holder)
        return Upgrade(AttachSession(self._attach, caller, request.peer), principal=holder)

    # Operations

    async def _operate(self, request: Request, endpoint: Endpoint, segments: tuple[str, ...]) -> Answer:
        name = endpoint.operation.name
        caller = self._visitor(request, name) if name in NEEDS_NO_CREDENTIAL else await self._caller(request)
        params = await endpoint.params(request, segments)
        special = self._specials.get(endpoint.operation.name)
        if special is not None:
            return await special(request, endpoint, params, caller)
        return json_reply(await self._invoke(request, endpoint, params, caller), endpoint.status, route=endpoint.path)

    async def _caller(self, request: Request) -> Caller:
        token = credentials.token_of(request)
        vouched_for = "" if token else await self._hub.vouched_for(request)
        return self._hub.authenticate(_credential(request, token, vouched_for))

    def _visitor(self, request: Request, operation: str) -> Caller:
        token = credentials.token_of(request) if operation in MAY_BRING_ONE else ""
        return self._hub.visitor(_credential(request, token))

    async def _invoke(self, request: Request, endpoint: Endpoint, params: Any, caller: Caller) -> Any:  # noqa: ANN401
        return await self._hub.invoke(
            caller,
            endpoint.operation,
            params,
            request_id=request.request_id,
            idempotency_key=request.headers.get("idempotency-key", ""),
            peer=request.peer,
            body=request.stream_body if endpoint.takes_bytes else None,
        )

    async def _registered(self, request: Request, endpoint: Endpoint, params: Any, caller: Caller) -> Answer:  # noqa: ANN401
        done: AgentRegistration = await self._invoke(request, endpoint, params, caller)
        is_new = done.created or bool(done.agent_token)
        return json_reply(done, 201 if is_new else 200, route=endpoint.path)

    async def _session_opened(self, request: Request, endpoint: Endpoint, params: Any, caller: Caller) -> Answer:  # noqa: ANN401
        done: sessions.Session = await self._invoke(request, endpoint, params, caller)
        return json_reply(done, 201 if done.created else 200, route=endpoint.path)

    async def _signed_in(self, request: Request, endpoint: Endpoint, params: Any, caller: Caller) -> Answer:  # noqa: ANN401
        issued = await self._invoke(request, endpoint, params, caller)
        cookie = credentials.session_cookie(issued.token, request)
        session = ConsoleSession(issued.principal, issued.expires_at)
        return json_reply(session, endpoint.status, headers=(cookie,), route=endpoint.path)

    async def _logged_out(self, request: Request, endpoint: Endpoint, params: Any, caller: Caller) -> Answer:  # noqa: ANN401
        done = await self._invoke(request, endpoint, params, caller)
        cookie = credentials.no_session_cookie(request)
        return json_reply(done, endpoint.status, headers=(cookie,), route=endpoint.path)

    async def _blob(self, request: Request, endpoint: Endpoint, params: Any, caller: Caller) -> Answer:  # noqa: ANN401
        content: specials.StoredFile = await self._invoke(request, endpoint, params, caller)
        return specials.file_reply(content, endpoint.path)

    async def _export(self, request: Request, endpoint: Endpoint, params: Any, caller: Caller) -> Answer:  # noqa: ANN401
        return specials.export_reply(await self._invoke(request, endpoint, params, caller), endpoint.path)

    async def _output(self, request: Request, endpoint: Endpoint, params: Any, caller: Caller) -> Answer:  # noqa: ANN401
        return specials.output_reply(await self._invoke(request, endpoint, params, caller), endpoint.path)

    # Documents

    async def _events(self, request: Request, route: str) -> Answer:
        caller = await self._caller(request)
        if request.method == "HEAD":
            return Response(200, b"", "text/event-stream", route=route)
        holder = credentials.holder(caller, request.peer)
        return await open_stream(self._hub, caller, request, self._stream_renderer, holder)

    async def _no_upgrade(self, request: Request, route: str) -> Answer:  # noqa: ARG002
        raise InstarError("bad_request", f"{route} is a WebSocket", hint="Connect with a WebSocket client.")

    async def _read_metrics(self, request: Request, route: str) -> Answer:
        caller = await self._caller(request)
        return specials.metrics_reply(self._metrics, self._hub.reads_metrics(caller), route)

    async def _guide(self, request: Request, route: str) -> Answer:
        caller = await self._caller(request)
        network: Network = await self._hub.invoke(caller, NETWORK, Nothing(), request_id=request.request_id)
        whoami: Whoami = await self._hub.invoke(caller, WHOAMI, Nothing(), request_id=request.request_id)
        rooms: RoomPage = await self._hub.invoke(caller, LIST, PageQuery(limit=str(guides.ROOMS_LISTED_MAX + 1)))
        base_url = f"{request.scheme}://{request.host}"
        guide = guides.Guide(base_url, network, whoami, rooms.rooms)
        write, content_type = GUIDES[route]
        return text_reply(write(guide), content_type, route)

    # Everything else

    def _console(self, request: Request) -> Response | None:
        try:
            credentials.refuse_token_in_url(request)
        except InstarError as error:
            return error_reply(error, request.request_id, route="/console/")
        return None

    async def _unknown(self, request: Request) -> Response:
        path = request.path
        pairing = path.split("/")
        if path.startswith("/v1/pairings/") and request.method in ("GET", "HEAD") and len(pairing) == 5:
            await self._caller(request)
            error = InstarError("not_found", f"there is no pairing {pairing[3][:128]!r}")
            return error_reply(error, request.request_id, route="/v1/pairings/{pairing_id}")
        credentials.refuse_token_in_url(request)
        allowed = ["GET", "HEAD"] if path in self._documents else self._routes.allowed(path)
        return unknown_path(request, allowed)


def _credential(request: Request, token: str, vouched_for: str = "") -> Credential:
    return Credential(
        token,
        vouched_for=vouched_for,
        is_local=request.is_local,
        peer=request.peer,
        has_origin=credentials.has_origin(request),
    )
