"""Which of the files that a search finds may be read: the rules of `read_file`, asked of each by every name it has.

A search runs in a process that has the standard library alone, so this imports nothing but globs.
"""

from collections.abc import Sequence

from .globs import matches

FINAL = ("agent", "file")
"""Layers whose deny no later layer lifts."""

Rule = tuple[str, str, str]
"""Layer, glob of paths, action; layers in their order."""


class Reading:
    """The rules as they hold below one folder.

    Args:
        rules: All that are asked, in order. Without any, everything may be read.
        folders: The folder's absolute paths, as it was asked for and without links.
        cwd: Where relative paths start.
    """

    def __init__(self, rules: Sequence[Rule], folders: Sequence[str], cwd: str) -> None:
        layers = dict.fromkeys(layer for layer, _, _ in rules)
        self._layers = [(layer, [rule for rule in reversed(rules) if rule[0] == layer]) for layer in layers]
        self._folders = list(dict.fromkeys(folders))
        self._cwd = cwd.rstrip("/") + "/"

    def admits(self, path: str) -> bool:
        """Whether a file may be read; `path` is from the folder. What no rule fits may be."""
        if not self._layers:
            return True
        meanings = [self._names(f"{folder.rstrip('/')}/{path}") for folder in self._folders]
        said = "allow"
        for layer, rules in self._layers:
            found = next((action for _, glob, action in rules if _fits(glob, action, meanings)), "")
            said = found or said
            if found == "deny" and layer in FINAL:
                break
        return said == "allow"

    def _names(self, path: str) -> tuple[str, ...]:
        below = path.removeprefix(self._cwd)
        return (path,) if below == path else (path, below, f"./{below}")


def _fits(glob: str, action: str, meanings: Sequence[Sequence[str]]) -> bool:
    """Whether a rule fits: an allow must fit each meaning, as in `policy.rules`; a leading `./` fits no allow."""
    if action == "allow":
        return all(any(matches(glob, name) for name in names[:2]) for names in meanings)
    return any(matches(glob, name) for names in meanings for name in names)
