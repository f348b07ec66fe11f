"""`instar pair`: this machine becomes a device of a hub, and each knows the other from then on."""

from dataclasses import replace

import click

from instar.cli.command import command
from instar.cli.contact import ask_until_open, be_let_in, trust_at_first
from instar.cli.outputs import Answer
from instar.cli.scopes import ScopeChoice, one_of
from instar.cli.session import Session
from instar.client import device, pins
from instar.client.http import Client, JsonObject
from instar.client.pins import Pin
from instar.wire import signatures

from .devices import ROLES

_DEFAULT_SCOPES = {"operator": ("observe", "write"), "node": ("node",)}


@command("instar pair --name workshop", "instar pair --scope observe --json")
@click.argument("address", default="", metavar="[URL]")
@click.option("--name", default="", help="What this machine is called; else its host name.")
@click.option("--role", type=click.Choice(ROLES), default="operator", show_default=True, help="As what it comes.")
@click.option("--scope", "scopes", multiple=True, type=ScopeChoice(), help=one_of("Ask for this; may be repeated."))
@click.option("--code", "by_code", is_flag=True, help="Be let in by a code, without a key; it is asked for, or stdin.")
@click.option("--fingerprint", default="", help="What `instar tls fingerprint` says on the hub; else it is asked.")
@click.option("--again", is_flag=True, help="Forget what was pinned before.")
def pair(
    session: Session,
    address: str,
    *,
    name: str,
    role: str,
    scopes: tuple[str, ...],
    by_code: bool,
    fingerprint: str,
    again: bool,
) -> Answer:
    """Pair this machine with a hub.

    URL is the hub's address, as `instar start` prints it. The machine gets a key of its own and asks to be let in; the
    hub's operator compares the fingerprint and approves. From then on every command with this URL signs in by that
    key, and refuses any other hub at that address.
    """
    hub = session.at(address)
    if again:
        pins.forget_pin(hub.environ, hub.access.url)
        device.forget_session(hub.environ, hub.access.url)
    known = pins.pin_of(hub.environ, hub.access.url) or Pin()
    trust = trust_at_first(hub, known, fingerprint, again=f"instar pair {hub.access.url}")
    seed = device.own_seed(hub.environ)
    client = Client(hub.access.url, hub.access.token, timeout_s=hub.timeout_s, trust=trust)
    handshake = device.begin(client, seed, known)
    own = signatures.public_key_of(seed)
    session.output.note(f"This machine  {signatures.fingerprint(own)}\nThe hub's key {handshake.hub_key}")
    pin = Pin(trust.certificate, handshake.hub_id, handshake.hub_key, role=role)
    if by_code:
        return _by_code(hub, client, pin, name)
    asked = list(scopes or _DEFAULT_SCOPES[role])
    facts = device.own_facts(name)
    request = ask_until_open(
        hub,
        lambda: device.ask(client, seed, handshake, role=role, scopes=asked, facts=facts),
        wait_s=0.0,
        enable="instar pairing enable",
    )
    be_let_in(hub, client, request, approve="instar devices approve")
    signed_in = device.sign_in(client, seed, device.begin(client, seed, pin), role=role)
    pin = replace(pin, device_id=signatures.device_id(own))
    return _remember(hub, pin, signed_in)


def _by_code(hub: Session, client: Client, pin: Pin, name: str) -> Answer:
    """Be let in by a code: from then on the token that comes for it is all there is."""
    given = client.invoke("devices.use_code", {"code": hub.secret("Pairing code"), "facts": device.own_facts(name)})
    return _remember(hub, replace(pin, role=given["role"]), {**given, "expires_at": ""})


def _remember(hub: Session, pin: Pin, session: JsonObject) -> Answer:
    url = hub.access.url
    device.keep_session(hub.environ, url, session["token"], session["expires_at"])
    pins.keep_pin(hub.environ, url, pin)
    document = {
        "url": url,
        "hub_id": pin.hub_id,
        "hub_key": pin.hub_key,
        "certificate": pin.certificate,
        "device_id": pin.device_id,
        "role": pin.role,
        "scopes": session["scopes"],
    }
    able = ", ".join(session["scopes"]) or "nothing yet"
    lines = [f"Paired with {url} as {pin.role}: {able}."]
    if pin.role == "operator":
        lines.append(f"  Next: export INSTAR_URL={url}; instar rooms list")
    return Answer(document, lines)


COMMAND = pair
