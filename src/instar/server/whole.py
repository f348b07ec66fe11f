"""A whole response in one write: head and body together, without the checks that uvicorn makes of foreign headers.

uvicorn writes a head and a body by two system calls, after two regular expressions for each header. Most answers of a
hub are small and their headers its own, so this is a fifth of the cost of a request.
"""

from importlib.util import find_spec
from typing import Any

if find_spec("httptools") is not None:
    from uvicorn.protocols.http.httptools_impl import RequestResponseCycle as _Known
else:
    _Known = None


def write_at_once(send: Any, fixed_head: bytes, body: bytes, rid: str) -> bool:  # noqa: ANN401 - ASGI's callable
    """Write a whole response to the connection behind `send`; False, and nothing done, when it must go the long way.

    Args:
        send: ASGI's `send` of a request; only that of uvicorn's httptools protocol is known.
        fixed_head: Status line and headers without the last line break, no length and no date among them.
        body: The whole body.
        rid: The request id.
    """
    cycle: Any = getattr(send, "__self__", None)
    if type(cycle) is not _Known or cycle is None or cycle.flow.write_paused or cycle.response_started:
        return False
    if cycle.disconnected:
        return True
    cycle.response_started = cycle.response_complete = True
    cycle.waiting_for_100_continue = False
    date = b"".join(b"\r\n%b: %b" % pair for pair in cycle.default_headers)
    close = b"" if cycle.keep_alive else b"\r\nconnection: close"
    cycle.transport.write(
        b"%b%b%b\r\nx-request-id: %b\r\ncontent-length: %d\r\n\r\n%b"
        % (fixed_head, date, close, rid.encode(), len(body), body)
    )
    cycle.message_event.set()
    if not cycle.keep_alive:
        cycle.transport.close()
    cycle.on_response()
    return True
