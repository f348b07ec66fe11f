"""A hub with approvals whose clock the test sets."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec import Raw, json

from instar.base.clock import MICROS_PER_S, Micros, from_rfc3339
from instar.hub.approvals.approvals import FILE_NAME, Approvals
from instar.hub.approvals.asking import ApprovalDraft
from instar.hub.identity.authentication import Credential
from instar.hub.identity.principals import Caller
from instar.policy.digest import plan_digest
from instar.wire.approvals import Approval
from instar.wire.execution import FileFact, Plan, Prepared
from tests.hub.conftest import Engine


class World:
    """An engine with approvals."""

    def __init__(self, engine: Engine, at: str = "2026-03-02T08:00:00Z") -> None:
        self.engine = engine
        self.at = from_rfc3339(at)
        self.admin = engine.admin
        self.do = engine.do
        self.decided: list[Approval] = []
        self.file: Path = engine.data_dir / FILE_NAME
        self.approvals = Approvals(
            engine.store, engine.pump, engine.identity.authority, engine.rooms.directory, engine.data_dir,
            engine.scope,
            clock=lambda: self.at,
        )  # fmt: skip
        self.approvals.on_decided(self.decided.append)
        engine.bindings.update({binding.operation.name: binding for binding in self.approvals.bindings()})

    def forward(self, seconds: float) -> None:
        """Let time pass."""
        self.at = Micros(self.at + round(seconds * MICROS_PER_S))

    async def key(self, *scopes: str, **more: Any) -> Caller:
        """Make a key and return its caller."""
        made = await self.do(self.admin, "keys.create", name="k", scopes=list(scopes), **more)
        return self.engine.identity.authenticate(Credential(made.token))

    async def ask(self, command: str = "git push origin main", call_id: str = "call_1", **more: Any) -> Approval:
        """Ask for a shell line."""
        return await self.approvals.request(draft(command, call_id, **more))


def draft(command: str = "git push origin main", call_id: str = "call_1", **more: Any) -> ApprovalDraft:
    """Return what a call of the shell on a machine asks with."""
    prepared = {name: more.pop(name) for name in ("unbound", "is_ruleable") if name in more}
    plan = more.pop("plan", None) or Plan(
        "dev_1", "shell", Raw(json.encode({"command": command})), "/srv/app", ["/bin/sh", "-c", command],
        {"LANG": "C"}, [FileFact("/usr/bin/git", "0" * 64, 10, "executable")], timeout_s=30.0,
    )  # fmt: skip
    fields: dict[str, Any] = {"requester": "agent_coder", "agent_id": "coder", "labels": {"os": "linux"}, **more}
    return ApprovalDraft(
        call_id, target_id="dev_1", target_name="box", prepared=Prepared(plan, plan_digest(plan), **prepared), **fields
    )


@pytest.fixture
async def world(make_engine: Callable[..., Any]) -> World:
    """A running hub with approvals and the default file."""
    found = World(await make_engine())
    await found.approvals.load()
    return found
