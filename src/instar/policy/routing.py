"""Where a call goes: a pure function over the choices that were made and the targets there are."""

from typing import NamedTuple


class TargetFacts(NamedTuple):
    """What routing knows of a target."""

    id: str
    name: str
    kind: str
    """`local`, `node` or `ssh`."""
    labels: dict[str, str]
    is_connected: bool
    aliases: tuple[str, ...] = ()
    """Other names that it answers to."""
    is_default: bool = False
    """The default SSH target, which the choice `ssh` means."""
    load: float = 0.0
    """Calls under way; of several that fit, the least loaded is chosen."""
