"""What the dispatch of every call works with."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from instar.base.clock import Micros
from instar.base.tasks import TaskScope
from instar.bus.fanout import Fanout
from instar.hub.identity.authority import Authority
from instar.hub.identity.principals import Caller
from instar.hub.rooms.directory import Directory
from instar.store.seam import Store
from instar.wire.operation import Verb

from .gate import Gate
from .live import Live
from .outputs import Outputs
from .policy import CallPolicy
from .records import CallRecord
from .routes import Routes
from .shares import Shares
from .targets import Targets
from .turns import Turns

Admits = Callable[[Caller, Verb, str], Awaitable[bool]]
"""(caller, verb, id of a call) → whether there is such a call, and the caller may do this to it."""


@dataclass(slots=True)
class Stage:
    """The parts that calls share."""

    store: Store
    fanout: Fanout
    authority: Authority
    directory: Directory
    targets: Targets
    routes: Routes
    gate: Gate
    outputs: Outputs
    scope: TaskScope
    policy: CallPolicy
    standing: Callable[[str], Caller | None]
    """The caller that a grant makes, if it still holds."""
    clock: Callable[[], Micros]
    admits: "Admits" = field(init=False)
    """Set by the handlers, which find calls."""
    turns: Turns = field(default_factory=Turns)
    living: dict[str, Live] = field(default_factory=dict[str, Live])
    """Every call that has not ended, by id."""
    shares: Shares = field(default_factory=Shares)
    observers: list[Callable[[CallRecord], None]] = field(default_factory=list[Callable[[CallRecord], None]])
    """Called with each call that ended."""
    is_closing: bool = False
    """The hub stops: calls stay as they are on disk, and nobody waits for one any longer."""

    def open(self, record: CallRecord) -> Live:
        """Give a call that has not ended its place in memory."""
        live = Live(record, self.outputs, self.fanout, self.policy)
        self.living[record.id] = live
        self.shares.hold(record.requester, record.id)
        return live

    def close(self, live: Live) -> None:
        """Take a call that has ended out of memory. Twice is no error."""
        self.living.pop(live.id, None)
        self.shares.release(live.id)
