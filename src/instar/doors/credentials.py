"""Where a credential may stand in a request: the Authorization header, then the session cookie; nowhere else."""

from instar.base.errors import InstarError
from instar.hub.operations.hub import Caller
from instar.wire.http import Request
from instar.wire.limits import SESSION_S

SESSION_COOKIE = "instar_session"
MOLTNET_COOKIE = "moltnet_auth"
"""The reference's console cookie; it holds a token, and is only read, never set."""


def token_of(request: Request) -> str:
    """Return the token that a request presents, or an empty string.

    Raises:
        InstarError: `bad_request` for a token in the URL; `unauthorized` for an Authorization header of another scheme.
    """
    refuse_token_in_url(request)
    header = request.headers.get("authorization")
    if header is not None:
        scheme, _, token = header.strip().partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise InstarError("unauthorized", "the Authorization header holds no bearer token")
        return token.strip()
    return _cookie(request.headers.get("cookie", ""))


def refuse_token_in_url(request: Request) -> None:
    """Refuse `?access_token=`, which the dialect takes on the console's paths.

    Raises:
        InstarError: `bad_request` that says how to sign in instead.
    """
    if "access_token" in request.query:
        raise InstarError(
            "bad_request",
            "a token in a URL ends up in logs and histories and is not accepted",
            hint="Send it as `Authorization: Bearer TOKEN`; for the console run `instar` and open the link it prints.",
        )


def _cookie(header: str) -> str:
    found: dict[str, str] = {}
    for part in header.split(";"):
        name, _, value = part.strip().partition("=")
        found.setdefault(name, value.strip('"'))
    return found.get(SESSION_COOKIE) or found.get(MOLTNET_COOKIE) or ""


def has_origin(request: Request) -> bool:
    """Whether a browser sent it."""
    return "origin" in request.headers


def holder(caller: Caller, peer: str) -> str:
    """Return against whom a stream is counted: the credential, or without one the address."""
    return f"peer:{peer}" if caller.is_anonymous else caller.grant.id


def session_cookie(token: str, request: Request) -> tuple[str, str]:
    """Return the header that keeps a console session in the browser."""
    return _set_cookie(token, int(SESSION_S), request)


def no_session_cookie(request: Request) -> tuple[str, str]:
    """Return the header that ends it."""
    return _set_cookie("", 0, request)


def _set_cookie(value: str, max_age_s: int, request: Request) -> tuple[str, str]:
    secure = "; Secure" if request.scheme == "https" else ""
    return "set-cookie", f"{SESSION_COOKIE}={value}; Path=/; Max-Age={max_age_s}; HttpOnly; SameSite=Strict{secure}"
