"""What doors ask about machines: to serve calls, and to watch them."""

from collections.abc import Mapping

from instar.base.errors import InstarError
from instar.hub.calls.calls import Calls
from instar.hub.calls.watching import CallWatch, Watcher
from instar.hub.identity.principals import Caller
from instar.hub.nodes.links import Ender, ExecutorFactory, NodeLink
from instar.hub.nodes.nodes import Nodes
from instar.hub.nodes.sessions import LinkedSession, NodeSession
from instar.wire.execution import Declaration


class Machines:
    """The part of the facade that nodes and watchers of calls come through."""

    _nodes: Nodes
    _calls: Calls | None

    async def serve_node(self, caller: Caller, declaration: Declaration, link: NodeLink) -> LinkedSession:
        """Take a node in that dialled in on a native link; see `Nodes.serve`."""
        return await self._nodes.serve(caller, declaration, link)

    async def serve_foreign_node(
        self,
        caller: Caller,
        declaration: Declaration,
        executor_factory: ExecutorFactory,
        *,
        dialect: str,
        address: str,
        end: Ender,
    ) -> NodeSession:
        """Take a node of another dialect in; see `Nodes.serve_foreign`."""
        return await self._nodes.serve_foreign(
            caller, declaration, executor_factory, dialect=dialect, address=address, end=end
        )

    async def watch_call(self, caller: Caller, call_id: str, watcher: Watcher, offsets: Mapping[int, int]) -> CallWatch:
        """Send a call's output and its end to `watcher`; see `Calls.watch`."""
        if self._calls is None:
            raise InstarError("not_available", "this hub carries no calls out")
        return await self._calls.watch(caller, call_id, watcher, offsets)
