"""Requests as the carrier makes them."""

from collections.abc import AsyncIterator

from instar.base.errors import InstarError
from instar.wire.http import Request


def request(
    method: str,
    path: str,
    body: bytes = b"",
    *,
    query: dict[str, str] | None = None,
    headers: dict[str, str] | None = None,
    scheme: str = "http",
    is_local: bool = True,
) -> Request:
    async def read_body(limit: int) -> bytes:
        if len(body) > limit:
            raise InstarError("too_large", "the body is too large")
        return body

    async def chunks() -> AsyncIterator[bytes]:
        yield body

    return Request(
        method=method,
        path=path,
        query=query or {},
        headers=headers or {},
        read_body=read_body,
        stream_body=chunks,
        request_id="req_1",
        peer="127.0.0.1",
        is_local=is_local,
        scheme=scheme,
        host="127.0.0.1:8787",
    )
