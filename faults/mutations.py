"""Structure-aware damage: one valid request or frame in, one hostile one out, by a seeded generator."""

import json
import random
from typing import Any, NamedTuple

from faults.valid import VALID, split
from instar.wire.table import TABLE

DEEP = 100_000
NASTY: list[Any] = [
    None, True, False, 0, -1, 1, 2**31, 2**53, 2**63 - 1, 2**63, 2**64, -(2**63) - 1, 10**400, 1.5, -0.0, 1e308, "",
    " ", "\0", "a\0b", "\ud800", "\udfff\ud800", "x" * 130, "x" * 70_000, "é" * 64, "\u202e", "\ufeff",
    "../../etc/passwd", "..", ".", "/", "a/b", "%2e%2e%2f", "%00", "molt://", "molt://local/agents/beta", "molt://x/agents/",
    "local:beta",
    ":", "a:b:c", "system:keys", "room:general", "operator", "guide", "key-1", "nan", "inf", "-inf", "1e400", "0x10",
    "1_000", "٣", "true", "no", "' OR 1=1 --", '"', '" OR "', "*", "(", "NEAR(", "a AND", "-", "^a", "a:b*", "\x01\x02",
    "{}", "[]", [], {}, [[]], [{}], {"": {}}, {"kind": "text"}, [None], ["a"] * 600, [1] * 600, {"a": {"b": {"c": []}}},
]  # fmt: skip
"""Values that a field may be damaged with."""
RAW_VALUES = ["NaN", "Infinity", "1e999", "-1e999", "01", "'a'", "\x00", "\\ud800", "1" * 5_000, "[" * DEEP, "{" * 40]
"""Texts that no JSON encoder writes."""
RAW_QUERY = [
    "%", "%zz", "%ed%a0%80", "%ff%fe", "=", "&&&&", "a=1&a=2", "limit=", "limit", "&".join(["a=1"] * 100), "x" * 9_000,
    "limit=%00", "limit=1;after=2", "?", "#", "a[b]=c", "%u0041", "limit=1%0d%0aX: y",
]  # fmt: skip
RAW_PATHS = [
    "/..", "/../..", "/%2e%2e/%2e%2e/etc/passwd", "//", "/./", "/%2f", "/%00", "/%ff", "/%", "/a%0d%0ab",
    "/" + "x" * 9_000, "/" + "%41" * 3_000, "/é", ";a=b", "/" * 300, "\\..\\..", "/%c0%ae%c0%ae",
]  # fmt: skip
HEADERS = [
    "Content-Type: text/plain", "Content-Type: application/json; charset=utf-16", "Content-Type: \xff",
    "Content-Encoding: gzip", "Idempotency-Key: " + "k" * 129, "Idempotency-Key: \xff\xfe", "Idempotency-Key: same",
    "X-Request-Id: " + "r" * 200, "X-Request-Id: \x7f", "X-Big: " + "b" * 60_000, "X-Huge: " + "b" * 70_000,
    "Cookie: " + "a=b; " * 2_000, "Cookie: instar_session=x", "Expect: 100-continue", "Expect: nonsense",
    "Accept: nothing/at-all", "Range: bytes=0-", "Origin: null", "Origin: http://evil.example",
    "X-Forwarded-For: 1.2.3.4", "X-HTTP-Method-Override: DELETE", "Upgrade: h2c\r\nConnection: Upgrade",
    "Upgrade: websocket\r\nConnection: Upgrade", "If-None-Match: *", "Authorization: Basic eA==", "Host: evil.example",
    *["\r\n".join(f"X-{number}: y" for number in range(200))], "Transfer-Encoding: chunked", "Last-Event-ID: \xff",
]  # fmt: skip


class Case(NamedTuple):
    """One hostile request: what it was made of, and its bytes."""

    label: str
    raw: bytes
    status: int
    """The documented success of its operation."""


class Damage:
    """A seeded source of hostile requests.

    Args:
        seed: The same seed gives the same cases.
        host: Value of the Host header.
        token: A credential that may do everything, so that the damage reaches the handlers.
    """

    def __init__(self, seed: int, host: str = "", token: str = "") -> None:
        self.random = random.Random(seed)
        self._host = host
        self._token = token
        self._names = [name for name in TABLE if name != "hub.backup"] * 20 + ["hub.backup"]

    def request(self) -> Case:
        """Return a valid request with one to three things wrong."""
        pick = self.random
        name = pick.choice(self._names)
        route = TABLE[name].route
        assert route is not None
        params = self.tree(VALID[name]) if pick.random() < 0.7 else VALID[name]
        path, query, rest = split(TABLE[name], params if isinstance(params, dict) else {"": params})
        body = b"" if rest is None else self.text(rest)
        headers = ["Content-Type: application/json"]
        if pick.random() < 0.15:
            path += pick.choice(RAW_PATHS)
        if pick.random() < 0.15:
            query += "&" + pick.choice(RAW_QUERY)
        if pick.random() < 0.2:
            headers.append(pick.choice(HEADERS))
        if pick.random() < 0.3 or name == "blobs.upload":
            body = self.wreck(body)
        method = pick.choice(("GET", "PUT", "DELETE", "BREW")) if pick.random() < 0.03 else route.method
        target = path + ("?" + query if query else "")
        return Case(f"{name} {method}", self.head(method, target, headers, body), route.status)

    def head(self, method: str, target: str, headers: list[str], body: bytes) -> bytes:
        """Return a whole request, framed as its headers say."""
        is_chunked = any(line.startswith("Transfer-Encoding") for line in headers)
        framing = [] if is_chunked else [f"Content-Length: {len(body)}"]
        if any(line.startswith("Authorization") for line in headers):
            own = [f"Host: {self._host}"]
        else:
            own = [f"Host: {self._host}", f"Authorization: Bearer {self._token}"]
        lines = [f"{method} {target} HTTP/1.1", *own, *headers, *framing, "", ""]
        if is_chunked:
            body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body) if body else b"0\r\n\r\n"
        return "\r\n".join(lines).encode("utf-8" if "é" in target else "latin-1", "replace") + body

    def tree(self, params: Any) -> Any:  # noqa: ANN401 - JSON
        """Return a JSON value with one to three nodes replaced, left out or added."""
        changed = json.loads(json.dumps(params))
        for _ in range(self.random.choice((1, 1, 1, 2, 3))):
            changed = self._one(changed)
        return changed

    def _one(self, node: Any) -> Any:  # noqa: ANN401 - JSON
        pick = self.random
        if not isinstance(node, dict | list) or not node or pick.random() < 0.05:
            return pick.choice(NASTY)
        if isinstance(node, list):
            index = pick.randrange(len(node))
            return [*node[:index], self._one(node[index]), *node[index + 1 :]]
        what, name = pick.random(), pick.choice(list(node))
        if what < 0.15:
            return {key: value for key, value in node.items() if key != name}
        if what < 0.25:
            return {**node, str(pick.choice(NASTY))[:100]: pick.choice(NASTY)}
        return {**node, name: self._one(node[name])}

    def text(self, value: Any) -> bytes:  # noqa: ANN401 - JSON
        """Return JSON that may hold what no encoder writes: duplicate keys, bare words, broken numbers, deep nests."""
        pick, text = self.random, json.dumps(value)
        how = pick.random()
        if how < 0.06:
            return text.replace(":", ":" + pick.choice(RAW_VALUES) + ",", 1).encode("latin-1")
        if how < 0.12 and text.startswith('{"'):
            inner = text[1:-1]
            return ("{" + inner + "," + inner + "}").encode()
        if how < 0.15:
            return text.replace('"hello', '"\\ud800' + "hello").encode()
        if how < 0.18:
            return json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")
        if how < 0.2:
            return (text[:-1] + ',"deep":' + "[" * DEEP + "]" * DEEP + "}").encode()
        if how < 0.22:
            return (text[:-1] + ',"data":' + '{"a":' * 70 + "1" + "}" * 70 + "}").encode()
        return text.encode()

    def wreck(self, body: bytes) -> bytes:
        """Return a body that is cut, doubled, flipped, wrapped or replaced."""
        pick = self.random
        choices = [
            lambda: body[: pick.randrange(len(body) + 1)],
            lambda: body + b" " + body,
            lambda: body + b"\0",
            lambda: b"\xef\xbb\xbf" + body,
            lambda: body.decode("latin-1").encode("utf-16"),
            lambda: b"\x1f\x8b\x08" + body,
            lambda: self.flipped(body),
            lambda: b"[" + body + b"]",
            lambda: b"null",
            lambda: b"",
            lambda: b"a=b&c=d",
            lambda: b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--x--\r\n',
            lambda: pick.randbytes(pick.randrange(200)),
            lambda: b"[" * DEEP,
        ]
        if pick.random() < 0.01:
            return b'{"a":"' + b"x" * (1 << 20) + b'"}'
        return pick.choice(choices)()

    def flipped(self, raw: bytes) -> bytes:
        """Return the bytes with one to four of them changed."""
        changed = bytearray(raw)
        for _ in range(self.random.randrange(1, 5)):
            if changed:
                changed[self.random.randrange(len(changed))] = self.random.randrange(256)
        return bytes(changed)
