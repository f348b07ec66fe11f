"""The route index: method and path to an operation, generated from the one table."""

from collections.abc import Callable, Iterable
from typing import Any, Final

import msgspec

from instar.base.errors import InstarError
from instar.wire.http import Request
from instar.wire.limits import BODY_MAX_BYTES
from instar.wire.operation import Body
from instar.wire.table import TABLE, AnyOperation

BODY_REQUIRED: Final = frozenset({"messages.send", "rooms.create", "rooms.members", "agents.register", "hub.apply"})
"""The dialect's own routes: an empty body is refused even where every field has a default."""

_MISSHAPEN = "Expected `"
_GOT = "`, got `"


class Endpoint:
    """One operation as HTTP reaches it."""

    __slots__ = ("_decode", "_has_query", "operation", "path", "path_fields", "segments", "status", "takes_bytes")

    def __init__(self, operation: AnyOperation) -> None:
        route = operation.route
        if route is None:
            raise LookupError(f"operation {operation.name} has no route")
        self.operation = operation
        self.path = route.path
        self.status = route.status
        self.takes_bytes = route.body is Body.BYTES
        self._has_query = self.takes_bytes or route.method == "GET"
        self.segments = tuple(route.path[1:].split("/"))
        self.path_fields = tuple(segment[1:-1] for segment in self.segments if segment.startswith("{"))
        wanted = {field.encode_name for field in msgspec.structs.fields(operation.params)}
        in_body = route.method in ("POST", "PUT", "PATCH") and route.body is Body.JSON
        self._decode: Callable[[bytes], msgspec.Struct] | None = None
        if in_body and not self.path_fields and wanted:
            self._decode = msgspec.json.Decoder(operation.params).decode

    def matches(self, segments: tuple[str, ...]) -> bool:
        """Whether a path of as many segments is one of this route."""
        return all(
            mine == theirs or (mine.startswith("{") and theirs != "")
            for mine, theirs in zip(self.segments, segments, strict=True)
        )

    def path_values(self, segments: tuple[str, ...]) -> dict[str, str]:
        """Return the path parameters of a path that matches."""
        pairs = zip(self.segments, segments, strict=True)
        return {mine[1:-1]: theirs for mine, theirs in pairs if mine.startswith("{")}

    async def params(self, request: Request, segments: tuple[str, ...]) -> msgspec.Struct:
        """Read the parameters from path, query and body; the path wins.

        Raises:
            InstarError: `bad_request` for a body that is not one JSON object of the right shape, or too large;
                `unprocessable_entity` for a value that is not allowed.
        """
        if self._decode is not None:
            body = await read_json_body(request)
            if body or self.operation.name in BODY_REQUIRED:
                return decode(self._decode, body)
            return decode(self._decode, b"{}")
        if self._has_query:
            return self._from_query(request, segments)
        fields: dict[str, Any] = dict(request.query) if request.method == "DELETE" else {}
        body = await read_json_body(request)
        if body or self.operation.name in BODY_REQUIRED:
            fields |= decode(_decode_object, body)
        return convert({**fields, **self.path_values(segments)}, self.operation.params, is_text=False)

    def _from_query(self, request: Request, segments: tuple[str, ...]) -> msgspec.Struct:
        fields: dict[str, Any] = {**request.query, **self.path_values(segments)}
        if self.takes_bytes and (media_type := request.headers.get("content-type")):
            fields.setdefault("media_type", media_type.partition(";")[0].strip().lower())
        return convert(fields, self.operation.params, is_text=True)


_decode_object = msgspec.json.Decoder(dict[str, Any]).decode


class Routes:
    """The index over all operations that have a route."""

    def __init__(self, operations: Iterable[AnyOperation] = TABLE.values()) -> None:
        self._static: dict[tuple[str, str], Endpoint] = {}
        self._patterns: dict[tuple[str, int], list[Endpoint]] = {}
        self._methods: set[str] = set()
        for operation in operations:
            if operation.route is not None:
                self._add(operation, operation.route.method, operation.route.path)

    def _add(self, operation: AnyOperation, method: str, path: str) -> None:
        endpoint = Endpoint(operation)
        self._methods.add(method)
        if endpoint.path_fields:
            candidates = self._patterns.setdefault((method, len(endpoint.segments)), [])
            candidates.append(endpoint)
            candidates.sort(key=lambda candidate: len(candidate.path_fields))
        else:
            self._static[method, path] = endpoint

    def find(self, method: str, path: str) -> tuple[Endpoint, tuple[str, ...]] | None:
        """Return the endpoint of a request and its path segments; HEAD is found where GET is."""
        method = "GET" if method == "HEAD" else method
        endpoint = self._static.get((method, path))
        if endpoint is not None:
            return endpoint, endpoint.segments
        segments = tuple(path[1:].split("/"))
        for candidate in self._patterns.get((method, len(segments)), ()):
            if candidate.matches(segments):
                return candidate, segments
        return None

    def allowed(self, path: str) -> list[str]:
        """Return the methods that `path` has, HEAD beside GET; empty for an unknown path."""
        methods = {method for method in self._methods if self.find(method, path) is not None}
        if "GET" in methods:
            methods.add("HEAD")
        return sorted(methods)


async def read_json_body(request: Request) -> bytes:
    """Read the body of a JSON request.

    Raises:
        InstarError: `bad_request` when it is larger than `BODY_MAX_BYTES`; the dialect knows no 413.
    """
    try:
        return await request.read_body(BODY_MAX_BYTES)
    except InstarError as error:
        if error.code != "too_large":
            raise
        raise InstarError(
            "bad_request",
            f"the body is larger than {BODY_MAX_BYTES} bytes",
            hint="Send less at once; upload files with POST /v1/uploads and link them.",
        ) from None


def decode(decoder: Callable[[bytes], Any], body: bytes) -> Any:  # noqa: ANN401 - whatever the decoder is for
    """Decode one JSON object.

    Raises:
        InstarError: `bad_request` when it is malformed or has another shape, else `unprocessable_entity`.
    """
    try:
        return decoder(body)
    except msgspec.ValidationError as error:
        if _is_misshapen(error) or not _is_json(body):
            raise InstarError("bad_request", f"the body does not fit: {error}") from None
        raise InstarError("unprocessable_entity", str(error)) from None
    except (ValueError, RecursionError) as error:
        cause = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise InstarError("bad_request", f"the body must be one JSON object: {cause}") from None


def convert(fields: dict[str, Any], params: type[msgspec.Struct], *, is_text: bool) -> msgspec.Struct:
    """Convert path, query and body fields to parameters; values of a query string may be numbers and booleans.

    Raises:
        InstarError: `unprocessable_entity` naming the field; `bad_request` for a body field of another JSON type.
    """
    try:
        return msgspec.convert(fields, params, strict=not is_text)
    except msgspec.ValidationError as error:
        code = "unprocessable_entity" if is_text or not _is_misshapen(error) else "bad_request"
        raise InstarError(code, str(error)) from None


def _is_misshapen(error: msgspec.ValidationError) -> bool:
    text = str(error)
    return text.startswith(_MISSHAPEN) and _GOT in text


def _is_json(body: bytes) -> bool:
    try:
        msgspec.json.decode(body)
    except (ValueError, RecursionError):
        return False
    return True
