"""Handler of `hub.logs`."""

import asyncio
from pathlib import Path

from instar.base.errors import InstarError
from instar.hub.act import Act, Bindings, bind
from instar.wire.audit import LOGS, LogQuery, LogTail

from .log_file import path_in, read_tail


class LogHandlers:
    """Reads the hub's own log.

    Args:
        data_dir: Where it is.
        is_kept: Whether there is one (`log.file`).
    """

    def __init__(self, data_dir: Path, *, is_kept: bool) -> None:
        self._path = path_in(data_dir)
        self._is_kept = is_kept

    def bindings(self) -> Bindings:
        """Return the operation of logs."""
        return (bind(LOGS, self.read),)

    async def read(self, act: Act[LogQuery, None]) -> LogTail:
        """Return the end of the log, or what follows a cursor; see `read_tail`.

        Raises:
            InstarError: `not_available` where no log is kept.
        """
        if not self._is_kept:
            raise InstarError("not_available", "this hub keeps no log", hint="Set `log.file: true` and start it again.")
        query = act.params
        try:
            tail = await asyncio.to_thread(
                read_tail, self._path, query.cursor, limit=query.limit, max_bytes=query.max_bytes
            )
        except OSError as error:
            raise InstarError("internal_error", f"{self._path} cannot be read ({error.strerror})") from error
        return LogTail(str(self._path), tail.cursor, tail.size, tail.lines, tail.truncated, tail.reset)
