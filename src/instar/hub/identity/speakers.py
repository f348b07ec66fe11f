"""Which grant owns which agent: a projection of `agents.credential`, filled by the agents package."""


class Speakers:
    """Agent id → id of the grant that registered it. Changed only on the event loop, by appliers and at load."""

    def __init__(self) -> None:
        self._owners: dict[str, str] = {}
        self._owned: dict[str, frozenset[str]] = {}

    def owner(self, agent_id: str) -> str | None:
        """Return the grant that owns the agent: empty when it has none yet, None when nobody registered it."""
        return self._owners.get(agent_id)

    def owned_by(self, grant_id: str) -> frozenset[str]:
        """Return the agents that this grant registered."""
        return self._owned.get(grant_id, frozenset())

    def claim(self, agent_id: str, grant_id: str) -> None:
        """Note that the agent is registered and belongs to `grant_id` (empty: to nobody yet)."""
        self.release(agent_id)
        self._owners[agent_id] = grant_id
        if grant_id:
            self._owned[grant_id] = self.owned_by(grant_id) | {agent_id}

    def release(self, agent_id: str) -> None:
        """Note that the agent is registered no more. Unknown agents are no error."""
        owner = self._owners.pop(agent_id, "")
        if owner:
            left = self._owned[owner] - {agent_id}
            if left:
                self._owned[owner] = left
            else:
                del self._owned[owner]
