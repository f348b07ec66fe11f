"""Claiming an agent id, replacing its token, and removing it (Moltnet http.v1 §2.5, without its holes)."""

import secrets
from dataclasses import dataclass

import msgspec

from instar.base.clock import now
from instar.base.errors import InstarError
from instar.base.ids import new_id
from instar.hub.act import Act
from instar.hub.identity.attenuation import Wanted
from instar.hub.identity.minting import mint, revoke_agent_tokens
from instar.hub.identity.policy import AuthPolicy
from instar.hub.identity.principals import Caller
from instar.hub.identity.roots import AGENT_SCOPES, sponsor
from instar.hub.rooms.governing import leave_rooms
from instar.hub.rooms.session_changes import leave_sessions
from instar.store.seam import HOME, Draft, Store, Transaction
from instar.wire.agents import AgentEvent, AgentRef, AgentRegistration, AgentToken, RegisterAgent, Wake
from instar.wire.events import DIRECTORY
from instar.wire.identity import Scope
from instar.wire.names import Network, fqid
from instar.wire.rooms import Removed

from .state import AgentState, find, local_id, put, slug

SLUG_TRIES = 100


@dataclass(frozen=True, slots=True)
class Claim:
    """An agent id that somebody wants."""

    id: str
    exact: bool = True
    """Whether this very id is wanted; otherwise a taken one is varied."""


class Registration:
    """Changes who is registered. The registry follows through the log."""

    def __init__(self, store: Store, policy: AuthPolicy, network: Network) -> None:
        self._store = store
        self._policy = policy
        self._network = network

    def claim(self, params: RegisterAgent) -> Claim:
        """Return the id that a registration asks for.

        Raises:
            InstarError: `unprocessable_entity` when it is no id of this network.
        """
        if params.requested_agent_id.strip():
            return Claim(local_id(params.requested_agent_id, self._network))
        return Claim(slug(params.name), exact=False)

    async def register(self, caller: Caller, params: RegisterAgent) -> AgentRegistration:
        """Claim an id, or find the caller's own claim on it. The caller must have been authorised to register.

        An anonymous caller gets an agent token, shown this once; so does who asks for one.

        Raises:
            InstarError: `conflict` when the id belongs to another credential; `unprocessable_entity`.
        """
        claim = self.claim(params)
        return await self._store.transact(lambda tx: self._register(tx, caller, params, claim))

    async def _register(
        self, tx: Transaction, caller: Caller, params: RegisterAgent, claim: Claim
    ) -> AgentRegistration:
        known = await find(tx, claim.id, self._network)
        if known is not None and not claim.exact and not self._is_own(caller, known):
            claim, known = await self._vary(tx, claim), None
        if known is None:
            return await self._create(tx, caller, params, claim.id)
        if not self._is_own(caller, known) and known.credential and not caller.has(Scope.ADMIN):
            raise InstarError(
                "conflict",
                f"agent {known.id!r} is already registered with different credentials",
                hint="Use the credential that registered it, or choose another id.",
            )
        return await self._refresh(tx, caller, params, known)

    def _is_own(self, caller: Caller, known: AgentState) -> bool:
        if caller.is_anonymous and not caller.has(Scope.ATTACH):
            return False
        named = caller.grant.agents is not None and known.id in caller.grant.agents
        return named or known.credential == caller.grant.id

    async def _vary(self, tx: Transaction, claim: Claim) -> Claim:
        for _ in range(SLUG_TRIES):
            varied = f"{claim.id}-{secrets.token_hex(4)}"
            if await find(tx, varied, self._network) is None:
                return Claim(varied)
        raise InstarError("conflict", f"no free id like {claim.id!r} was found", hint="Name an id yourself.")

    async def _create(self, tx: Transaction, caller: Caller, params: RegisterAgent, agent_id: str) -> AgentRegistration:
        at = now()
        credential, token = caller.grant.id, ""
        if params.issue_token or not caller.has(Scope.ATTACH, Scope.ADMIN):
            credential, token = await self._token(tx, caller, agent_id)
        agent = AgentState(
            agent_id, params.name.strip(), new_id("actor"), credential, "", params.wake or Wake.ALL, {},
            paused=False, created_at=at, updated_at=at, low_water=await self._beginning(tx, agent_id),
            fqid=fqid(self._network.id, "agents", agent_id),
        )  # fmt: skip
        await tx.execute("DELETE FROM agents WHERE org = ?1 AND id = ?2", HOME, agent_id)
        await put(tx, agent)
        await tx.append(agent.draft("agent.registered", new_id("evt"), self._network, caller.principal.id))
        return agent.registration(self._network, token=token, created=True)

    async def _beginning(self, tx: Transaction, agent_id: str) -> int:
        """Return where the inbox of a new registration begins: a removed predecessor's messages are not its own."""
        removed = await tx.row("SELECT 1 FROM agents WHERE org = ?1 AND id = ?2", HOME, agent_id)
        last = await tx.row("SELECT seq FROM events ORDER BY seq DESC LIMIT 1") if removed else None
        return last[0] if last else 0

    async def _refresh(
        self, tx: Transaction, caller: Caller, params: RegisterAgent, agent: AgentState
    ) -> AgentRegistration:
        token = ""
        before = (agent.name, agent.wake, agent.credential)
        agent.name = params.name.strip() or agent.name
        agent.wake = params.wake or agent.wake
        if params.issue_token or (not agent.credential and not caller.has(Scope.ATTACH, Scope.ADMIN)):
            minted, token = await self._token(tx, caller, agent.id)
            agent.credential = agent.credential or minted
        elif not agent.credential and not caller.has(Scope.ADMIN):
            agent.credential = caller.grant.id
        if before != (agent.name, agent.wake, agent.credential):
            agent.updated_at = now()
            await put(tx, agent)
            await tx.append(agent.draft("agent.updated", new_id("evt"), self._network, caller.principal.id))
        return agent.registration(self._network, token=token)

    async def _token(self, tx: Transaction, caller: Caller, agent_id: str) -> tuple[str, str]:
        """Mint a token of an agent that is the caller's; return the grant's id and the token."""
        holder = sponsor(caller, agent_id, self._policy)
        scopes = AGENT_SCOPES & holder.scopes if caller.grant.agents is not None else AGENT_SCOPES
        wanted = Wanted("agent", agent_id, scopes, agents=frozenset({agent_id}), rooms=holder.rooms)
        stored, token = await mint(tx, holder, wanted)
        return stored.grant.id, token

    async def rotate_token(self, act: Act[AgentRef, AgentState]) -> AgentToken:
        """Give an agent a new token; its older tokens end with this answer, the keys of others stay."""

        async def rotate(tx: Transaction) -> AgentToken:
            agent = await self._find(tx, act.object.id)
            await revoke_agent_tokens(tx, agent.id, actor=act.caller.principal.id, reason="rotated")
            minted, token = await self._token(tx, act.caller, agent.id)
            if await self._is_ownerless(tx, agent):
                agent.credential = minted
            agent.updated_at = now()
            await put(tx, agent)
            await tx.append(agent.draft("agent.updated", new_id("evt"), self._network, act.caller.principal.id))
            return AgentToken(agent.id, token)

        act.audit_subject = act.object.id
        return await act.transact(rotate, AgentToken)

    async def remove(self, act: Act[AgentRef, AgentState]) -> Removed:
        """Remove an agent: its registration, memberships and tokens end; what it said stays.

        Direct conversations keep their participants. The id may be claimed again, as another actor.
        """
        agent_id = act.object.id

        async def remove(tx: Transaction) -> Removed:
            agent = await self._find(tx, agent_id)
            # The removal comes first in the log: live attachments are told of it, not of their token's end.
            await self._forget(tx, agent, act.caller.principal.id)
            await revoke_agent_tokens(tx, agent_id, actor=act.caller.principal.id, reason="agent removed")
            return Removed(True, "agent", agent_id)

        act.audit_subject = agent_id
        return await act.transact(remove, Removed)

    async def _forget(self, tx: Transaction, agent: AgentState, actor: str) -> None:
        at = now()
        await tx.execute(
            "UPDATE agents SET removed_at = ?3, credential = '' WHERE org = ?1 AND id = ?2", HOME, agent.id, at
        )
        await tx.execute("DELETE FROM inbox WHERE org = ?1 AND agent = ?2", HOME, agent.id)
        gone = AgentEvent(agent.id, self._network.id, agent.fqid, agent.name, reason="removed")
        payload = msgspec.json.encode(gone)
        await tx.append(Draft(DIRECTORY, new_id("evt"), "agent.removed", payload, at, actor))
        await leave_rooms(tx, self._network, agent.id, actor)
        await leave_sessions(tx, self._network, agent.id, actor)

    async def _find(self, tx: Transaction, agent_id: str) -> AgentState:
        agent = await find(tx, agent_id, self._network)
        if agent is None:
            raise InstarError("not_found", f"there is no agent {agent_id!r}")
        return agent

    async def _is_ownerless(self, tx: Transaction, agent: AgentState) -> bool:
        """Whether no grant that still holds owns the agent."""
        owner = await tx.row("SELECT revoked_at FROM grants WHERE org = ?1 AND id = ?2", HOME, agent.credential)
        return owner is None or owner[0] is not None
