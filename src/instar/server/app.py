"""A hub from its settings to its sockets: opened, served, and closed in order. `wiring` makes its parts."""

import os
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import NamedTuple

import structlog

from instar import __version__
from instar.base.clock import MICROS_PER_S, Micros, now
from instar.base.tasks import TaskScope
from instar.doors.gateway.door import GatewayDoor
from instar.doors.gateway.gateway import Installation
from instar.doors.network.door import NetworkDoor
from instar.hub.identity.handlers import console_url
from instar.hub.identity.roots import local_root
from instar.hub.operations.recorder import trim_ledger
from instar.hub.secrets.secrets import KEY_FILE
from instar.hub.settings.binding import Address, base_url, check_bind, encrypts, url_of
from instar.hub.settings.keys import SECRETS
from instar.hub.settings.load import Loaded
from instar.hub.settings.sources import overruled
from instar.hub.settings.tree import Settings
from instar.store.sqlite import open_store
from instar.wire.limits import GATEWAY_HEALTH_S, GATEWAY_TICK_S, LEDGER_KEEP_S, UPLOAD_KEEP_S

from . import lifecycle, logs, tls
from .console import Console
from .first_start import declare
from .guard import Guard
from .http import Carrier
from .local_node import LocalNode, PrivateSocket
from .log_file import LogFile, path_in
from .maintenance import Maintenance
from .measuring import count_calls, count_commits, read_parts
from .metrics import Metrics
from .reach import reach_of
from .sockets import Bound, bind
from .streams import Streams
from .watchdog import Watchdog
from .wiring import Parts, wire

LOCAL_GRANT = "local-grant"
HUB_KEY = "hub-key"
PRIVATE = 0o077
"""Everything that the hub writes is its owner's alone."""
EXPIRY_S = 1.0
LAST_USED_FLUSH_S = 60.0
LEDGER_TRIM_S = 3_600.0
SLOTS_TRIM_S = 600.0
NODES_FLUSH_S = 5.0
NODES_SWEEP_S = 60.0
UPLOAD_SWEEP_S = 21_600.0
"""Four times a day, as a duty comes first after its time and a hub may be restarted daily."""

_log = structlog.get_logger("instar.server")


class Announcement(NamedTuple):
    """What a started hub says of itself."""

    url: str
    console_url: str
    """Signs a browser in, once."""
    setup_code: str
    """The same, to be typed."""
    data_dir: Path
    first_start: bool
    address: str = ""
    """Where programs on this machine reach it, whatever browsers are told."""
    fingerprint: str = ""
    """Of the certificate, where any address is encrypted."""


class App:
    """A hub from its settings to its sockets.

    Args:
        loaded: The settings and where each came from.
    """

    def __init__(self, loaded: Loaded) -> None:
        self._loaded = loaded
        self._settings: Settings = loaded.settings
        self.data_dir = Path(loaded.settings.data_dir)
        self.metrics = Metrics()
        self._background = TaskScope(self._crashed)
        """Delivery, runs and sockets: ended before the store closes."""
        self._streams = Streams(loaded.settings.limits.streams, loaded.settings.limits.streams_per_principal)
        self._listening: Sequence[Address] = ()

    def _crashed(self, name: str, error: BaseException) -> None:
        self.metrics.counter("instar_faults_total", "task").inc()
        _log.error("a task crashed", task=name, exc_info=error)

    def _base_url(self) -> str:
        if self._settings.server.public_url or not self._listening:
            return base_url(self._settings)
        return url_of(self._settings, self._listening[0])

    async def serve(self, announce: Callable[[Announcement], None]) -> int:
        """Run until a signal asks to stop; return the exit code.

        Raises:
            InstarError: An address or the data is in use, the data is damaged or too new, a bind is unsafe.
        """
        check_bind(self._settings)
        bound = bind([self._settings.listen.address, *self._settings.listen.compat])
        # What was opened last is closed first, the rest nevertheless when one fails.
        async with AsyncExitStack() as closing:
            closing.callback(bound.close)
            store = await open_store(self.data_dir)
            closing.push_async_callback(store.close)
            private = PrivateSocket(self.data_dir)
            closing.callback(private.close)
            self._listening = bound.listening
            parts = wire(
                self._loaded, store, self._background, self._streams,
                base_url=self._base_url, addresses=lambda: [str(address) for address in self._listening],
            )  # fmt: skip
            closing.push_async_callback(parts.rooms.close)
            closing.push_async_callback(parts.nodes.close)
            closing.push_async_callback(parts.identity.flush)
            closing.push_async_callback(self._background.close)
            closing.push_async_callback(parts.calls.close)
            closing.callback(parts.presences.close)
            closing.push_async_callback(parts.delivery.close)
            closing.push_async_callback(parts.schedules.close)
            local = LocalNode(
                parts.nodes, parts.identity.loans, self._background, self.data_dir, private.path, os.environ
            )
            closing.push_async_callback(local.close)
            return await self._run(parts, bound, private, announce)

    def _certificate(self) -> tls.Certificate | None:
        """Return the certificate to show, None where every address is plain.

        Raises:
            InstarError: `certificate_unusable`.
        """
        if not any(encrypts(self._settings, address) for address in self._listening):
            return None
        return tls.prepare(self._settings, self.data_dir)

    async def _run(
        self, parts: Parts, bound: Bound, private: PrivateSocket, announce: Callable[[Announcement], None]
    ) -> int:
        certificate = self._certificate()
        context = tls.context_of(certificate) if certificate else None
        parts.identity.devices.listens(lambda: reach_of(self._settings, self._listening, certificate))
        await self._load(parts)
        is_first = await declare(parts.store, parts.rooms.apply, parts.agents.declaring)
        parts.calls.open()
        await parts.runs.open()
        parts.schedules.open()
        self._background.start("search", parts.rooms.search.run())
        maintenance = self._maintain(parts)
        count_commits(self.metrics, parts.pump)
        count_calls(self.metrics, parts.calls)
        read_parts(
            self.metrics, parts.store, parts.pump, parts.fanout, parts.delivery,
            parts.rooms.search.follower.lag, parts.agents.connected_count, lambda: parts.schedules.scheduler.restarts,
        )  # fmt: skip
        guard = Guard(
            bound.listening,
            allowed_hosts=self._settings.server.allowed_hosts,
            allowed_origins=self._settings.server.allowed_origins,
            trusted_proxies=self._settings.server.trusted_proxies,
            identity_header=self._settings.auth.proxy_header,
        )
        network_door = NetworkDoor(parts.hub, self._background, metrics=self.metrics.render)
        gateway_door = GatewayDoor(parts.hub, self._background, self._installation())
        maintenance.every(GATEWAY_TICK_S, "tick the gateway's clients", gateway_door.board.tick)
        maintenance.every(GATEWAY_HEALTH_S, "tell the gateway's clients of health", gateway_door.board.look)
        carrier = Carrier(
            (gateway_door, network_door, Console()), guard,
            streams=self._streams, metrics=self.metrics, access_log=self._settings.server.access_log,
            is_strict=certificate is not None and certificate.is_own,
        )  # fmt: skip
        announcement = await self._announcement(parts, is_first, certificate.fingerprint if certificate else "")

        async def stopping() -> None:
            parts.card.is_draining = True
            await parts.calls.close()
            await parts.schedules.close()
            await parts.delivery.close()

        watchdog = Watchdog(_report_blocked)
        await parts.settings.open()
        parts.live.observe(parts.obey)
        parts.live.observe(partial(_obey, carrier, watchdog))
        try:
            await lifecycle.serve(
                carrier, bound, on_ready=lambda _: self._ready(announce, announcement), on_stopping=stopping,
                encrypted={at: context for at in self._listening if context and encrypts(self._settings, at)},
                private=(private.socket,),
            )  # fmt: skip
        finally:
            watchdog.stop()
        return 0

    async def _load(self, parts: Parts) -> None:
        """Read what the hub remembers, each noun after those that it relies on."""
        await parts.blobs.clear_unfinished()
        await parts.identity.load()
        await parts.rooms.load()
        await parts.agents.load()
        await parts.delivery.load()
        await parts.schedules.load()
        await parts.nodes.load()
        await parts.approvals.load()
        await parts.identity.local_grant(self.data_dir / LOCAL_GRANT)
        parts.identity.devices.hub_key.load(self.data_dir / HUB_KEY)
        await parts.secrets.load(self.data_dir / KEY_FILE, parts.store)
        await parts.ssh.load()
        await parts.calls.load()

    def _ready(self, announce: Callable[[Announcement], None], announcement: Announcement) -> None:
        """Say it in the log, which is all that is left of a start after `kill -9`, and to whoever started the hub."""
        _log.info("listening", addresses=[str(address) for address in self._listening], version=__version__)
        announce(announcement)

    async def _announcement(self, parts: Parts, is_first: bool, fingerprint: str) -> Announcement:
        base = self._base_url()
        link = await parts.identity.console_code(local_root())
        setup = await parts.identity.setup_code()
        address = url_of(self._settings, self._listening[0])
        return Announcement(
            base, console_url(base, link.text), setup.text, self.data_dir, is_first, address, fingerprint
        )

    def _installation(self) -> Installation:
        """Return what the gateway's admins are told of where the hub lives."""
        auth = self._settings.auth
        shared = "token" if auth.token else "password" if auth.password else ""
        mode = shared or ("none" if auth.mode == "none" else "token")
        return Installation(str(self._loaded.path), str(self.data_dir), mode)

    def _maintain(self, parts: Parts) -> Maintenance:
        """Start the periodic duties of the hub; doors add theirs."""
        maintenance = Maintenance(self._background, self.metrics)
        maintenance.every(EXPIRY_S, "expire grants", parts.identity.expire_due)
        maintenance.every(EXPIRY_S, "expire pairing requests", parts.identity.settle)
        maintenance.every(LAST_USED_FLUSH_S, "note when grants were used", parts.identity.flush)
        maintenance.every(
            LEDGER_TRIM_S,
            "trim the ledger",
            lambda: parts.store.transact(lambda tx: trim_ledger(tx, ago(LEDGER_KEEP_S))),
        )
        maintenance.every(SLOTS_TRIM_S, "trim slots", parts.schedules.trim)
        maintenance.every(SLOTS_TRIM_S, "sweep the output of calls", parts.calls.sweep)
        maintenance.every(LEDGER_TRIM_S, "forget what is past", parts.identity.forget_past)
        maintenance.every(NODES_FLUSH_S, "write down how nodes are", parts.nodes.flush)
        maintenance.every(NODES_SWEEP_S, "sweep telemetry", parts.nodes.sweep)
        maintenance.every(UPLOAD_SWEEP_S, "sweep uploads", lambda: parts.rooms.sweep_uploads(ago(UPLOAD_KEEP_S)))
        return maintenance


def _obey(carrier: Carrier, watchdog: Watchdog, settings: Settings) -> None:
    """Let the server's own live settings hold."""
    logs.set_level(settings.log.level)
    carrier.access_log = settings.server.access_log
    carrier.streams.obey(settings.limits.streams, settings.limits.streams_per_principal)
    (watchdog.start if settings.log.level == "debug" else watchdog.stop)()


def _report_blocked(seconds: float, place: str) -> None:
    _log.warning("the event loop is blocked", seconds=round(seconds, 3), place=place)


def ago(seconds: float) -> Micros:
    """Return the time so many seconds before now."""
    return Micros(now() - int(seconds * MICROS_PER_S))


def run(loaded: Loaded, *, announce: Callable[[Announcement], None]) -> int:
    """Serve a hub with these settings until it is told to stop; return the exit code.

    Raises:
        InstarError: As `App.serve` says.
    """
    os.umask(PRIVATE)
    settings = loaded.settings
    file = LogFile(path_in(Path(settings.data_dir))) if settings.log.file else None
    secrets = [secret for key in SECRETS if (secret := loaded.value(key))]
    logs.configure(settings.log.level, settings.log.format, file=file, secrets=secrets)
    for note in overruled(loaded.sources.environ):
        _log.warning("variable ignored", reason=note)
    return lifecycle.run(App(loaded).serve(announce))
