"""`instar gateway …`: the hub as clients of the OpenClaw and Moltis worlds see it."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, cast

import click

from instar.cli.command import Group, command
from instar.cli.outputs import Answer
from instar.cli.session import Session
from instar.cli.texts import plain, table
from instar.client.errors import HubError, TimedOutError
from instar.client.gateway import Gateway

T = TypeVar("T")


@command(
    "instar gateway call health --json",
    'instar gateway call chat.history --params \'{"sessionKey":"main"}\'',
)
@click.argument("method")
@click.option("--params", default="{}", metavar="JSON", help="Parameters, as one JSON object.")
@click.option("--final", "wants_final", is_flag=True, help="Wait for the final answer, not only for `accepted`.")
def call(session: Session, method: str, *, params: str, wants_final: bool) -> Answer:
    """Call a method of the gateway.

    Its payload is printed as JSON.
    """
    try:
        given: object = json.loads(params)
    except ValueError as error:
        raise HubError("usage", f"--params is no JSON: {error}", hint="Example: --params '{\"limit\":5}'") from error
    if not isinstance(given, dict):
        raise HubError("usage", "--params is no JSON object", hint="Example: --params '{\"limit\":5}'")
    wanted = cast("dict[str, Any]", given)
    payload = _connected(session, lambda gateway: gateway.call(method, wanted, wants_final=wants_final))
    document: dict[str, Any] = cast("Any", payload) if isinstance(payload, dict) else {"payload": payload}
    return Answer(document, [json.dumps(payload, indent=2, ensure_ascii=False)])


@command("instar gateway health")
def health(session: Session) -> Answer:
    """Show the gateway's health, as its clients see it."""
    return _table(_connected(session, lambda gateway: gateway.call("health")))


@command("instar gateway status")
def status(session: Session) -> Answer:
    """Show the gateway's status, as its clients see it."""
    return _table(_connected(session, lambda gateway: gateway.call("status")))


@command("instar gateway probe", "instar gateway probe --json")
def probe(session: Session) -> Answer:
    """See whether the gateway answers.

    Says how fast, and what this credential may do there.
    """

    async def look(gateway: Gateway) -> dict[str, Any]:
        begun = time.perf_counter()
        await gateway.call("health")
        took_ms = (time.perf_counter() - begun) * 1_000
        hello = gateway.hello
        return {
            "url": session.access.url,
            "certificate": session.trust.certificate,
            "protocol": hello.protocol,
            "server": hello.server.version,
            "role": hello.auth.role,
            "scopes": hello.auth.scopes,
            "methods": len(hello.features.methods),
            "round_trip_ms": round(took_ms, 2),
        }

    return _table(_connected(session, look))


def _connected(session: Session, work: Callable[[Gateway], Awaitable[T]]) -> T:
    """Return what comes of `work` on a connection to the gateway, within the session's time."""
    token, _ = session.credential

    async def main() -> T:
        try:
            async with (
                asyncio.timeout(session.timeout_s),
                Gateway(session.access.url, token, trust=session.trust) as gateway,
            ):
                return await work(gateway)
        except TimeoutError as error:
            raise TimedOutError(f"the gateway at {session.access.url} did not answer in time") from error

    return asyncio.run(main())


def _table(payload: object) -> Answer:
    document: dict[str, Any] = cast("Any", payload) if isinstance(payload, dict) else {"payload": payload}
    return Answer(document, table(("WHAT", "VALUE"), [(name, _brief(value)) for name, value in document.items()]))


def _brief(value: object) -> str:
    """Return a value in one line; what lies deeper is counted, and shown by --json."""
    if isinstance(value, list) and any(isinstance(each, dict) for each in cast("list[object]", value)):
        return f"{len(cast('list[object]', value))} listed"
    if not isinstance(value, dict):
        return plain(cast("object", value))
    inner = cast("dict[str, object]", value)
    scalars = [f"{name} {plain(each)}" for name, each in inner.items() if not isinstance(each, dict | list)]
    return ", ".join(scalars) or f"{len(inner)} listed"


COMMAND = Group(
    "gateway",
    "Gateway: the hub as OpenClaw and Moltis clients see it.",
    examples=("instar gateway probe",),
    default="probe",
    commands=[call, health, status, probe],
)
