"""Agents as `apply` declares them (Moltnet http.v1 §10.4): made or changed, never removed."""

from collections.abc import Sequence
from dataclasses import replace

from instar.base.clock import Micros, now
from instar.base.errors import InstarError
from instar.base.ids import new_id
from instar.hub.identity.principals import Caller, is_reserved
from instar.store.seam import HOME, Reader, Transaction
from instar.wire.agents import Wake
from instar.wire.names import Network, fqid
from instar.wire.rooms import ApplyAgent, Change

from .state import AgentState, find, local_id, put

_KEY = "token:"
_DECLARED = ("name", "credential", "wake", "runtime")


class Declaring:
    """The rooms' `AgentApplier`."""

    def __init__(self, network: Network) -> None:
        self._network = network

    async def plan(self, reader: Reader, agents: Sequence[ApplyAgent]) -> list[Change]:
        """Return one change per agent.

        Raises:
            InstarError: `unprocessable_entity` for a malformed, reserved or twice declared id, an unknown wake policy
                or an unknown key.
        """
        if len({each.id for each in agents}) != len(agents):
            raise InstarError("unprocessable_entity", "an agent is declared twice")
        return [(await self._compare(reader, each))[1] for each in agents]

    async def apply(self, tx: Transaction, caller: Caller, agents: Sequence[ApplyAgent]) -> None:
        """Make the agents as declared.

        Raises:
            InstarError: As `plan`.
        """
        for each in agents:
            agent, change = await self._compare(tx, each)
            if change.action == "unchanged":
                continue
            kind = "agent.registered" if change.action == "create" else "agent.updated"
            if change.action == "create":
                await tx.execute("DELETE FROM agents WHERE org = ?1 AND id = ?2", HOME, agent.id)
            await put(tx, agent)
            await tx.append(agent.draft(kind, new_id("evt"), self._network, caller.principal.id))

    async def _compare(self, reader: Reader, wanted: ApplyAgent) -> tuple[AgentState, Change]:
        """Return the agent as it shall be, and how that differs from what is."""
        agent_id = local_id(wanted.id, self._network)
        if is_reserved(agent_id):
            raise InstarError("unprocessable_entity", f"agent id {agent_id!r} is the hub's own")
        credential = await self._credential(reader, wanted)
        known = await find(reader, agent_id, self._network)
        at = now()
        before = known or await self._fresh(reader, agent_id, at)
        after = replace(
            before,
            name=wanted.name or before.name,
            credential=credential or before.credential,
            wake=_wake(wanted) or before.wake,
            runtime=wanted.runtime or before.runtime,
            updated_at=at,
        )
        if known is None:
            return after, Change("agent", agent_id, "create")
        fields = [
            name for name in ("name", "credential", "wake", "runtime") if getattr(before, name) != getattr(after, name)
        ]
        return after, Change("agent", agent_id, "update" if fields else "unchanged", fields)

    async def _fresh(self, reader: Reader, agent_id: str, at: Micros) -> AgentState:
        removed = await reader.row("SELECT 1 FROM agents WHERE org = ?1 AND id = ?2", HOME, agent_id)
        last = await reader.row("SELECT seq FROM events ORDER BY seq DESC LIMIT 1") if removed else None
        name = fqid(self._network.id, "agents", agent_id)
        return AgentState(
            agent_id, "", new_id("actor"), "", "", Wake.ALL, {}, paused=False, created_at=at, updated_at=at,
            low_water=last[0] if last else 0, fqid=name,
        )  # fmt: skip

    async def _credential(self, reader: Reader, wanted: ApplyAgent) -> str:
        if not wanted.credential_key:
            return ""
        key_id = wanted.credential_key.removeprefix(_KEY)
        if await reader.row("SELECT 1 FROM grants WHERE org = ?1 AND id = ?2", HOME, key_id) is None:
            raise InstarError(
                "unprocessable_entity",
                f"agent {wanted.id!r} is bound to key {key_id!r}, which does not exist",
                hint="Take a key's id from `instar keys list`.",
            )
        return key_id


def _wake(wanted: ApplyAgent) -> Wake | None:
    asked = wanted.wake or wanted.read or (Wake.NEVER if wanted.reply == "never" else "")
    try:
        return Wake(asked) if asked else None
    except ValueError:
        allowed = ", ".join(Wake)
        raise InstarError("unprocessable_entity", f"wake {asked!r} is none of {allowed}") from None
