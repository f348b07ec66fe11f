"""The facade: what doors ask of the hub, and nothing more."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import msgspec

from instar.base.tasks import TaskScope
from instar.bus.fanout import R, Renderer
from instar.hub.agents.agents import Agents
from instar.hub.calls.calls import Calls
from instar.hub.calls.watching import CallWatch, Watcher
from instar.hub.delivery.delivery import Delivery
from instar.hub.delivery.feed import Feed, Sink
from instar.hub.execution import CallSink, Executor
from instar.hub.identity.authentication import Credential, Signed
from instar.hub.identity.devices.requests import PairingAsk
from instar.hub.identity.identity import NOTHING, Identity
from instar.hub.identity.principals import Caller
from instar.hub.nodes.links import NodeExecutor, NodeLink
from instar.hub.nodes.nodes import Nodes
from instar.hub.nodes.sessions import LinkedSession, NodeSession
from instar.hub.presence.presence import Presence
from instar.hub.presence.presences import Presences
from instar.wire.devices import DeviceToken, PairingRequest
from instar.wire.http import Request
from instar.wire.names import Network
from instar.wire.operation import ObjectKind, Operation, Verb
from instar.wire.presence import PresenceEntry

from .attachments import Attachment, Attachments
from .invoke import Operations
from .machines import Machines


class Hub(Machines):
    """One hub, as doors see it.

    Args:
        scope: The parent of what outlives a request.
    """

    def __init__(
        self,
        network: Network,
        identity: Identity,
        operations: Operations,
        agents: Agents,
        delivery: Delivery,
        presences: Presences,
        nodes: Nodes,
        scope: TaskScope,
        calls: Calls | None = None,
    ) -> None:
        self.network = network
        self._identity = identity
        self._operations = operations
        self._delivery = delivery
        self._presences = presences
        self._nodes = nodes
        self._calls = calls
        self._attachments = Attachments(identity.authority, agents, scope)

    def authenticate(self, credential: Credential) -> Caller:
        """Return who presents this credential.

        Raises:
            InstarError: `unauthorized`; `rate_limited` after too many wrong ones.
        """
        return self._identity.authenticate(credential)

    async def vouched_for(self, request: Request) -> str:
        """Return the login of the person whom a trusted proxy or the tailnet names, for `Credential.vouched_for`.

        Empty: nobody does. A request without a token is worth asking for.

        Raises:
            InstarError: `unauthorized` when what they say does not hold; `service_unavailable` when tailscale does not
                answer.
        """
        return await self._identity.vouched_for(request)

    def visitor(self, credential: Credential = NOTHING) -> Caller:
        """Return the caller of operations that need no credential: health, sign-in, a device's first steps."""
        return self._identity.visitor(credential)

    # Devices

    @property
    def hub_id(self) -> str:
        """The hub's id, which devices pin: the SHA-256 of its public key in hex."""
        return self._identity.devices.hub_key.id

    @property
    def hub_public_key(self) -> bytes:
        """The hub's raw Ed25519 public key."""
        return self._identity.devices.hub_key.public_key

    async def request_pairing(self, credential: Credential, ask: PairingAsk) -> PairingRequest:
        """Take the ask of the device that this credential proves; a repeat of one that waits is that one.

        State `approved` says that the hub let it in by itself: authenticate again, with the same credential.

        Raises:
            InstarError: `not_paired` with cause `pairing_closed`; `overloaded` when too many wait; `conflict` when the
                device has all that it asks for; `device_revoked`; `key_mismatch`; as `authenticate` for the rest.
        """
        return await self._identity.request_pairing(credential, ask)

    async def pairing_decided(self, request_id: str, timeout_s: float) -> PairingRequest:
        """Wait at most so long for the decision on a request; return the request as it is then.

        Raises:
            InstarError: `not_found` when there is none.
        """
        return await self._identity.devices.decided(request_id, timeout_s)

    async def device_token(self, caller: Caller) -> DeviceToken | None:
        """Return a device's token in the role that it connected in, when it has yet to be given one.

        Only hashes are stored, so a token is shown once: None for a device that was given its token before, and for
        who is no device. No socket ends by this, as nobody holds the token that it replaces.
        """
        return await self._identity.devices.first_token(caller.grant)

    def on_ended(self, caller: Caller, callback: Callable[[str], None]) -> Callable[[], None]:
        """Call back once on the loop, with the reason, when the caller's grant ends or its token is replaced.

        Return the way to stop it. A grant that has ended already, as it may while a handshake waits, ends it at once.
        """
        return self._identity.watch(caller.grant, callback)

    # Operations and feeds

    async def invoke(
        self,
        caller: Caller,
        operation: Operation[Any, Any],
        params: msgspec.Struct,
        *,
        request_id: str = "",
        idempotency_key: str = "",
        peer: str = "",
        body: Callable[[], AsyncIterator[bytes]] | None = None,
    ) -> Any:  # noqa: ANN401 - the operation's own result type
        """Do `operation` for `caller`; see `Operations.invoke`."""
        return await self._operations.invoke(
            caller, operation, params,
            request_id=request_id, idempotency_key=idempotency_key, peer=peer, body=body,
        )  # fmt: skip

    async def open_feed(
        self,
        caller: Caller,
        sink: Sink[R],
        renderer: Renderer[R],
        *,
        cursor: str = "",
        agent_id: str = "",
        signals: bool = False,
    ) -> Feed:
        """Deliver to `sink` what `caller` may read, from `cursor` on; see `Delivery.open_feed`."""
        return await self._delivery.open_feed(caller, sink, renderer, cursor=cursor, agent_id=agent_id, signals=signals)

    def close_feed(self, feed: Feed) -> None:
        """Deliver nothing more to a feed. Twice is no error."""
        self._delivery.close_feed(feed)

    def reads_metrics(self, caller: Caller) -> bool:
        """Whether the caller may read `/metrics`."""
        return self._identity.authority.reads_metrics(caller)

    def admit_attachment(self, caller: Caller) -> None:
        """Let a caller through that may attach as some agent, before it says as which.

        Raises:
            InstarError: `forbidden`, or `unauthorized` without a credential.
        """
        self._identity.authority.require(caller, Verb.ATTACH, ObjectKind.AGENT)

    async def attach(self, caller: Caller, agent_id: str, name: str) -> Attachment:
        """Register or resolve the agent and take a place for it; see `Attachments.attach`."""
        return await self._attachments.attach(caller, agent_id, name)

    def acknowledge(self, feed: Feed, agent_id: str, cursor: str) -> None:
        """Take everything up to `cursor` as processed by the agent.

        Raises:
            InstarError: `unknown_cursor` for one that this feed was not sent.
        """
        self._delivery.acknowledge(feed, agent_id, cursor)

    def present(self, caller: Caller, entry: PresenceEntry) -> Presence:
        """Say that a caller's connection is here; who opens it closes it. See `Presences.open`.

        A device is named, and its machine, where the connection itself does not say so.
        """
        device = self._identity.devices.of(caller.grant)
        if device is not None and not entry.device_id:
            facts = device.facts
            machine = {"host": facts.name, "platform": facts.platform, "version": facts.version}
            missing = {name: value for name, value in machine.items() if not getattr(entry, name)}
            entry = msgspec.structs.replace(entry, device_id=device.id, **missing)
        return self._presences.open(caller, entry)

    def failed(self, agent_id: str, error: str) -> None:
        """Take note that the agent could not handle what it was woken for."""
        self._delivery.failed(agent_id, error)


__all__ = [
    "Attachment",
    "CallSink",
    "CallWatch",
    "Caller",
    "Credential",
    "Executor",
    "Feed",
    "Hub",
    "LinkedSession",
    "NodeExecutor",
    "NodeLink",
    "NodeSession",
    "PairingAsk",
    "Presence",
    "Signed",
    "Watcher",
]
