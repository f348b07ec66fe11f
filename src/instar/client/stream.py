"""Long answers: the live feed over SSE with resume, and NDJSON line by line."""

import json
import time
from collections.abc import Callable, Iterator

from instar.base.backoff import full_jitter
from instar.wire.limits import SSE_KEEPALIVE_S

from .errors import HubError, UnreachableError, error_of
from .http import Answer, Client, JsonObject
from .sse import Parser

STREAM_PATH = "/v1/events/stream"
RECONNECT_BASE_S = 0.25
RECONNECT_MAX_S = 15.0
SILENCE_MAX_S = 3 * SSE_KEEPALIVE_S
"""A stream that says nothing for this long, not even keep-alive, is taken for dead."""


def follow(
    client: Client,
    *,
    cursor: str = "",
    on_break: Callable[[HubError], None] | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[JsonObject]:
    """Yield the caller's events for ever, each once and in order, across restarts of the hub.

    Args:
        client: Whom to ask.
        cursor: Event id or `seq` after which to begin; empty begins now.
        on_break: Told of each break that is about to be mended.
        sleep: How to wait between attempts.

    Raises:
        HubError: An answer that no retry mends (no credential, no right), and an unreachable hub at the first attempt.
    """
    delays = full_jitter(RECONNECT_BASE_S, RECONNECT_MAX_S)
    parser = Parser(cursor)
    was_connected = False
    while True:
        try:
            headers = {"Accept": "text/event-stream"}
            if parser.last_id:
                headers["Last-Event-ID"] = parser.last_id
            with client.open("GET", STREAM_PATH, headers=headers, timeout_s=SILENCE_MAX_S) as answer:
                was_connected = True
                for event in _events(answer, parser):
                    delays = full_jitter(RECONNECT_BASE_S, RECONNECT_MAX_S)
                    yield event
            raise UnreachableError(f"the stream from {client.url} ended")
        except HubError as error:
            if not (error.retryable and was_connected):
                raise
            if on_break is not None:
                on_break(error)
            sleep(max(next(delays), error.retry_after_s or 0.0))
        parser.restart()


def lines(answer: Answer) -> Iterator[JsonObject]:
    """Yield the objects of an NDJSON body; closes the answer at its end.

    Raises:
        HubError: The body broke off inside a line, or a line says that the export failed.
    """
    with answer:
        while line := answer.line():
            if not line.endswith(b"\n"):
                raise UnreachableError("the answer broke off inside a line")
            if line.strip():
                yield json.loads(line)


def export(client: Client, **conversation: str) -> Iterator[JsonObject]:
    """Yield a conversation's events and then its `ExportEnd`; `conversation` is `room_id`, `thread_id` or `dm_id`.

    Raises:
        HubError: The hub's answer; `UnreachableError` when the export broke off before its end.
    """
    for count, line in enumerate(lines(client.ask("rooms.export", conversation))):
        yield line
        if "chain" in line and "type" not in line:
            if line["events"] != count:
                raise UnreachableError(f"the export names {line['events']} events, but {count} came")
            return
    raise UnreachableError("the export broke off before its end")


def _events(answer: Answer, parser: Parser) -> Iterator[JsonObject]:
    while line := answer.line():
        event = parser.feed(line.decode(errors="replace").rstrip("\r\n"))
        if event is not None and event.event == "error":
            raise error_of(200, event.data.encode())
        if event is not None:
            yield json.loads(event.data)
