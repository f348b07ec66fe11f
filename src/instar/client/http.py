"""The synchronous client: one operation, one request, one answer."""

import http.client
import json
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, BinaryIO, cast
from urllib.parse import quote, urlencode

from .connections import base_path, connect
from .errors import HubError, TimedOutError, UnreachableError, error_of
from .routes import ROUTES
from .trust import AUTHORITIES, Trust

JsonObject = dict[str, Any]
TIMEOUT_S = 30.0
"""How long to wait for an answer unless told otherwise."""
_IN_QUERY = ("GET", "DELETE")


class Answer:
    """A successful HTTP answer whose body has not been read; close it, or use it in `with`."""

    def __init__(self, connection: http.client.HTTPConnection, response: http.client.HTTPResponse, url: str) -> None:
        self._connection = connection
        self._response = response
        self._url = url

    def __enter__(self) -> "Answer":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the connection."""
        self._response.close()
        self._connection.close()

    def header(self, name: str) -> str:
        """Return a header of the answer, or an empty string."""
        return self._response.headers.get(name, "")

    def read(self) -> bytes:
        """Return the whole body.

        Raises:
            UnreachableError, TimedOutError: The connection broke or stalled.
        """
        try:
            return self._response.read()
        except (OSError, http.client.HTTPException) as error:
            raise _broken(error, self._url) from error

    def line(self) -> bytes:
        """Return the next line with its end, or nothing at the end of the body.

        Raises:
            UnreachableError, TimedOutError: The connection broke or stalled.
        """
        try:
            return self._response.readline()
        except (OSError, http.client.HTTPException) as error:
            raise _broken(error, self._url) from error


class Client:
    """Asks a hub, one connection a request.

    Args:
        url: `http://HOST:PORT`, `https://…` or `unix:/PATH`.
        token: Sent as Bearer; empty comes without a credential.
        timeout_s: How long to wait for an answer.
        trust: What makes the hub's certificate good, for https.
        renew: Returns a new token when the hub takes this one no more; the request is then repeated once.
    """

    def __init__(
        self,
        url: str,
        token: str = "",
        *,
        timeout_s: float = TIMEOUT_S,
        trust: Trust = AUTHORITIES,
        renew: Callable[[], str] | None = None,
    ) -> None:
        self.url = url
        self.timeout_s = timeout_s
        self._token = token
        self._trust = trust
        self._renew = renew

    def invoke(
        self, operation: str, params: Mapping[str, Any] | None = None, *, key: str = "", timeout_s: float | None = None
    ) -> JsonObject:
        """Ask for an operation by its name and return its result.

        `key` is the idempotency key: a repeat with the same key does nothing twice.

        Raises:
            HubError: The hub's answer, `UnreachableError` or `TimedOutError`.
        """
        with self.ask(operation, params, key=key, timeout_s=timeout_s) as answer:
            return _object(answer.read(), self.url)

    def ask(
        self, operation: str, params: Mapping[str, Any] | None = None, *, key: str = "", timeout_s: float | None = None
    ) -> Answer:
        """Ask for an operation whose result is read bit by bit.

        Raises:
            HubError: As `invoke`.
        """
        method, path, rest = _place(operation, params or {})
        headers = {"Idempotency-Key": key} if key else {}
        body = None
        if method in _IN_QUERY:
            path += _query(rest)
        else:
            body = json.dumps(rest, separators=(",", ":")).encode()
            headers["Content-Type"] = "application/json"
        return self.open(method, path, headers=headers, body=body, timeout_s=timeout_s)

    def upload(self, file: BinaryIO, size_bytes: int, *, filename: str, media_type: str) -> JsonObject:
        """Store a file and return its `blob`; the file is streamed, not held.

        Raises:
            HubError: As `invoke`.
        """
        method, path, rest = _place("blobs.upload", {"filename": filename, "media_type": media_type})
        headers = {"Content-Type": media_type, "Content-Length": str(size_bytes)}
        with self.open(method, path + _query(rest), headers=headers, body=file) as answer:
            return _object(answer.read(), self.url)

    def open(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | BinaryIO | None = None,
        timeout_s: float | None = None,
    ) -> Answer:
        """Send a request and return its answer with the body unread.

        Raises:
            HubError: The hub's answer when it is no success, `UnreachableError` or `TimedOutError`.
        """
        try:
            return self._ask_once(method, path, headers or {}, body, timeout_s)
        except HubError as error:
            is_repeatable = body is None or isinstance(body, bytes)
            if error.code != "unauthorized" or self._renew is None or not is_repeatable:
                raise
        self._token = self._renew()
        return self._ask_once(method, path, headers or {}, body, timeout_s)

    def _ask_once(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes | BinaryIO | None,
        timeout_s: float | None,
    ) -> Answer:
        connection = connect(self.url, self.timeout_s if timeout_s is None else timeout_s, self._trust)
        sent = {"Accept": "application/json", **headers}
        if self._token:
            sent["Authorization"] = f"Bearer {self._token}"
        try:
            connection.request(method, base_path(self.url) + path, body=body, headers=sent)
            response = connection.getresponse()
            failed = response.status >= http.client.MULTIPLE_CHOICES
            raw = response.read() if failed else b""
        except HubError:
            connection.close()
            raise
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise _broken(error, self.url) from error
        if failed:
            connection.close()
            raise error_of(response.status, raw, response.headers.get("Retry-After", ""))
        return Answer(connection, response, self.url)


def _place(operation: str, params: Mapping[str, Any]) -> tuple[str, str, JsonObject]:
    """Return method, path with its parameters filled in, and the parameters that are left."""
    method, path = ROUTES[operation]
    rest = {name: value for name, value in params.items() if value is not None}
    for name in [part[1:-1] for part in path.split("/") if part.startswith("{")]:
        path = path.replace(f"{{{name}}}", quote(str(rest.pop(name)), safe=""))
    return method, path, rest


def _query(params: Mapping[str, Any]) -> str:
    """Return `params` as a query string: booleans as JSON has them, empty strings left out."""
    plain = {
        name: ("true" if value else "false") if isinstance(value, bool) else value
        for name, value in params.items()
        if value != ""
    }
    return "?" + urlencode(plain) if plain else ""


def _object(raw: bytes, url: str) -> JsonObject:
    """Return the JSON object of an answer."""
    try:
        parsed: Any = json.loads(raw) if raw else {}
    except ValueError:
        parsed = None
    if not isinstance(parsed, dict):
        raise HubError("bad_gateway", f"{url} answered with something that no hub says")
    return cast("JsonObject", parsed)


def _broken(error: OSError | http.client.HTTPException, url: str) -> HubError:
    """Return what a failure of the connection means to the caller."""
    if isinstance(error, TimeoutError):
        return TimedOutError(f"the hub at {url} did not answer in time")
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return UnreachableError(f"no hub answers at {url} ({reason})")
