"""What a dialect's node offers, as the hub is told it."""

import re

from instar.wire.execution import Declaration
from instar.wire.gateway.commands import offered, tools_of
from instar.wire.gateway.connect import Introduction
from instar.wire.gateway.method import Generation

from . import openclaw

_WORD = re.compile(r"[^a-z0-9._-]+")


def declaration_of(who: Introduction) -> Declaration:
    """Return what a node offers: what it declared, as far as its platform can have it, under the hub's names."""
    commands = offered(who.commands, who.platform, who.family)
    details = {
        "device_family": who.family,
        "model_identifier": who.model,
        "client_id": who.id,
        "declared_commands": list(who.commands),
    }
    system = _WORD.sub("-", who.platform.lower()).strip("-.")[:63]
    return Declaration(
        name=who.display_name,
        platform=who.platform,
        version=who.version,
        commands=tools_of(commands),
        capabilities=list(who.caps),
        labels={"os": system} if system else {},
        concurrency=1 if who.generation is Generation.MOLTIS else openclaw.CALLS_MAX,
        path_env=who.path_env,
        permissions=who.permissions,
        details={name: value for name, value in details.items() if value},
    )
