"""Commands of the dialects' nodes: which a platform may offer, which need a permit by name, which tools they are.

`system.run` and `system.which` are the hub's own tools under another name, so that one rule holds for both; every other
command keeps its name.
"""

from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from types import MappingProxyType

RUN = "system.run"
PREPARE = "system.run.prepare"
WHICH = "system.which"
PROVIDERS = "system.providers"
GET_POLICY = "system.execApprovals.get"
SET_POLICY = "system.execApprovals.set"
LIST_FOLDER = "fs.listDir"
BROWSE = "browser.proxy"

TOOLS: Mapping[str, tuple[str, ...]] = MappingProxyType({RUN: ("exec", "shell"), WHICH: ("which",)})
"""Command → the hub's tools that it serves."""
INNER = frozenset({PREPARE, PROVIDERS})
"""Commands that the hub asks for by itself, to say what a call would do or what a node reaches; they run nothing."""

DANGEROUS = frozenset(
    {
        "camera.snap", "camera.clip", "camera.ptz.control", "desktop.stream", "screen.record", "contacts.add",
        "calendar.add", "reminders.add", "health.summary", "sms.send", "sms.search",
    }
)  # fmt: skip
"""Commands that reach into somebody's privacy: a permit names each of them, no `*` covers it."""

_CANVAS = ("canvas.*",)
_SENSES = ("camera.*", "screen.*", "location.get")
_PERSONAL = (
    "device.*", "contacts.*", "calendar.*", "reminders.*", "photos.latest", "motion.*", "health.summary",
    "system.notify", "talk.ptt.*",
)  # fmt: skip
_ANDROID = ("sms.*", "notifications.*", "callLog.search", "mobile.ui.*")
_HOST = (
    "system.*", "browser.proxy", "browser.proxy.upload.v1", "fs.listDir", "file.*", "dir.*", "mcp.tools.call.v1",
    "ollama.*", "terminal.upload", "workspace.*", "desktop.stream", "computer.act", "screen.snapshot", "talk.ptt.*",
)  # fmt: skip
_MAC = (*_CANVAS, *_SENSES, *_PERSONAL, *_HOST)
_PLATFORMS: Sequence[tuple[str, Sequence[str]]] = (
    ("ios", (*_CANVAS, *_SENSES, *_PERSONAL)),
    ("ipados", (*_CANVAS, *_SENSES, *_PERSONAL)),
    ("watchos", ("device.*", "system.notify")),
    ("android", (*_CANVAS, *_SENSES, *_PERSONAL, *_ANDROID)),
    ("macos", _MAC),
    ("darwin", _MAC),
    ("linux", (*_HOST, "system.notify")),
    ("windows", (*_HOST, "camera.list", "location.get", "device.*")),
    ("win32", (*_HOST, "camera.list", "location.get", "device.*")),
)
"""Beginning of the platform (or of the device's family) → globs of what it may offer; an unknown one may offer all."""


def offered(declared: Iterable[str], platform: str, family: str = "") -> list[str]:
    """Return what a node offers of what it declared, in its order: what its platform can have, each once."""
    globs = _globs_of(platform) or _globs_of(family)
    names = list(dict.fromkeys(declared))
    return names if globs is None else [name for name in names if any(fnmatchcase(name, glob) for glob in globs)]


def _globs_of(platform: str) -> Sequence[str] | None:
    named = platform.strip().lower()
    return next((globs for beginning, globs in _PLATFORMS if named.startswith(beginning)), None)


def tools_of(commands: Iterable[str]) -> list[str]:
    """Return the names under which the hub may ask a node of a dialect for these commands."""
    names = (name for command in commands if command not in INNER for name in TOOLS.get(command, (command,)))
    return list(dict.fromkeys(names))


_COMMANDS = MappingProxyType({tool: command for command, tools in TOOLS.items() for tool in tools})


def commands_of(tools: Iterable[str]) -> list[str]:
    """Return the dialect's names of what a node may be asked; the hub's own tools that it has no word for stay."""
    return list(dict.fromkeys(_COMMANDS.get(tool, tool) for tool in tools))


def in_dialect(tool: str) -> str:
    """Return the dialect's name of a tool."""
    return _COMMANDS.get(tool, tool)
