"""What the first start declares, as data; the server carries it out once, and again only where something is missing."""

from dataclasses import dataclass

from instar.wire.agents import Wake
from instar.wire.rooms import Visibility, WritePolicy

from .echo import NAME


@dataclass(frozen=True, slots=True)
class DeclaredAgent:
    """An agent that the hub itself hosts."""

    id: str
    name: str
    runtime: str
    wake: Wake


@dataclass(frozen=True, slots=True)
class DeclaredRoom:
    """A room to begin in."""

    id: str
    name: str
    members: tuple[str, ...]
    visibility: Visibility
    write_policy: WritePolicy


GUIDE = DeclaredAgent(id="guide", name="Guide", runtime=NAME, wake=Wake.ALL)
"""Wakes on every message of its rooms; which of them it answers is a rule of its own (`rules.heeds`)."""

GENERAL = DeclaredRoom(
    id="general",
    name="General",
    members=("guide", "operator"),
    visibility=Visibility.PRIVATE,
    write_policy=WritePolicy.MEMBERS,
)

AGENTS = (GUIDE,)
ROOMS = (GENERAL,)
