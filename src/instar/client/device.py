"""This machine as a device: a key of its own, with which it is paired once and signs in ever after.

`cryptography` is imported only when something is signed, which is once in the life of a session.
"""

import os
import platform
import secrets
import socket
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from instar import __version__
from instar.wire import signatures

from . import private_json
from .errors import HubError
from .folders import config_dir
from .http import Client, JsonObject
from .pins import Pin, origin_of
from .trust import changed

KEY_FILE = "device-key"
"""32 bytes, mode 0600."""
SESSIONS_FILE = "hub-sessions.json"
"""Short-lived tokens by address, mode 0600."""
_MARGIN = timedelta(seconds=60)
"""A session that ends this soon is replaced before it is used."""


class Handshake(NamedTuple):
    """A hub that proved itself, and what it wants signed."""

    hub_id: str
    hub_key: str
    """Fingerprint of the hub's key."""
    nonce: bytes


def own_seed(environ: Mapping[str, str]) -> bytes:
    """Return the seed of this machine's key; the first call makes it.

    Raises:
        HubError: As `seed_at`.
    """
    return seed_at(config_dir(environ) / KEY_FILE)


def seed_at(path: Path) -> bytes:
    """Return the seed in a file, mode 0600; the first call makes it.

    Raises:
        HubError: `unauthorized` when others can read the file, or it is no seed.
    """
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_mode & 0o077:
                raise HubError("unauthorized", f"{path} is open to other users", hint=f"Run: chmod 600 {path}")
            seed = file.read(signatures.SEED_BYTES + 1)
    except FileNotFoundError:
        seed = secrets.token_bytes(signatures.SEED_BYTES)
        private_json.write_bytes(path, seed)
    except OSError as error:
        raise HubError("unauthorized", f"{path} cannot be read: {error.strerror}") from error
    if len(seed) != signatures.SEED_BYTES:
        raise HubError(
            "unauthorized", f"{path} is no device key", hint=f"Restore {path}, or remove it and pair this machine anew."
        )
    return seed


def own_facts(name: str = "") -> JsonObject:
    """Return what this machine says of itself when it asks to be let in."""
    facts = {
        "name": name or socket.gethostname(),
        "platform": sys.platform,
        "family": platform.machine(),
        "version": __version__,
        "client_id": "instar-cli",
        "client_mode": "cli",
    }
    return {key: value[:128] for key, value in facts.items() if value}


def begin(client: Client, seed: bytes, pin: Pin) -> Handshake:
    """Have the hub prove that it holds its key, and that it is the one that is pinned if one is.

    Raises:
        HubError: `hub_changed` with both fingerprints; `bad_gateway` when the proof does not hold; the hub's refusal.
    """
    public_key = signatures.public_key_of(seed)
    client_nonce = secrets.token_bytes(signatures.NONCE_BYTES)
    said = client.invoke(
        "devices.challenge",
        {
            "public_key": signatures.to_base64url(public_key),
            "client_nonce": signatures.to_base64url(client_nonce),
        },
    )
    hub_key, nonce, signature = (_bytes(said, name) for name in ("hub_public_key", "nonce", "signature"))
    hub_id = signatures.device_id(hub_key)
    message = signatures.hub_message(hub_id, client_nonce, nonce, public_key)
    if said.get("hub_id") != hub_id or not signatures.verify(hub_key, signature, message):
        raise HubError("bad_gateway", f"{client.url} did not prove that it holds the hub's key")
    found = signatures.fingerprint(hub_key)
    if pin.hub_key and found != pin.hub_key:
        raise changed(client.url, "hub key", expected=pin.hub_key, found=found, source="the pairing with it")
    return Handshake(hub_id, found, nonce)


def ask(
    client: Client, seed: bytes, handshake: Handshake, *, role: str, scopes: Sequence[str], facts: JsonObject
) -> JsonObject:
    """Ask to be let in and return the pairing request.

    Raises:
        HubError: The hub's refusal: `not_paired` while the window is closed, `conflict` when there is nothing to ask.
    """
    signed = _signed("pair", seed, handshake, role, scopes)
    return client.invoke("devices.ask", {**signed, "facts": facts})


def sign_in(client: Client, seed: bytes, handshake: Handshake, *, role: str) -> JsonObject:
    """Prove this machine's key and return a session with all that the machine has in this role.

    Raises:
        HubError: The hub's refusal: `not_paired`, `device_revoked`.
    """
    return client.invoke("devices.sign_in", _signed("sign-in", seed, handshake, role, ()))


class Membership:
    """This machine at one hub: the token of its session, asked for by its key when there is none.

    Args:
        environ: Environment variables.
        client: The hub, without a credential.
        pin: What was remembered of it.
    """

    def __init__(self, environ: Mapping[str, str], client: Client, pin: Pin) -> None:
        self._environ = environ
        self._client = client
        self._pin = pin

    def token(self) -> str:
        """Return a token that holds for a while.

        Raises:
            HubError: `hub_changed`, `not_paired`, `device_revoked`, or that the hub does not answer.
        """
        kept = private_json.read(_sessions(self._environ)).get(origin_of(self._client.url))
        if kept is not None and (not kept["expires_at"] or _holds(kept["expires_at"])):
            return kept["token"]
        return self.renew()

    def renew(self) -> str:
        """Sign in and return the new token.

        Raises:
            HubError: As `token`; `unauthorized` for a machine that was let in without a key.
        """
        if not self._pin.device_id:
            raise HubError(
                "unauthorized",
                f"the token for {self._client.url} ended, and it was given without a key",
                hint=f"Pair again: instar pair {self._client.url}",
            )
        seed = own_seed(self._environ)
        session = sign_in(self._client, seed, begin(self._client, seed, self._pin), role=self._pin.role)
        keep_session(self._environ, self._client.url, session["token"], session["expires_at"])
        return session["token"]


def keep_session(environ: Mapping[str, str], url: str, token: str, expires_at: str) -> None:
    """Remember a token for a hub; an empty `expires_at`: until it is refused.

    Raises:
        HubError: `unauthorized` when the file cannot be written.
    """
    path = _sessions(environ)
    kept = {**private_json.read(path), origin_of(url): {"token": token, "expires_at": expires_at}}
    private_json.write(path, kept)


def forget_session(environ: Mapping[str, str], url: str) -> None:
    """Forget the token for a hub.

    Raises:
        HubError: As `keep_session`.
    """
    path = _sessions(environ)
    kept = private_json.read(path)
    if kept.pop(origin_of(url), None) is not None:
        private_json.write(path, kept)


def _signed(purpose: str, seed: bytes, handshake: Handshake, role: str, scopes: Sequence[str]) -> dict[str, Any]:
    message = signatures.device_message(purpose, handshake.hub_id, handshake.nonce, role, scopes)
    return {
        "public_key": signatures.to_base64url(signatures.public_key_of(seed)),
        "nonce": signatures.to_base64url(handshake.nonce),
        "signature": signatures.to_base64url(signatures.sign(seed, message)),
        "role": role,
        "scopes": list(scopes),
    }


def _bytes(said: JsonObject, name: str) -> bytes:
    content = signatures.from_base64(str(said.get(name, "")))
    if content is None:
        raise HubError("bad_gateway", f"the hub's `{name}` is no base64url")
    return content


def _holds(expires_at: str) -> bool:
    try:
        return datetime.fromisoformat(expires_at) - _MARGIN > datetime.now(UTC)
    except ValueError:
        return False


def _sessions(environ: Mapping[str, str]) -> Path:
    return config_dir(environ) / SESSIONS_FILE
