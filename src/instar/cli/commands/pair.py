"""`instar pair`: this machine becomes a device of a hub, and each knows the other from then on."""

from dataclasses import replace
from urllib.parse import urlsplit

import click

from instar.cli.command import command
from instar.cli.outputs import Answer
from instar.cli.scopes import SCOPES
from instar.cli.session import Session
from instar.cli.texts import relative
from instar.client import device, pins
from instar.client.access import is_loopback
from instar.client.errors import HubError
from instar.client.http import Client, JsonObject
from instar.client.pins import Pin
from instar.client.trust import Trust, changed, vouched_for
from instar.wire import signatures

from .devices import ROLES

POLL_S = 25.0
"""How long one question for the decision waits."""
_SLACK_S = 10.0
_DEFAULT_SCOPES = {"operator": ("observe", "write"), "node": ("node",)}
_FAILED = {
    "rejected": ("forbidden", "the hub's operator turned this machine away", "Ask them, then pair again."),
    "expired": ("timeout", "nobody decided on the request in time", "Ask the hub's operator, then pair again."),
    "superseded": ("conflict", "this machine asked for something else meanwhile", "Pair again."),
}


@command("instar pair --name workshop", "instar pair --scope observe --json")
@click.argument("address", default="", metavar="[URL]")
@click.option("--name", default="", help="What this machine is called; else its host name.")
@click.option("--role", type=click.Choice(ROLES), default="operator", show_default=True, help="As what it comes.")
@click.option("--scope", "scopes", multiple=True, type=click.Choice(SCOPES), help="Ask for this; may be repeated.")
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
    trust = _trust(hub, known, fingerprint)
    seed = device.own_seed(hub.environ)
    client = Client(hub.access.url, hub.access.token, timeout_s=hub.timeout_s, trust=trust)
    handshake = device.begin(client, seed, known)
    own = signatures.public_key_of(seed)
    session.output.note(f"This machine  {signatures.fingerprint(own)}\nThe hub's key {handshake.hub_key}")
    pin = Pin(trust.certificate, handshake.hub_id, handshake.hub_key, role=role)
    if by_code:
        return _by_code(hub, client, pin, name)
    asked = list(scopes or _DEFAULT_SCOPES[role])
    _be_let_in(hub, client, _ask(client, seed, handshake, role, asked, name))
    signed_in = device.sign_in(client, seed, device.begin(client, seed, pin), role=role)
    pin = replace(pin, device_id=signatures.device_id(own))
    return _remember(hub, pin, signed_in)


def _trust(hub: Session, known: Pin, fingerprint: str) -> Trust:
    """Return what makes the hub's certificate good from now on; at first contact a person is asked.

    Raises:
        HubError: `hub_changed`, or `hub_untrusted` where nobody can be asked.
    """
    url = hub.access.url
    if urlsplit(url).scheme != "https":
        if urlsplit(url).scheme == "http" and not is_loopback(url):
            hub.output.note("This connection is not encrypted: whoever carries it reads and changes what is said.")
        return hub.trust
    if fingerprint and known.certificate and fingerprint != known.certificate:
        raise changed(url, "certificate", expected=known.certificate, found=fingerprint, source="the last pairing")
    if fingerprint:
        return hub.trust._replace(certificate=fingerprint, source="--fingerprint")
    if hub.trust.certificate:
        return hub.trust
    try:
        vouched_for(url, hub.trust, hub.timeout_s)
    except HubError as error:
        if error.code != "hub_untrusted":
            raise
        found = str(error.detail["found"])
        if not hub.may_ask:
            same = f"If `instar tls fingerprint` on the hub says the same, run: instar pair {url} --fingerprint {found}"
            raise HubError(error.code, error.message, hint=same, detail=error.detail) from error
        hub.output.note(f"The certificate of {url} is {found}")
        hub.confirm("Does `instar tls fingerprint` say the same on the hub?", yes=False)
        return hub.trust._replace(certificate=found, source="the first contact")
    return hub.trust


def _ask(
    client: Client, seed: bytes, handshake: device.Handshake, role: str, scopes: list[str], name: str
) -> JsonObject:
    """Ask to be let in; a machine that was let in for all of it already has nothing to ask."""
    try:
        return device.ask(client, seed, handshake, role=role, scopes=scopes, facts=device.own_facts(name))
    except HubError as error:
        if error.code != "conflict":
            raise
        return {"state": "approved"}


def _be_let_in(hub: Session, client: Client, request: JsonObject) -> None:
    """Wait until the request is decided.

    Raises:
        HubError: It was turned away, or nobody decided in time.
    """
    state = request["state"]
    if state == "pending":
        hub.output.note(
            f"Waiting; the request ends {relative(request['expires_at'])}.\n"
            f"  On the hub run: instar devices approve {request['id']}"
        )
    while state == "pending":
        asked = {"request_id": request["id"], "wait": POLL_S}
        state = client.invoke("devices.outcome", asked, timeout_s=POLL_S + _SLACK_S)["state"]
    if state != "approved":
        code, message, hint = _FAILED[state]
        raise HubError(code, message, hint=hint, retryable=False)


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
