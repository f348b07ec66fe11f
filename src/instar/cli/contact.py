"""A machine's first contact with a hub: whom to believe, and how to wait until it is let in."""

import time
from collections.abc import Callable
from urllib.parse import urlsplit

from instar.client.access import is_loopback
from instar.client.errors import HubError
from instar.client.http import Client, JsonObject
from instar.client.pins import Pin
from instar.client.trust import Trust, changed, vouched_for

from .session import Session
from .texts import relative

POLL_S = 25.0
"""How long one question for the decision waits."""
_SLACK_S = 10.0
_WINDOW_POLL_S = 2.0
"""How often a machine asks again while the hub lets nobody ask."""
FAILED = {
    "rejected": ("forbidden", "the hub's operator turned this machine away", "Ask them, then try again."),
    "expired": ("timeout", "nobody decided on the request in time", "Ask the hub's operator, then try again."),
    "superseded": ("conflict", "this machine asked for something else meanwhile", "Try again."),
}


def trust_at_first(hub: Session, known: Pin, fingerprint: str, *, again: str) -> Trust:
    """Return what makes the hub's certificate good from now on; at first contact a person is asked.

    Args:
        hub: The session with the hub's address.
        known: What was pinned before.
        fingerprint: What the person says that the certificate's is; empty: they are asked.
        again: The command to run with `--fingerprint` where nobody can be asked.

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
    if known.certificate:
        return hub.trust._replace(certificate=known.certificate, source="the last pairing")
    if hub.trust.certificate:
        return hub.trust
    try:
        vouched_for(url, hub.trust, hub.timeout_s)
    except HubError as error:
        if error.code != "hub_untrusted":
            raise
        found = str(error.detail["found"])
        if not hub.may_ask:
            same = f"If `instar tls fingerprint` on the hub says the same, run: {again} --fingerprint {found}"
            raise HubError(error.code, error.message, hint=same, detail=error.detail) from error
        hub.output.note(f"The certificate of {url} is {found}")
        hub.confirm("Does `instar tls fingerprint` say the same on the hub?", yes=False)
        return hub.trust._replace(certificate=found, source="the first contact")
    return hub.trust


def be_let_in(hub: Session, client: Client, request: JsonObject, *, approve: str) -> None:
    """Wait until the request is decided.

    Args:
        hub: Whom to tell.
        client: The hub, without a credential.
        request: As the hub answered it.
        approve: The command that lets it in, without the request's id.

    Raises:
        HubError: It was turned away, or nobody decided in time.
    """
    state = request["state"]
    if state == "pending":
        hub.output.note(
            f"Waiting; the request ends {relative(request['expires_at'])}.\n  On the hub run: {approve} {request['id']}"
        )
    while state == "pending":
        asked = {"request_id": request["id"], "wait": POLL_S}
        state = client.invoke("devices.outcome", asked, timeout_s=POLL_S + _SLACK_S)["state"]
    if state != "approved":
        code, message, hint = FAILED[state]
        raise HubError(code, message, hint=hint, retryable=False)


def ask_until_open(hub: Session, ask: Callable[[], JsonObject], *, wait_s: float, enable: str) -> JsonObject:
    """Ask to be let in; while the hub lets no unknown machine ask, say what to type there, and wait for it.

    A machine that was let in for all of it already has nothing to ask: the answer is an approved request.

    Args:
        hub: Whom to tell.
        ask: Asks once.
        wait_s: How long to wait for the window; 0 does not.
        enable: The command that opens it.

    Raises:
        HubError: The hub's refusal; `not_paired` when the window stayed closed.
    """
    deadline = time.monotonic() + wait_s
    is_told = False
    while True:
        try:
            return ask()
        except HubError as error:
            if error.code == "conflict":
                return {"state": "approved"}
            if error.code not in ("not_paired", "rate_limited") or time.monotonic() >= deadline:
                raise
            if not is_told:
                hub.output.note(f"The hub lets no unknown machine ask.\n  On the hub run: {enable}\nWaiting for that.")
                is_told = True
            time.sleep(max(_WINDOW_POLL_S, error.retry_after_s or 0.0))
