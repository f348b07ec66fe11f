"""Nodes: devices with that role, their requests, and the window in which unknown ones may ask."""

from types import MappingProxyType
from typing import Annotated

from msgspec import Meta

from instar.wire.gateway.method import Generation, Method, NoParams
from instar.wire.gateway.scopes import PAIRING, READ
from instar.wire.identity import Id

from .devices import MOLTIS, MoltisRequestParams, RequestParams
from .params import Params


class NodeParams(Params):
    """One node."""

    node_id: Id


class RenameNodeParams(Params):
    """Call a node something else."""

    node_id: Id
    display_name: Annotated[str, Meta(min_length=1, max_length=128)]


_REQUEST_BY = MappingProxyType({Generation.MOLTIS: MoltisRequestParams})

METHODS = (
    Method("node.list", NoParams, "List nodes, connected ones first", READ),
    Method("node.describe", NodeParams, "Show one node", READ),
    Method("node.rename", RenameNodeParams, "Call a node something else", PAIRING),
    Method("node.pair.list", NoParams, "List nodes and the requests that wait", PAIRING),
    Method("node.pair.approve", RequestParams, "Let a node in", PAIRING, params_by=_REQUEST_BY),
    Method("node.pair.reject", RequestParams, "Turn a node away", PAIRING, params_by=_REQUEST_BY),
    Method("node.pair.remove", NodeParams, "Forget a node", PAIRING, generations=frozenset({Generation.V4})),
    Method("node.pairing.enable", NoParams, "Let unknown devices ask for a while", PAIRING, generations=MOLTIS),
    Method("node.pairing.disable", NoParams, "Let unknown devices ask no more", PAIRING, generations=MOLTIS),
    Method("node.pairing.status", NoParams, "Say whether unknown devices may ask", PAIRING, generations=MOLTIS),
)
