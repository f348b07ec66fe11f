"""What a node may be asked: what its permit lets through and what it offers. Pairing alone lets nothing through."""

from instar.policy.globs import matches
from instar.wire.gateway.commands import DANGEROUS
from instar.wire.nodes import Permit

from .roster import KnownNode


def refusal(node: KnownNode, tool: str, agent_id: str) -> str:
    """Return why a tool may not be asked of a node on behalf of an agent (empty: a person); empty when it may."""
    permit = node.permit
    if not _lists(permit, tool):
        return f"{node.name} may not be asked for {tool}: its permit does not list it"
    if tool not in node.declaration.commands:
        return f"{node.name} does not offer {tool}"
    if agent_id and permit.agents is not None and agent_id not in permit.agents:
        return f"{node.name} may not be asked on behalf of {agent_id}"
    return ""


def commands(node: KnownNode) -> list[str]:
    """Return what a node offers and may be asked."""
    permit = node.permit
    return [name for name in node.declaration.commands if _lists(permit, name)]


def _lists(permit: Permit, tool: str) -> bool:
    """Return whether a permit lets a tool through; what reaches into somebody's privacy it must name, no glob does."""
    return tool in permit.commands or (
        tool not in DANGEROUS and any(matches(glob, tool) for glob in permit.commands)
    )  # fmt: skip
