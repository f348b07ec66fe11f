"""Settings as the command line changes them: through the hub that runs, or in the file on the hub's own machine."""

import getpass
import json
import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any

from instar.client.access import read_secret
from instar.client.errors import HubError
from instar.client.http import JsonObject

from .outputs import Answer
from .session import Session
from .texts import nearest

if TYPE_CHECKING:
    from instar.hub.settings.changing import Changing

_STDIN = "-"
_LOCK = "lock"
"""In the data directory: who holds it."""


def running(session: Session) -> JsonObject | None:
    """Return `settings.list` of the hub that runs; None: none does.

    Raises:
        HubError: What else the hub, or the way to it, says.
    """
    try:
        return session.invoke("settings.list")
    except HubError as error:
        if error.code != "unreachable":
            raise
        return None


def key_of(name: str) -> str:
    """Return the key that a name on the command line stands for.

    Raises:
        HubError: `bad_request` for a name that is no setting, with a near one.
    """
    from instar.hub.settings.keys import ALIASES, KEYS  # noqa: PLC0415 - for settings alone

    key = ALIASES.get(name, name)
    if key in KEYS:
        return key
    near = nearest(name, KEYS)
    hint = f"Did you mean {' or '.join(near)}?" if near else "See every setting with `instar config show`."
    raise HubError("bad_request", f"`{name}` is no setting", hint=hint)


def value_of(key: str, words: tuple[str, ...]) -> Any:  # noqa: ANN401 - the value of any setting
    """Return the value that words on the command line stand for.

    Raises:
        HubError: `usage` for too many or too few, and for a secret: other processes can read a command line.
        InstarError: `bad_request` for what does not fit.
    """
    from instar.hub.settings.keys import SECRETS, default_of  # noqa: PLC0415 - for settings alone
    from instar.hub.settings.sources import fit  # noqa: PLC0415

    if key in SECRETS:
        hint = f"Run `instar config set {key}` and type it, or pass it with --from-file."
        raise HubError("usage", f"`{key}` is a secret, and any process can read a command line", hint=hint)
    if isinstance(default_of(key), list) and words:
        return fit(key, [word for word in words if word], "words")
    if len(words) != 1:
        raise HubError("usage", f"`{key}` takes one value", hint=f"Example: instar config set {key} VALUE")
    return fit(key, words[0], "words")


def secret(session: Session, key: str, from_file: str) -> str:
    """Return a secret from a private file (`-`: standard input), or as somebody types it unseen.

    Raises:
        HubError: `unauthorized` for a file that others can read; `usage` where nobody can be asked.
    """
    if from_file and from_file != _STDIN:
        return read_secret(Path(from_file))
    return session.secret(f"New {key}", is_new=True)


def change(session: Session, changes: dict[str, Any], comment: str) -> Answer:
    """Change keys: through the hub if it may, in the file otherwise.

    Raises:
        HubError, InstarError: As `settings.change`; `host_only` when the file is not the caller's own.
    """
    from instar.hub.settings.file import read  # noqa: PLC0415 - as above
    from instar.hub.settings.keys import reload_of  # noqa: PLC0415
    from instar.wire.settings import Reload  # noqa: PLC0415

    listing = running(session)
    if listing is not None and Reload.HOST not in map(reload_of, changes):
        params = {"changes": changes, "base_hash": listing["hash"], "comment": comment}
        return said(session.client.invoke("settings.change", params), is_running=True)
    changing = in_file(session, listing)
    done = changing.change(changes, read(changing.path).hash, by=_name(), comment=comment)
    return said(_told(done.answer(changing.path, is_running=False), listing), is_running=listing is not None)


def rollback(session: Session, version: int) -> Answer:
    """Go back to a version: through the hub if it may, in the file otherwise.

    Raises:
        HubError, InstarError: As `settings.rollback`; `host_only` when the file is not the caller's own.
    """
    from instar.hub.settings.file import read  # noqa: PLC0415 - as above

    listing = running(session)
    if listing is not None:
        try:
            params = {"version": version, "base_hash": listing["hash"]}
            return said(session.client.invoke("settings.rollback", params), is_running=True)
        except HubError as error:
            if error.code != "host_only":
                raise
    changing = in_file(session, listing)
    done = changing.rollback(version, read(changing.path).hash, by=_name())
    return said(_told(done.answer(changing.path, is_running=False), listing), is_running=listing is not None)


def in_file(session: Session, listing: JsonObject | None) -> "Changing":
    """Return who changes the file itself: that of the hub that runs, or what `instar start` would read here.

    Raises:
        HubError: `host_only` when the hub runs on another machine, or the file is somebody else's.
    """
    from instar.hub.settings.changing import Changing  # noqa: PLC0415 - as above
    from instar.hub.settings.file import read  # noqa: PLC0415
    from instar.hub.settings.load import assemble, load  # noqa: PLC0415
    from instar.hub.settings.sources import Sources  # noqa: PLC0415

    if listing is None:
        loaded = load({}, session.environ)
    else:
        status = session.invoke("hub.status")
        if not _runs_here(status):
            raise HubError("host_only", f"the hub at {session.access.url} runs on another machine, or is not yours")
        path = Path(listing["path"])
        sources = Sources({}, {**session.environ, "INSTAR_DATA_DIR": status["data_dir"]})
        loaded = assemble(sources, read(path).text, path)
    own = next((place for place in (loaded.path, loaded.path.parent) if place.exists()), None)
    if own is not None and own.stat().st_uid != os.geteuid():
        raise HubError("host_only", f"{own} belongs to somebody else")
    return Changing(loaded, is_host=True)


def _runs_here(status: JsonObject) -> bool:
    """Whether the hub with these vital signs holds its data directory on this machine, where we may read it."""
    try:
        holder = json.loads((Path(status["data_dir"]) / _LOCK).read_text())
    except (OSError, ValueError):
        return False
    return (holder.get("pid"), holder.get("host")) == (status["pid"], socket.gethostname())


def _name() -> str:
    """Return who writes the file: a user of this machine, whom the hub does not know."""
    return f"os:{getpass.getuser()}"


def _told(answer: Any, listing: JsonObject | None) -> JsonObject:  # noqa: ANN401 - a struct of the wire
    """Return the answer as JSON has it; the hub that runs knows best what overrules the file."""
    import msgspec  # noqa: PLC0415 - as above

    found: JsonObject = msgspec.to_builtins(answer)
    if listing is not None:
        overruled = {row["key"] for row in listing["settings"] if row["origin"] in ("env", "flag")}
        rest = [*found["needs_restart"], *found["shadowed"]]
        found["shadowed"] = [key for key in rest if key in overruled]
        found["needs_restart"] = [key for key in rest if key not in overruled]
    return found


def said(answer: JsonObject, *, is_running: bool) -> Answer:
    """Return what a change came to, as people read it."""
    if not answer["version"]:
        return Answer(answer, ["Nothing changed."])
    when = "Holds when the hub is started again" if is_running else "Holds when the hub is started"
    parts = (
        ("Holds now", "applied"),
        (when, "needs_restart"),
        ("Written, but overruled by environment or flag", "shadowed"),
    )
    lines = [f"{words}: {', '.join(answer[name])}" for words, name in parts if answer[name]]
    return Answer(answer, [*lines, f"Version {answer['version']} of {answer['path']}"])
