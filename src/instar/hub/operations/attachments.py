"""Attachments: an agent's place at the hub while its socket lives."""

from instar.base.ids import new_id
from instar.base.tasks import TaskScope
from instar.hub.agents.agents import Agents
from instar.hub.identity.authority import Authority
from instar.hub.identity.principals import Caller
from instar.wire.agents import AgentRegistration, RegisterAgent
from instar.wire.operation import ObjectKind, Verb


class Attachment:
    """One socket of an agent. Closing it twice is no error."""

    def __init__(self, registration: AgentRegistration, attachment_id: str, agents: Agents, scope: TaskScope) -> None:
        self.registration = registration
        self._id = attachment_id
        self._agents = agents
        self._scope = scope
        self._is_open = True

    def close(self, reason: str, error: str = "") -> None:
        """Give the place up; `agent.disconnected` follows when it was the agent's last."""
        if self._is_open:
            self._is_open = False
            agent_id = self.registration.agent_id
            ending = self._agents.detached(agent_id, self._id, reason=reason, error=error)
            self._scope.start(f"detach {agent_id}", ending)


class Attachments:
    """Lets agents in."""

    def __init__(self, authority: Authority, agents: Agents, scope: TaskScope) -> None:
        self._authority = authority
        self._agents = agents
        self._scope = scope

    async def attach(self, caller: Caller, agent_id: str, name: str) -> Attachment:
        """Register the agent if it is unknown, and note the attachment; the first one makes it connected.

        Raises:
            InstarError: `forbidden` or `conflict` when the caller may not be this agent.
        """
        wanted = RegisterAgent(requested_agent_id=agent_id, name=name)
        claim = self._agents.claim(caller, wanted)
        self._authority.require(caller, Verb.ATTACH, ObjectKind.AGENT, claim)
        registration = await self._agents.register(caller, wanted)
        attachment_id = new_id("att")
        await self._agents.attached(registration.agent_id, attachment_id, reason="attachment_ready")
        return Attachment(registration, attachment_id, self._agents, self._scope)
