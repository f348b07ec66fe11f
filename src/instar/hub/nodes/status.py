"""Where calls go by default, and what is wrong with it: the Remote Exec Status panel and `instar doctor` as data.

What lies with SSH targets is added by who knows them (`Status.parts`); the default route by who decides it.
"""

from collections.abc import Awaitable, Callable

from instar.policy.routing import Routed
from instar.wire.nodes import CheckLevel, ExecCheck, ExecStatus

from .local import LocalTarget
from .permits import commands
from .roster import KnownNode, Roster

StatusPart = Callable[[ExecStatus], Awaitable[ExecStatus]]
"""Takes the status so far and returns it with figures and checks of its own."""
NONE = "none"


class Status:
    """The state of remote execution.

    Args:
        roster: Which nodes there are.
        local: Whether the hub's own machine takes calls.
    """

    def __init__(self, roster: Roster, local: LocalTarget) -> None:
        self._roster = roster
        self._local = local
        self.default_route: Callable[[], Routed] | None = None
        """Where a call goes that names nothing."""
        self.parts: list[StatusPart] = []

    async def examine(self) -> ExecStatus:
        """Return where calls go by default and every finding, worst last in no order: each names its own level."""
        nodes = [node for node in self._roster if not node.is_local]
        routed = self.default_route() if self.default_route is not None else None
        target = routed.target if routed is not None else None
        is_usable = routed is not None and routed.error is None and target is not None
        status = ExecStatus(
            backend=target.kind if is_usable and target is not None else NONE,
            target_id=target.id if target is not None else "",
            target_name=target.name if target is not None else "",
            routed_by=routed.by if routed is not None else "",
            nodes_paired=len(nodes),
            nodes_connected=sum(node.session is not None for node in nodes),
            is_local_forbidden=not self._local.is_on,
            checks=[_exec_host(routed), *self._local_route(routed), *_paired(nodes, routed)],
        )
        for part in self.parts:
            status = await part(status)
        return status

    def _local_route(self, routed: Routed | None) -> list[ExecCheck]:
        target = routed.target if routed is not None else None
        if not self._local.is_on:
            hint = "`instar config set nodes.local true` on the hub's machine lets it take calls."
            note = "The hub's own machine takes no calls; a call that names no target, room, agent or org route fails."
            return [ExecCheck("local-route", CheckLevel.OK, "Local is forbidden", note, hint)]
        if target is not None and target.kind == "local":
            note = "Calls that choose nothing run on the hub's own machine, under the hub's account."
            hint = "Choose another target with `instar route set TARGET`, or forbid it with `nodes.local: false`."
            return [ExecCheck("local-route", CheckLevel.WARN, "Calls run on the hub by default", note, hint)]
        return [ExecCheck("local-route", CheckLevel.OK, "Local on request", "The hub's machine runs what names it.")]


def _exec_host(routed: Routed | None) -> ExecCheck:
    if routed is None or (routed.target is None and routed.error is None):
        note = "No route is known: calls that name no target fail."
        return ExecCheck("exec-host", CheckLevel.ERROR, "No default target", note, "Run `instar route set TARGET`.")
    if routed.error is not None:
        return ExecCheck(
            "exec-host", CheckLevel.ERROR, "The default target cannot be used", routed.error.message,
            "`instar route show` says who chose it; `instar route set TARGET` chooses another.",
            routed.target.name if routed.target is not None else "",
        )  # fmt: skip
    assert routed.target is not None
    note = f"Calls that choose nothing go to {routed.target.name} ({routed.by})."
    return ExecCheck("exec-host", CheckLevel.OK, "Default target", note, subject=routed.target.name)


def _paired(nodes: list[KnownNode], routed: Routed | None) -> list[ExecCheck]:
    """Return what is to be said of paired nodes."""
    target = routed.target if routed is not None else None
    connected = [node for node in nodes if node.session is not None]
    checks: list[ExecCheck] = []
    if target is not None and target.kind == "node" and not target.is_connected:
        checks.append(
            ExecCheck(
                "paired-node-route", CheckLevel.ERROR, "The default node is away",
                f"{target.name} is the default target and is not connected.",
                "Start it with `instar node run` there, or choose another with `instar route set TARGET`.", target.name,
            )
        )  # fmt: skip
    elif nodes:
        note = f"{len(connected)} of {len(nodes)} paired nodes are connected."
        level = CheckLevel.OK if connected else CheckLevel.WARN
        checks.append(ExecCheck("paired-node-route", level, "Paired nodes", note, "" if connected else _START))
    for node in connected:
        if node.declaration.commands and not commands(node):
            note = f"{node.name} is connected but may be asked nothing: pairing alone permits nothing."
            hint = f"Run `instar node allow {node.name} --command '*'`, or narrower."
            checks.append(ExecCheck("node-permit", CheckLevel.WARN, "A node without a permit", note, hint, node.name))
    return checks


_START = "Start them with `instar node run` on their machines."
