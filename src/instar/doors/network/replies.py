"""What the door answers with: JSON with a trailing newline, and what it says of paths that it does not have."""

import msgspec

from instar.base.errors import InstarError
from instar.wire.http import Request, Response
from instar.wire.problem import error_response

Headers = tuple[tuple[str, str], ...]

_encode = msgspec.json.Encoder().encode


def json_reply(result: object, status: int = 200, *, headers: Headers = (), route: str = "") -> Response:
    """Return `result` as JSON."""
    return Response(status, _encode(result) + b"\n", headers=headers, route=route)


def text_reply(text: str, content_type: str, route: str) -> Response:
    """Return a document."""
    return Response(200, text.encode(), f"{content_type}; charset=utf-8", route=route)


def error_reply(error: InstarError, request_id: str, *, headers: Headers = (), route: str = "") -> Response:
    """Return an error, with a newline at its end as every body of this door."""
    response = error_response(error, request_id, route)
    response.body += b"\n"
    response.headers = (*response.headers, *headers)
    return response


def unknown_path(request: Request, allowed: list[str]) -> Response:
    """Answer what no route has: a browser goes to the console, everything else is told what is allowed."""
    if not allowed and request.method in ("GET", "HEAD"):
        return Response(307, b"", "text/html", (("location", "/console/"),))
    named = ", ".join(allowed or ["GET", "HEAD"])
    error = InstarError("method_not_allowed", f"{request.method} is not a method of {request.path[:200]}")
    return error_reply(error, request.request_id, headers=(("allow", named),))
