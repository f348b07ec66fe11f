"""The hub about itself: the network's card, health, vital signs, backups, pairings."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from instar import __version__
from instar.base.clock import now, to_rfc3339
from instar.base.errors import InstarError
from instar.hub.act import Act, Bindings, bind
from instar.hub.identity.authority import Authority
from instar.hub.identity.policy import AuthPolicy
from instar.hub.identity.principals import Caller
from instar.store.seam import Store
from instar.wire import hub as wire
from instar.wire.identity import PrincipalKind, Scope
from instar.wire.messages import Page, PageQuery
from instar.wire.names import Network, is_id
from instar.wire.native.frames import SUBPROTOCOL
from instar.wire.operation import Nothing

PROTOCOLS = wire.Protocols(http=["moltnet.http.v1"], attach=["moltnet.attach.v1"], pair=["moltnet.pair.v1"])
BACKUP_FOLDER = "backups"


class Counts(NamedTuple):
    """What the vital signs count, asked for when they are read."""

    rooms: Callable[[], int]
    agents: Callable[[], int]
    connected_agents: Callable[[], int]
    streams: Callable[[], int]
    search_lag: Callable[[], int]
    stopped: Callable[[], bool]


class Card:
    """Answers the operations of `wire.hub`.

    Args:
        listen: The addresses that are served, once they are known.
    """

    def __init__(
        self,
        store: Store,
        authority: Authority,
        policy: AuthPolicy,
        network: Network,
        data_dir: Path,
        counts: Counts,
        listen: Callable[[], list[str]],
    ) -> None:
        self._store = store
        self._authority = authority
        self._policy = policy
        self._network = network
        self._data_dir = data_dir
        self._counts = counts
        self._listen = listen
        self._started = time.monotonic()
        self.is_draining = False
        """Set while the hub stops: it is alive, but not ready."""

    def bindings(self) -> Bindings:
        """Return the handlers."""
        return (
            bind(wire.NETWORK, self.network),
            bind(wire.HEALTH, self.health),
            bind(wire.READY, self.ready),
            bind(wire.STATUS, self.status),
            bind(wire.BACKUP, self.backup),
            bind(wire.PAIRINGS, self.pairings),
        )

    async def network(self, act: Act[Nothing, None]) -> wire.Network:
        """Return the network's card (Moltnet http.v1 §1.2)."""
        policy = self._policy
        return wire.Network(
            id=self._network.id,
            name=self._network.name,
            version=__version__,
            protocols=PROTOCOLS,
            capabilities=wire.Capabilities(
                event_stream="sse",
                attachment_protocol="websocket",
                public_read=policy.reads_public,
                human_ingress=policy.human_ingress,
                direct_messages=policy.direct_messages,
                message_pagination="cursor",
                pairings=True,
                agent_registration=policy.registration,
                durability="durable",
                inbox=True,
                search=True,
                uploads=True,
                native_link=SUBPROTOCOL,
            ),
            console=wire.ConsoleAccess(can_send_human=self._can_send(act.caller)),
            warnings=[],
        )

    def _can_send(self, caller: Caller) -> bool:
        """Whether the caller may write as a person."""
        is_agent = caller.principal.kind is PrincipalKind.AGENT
        return self._policy.human_ingress and not is_agent and caller.has(Scope.WRITE)

    async def health(self, act: Act[Nothing, None]) -> wire.Health:  # noqa: ARG002 - the shape of a handler
        """Answer `ok` when the store answers.

        Raises:
            InstarError: What is wrong with the store.
        """
        await self._store.check()
        return wire.Health("ok")

    async def ready(self, act: Act[Nothing, None]) -> wire.Health:
        """Answer `ready` when the hub takes work.

        Raises:
            InstarError: `service_unavailable` while it stops, or what is wrong with the store.
        """
        if self.is_draining:
            raise InstarError("service_unavailable", "the hub is stopping")
        await self.health(act)
        return wire.Health("ready")

    async def status(self, act: Act[Nothing, None]) -> wire.HubStatus:  # noqa: ARG002 - the shape of a handler
        """Return the vital signs."""
        counts = self._counts
        facts = await self._store.check()
        return wire.HubStatus(
            version=__version__,
            uptime_s=round(time.monotonic() - self._started, 3),
            mode=self._policy.mode,
            listen=self._listen(),
            data_dir=str(self._data_dir),
            last_seq=await self._store.last_seq(),
            rooms=counts.rooms(),
            agents=counts.agents(),
            connected_agents=counts.connected_agents(),
            streams=counts.streams(),
            stopped=counts.stopped(),
            search_lag=counts.search_lag(),
            store=" ".join(f"{name}={fact}" for name, fact in facts.items()),
            pid=os.getpid(),
        )

    async def backup(self, act: Act[wire.Backup, None]) -> wire.BackupDone:
        """Write a verified backup into the data directory's backup folder.

        Raises:
            InstarError: `unprocessable_entity` for a name that is no plain file name; `storage_full`.
        """
        stamp = to_rfc3339(now()).rstrip("Z").replace(":", "")
        name = act.params.name or f"instar-{stamp}.tar"
        if not is_id(name):
            raise InstarError("unprocessable_entity", f"{name!r} is no plain file name")
        act.audit_subject = name
        done = await self._store.backup(str(self._data_dir / BACKUP_FOLDER), name)
        return wire.BackupDone(done.path, done.last_seq, done.size_bytes, done.sha256)

    async def pairings(self, act: Act[PageQuery, None]) -> wire.PairingPage:  # noqa: ARG002 - the shape of a handler
        """Return the paired networks: none can be paired yet."""
        return wire.PairingPage([], Page(has_more=False))
