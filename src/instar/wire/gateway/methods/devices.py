"""Devices: who asks to be let in, who was, and their tokens."""

from types import MappingProxyType
from typing import Annotated

from msgspec import Meta

from instar.wire.gateway.method import Generation, Method, NoParams
from instar.wire.gateway.scopes import PAIRING
from instar.wire.identity import Id

from .params import Params

V4 = frozenset({Generation.V4})
MODERN = frozenset({Generation.V4, Generation.MOLTIS})
MOLTIS = frozenset({Generation.MOLTIS})

Words = Annotated[list[Annotated[str, Meta(min_length=1, max_length=64)]], Meta(max_length=16)]


class RequestParams(Params):
    """One pairing request."""

    request_id: Id


class MoltisRequestParams(Params):
    """One pairing request, as Moltis names it."""

    id: Id


class DeviceParams(Params):
    """One device."""

    device_id: Id


class RenameDeviceParams(Params):
    """Call a device something else."""

    device_id: Id
    label: Annotated[str, Meta(min_length=1, max_length=64)]


class RotateTokenParams(Params):
    """Replace the token of one role; `scopes` can only narrow."""

    device_id: Id
    role: str
    scopes: Words | None = None


class RevokeTokenParams(Params):
    """End one role of a device."""

    device_id: Id
    role: str


class CreateTokenParams(Params):
    """Make a device without a key, and its token."""

    display_name: Annotated[str, Meta(max_length=128)] = ""
    platform: Annotated[str, Meta(max_length=128)] = "remote"


_REQUEST_BY = MappingProxyType({Generation.MOLTIS: MoltisRequestParams})
_DEVICE_BY = MappingProxyType({Generation.MOLTIS: DeviceParams})

METHODS = (
    Method("device.pair.list", NoParams, "List devices and the requests that wait", PAIRING),
    Method("device.pair.approve", RequestParams, "Let a device in", PAIRING, params_by=_REQUEST_BY),
    Method("device.pair.reject", RequestParams, "Turn a device away", PAIRING, params_by=_REQUEST_BY),
    Method("device.pair.remove", DeviceParams, "Forget a device", PAIRING, generations=V4),
    Method("device.pair.rename", RenameDeviceParams, "Call a device something else", PAIRING, generations=V4),
    Method("device.token.rotate", RotateTokenParams, "Replace a device's token", PAIRING, params_by=_DEVICE_BY),
    Method("device.token.revoke", RevokeTokenParams, "End a device's token", PAIRING, params_by=_DEVICE_BY),
    Method("device.token.create", CreateTokenParams, "Make a token for a device", PAIRING, generations=MOLTIS),
)
