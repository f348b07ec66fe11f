"""The one `authenticate`: a credential becomes a caller here and nowhere else."""

import hashlib
from collections.abc import Callable

from instar.base.clock import Micros, now
from instar.base.errors import InstarError
from instar.wire.devices import Device, PairingReason, Role
from instar.wire.identity import Scope
from instar.wire.limits import TOKEN_MAX_CHARS

from .attenuation import confine
from .credentials import Credential, Signed
from .devices import refusals
from .devices.asking import Asker, lack
from .devices.devices import Devices
from .keyring import Holding, Keyring
from .lockout import Lockout
from .people.roster import Roster
from .policy import AuthPolicy
from .principals import Caller, Grant
from .roots import anonymous_anywhere, anonymous_here, shared_root
from .shared_secret import SharedSecret
from .tokens import DEVICE_PREFIX

KEY_ALONE = frozenset({"moltis"})
"""Dialects whose devices present their key and nothing else, so that no shared secret can be asked of them."""


class Authenticator:
    """Looks tokens up by their hash, so that no comparison takes longer the nearer a guess comes.

    Args:
        keyring: The grants that hold.
        policy: What is granted without a credential, and the shared secret.
        lockout: Who guessed too often.
        devices: The devices and what they sign.
        roster: Whose login is which grant's.
        used: When each grant was last presented, noted here until `Identity.flush` has written it down.
        clock: Wall-clock time, for tests.
    """

    def __init__(
        self,
        keyring: Keyring,
        policy: AuthPolicy,
        lockout: Lockout,
        devices: Devices,
        roster: Roster,
        used: dict[str, Micros],
        clock: Callable[[], Micros] = now,
    ) -> None:
        self._keyring = keyring
        self._policy = policy
        self._lockout = lockout
        self._devices = devices
        self._roster = roster
        self._clock = clock
        self._secret = SharedSecret(policy)
        self._here = Caller(anonymous_here(), is_local=True)
        self._here_direct = Caller(anonymous_here(), is_local=True, is_direct=True)
        self._anywhere = Caller(anonymous_anywhere())
        self._entering_here = Caller(anonymous_anywhere(), is_local=True, is_direct=True)
        self._used = used

    def authenticate(self, credential: Credential) -> Caller:
        """Return who presents this credential.

        A signature is verified before anything else is looked at, and a wrong secret is refused whatever else came
        with it: nothing that is wrong is ever taken for nothing. Only this machine's own requests are exempt from the
        lock, a browser's never.

        Raises:
            InstarError: `unauthorized` when the credential is wrong, or missing where one is needed; `not_paired` when
                the device has to be let in first; `device_revoked`; `key_mismatch`; `rate_limited` when the address is
                locked. Its detail names the cause.
        """
        device_id = self._proven(credential)
        holding = self._presented(credential)
        if holding is not None:
            return self._holder(credential, holding, device_id)
        if credential.vouched_for and not (credential.token or credential.password):
            return self._vouched_for(credential)
        if not credential.role:
            return self._unnamed(credential)
        if not (credential.token or credential.password):
            self._refuse_without_secret(credential, device_id)
        if credential.signed is not None:
            return self._paired(credential, credential.signed, device_id)
        return self._deviceless(credential)

    def visitor(self, credential: Credential) -> Caller:
        """Return the caller of an operation that needs no credential: without any right, but where from.

        Raises:
            InstarError: As `authenticate` does, for a token that came along nevertheless.
        """
        if credential.token:
            return self.authenticate(credential)
        return self._entering_here if credential.is_direct else self._anywhere

    def asker(self, credential: Credential) -> Asker:
        """Return what a device that asks to be let in presented besides its key.

        Raises:
            InstarError: As `authenticate` does, for a wrong signature, token or secret, or none where one is needed.
        """
        device_id = self._proven(credential)
        holding = self._presented(credential)
        has_secret = holding is None and bool(credential.token or credential.password)
        if holding is None and not has_secret:
            self._refuse_without_secret(credential, device_id)
        return Asker(holding.grant if holding else None, has_secret, credential.is_direct)

    # What was presented

    def _proven(self, credential: Credential) -> str:
        """Return the id of the device that signed; empty when nothing is signed."""
        if credential.signed is None:
            return ""
        if not credential.is_direct:
            self._lockout.refuse(credential.peer)
        return self._devices.proofs.verify(credential.signed)

    def _presented(self, credential: Credential) -> Holding | None:
        """Return what the token stands for; None when nothing was presented, or the right shared secret."""
        token, password = credential.token, credential.password
        if not (token or password):
            return None
        if not credential.is_direct:
            self._lockout.refuse(credential.peer)
        holding = self._holding(token) if token else None
        takes_secret = bool(credential.role)
        if token and holding is None and not (takes_secret and self._secret.is_right(token)):
            raise self._wrong(credential, "device_token" if token.startswith(f"{DEVICE_PREFIX}_") else "token")
        if password and not (takes_secret and self._secret.is_right(password)):
            raise self._wrong(credential, "password")
        return holding

    def _holding(self, token: str) -> Holding | None:
        seen = token[: TOKEN_MAX_CHARS + 1].encode("utf-8", "surrogatepass")
        holding = self._keyring.by_token.get(hashlib.sha256(seen).hexdigest())
        return None if holding is None or holding.grant.has_ended(self._clock()) else holding

    def _wrong(self, credential: Credential, kind: str) -> InstarError:
        """Count a wrong credential and return its refusal."""
        if not credential.is_direct:
            self._lockout.failed(credential.peer)
        message = "the credential is wrong, was revoked or has expired"
        return InstarError("unauthorized", message, detail={"cause": f"{kind}_mismatch"})

    def _refuse_without_secret(self, credential: Credential, device_id: str) -> None:
        """Let a connection pass that presents no secret because it needs none."""
        if not self._secret.is_set:
            return
        known = self._devices.registry.get(device_id)
        is_own_kind = known is None or known.dialect == credential.dialect
        if credential.dialect in KEY_ALONE and credential.role == Role.NODE and device_id and is_own_kind:
            return
        raise InstarError(
            "unauthorized",
            f"the connection presents no shared {self._secret.kind}, and this hub asks for one",
            hint=f"Set the client's gateway {self._secret.kind} to the hub's `auth.{self._secret.kind}`.",
            detail={"cause": f"{self._secret.kind}_missing"},
        )

    # Who that is

    def _holder(self, credential: Credential, holding: Holding, device_id: str) -> Caller:
        """Return who holds a token. That of a device with a key is worthless without the key."""
        grant = holding.grant
        if grant.kind == "device" and self._is_bound(credential, grant, device_id) and credential.signed is not None:
            return self._paired(credential, credential.signed, device_id)
        self._used[grant.id] = self._clock()
        if not credential.role and credential.scopes is None:
            return holding.caller(credential)
        return self._confined(credential, grant)

    def _vouched_for(self, credential: Credential) -> Caller:
        """Return the person whom somebody trusted names; the rights are the person's own."""
        grant = self._keyring.get(self._roster.grant_of(credential.vouched_for))
        if grant is None or grant.has_ended(self._clock()):
            raise InstarError(
                "unauthorized",
                f"nobody here is called {credential.vouched_for!r}, or that person is disabled",
                hint=f"Add the person with `instar users add {credential.vouched_for}`.",
                detail={"cause": "not_vouched_for"},
            )
        self._used[grant.id] = self._clock()
        return self._confined(credential, grant)

    def _is_bound(self, credential: Credential, grant: Grant, device_id: str) -> bool:
        """Return whether the device of this grant has a key, which then came with the token."""
        device, role = self._devices.registry.holder(grant.id) or (None, None)
        is_its_own = device is not None and device_id == device.id and bool(credential.role)
        is_keyless = device is not None and not device.public_key
        if not (is_its_own or is_keyless) or credential.role not in ("", role):
            raise InstarError(
                "unauthorized",
                "the token belongs to another device or another role",
                hint="Connect from the device that was given it; a copied token is worth nothing.",
                detail={"cause": "device_token_mismatch"},
            )
        return not is_keyless

    def _paired(self, credential: Credential, signed: Signed, device_id: str) -> Caller:
        """Return the device that proved its key, as far as it was let in."""
        devices, key = self._devices, signed.public_key
        device, role = devices.registry.get(device_id), Role(credential.role)
        if device is not None and device.revoked_at:
            raise refusals.revoked(device)
        devices.pins.check(credential.alias, key, credential.peer)
        decided = self._decided(device, role, credential.scopes)
        reason = lack(devices.registry, device, role, decided, credential.facts)
        grant = devices.registry.grant(device, role) if device is not None else None
        if reason is not None or grant is None:
            raise refusals.not_paired(reason or PairingReason.ROLE, key, device)
        self._used[grant.id] = self._clock()
        return self._confined(credential, grant)

    def _decided(self, device: Device | None, role: Role, scopes: frozenset[Scope] | None) -> frozenset[Scope]:
        """Return the scopes that a connection asks for, without those that an approver withheld."""
        grants = device.grants if device is not None else []
        withheld = {scope for grant in grants if grant.role is role for scope in grant.withheld}
        return (scopes or frozenset()) - withheld

    def _deviceless(self, credential: Credential) -> Caller:
        """Return who comes in a device's dialect without a device: on this machine alone, with the shared secret."""
        if credential.role == Role.NODE:
            raise refusals.device_required()
        if credential.token or credential.password:
            if credential.is_direct:
                return self._confined(credential, shared_root())
        elif self._policy.mode == "none" and credential.is_local:
            return self._confined(credential, anonymous_here())
        raise refusals.device_required()

    def _confined(self, credential: Credential, grant: Grant) -> Caller:
        """Return the caller with what the connection asked for; a node has the scope of one alone, and no other device.

        Who operates by a key may hold that scope, too: it does nothing by it but pass it on, to a node that it lets in.

        Raises:
            InstarError: `forbidden` for a node whose grant is no node's: it would be listed as one that was let in.
        """
        scopes = grant.scopes if credential.scopes is None else credential.scopes | credential.also
        if credential.role == Role.NODE:
            if Scope.NODE not in grant.scopes:
                raise InstarError("forbidden", "needs scope node", detail={"missing": "scope node"})
            scopes &= {Scope.NODE}
        elif credential.role and grant.kind == "device":
            scopes -= {Scope.NODE}
        return Caller(confine(grant, scopes), credential.is_local, credential.is_direct)

    def _unnamed(self, credential: Credential) -> Caller:
        """Return who presents nothing."""
        if self._policy.mode == "none" and credential.is_local:
            return self._here_direct if credential.is_direct else self._here
        if self._policy.admits_anonymous:
            return self._anywhere
        raise InstarError("unauthorized", "the request carries no credential")


__all__ = ["Authenticator", "Credential", "Signed"]
