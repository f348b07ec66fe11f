"""What a connection wants to hear: sessions (generation 4), events by name and channels (Moltis)."""

from collections.abc import Mapping
from typing import Any

from instar.base.errors import InstarError
from instar.base.ids import new_id
from instar.doors.gateway.call import Call, Handler
from instar.doors.gateway.conversation import place
from instar.doors.gateway.subscriptions import EVERYTHING, Subscriptions
from instar.wire.gateway.session_keys import SessionKey

from .sessions import list_sessions


def _choices(call: Call) -> Subscriptions:
    """Return the choices of the connection.

    Raises:
        InstarError: `not_available` over HTTP, where nothing can be heard.
    """
    if call.peer is None:
        raise InstarError("not_available", f"{call.method.name} needs a socket: over HTTP nothing can be heard")
    return call.peer.subscriptions


async def hear_sessions(call: Call) -> dict[str, Any]:
    """Hear of changed sessions, and list them as they are."""
    _choices(call).sessions = True
    return {"subscribed": True, "list": await list_sessions(call)}


async def _place(call: Call) -> SessionKey:
    return await place(call, call.params.key, call.params.agent_id)


async def hear_messages(call: Call) -> dict[str, Any]:
    """Hear the messages of one session."""
    choices = _choices(call)
    key = str(await _place(call))
    choices.hear([key])
    return {"subscribed": True, "key": key}


async def leave_messages(call: Call) -> dict[str, Any]:
    """Hear them no more."""
    choices = _choices(call)
    key = str(await _place(call))
    choices.keys -= {key}
    return {"subscribed": False, "key": key}


async def subscribe(call: Call) -> dict[str, Any]:
    """Hear events by name."""
    choices = _choices(call)
    choices.want(call.params.events)
    heard = [EVERYTHING] if choices.events is None else sorted(choices.events)
    return {"subscriptionId": new_id("sub"), "events": heard}


async def unsubscribe(call: Call) -> dict[str, Any]:
    """Hear events no more: those named, or all."""
    choices = _choices(call)
    if call.params.events is None:
        choices.events = frozenset()
    else:
        choices.drop(call.params.events)
    return {"events": [EVERYTHING] if choices.events is None else sorted(choices.events)}


async def join(call: Call) -> dict[str, Any]:
    """Hear what is said in sessions."""
    choices = _choices(call)
    keys = [str(await place(call, name)) for name in call.params.channels]
    choices.join(keys)
    return {"channels": sorted(choices.rooms)}


async def leave(call: Call) -> dict[str, Any]:
    """Hear it no more."""
    choices = _choices(call)
    keys = [str(await place(call, name)) for name in call.params.channels]
    choices.rooms -= frozenset(keys)
    return {"channels": sorted(choices.rooms)}


HANDLERS: Mapping[str, Handler] = {
    "sessions.subscribe": hear_sessions,
    "sessions.messages.subscribe": hear_messages,
    "sessions.messages.unsubscribe": leave_messages,
    "subscribe": subscribe,
    "unsubscribe": unsubscribe,
    "channel.join": join,
    "channel.leave": leave,
}
