"""What a Moltis client wants to hear."""

from typing import Annotated

from msgspec import Meta

from instar.wire.gateway.method import Generation, Method

from .params import Params, Text

FAMILIES_MAX = 64
MOLTIS = frozenset({Generation.MOLTIS})

Families = Annotated[list[Text], Meta(min_length=1, max_length=FAMILIES_MAX)]


class SubscribeParams(Params):
    """Events by name; `*` is all."""

    events: Families


class UnsubscribeParams(Params):
    """Events to hear no more; without any, all of them."""

    events: Families | None = None
    subscription_id: Text | None = None


class ChannelParams(Params):
    """Channels to join or to leave: session keys."""

    channels: Families


METHODS = (
    Method("subscribe", SubscribeParams, "Hear events by name", "", generations=MOLTIS),
    Method("unsubscribe", UnsubscribeParams, "Hear events no more", "", generations=MOLTIS),
    Method("channel.join", ChannelParams, "Hear what is said in sessions", "", generations=MOLTIS),
    Method("channel.leave", ChannelParams, "Hear it no more", "", generations=MOLTIS),
)
