"""Names of tools that somebody permits: one that stands for no tool is a slip, and would permit nothing in silence."""

from collections.abc import Collection, Iterable
from difflib import get_close_matches

from instar.base.errors import InstarError
from instar.wire.tools import TOOLS

from .globs import matches


def check_named(globs: Iterable[str], also: Collection[str] = (), *, has_others: bool = False) -> None:
    """Refuse globs that no tool fits.

    Args:
        globs: What was named.
        also: Names that are known besides the tools of `wire.tools`.
        has_others: Whether there may be commands of another dialect that nobody has declared yet: those have a dot.

    Raises:
        InstarError: `unprocessable_entity`; the hint has the names that are near, and all.
    """
    known = sorted({*TOOLS, *also})
    unknown = [
        glob
        for glob in dict.fromkeys(globs)
        if not (has_others and "." in glob) and not any(matches(glob, name) for name in known)
    ]
    if not unknown:
        return
    near = dict.fromkeys(name for glob in unknown for name in get_close_matches(glob.lower().strip("*?"), known))
    meant = f"Did you mean {' or '.join(near)}? " if near else ""
    raise InstarError(
        "unprocessable_entity",
        f"there is no tool {', '.join(map(repr, unknown))}",
        hint=f"{meant}There are: {', '.join(known)}; `*` is all of them.",
        detail={"unknown": unknown, "near": list(near)},
    )
