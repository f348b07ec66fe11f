"""Deciding at the terminal about a call that waits: all of it is shown, then one letter."""

from collections.abc import Awaitable, Callable
from typing import Any

from instar.cli.texts import relative, size, visible
from instar.client.errors import HubError
from instar.client.link import Link

_LAYERS = {"agent": "the agent's veto", "file": "permissions.jsonc", "remembered": "a remembered rule"}
Ask = Callable[[str], Awaitable[str]]
Say = Callable[[str], None]


def lines(approval: dict[str, Any]) -> list[str]:
    """Return all of an approval as people read it; nothing of what would run is shortened."""
    plan = approval["plan"]
    by = f"agent {approval['agent_id']}" if approval.get("agent_id") else approval.get("requester_name", "")
    env = [f"{name}={value}" for name, value in plan.get("env", {}).items()]
    asking = [each for each in approval.get("judged", []) if each["action"] != "allow"]
    facts: list[tuple[str, list[str]]] = [
        ("On", [f"{approval['target_name']} ({approval['target_id']})"]),
        ("For", [" in ".join(filter(None, (by, approval.get("room", ""))))]),
        ("Runs", [str(approval["command"])]),
        ("In", [plan.get("cwd", "")]),
        ("With", env),
        ("Sandbox", [plan.get("sandbox", "")]),
        ("Files", [_file(each) for each in approval.get("files", [])]),
        ("Not bound", list(approval.get("unbound", []))),
        ("Asks for", list(dict.fromkeys(_why(each) for each in asking))),
        ("It says", [approval.get("reason", "")]),
        ("Expires", [relative(approval["expires_at"])]),
    ]
    head = "This call waits for your approval."
    shown = [f"{head} It is dangerous." if approval.get("is_dangerous") else head]
    for label, values in facts:
        # Line by line, each in its column: no text of a requester or machine may look like a line of ours.
        present = [visible(line) for value in values for line in str(value).splitlines()]
        shown += [f"  {label if at == 0 else '':<10} {value}" for at, value in enumerate(present)]
    return shown


def _file(file: dict[str, Any]) -> str:
    return f"{file['path']}  {file.get('role', '')}, {size(file['size_bytes'])}, sha256 {file['sha256']}"


def _why(judged: dict[str, Any]) -> str:
    return f"{judged['value']}: {because(judged)}"


def because(judged: dict[str, Any]) -> str:
    """Return why a value was judged as it was, as people read it."""
    if reason := judged.get("floor") or judged.get("unclear"):
        return str(reason)
    if not judged.get("rule_id"):
        return "no rule covers it"
    layer = str(judged.get("layer", ""))
    return f"{_LAYERS.get(layer, layer)} says {judged['action']}"


class Decider:
    """Decides about the caller's own calls, as far as the caller may.

    Args:
        link: The hub.
        ask: Puts a question and returns the answer; None: nobody can be asked.
        say: Tells the person something.
        says_yes: Approve without asking.
    """

    def __init__(self, link: Link, ask: Ask | None, say: Say, *, says_yes: bool) -> None:
        self._link = link
        self._ask = ask
        self._say = say
        self._says_yes = says_yes

    async def decide(self, call_id: str) -> None:
        """Decide about a call that waits, or say who can; returns when that is done, not when it runs.

        Raises:
            HubError: The decision was refused.
        """
        try:
            approval = await self._link.call("approvals.get", {"approval_id": call_id})
        except HubError as error:
            if error.code not in ("forbidden", "not_found"):
                raise
            self._point(
                call_id, "It waits for an approval. Whoever holds scope approve may give it, in the console or by:"
            )
            return
        if approval["state"] != "pending":
            return
        if self._says_yes:
            await self._approve(approval, always=False)
        elif self._ask is None:
            self._point(
                call_id, "It waits for an approval, and nobody can be asked here. Give it in the console or by:"
            )
        else:
            await self._put(approval, self._ask)

    def _point(self, call_id: str, text: str) -> None:
        self._say(text)
        self._say(f"  instar approvals approve {call_id}")

    async def _put(self, approval: dict[str, Any], ask: Ask) -> None:
        for line in lines(approval):
            self._say(line)
        rules = [visible(text) for text in approval.get("rule_texts", [])]
        for at, text in enumerate(rules):
            self._say(f"  {'Always is' if at == 0 else '':<10} {text}")
        choices = "[y] once, [a] always, [n] no: " if rules else "[y] once, [n] no: "
        while True:
            answer = (await ask(choices)).lower()
            if answer in ("y", "yes"):
                return await self._approve(approval, always=False)
            if answer in ("a", "always") and rules:
                return await self._approve(approval, always=True)
            if answer in ("n", "no", ""):
                feedback = await ask("Why not (may stay empty): ") if answer else ""
                await self._link.call("approvals.deny", {**_shown(approval), "feedback": feedback})
                return None

    async def _approve(self, approval: dict[str, Any], *, always: bool) -> None:
        await self._link.call("approvals.approve", {**_shown(approval), **({"always": True} if always else {})})


def _shown(approval: dict[str, Any]) -> dict[str, Any]:
    return {"approval_id": approval["id"], "digest": approval["digest"]}
