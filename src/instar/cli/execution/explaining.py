"""`instar exec --explain`: where a call would go, and what the rules say about it."""

from typing import Any

from instar.cli.outputs import Answer
from instar.cli.session import Session
from instar.cli.texts import table, visible
from instar.client.errors import HubError

from .asking import because
from .ends import NOT_RUN


def explain(session: Session, asked: dict[str, Any], command: str) -> Answer:
    """Ask the hub about a call without asking for it.

    Args:
        session: The hub.
        asked: Parameters of `calls.start`.
        command: What would run, as one line; empty: only the route is asked about.

    Raises:
        HubError: The hub's answer when the route cannot be asked about.
    """
    scope = {name: asked.get(name, "") for name in ("target", "room", "agent_id")}
    route = session.invoke("calls.route", **scope)
    verdict, unseen = None, ""
    if command:
        try:
            verdict = session.invoke("approvals.judge", tool=asked["tool"], command=command, **_at(scope, route))
        except HubError as error:
            if error.code not in ("forbidden", "not_found"):
                raise
            unseen = "What the rules say is shown to whoever holds scope approve."
    document = {"route": route, "verdict": verdict}
    said = [*_route(route), *([""] if command else []), *(_verdict(verdict) if verdict else [unseen] if unseen else [])]
    return Answer(document, said, code=NOT_RUN if route.get("error") else 0)


def _at(scope: dict[str, str], route: dict[str, Any]) -> dict[str, str]:
    return {**scope, "target": str(route.get("target_id") or scope["target"])}


def _route(route: dict[str, Any]) -> list[str]:
    rows = [(step["by"], step.get("wanted", ""), step.get("verdict", "")) for step in route["steps"]]
    found = [*table(("CHOSEN BY", "WANTED", "VERDICT"), rows)]
    if error := route.get("error"):
        hint = [f"  {visible(error['hint'])}"] if error.get("hint") else []
        return [*found, f"It would go nowhere: {visible(error['message']).rstrip('.')}.", *hint]
    name, kind = visible(str(route.get("target_name", ""))), route.get("kind", "")
    return [*found, f"It would go to {name} ({kind}, {route.get('target_id', '')}), chosen by {route.get('by', '')}."]


def _verdict(verdict: dict[str, Any]) -> list[str]:
    rows = [(each["action"], each["value"], because(each)) for each in verdict["judged"]]
    ends = {"allow": "It would run at once.", "ask": "It would wait for an approval.", "deny": "It would be refused."}
    return [*table(("RULES SAY", "OF", "BECAUSE"), rows), ends[verdict["action"]]]
