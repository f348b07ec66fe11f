"""Tasks that have a parent: nothing runs detached, and a crash is never silent."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any


class TaskScope:
    """The parent of long-lived background tasks; closing it cancels them and waits for their end.

    A task that ends with an exception is reported to `on_crash(name, error)` at once; the others go on.
    """

    def __init__(self, on_crash: Callable[[str, BaseException], None]) -> None:
        self._on_crash = on_crash
        self._tasks: set[asyncio.Task[Any]] = set()

    def start(self, name: str, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Run `work` as a child of this scope and return its task."""
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._on_crash(task.get_name(), error)

    async def close(self) -> None:
        """Cancel every child and wait until all have ended."""
        children = list(self._tasks)
        for task in children:
            task.cancel()
        await asyncio.gather(*children, return_exceptions=True)
