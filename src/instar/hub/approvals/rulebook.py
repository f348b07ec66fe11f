"""All rules as they hold now: the vetoes of agents, the static file, what is remembered."""

from collections.abc import Callable

import msgspec

from instar.base.clock import Micros
from instar.bus.fanout import Pump
from instar.policy.rules import RuleLayers, has_expired
from instar.store.seam import Store
from instar.wire.approvals import KnownRule, Layer
from instar.wire.events import Event

from . import records
from .records import Replaced
from .static_file import StaticFile


class Rulebook:
    """The projection of table `rules`, changed only by the pump, with the static file beside it."""

    def __init__(self, pump: Pump, file: StaticFile, clock: Callable[[], Micros]) -> None:
        self.file = file
        self._clock = clock
        self._remembered: dict[str, KnownRule] = {}
        self._vetoes: dict[str, list[KnownRule]] = {}
        pump.apply_with("rule.added", self._added)
        pump.apply_with("rule.removed", self._removed)
        pump.apply_with("rules.replaced", self._replaced)

    async def load(self, store: Store) -> None:
        """Read the table; called once, before the pump starts."""
        for rule in await store.read(records.rules):
            if rule.layer is Layer.AGENT:
                self._vetoes.setdefault(rule.agent_id, []).append(rule)
            else:
                self._remembered[rule.id] = rule

    def layers(self, agent_id: str) -> RuleLayers:
        """Return what is asked about a call of this agent; empty: a person's."""
        found = self.file.rules()
        return RuleLayers(self._vetoes.get(agent_id, []), found, list(self._remembered.values()), self.file.fault)

    def all(self) -> list[KnownRule]:
        """Return every rule in the order in which they are asked; expired ones are not among them."""
        vetoes = [rule for agent_id in sorted(self._vetoes) for rule in self._vetoes[agent_id]]
        found = (*vetoes, *self.file.rules(), *self._remembered.values())
        return [known for known in found if not has_expired(known.rule, self._clock())]

    def remembered(self, rule_id: str) -> KnownRule | None:
        """Return a remembered rule, or None."""
        return self._remembered.get(rule_id)

    def count(self) -> int:
        """Return how many rules are remembered."""
        return len(self._remembered)

    def expired(self) -> list[KnownRule]:
        """Return remembered rules whose time is over."""
        return [known for known in self._remembered.values() if has_expired(known.rule, self._clock())]

    def _added(self, event: Event) -> None:
        rule = msgspec.json.decode(event.payload, type=KnownRule)
        self._remembered[rule.id] = rule

    def _removed(self, event: Event) -> None:
        self._remembered.pop(msgspec.json.decode(event.payload, type=KnownRule).id, None)

    def _replaced(self, event: Event) -> None:
        replaced = msgspec.json.decode(event.payload, type=Replaced)
        if replaced.layer is Layer.AGENT:
            self._vetoes[replaced.agent_id] = replaced.rules
