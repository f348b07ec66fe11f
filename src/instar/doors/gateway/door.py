"""The gateway's entrance: the WebSocket of OpenClaw's and Moltis's clients, and its HTTP twin `POST /api/rpc`."""

import msgspec

from instar.base.tasks import TaskScope
from instar.hub.operations.hub import Hub
from instar.wire.http import Request, Response, StreamResponse, Upgrade

from .admission import arrived
from .gateway import Gateway, Installation
from .rpc import PATH, answer_rpc
from .session import GatewaySession
from .switchboard import Switchboard

PATHS = frozenset({"/", "/ws", "/ws/chat"})
"""Where stock clients dial."""
CROWDED = b"Too many unauthenticated sockets"
UNATTRIBUTED = msgspec.json.encode(
    {
        "error": {
            "message": "forwarding headers from a peer that is no trusted proxy; name it in server.trusted_proxies",
            "type": "proxy_attribution_required",
        }
    }
)


class GatewayDoor:
    """A `wire.http.Door`.

    Args:
        hub: What it translates to.
        tasks: The parent of its tasks.
        installation: Where the hub lives, for admins.
    """

    def __init__(self, hub: Hub, tasks: TaskScope, installation: Installation | None = None) -> None:
        self._hub = hub
        self._gateway = Gateway(hub, installation)
        self.board = Switchboard(self._gateway, tasks)
        """Who is connected."""

    async def handle(self, request: Request) -> Response | StreamResponse | None:
        """Answer `POST /api/rpc`; every other path is another door's, the gateway's own for GET among them.

        Raises:
            InstarError: As `answer_rpc` says.
        """
        if request.path != PATH:
            return None
        vouched_for = await self._hub.vouched_for(request)
        return _unattributed(request, vouched_for) or await answer_rpc(self._gateway, request, vouched_for)

    async def upgrade(self, request: Request) -> Upgrade | None:
        """Answer a WebSocket handshake on one of the dialect's paths.

        Raises:
            InstarError: `bad_request` for a token in the URL; `unauthorized` for an Authorization header of another
                scheme, or a person whom a proxy vouches for wrongly.
        """
        if request.path not in PATHS:
            return None
        vouched_for = await self._hub.vouched_for(request)
        if (refusal := _unattributed(request, vouched_for)) is not None:
            return Upgrade(refusal=refusal)
        if self.board.is_full(request.peer):
            return Upgrade(refusal=Response(503, CROWDED, "text/plain; charset=utf-8", route=request.path))
        return Upgrade(GatewaySession(self.board, arrived(request, vouched_for)))


def _unattributed(request: Request, vouched_for: str) -> Response | None:
    """Refuse what names a client in headers that nobody vouches for."""
    is_nobodys = request.is_forwarded and not vouched_for
    return Response(403, UNATTRIBUTED, route=request.path) if is_nobodys else None
