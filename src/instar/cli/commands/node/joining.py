"""`instar node join|add|rekey`: this machine becomes a node of a hub."""

import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import click
import msgspec

from instar.base.errors import InstarError
from instar.cli.command import command
from instar.cli.contact import ask_until_open, be_let_in, trust_at_first
from instar.cli.durations import DURATION
from instar.cli.outputs import Answer
from instar.cli.session import Session
from instar.client import device
from instar.client.access import is_loopback
from instar.client.connections import check_host
from instar.client.errors import HubError
from instar.client.http import Client
from instar.client.pins import Pin, origin_of
from instar.node import allow as allowing
from instar.node import config as remembering
from instar.node.allow import Allowed
from instar.node.config import NodeConfig, NodeFolder
from instar.node.service import NodeService
from instar.wire import signatures
from instar.wire.limits import CALL_COMMAND_S

from .running import serve

HUB_VARIABLE = "INSTAR_HUB_URL"
ROLE = "node"
WAIT_S = 600.0
"""How long `join` waits for somebody at the hub unless told otherwise."""
_SECURE = {"ws": "http", "wss": "https"}


class _Seconds(click.ParamType[float]):
    """A duration, or seconds as a bare number."""

    name = "duration"

    def convert(self, value: str | float, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the seconds that `value` names."""
        if isinstance(value, str) and value.replace(".", "", 1).isdigit():
            return float(value)
        return DURATION.convert(value, param, ctx)


class _Label(click.ParamType[tuple[str, str]]):
    """`key=value`."""

    name = "label"

    def convert(
        self, value: str | tuple[str, str], param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str]:
        """Return key and value."""
        if isinstance(value, tuple):
            return value
        key, sign, rest = value.partition("=")
        if not key or not sign:
            self.fail(f"{value!r} is no label: use key=value", param, ctx)
        return key, rest


LABEL = _Label()


@dataclass(frozen=True, slots=True)
class _Wish:
    """What was asked for on the command line; None leaves what was remembered."""

    name: str | None = None
    node_id: str | None = None
    working_dir: Path | None = None
    limit_s: float | None = None
    labels: tuple[tuple[str, str], ...] = ()
    ca_file: Path | None = None

    def onto(self, known: NodeConfig) -> NodeConfig:
        """Return what is remembered from now on."""
        return msgspec.structs.replace(
            known,
            name=known.name or socket.gethostname() if self.name is None else self.name,
            node_id=known.node_id if self.node_id is None else self.node_id,
            working_dir=str((self.working_dir or Path(known.working_dir or Path.home())).expanduser().absolute()),
            timeout_s=known.timeout_s if self.limit_s is None else self.limit_s,
            labels={**known.labels, **dict(self.labels)},
            ca_file=str(self.ca_file.absolute()) if self.ca_file else known.ca_file,
        )


def _join(
    session: Session,
    address: str,
    *,
    host: str,
    name: str | None,
    node_id: str | None,
    working_dir: Path | None,
    limit_s: float | None,
    labels: tuple[tuple[str, str], ...],
    allow: tuple[str, ...],
    roots: tuple[Path, ...],
    fingerprint: str,
    ca_file: Path | None,
    foreground: bool,
    again: bool,
    wait: float,
) -> Answer | int:
    """Make this machine a node of a hub.

    URL is the hub's address, as `instar start` prints it; else INSTAR_HUB_URL. The machine gets a key of its own and
    asks to be let in; the hub's operator compares the fingerprint, approves, and says what it may be asked. Then it
    runs as a service that starts at boot, or here with --foreground. Joining again changes what is given anew.
    """
    allowing.check_added(allow)
    url = hub_url(address or host or session.environ.get(HUB_VARIABLE, ""))
    folder = remembering.folder_of(session.environ)
    known = _known(folder, url, again=again)
    wish = _Wish(name, node_id, working_dir, limit_s, labels, ca_file)
    service = NodeService(folder, session.environ)
    reason = "" if foreground else service.why_not()
    try:
        joined = _be_let_in(session, folder, wish.onto(known), fingerprint, wait)
    except HubError as error:
        if error.code != "hub_changed":
            raise
        hint = f"Ask its operator; if the change was meant, run: instar node join {url} --again"
        raise HubError(error.code, error.message, hint=hint, detail=error.detail) from error
    _permit(folder, joined, allow, roots)
    remembering.save(folder, joined)
    if foreground or reason:
        if reason:
            session.output.note(f"It runs here, and starts at no boot: {reason}.")
        session.output.note(f"{_name(joined)} is a node of {joined.url}. Ctrl+C ends it.")
        return serve(session, folder, joined)
    return _as_service(folder, joined, service)


def hub_url(text: str) -> str:
    """Return the address of a hub as it is dialled: WebSocket addresses and bare hosts are understood.

    Raises:
        HubError: `usage` for no address.
    """
    if not text:
        raise HubError("usage", "no hub is named", hint=f"Name it: instar node join URL, or set {HUB_VARIABLE}.")
    if text.startswith("unix:"):
        return text
    if "://" not in text:
        text = f"{'http' if is_loopback(f'http://{text}') else 'https'}://{text}"
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError as error:
        raise HubError("usage", f"{text!r} is no address: {error}", hint="Use http://HOST:PORT.") from error
    scheme = _SECURE.get(parts.scheme, parts.scheme)
    if scheme not in ("http", "https") or not parts.hostname or parts.username:
        raise HubError("usage", f"{text!r} is no address of a hub", hint="Use http(s)://HOST:PORT.")
    check_host(parts.hostname)
    return f"{scheme}://{parts.netloc}"


def _known(folder: NodeFolder, url: str, *, again: bool) -> NodeConfig:
    """Return what is remembered of this hub; another hub's is only given up when that is asked for."""
    known = remembering.load(folder)
    if known is None:
        return NodeConfig(url)
    if again:
        return msgspec.structs.replace(known, url=url, hub_id="", hub_key="", certificate="", device_id="")
    if origin_of(known.url) != origin_of(url):
        raise HubError(
            "conflict",
            f"this machine is a node of {known.url}",
            hint="Leave it with `instar node remove`, or add --again.",
        )
    return known


def _be_let_in(session: Session, folder: NodeFolder, wanted: NodeConfig, fingerprint: str, wait_s: float) -> NodeConfig:
    """Prove hub and machine to each other, and wait until the machine is let in."""
    hub = session.at(wanted.url)
    pin = Pin(wanted.certificate, wanted.hub_id, wanted.hub_key, role=ROLE)
    trust = trust_at_first(hub, pin, fingerprint, again=f"instar node join {wanted.url}")
    if wanted.ca_file:
        trust = trust._replace(ca_file=wanted.ca_file)
    client = Client(wanted.url, timeout_s=hub.timeout_s, trust=trust)
    seed = device.seed_at(folder.key)
    handshake = device.begin(client, seed, pin)
    public_key = signatures.public_key_of(seed)
    session.output.note(f"This node     {signatures.fingerprint(public_key)}\nThe hub's key {handshake.hub_key}")
    pin = Pin(trust.certificate, handshake.hub_id, handshake.hub_key, role=ROLE)
    facts = {**device.own_facts(wanted.name), "client_id": "instar-node", "client_mode": ROLE}

    def ask() -> dict[str, object]:
        fresh = device.begin(client, seed, pin)
        return device.ask(client, seed, fresh, role=ROLE, scopes=[ROLE], facts=facts)

    request = ask_until_open(hub, ask, wait_s=wait_s, enable="instar node pairing enable")
    be_let_in(hub, client, request, approve="instar node approve")
    device.sign_in(client, seed, device.begin(client, seed, pin), role=ROLE)
    return msgspec.structs.replace(
        wanted,
        hub_id=handshake.hub_id,
        hub_key=handshake.hub_key,
        certificate=trust.certificate,
        device_id=signatures.device_id(public_key),
    )


def _permit(folder: NodeFolder, joined: NodeConfig, commands: tuple[str, ...], roots: tuple[Path, ...]) -> None:
    """Write the first allow list, or change what is given anew; what its owner wrote otherwise stays."""
    is_new = not folder.allow.exists()
    known = Allowed(["*"], [joined.working_dir]) if is_new else allowing.load(folder.allow)
    named = [str(root.expanduser().absolute()) for root in roots]
    if is_new or commands or named:
        wanted = msgspec.structs.replace(known, commands=list(commands) or known.commands, roots=named or known.roots)
        allowing.save(folder.allow, wanted)


def _as_service(folder: NodeFolder, joined: NodeConfig, service: NodeService) -> Answer:
    outcome = service.install()
    document = {**_document(folder, joined), "service": {"path": outcome.path, "running": outcome.is_running}}
    lines = [
        f"{_name(joined)} is a node of {joined.url}, and its service is started: {outcome.path}",
        "  Logs: instar node logs -f",
        f"  Try it on the hub: instar exec --node {joined.name or joined.device_id} -- uname -a",
    ]
    return Answer(document, [*lines, f"  {outcome.hint}"] if outcome.hint else lines)


def _document(folder: NodeFolder, joined: NodeConfig) -> Mapping[str, object]:
    return {
        "url": joined.url,
        "hub_id": joined.hub_id,
        "hub_key": joined.hub_key,
        "certificate": joined.certificate,
        "device_id": joined.device_id,
        "fingerprint": signatures.fingerprint(signatures.public_key_of(device.seed_at(folder.key))),
        "name": joined.name,
    }


def _name(joined: NodeConfig) -> str:
    return joined.name or "This machine"


_OPTIONS = (
    click.argument("address", default="", metavar="[URL]"),
    click.option("--host", default="", hidden=True),
    click.option("--name", default=None, help="What this machine is called; else its host name."),
    click.option("--node-id", default=None, metavar="ID", help="An id of your own, shown beside the hub's."),
    click.option("--working-dir", type=click.Path(path_type=Path), help="Where commands run; else your home."),
    click.option(
        "--timeout",
        "limit_s",
        type=_Seconds(),
        metavar="5m",
        help=f"Longest run of a command; else {CALL_COMMAND_S:g} s.",
    ),
    click.option("--label", "labels", multiple=True, type=LABEL, metavar="K=V", help="May be repeated."),
    click.option("--allow", multiple=True, metavar="CMD", help="Ever permit only this; may be repeated."),
    click.option(
        "--root",
        "roots",
        multiple=True,
        type=click.Path(path_type=Path),
        help="File tools reach only this; repeatable.",
    ),
    click.option("--fingerprint", default="", help="What `instar tls fingerprint` says on the hub; else it is asked."),
    click.option("--ca-file", type=click.Path(path_type=Path), help="Authorities that vouch for the hub."),
    click.option("--foreground", is_flag=True, help="Run here instead of as a service."),
    click.option("--again", is_flag=True, help="Forget what was pinned of a hub before."),
    click.option("--wait", type=DURATION, default=WAIT_S, metavar="10m", help="How long to wait for the operator."),
)
for _option in reversed(_OPTIONS):
    _join = _option(_join)

join = command("instar node join http://127.0.0.1:8787 --name build", offline=True, name="join")(_join)
add = command("instar node add http://127.0.0.1:8787 --name build --foreground", offline=True, name="add")(_join)


@command("instar node rekey", offline=True)
@click.option("--wait", type=DURATION, default=WAIT_S, metavar="10m", help="How long to wait for the operator.")
def rekey(session: Session, *, wait: float) -> Answer:
    """Give this node a new key, and have it let in anew.

    The old key is given up once the new one was let in; the hub then still knows the old one, and says how to end it.
    """
    folder = remembering.folder_of(session.environ)
    known = remembering.load(folder)
    if known is None:
        raise HubError("not_found", "this machine is no node", hint="Join a hub: instar node join URL")
    kept = folder.key.with_suffix(".old")
    if folder.key.exists():
        folder.key.replace(kept)
    try:
        joined = _be_let_in(session, folder, msgspec.structs.replace(known, device_id=""), "", wait)
    except (InstarError, KeyboardInterrupt):
        if kept.exists():
            kept.replace(folder.key)
        raise
    remembering.save(folder, joined)
    kept.unlink(missing_ok=True)
    NodeService(folder, session.environ).restart()
    lines = [f"{_name(joined)} has a new key."]
    if known.device_id and known.device_id != joined.device_id:
        lines.append(f"  End the old one on the hub: instar devices remove {known.device_id}")
    return Answer({**_document(folder, joined), "old_device_id": known.device_id}, lines)
