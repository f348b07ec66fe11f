"""How a client gets in: authenticated, or, where its device has to be let in first, asked for and approved at once."""

from typing import NamedTuple

from instar.base.errors import InstarError
from instar.hub.operations.hub import Caller, Credential, Hub
from instar.wire.devices import PairingRequest, PairingState, Role
from instar.wire.gateway.connect import Introduction
from instar.wire.gateway.method import Generation
from instar.wire.gateway.refusals import PAIRING_CAUSES, Refusal, pairing_required, refusal_of
from instar.wire.signatures import device_id

from .admission import Arrived, ask_of


class Held(NamedTuple):
    """A Moltis node that waits for an operator."""

    request: PairingRequest


async def enter(hub: Hub, who: Introduction, credential: Credential, came: Arrived) -> Caller | Held | Refusal:
    """Return who the client is, or why it is not let in.

    An unknown device asks to be let in by connecting. A Moltis node may wait for the decision; the others come again.
    """
    try:
        try:
            return hub.authenticate(credential)
        except InstarError as error:
            cause = str(error.detail.get("cause", ""))
            if error.code != "not_paired" or cause not in PAIRING_CAUSES:
                raise
        request = await hub.request_pairing(credential, ask_of(who, came))
        if request.state is PairingState.APPROVED:
            return hub.authenticate(credential)
    except InstarError as error:
        return refusal_of(error, who, is_local=came.is_local)
    if who.generation is Generation.MOLTIS and request.role is Role.NODE:
        return Held(request)
    return pairing_required(who, request.device_id, cause, request)


def device_of(credential: Credential) -> str:
    """Return the id of the device that a credential proves; empty without one."""
    return device_id(credential.signed.public_key) if credential.signed is not None else ""
