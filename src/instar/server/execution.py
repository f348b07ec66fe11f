"""What runs things on machines, joined: SSH targets, nodes, approvals, the one gate, and the tools of models."""

from pathlib import Path
from typing import NamedTuple

from instar.base.tasks import TaskScope
from instar.bus.fanout import Fanout, Pump
from instar.hub.approvals.approvals import Approvals
from instar.hub.calls.agent_tools import AgentTools
from instar.hub.calls.calls import Calls
from instar.hub.calls.policy import CallPolicy
from instar.hub.identity.identity import Identity
from instar.hub.nodes.nodes import Nodes
from instar.hub.rooms.directory import Directory
from instar.hub.secrets import Secrets
from instar.hub.settings.live import Live
from instar.hub.settings.tree import Settings
from instar.hub.ssh.ssh import SshTargets
from instar.store.sqlite import SqliteStore


class Execution(NamedTuple):
    """The joined parts."""

    secrets: Secrets
    ssh: SshTargets
    nodes: Nodes
    approvals: Approvals
    calls: Calls
    tools: AgentTools

    @property
    def nouns(self) -> tuple[SshTargets, Nodes, Approvals, Calls, AgentTools]:
        """The parts that answer operations."""
        return self.ssh, self.nodes, self.approvals, self.calls, self.tools


def wire_execution(
    store: SqliteStore,
    pump: Pump,
    fanout: Fanout,
    identity: Identity,
    directory: Directory,
    data_dir: Path,
    scope: TaskScope,
    live: Live,
) -> Execution:
    """Make the parts; whoever joins the operations gives `tools` its `invoke`."""
    settings = live.present.settings
    secrets = Secrets()
    ssh = SshTargets(store, pump, secrets, scope)
    nodes = Nodes(store, pump, fanout, identity, scope)
    nodes.views.neighbours.append(ssh.nodes)
    nodes.status.parts.append(ssh.status.examine)
    nodes.obey(is_local=settings.nodes.local, telemetry_keep_s=settings.nodes.telemetry_keep_s)
    approvals = Approvals(
        store, pump, identity.authority, directory, data_dir, scope, expires_s=settings.approvals.expires_s
    )
    calls = Calls(
        store, pump, fanout, identity, directory, approvals, [nodes, ssh], data_dir, scope, call_policy(settings),
        is_local_forbidden=lambda: not live.present.settings.nodes.local,
    )  # fmt: skip
    approvals.find_target = calls.targets.named
    nodes.on_stray(calls.stray)
    nodes.status.default_route = calls.routes.default
    tools = AgentTools(calls.targets, calls.handlers.locate_wanted)
    return Execution(secrets, ssh, nodes, approvals, calls, tools)


def call_policy(settings: Settings) -> CallPolicy:
    """Return what these settings say of calls."""
    return CallPolicy(
        output_max_bytes=settings.calls.output_max_bytes,
        keep_s=settings.calls.keep_s,
        unwatched_s=settings.calls.unwatched_s,
    )
