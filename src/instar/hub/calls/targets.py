"""Every target of every source, as one."""

from collections.abc import Callable, Collection, Sequence

from instar.hub.execution import Executor, TargetSource
from instar.policy.routing import Choices, TargetFacts, route
from instar.wire.execution import Sandbox


class Targets:
    """The joined sources; each target belongs to the first source that knows its id."""

    def __init__(self, sources: Sequence[TargetSource]) -> None:
        self._sources: list[TargetSource] = []
        self._waiting: dict[str, set[Callable[[], None]]] = {}
        self._listeners: list[Callable[[str], None]] = []
        self._returns: dict[str, int] = {}
        for source in sources:
            self.add(source)

    def add(self, source: TargetSource) -> None:
        """Take another source; called before anything is served."""
        self._sources.append(source)
        source.on_connected(self._connected)

    def facts(self) -> list[TargetFacts]:
        """Return what can be chosen, connected or not."""
        return [target for source in self._sources for target in source.targets()]

    def find(self, target_id: str) -> TargetFacts | None:
        """Return one target by its id, or None."""
        return next((found for source in self._sources if (found := source.target(target_id)) is not None), None)

    def named(self, ref: str) -> TargetFacts | None:
        """Return what an expression means now, as a call that names it would be routed; None: nothing."""
        return route(Choices(ref), self).target

    def executor(self, target_id: str) -> Executor | None:
        """Return the executor of a target that can be reached now."""
        for source in self._sources:
            if (executor := source.executor(target_id)) is not None:
                return executor
        return None

    def permits(self, target_id: str, tool: str, agent_id: str) -> str:
        """Return why this may not be asked of the target; empty when it may."""
        source = self._source(target_id)
        return source.permits(target_id, tool, agent_id) if source else f"{target_id} is no machine of this hub"

    def env_allowed(self, target_id: str) -> Sequence[str]:
        """Return the names that may be forwarded to the target, beside the usual ones."""
        source = self._source(target_id)
        return source.env_allowed(target_id) if source else ()

    def sandboxes(self, target_id: str) -> Collection[Sandbox]:
        """Return the kinds of sandbox that the target offers."""
        source = self._source(target_id)
        return source.sandboxes(target_id) if source else ()

    def returns(self, target_id: str) -> int:
        """Return how often the target came back: by it, one way to it is told from another."""
        return self._returns.get(target_id, 0)

    def on_connected(self, listener: Callable[[str], None]) -> None:
        """Call `listener` with the id of each target that can be reached again."""
        self._listeners.append(listener)

    def await_return(self, target_id: str, wake: Callable[[], None]) -> None:
        """Call `wake` each time that the target can be reached again, until `forget`."""
        self._waiting.setdefault(target_id, set()).add(wake)

    def forget(self, target_id: str, wake: Callable[[], None]) -> None:
        """Call `wake` no more. One that is not known is no error."""
        if waiting := self._waiting.get(target_id):
            waiting.discard(wake)
            if not waiting:
                del self._waiting[target_id]

    def _source(self, target_id: str) -> TargetSource | None:
        return next((source for source in self._sources if source.target(target_id) is not None), None)

    def _connected(self, target_id: str) -> None:
        self._returns[target_id] = self._returns.get(target_id, 0) + 1
        for listener in self._listeners:
            listener(target_id)
        for wake in tuple(self._waiting.get(target_id, ())):
            wake()
