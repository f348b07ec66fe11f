"""What the first start declares, as data; the server applies it: what was changed or removed since stays so."""

from instar.wire.agents import Wake
from instar.wire.rooms import ApplyAgent, ApplyRoom

from .echo import NAME

GUIDE = ApplyAgent(id="guide", name="Guide", wake=Wake.ALL, runtime=NAME)
"""Wakes on every message of its rooms; which of them it answers is a rule of its own (`rules.heeds`)."""

GENERAL = ApplyRoom(id="general", name="General", members=[GUIDE.id, "operator"])
"""The room to begin in, with the local operator."""

AGENTS = (GUIDE,)
ROOMS = (GENERAL,)
