"""What this machine says of itself: what it offers, and how it is."""

import socket
import sys
from collections.abc import Callable, Mapping, Sequence

from instar import __version__
from instar.wire.execution import Declaration, Sandbox
from instar.wire.nodes import Telemetry

from .allow import Allowed
from .environment import Account
from .telemetry.sampler import Sampler

_CAPABILITIES: Sequence[tuple[str, frozenset[str]]] = (
    ("exec", frozenset(("exec", "shell"))),
    ("terminal", frozenset(("exec", "shell"))),
    ("jobs", frozenset(("process",))),
    ("files", frozenset(("read_file", "write_file", "edit_file", "list", "glob", "grep", "apply_patch"))),
    ("transfer", frozenset(("put_file", "get_file"))),
    ("fetch", frozenset(("fetch",))),
)
"""A capability and the tools of which any is enough for it."""


class Speaker:
    """See `link.Self`.

    Args:
        allowed: Returns what the machine permits now.
        account: Whom programs run as.
        name: What the machine is called; empty: its host name.
        sandboxes: What it has.
        sampler: Takes reports.
    """

    def __init__(
        self,
        allowed: Callable[[], Allowed],
        account: Account,
        sampler: Sampler,
        *,
        name: str,
        labels: Mapping[str, str],
        working_dir: str,
        sandboxes: Sequence[Sandbox],
        concurrency: int,
        own_id: str = "",
    ) -> None:
        self._allowed = allowed
        self._account = account
        self._sampler = sampler
        self._name = name or socket.gethostname()
        self._labels = dict(labels)
        self._working_dir = working_dir
        self._sandboxes = list(sandboxes)
        self._concurrency = concurrency
        self._own_id = own_id

    def declaration(self) -> Declaration:
        """Return what the machine offers now.

        Raises:
            InstarError: As `allow.AllowList.current`.
        """
        allowed = self._allowed()
        commands = allowed.commands_of()
        return Declaration(
            name=self._name,
            platform=sys.platform,
            version=__version__,
            commands=commands,
            capabilities=[name for name, tools in _CAPABILITIES if tools & set(commands)],
            labels=self._labels,
            roots=list(allowed.roots),
            working_dir=self._working_dir,
            sandboxes=self._sandboxes,
            concurrency=self._concurrency,
            path_env=self._account.path,
            details={"node_id": self._own_id} if self._own_id else {},
        )

    async def report(self) -> Telemetry:
        """Return how the machine is."""
        return await self._sampler.report()
