"""Reactions: per message a set of (reaction, who); an event only when the set changes."""

import msgspec

from instar.base.clock import now
from instar.base.errors import InstarError
from instar.base.ids import new_id
from instar.hub.act import Act
from instar.hub.identity.authority import Authority
from instar.hub.identity.principals import Caller
from instar.store.seam import HOME, Draft, Transaction
from instar.wire.limits import REACTIONS_PER_MESSAGE_MAX
from instar.wire.messages import Actor, Message, Reaction, ReactionChange, ReactMessage
from instar.wire.names import Network
from instar.wire.operation import ObjectKind

from .changing import standing_message
from .compose import ENCODER
from .folding import changes_of, fold
from .openings import append
from .participants import member_of
from .stored import StoredMessage


class Reactions:
    """Handlers that put and take reactions; who may write in the conversation may react."""

    def __init__(self, authority: Authority, network: Network) -> None:
        self._authority = authority
        self._network = network

    async def put(self, act: Act[ReactMessage, StoredMessage]) -> Message:
        """Put a reaction; putting it again changes nothing.

        Raises:
            InstarError: `conflict` (redacted, or `REACTIONS_PER_MESSAGE_MAX` distinct ones), `forbidden`.
        """
        return await self._change(act, is_put=True)

    async def take(self, act: Act[ReactMessage, StoredMessage]) -> Message:
        """Take a reaction back; one that is not there changes nothing.

        Raises:
            InstarError: `conflict` when the message was redacted, `forbidden`.
        """
        return await self._change(act, is_put=False)

    async def _change(self, act: Act[ReactMessage, StoredMessage], *, is_put: bool) -> Message:
        stored, reaction = act.object, act.params.reaction
        by = self._who(act.caller, stored, act.params.as_)
        actor = act.caller.principal.id

        async def work(tx: Transaction) -> Message:
            event = await standing_message(tx, stored)
            changes = await changes_of(tx, stored.message.id)
            before = list(changes.reactions)
            after = with_reaction(before, reaction, by) if is_put else without_reaction(before, reaction, by)
            if after != before:
                await _store(tx, stored, after)
                change = ReactionChange(stored.message.id, reaction, by)
                kind = "reaction.added" if is_put else "reaction.removed"
                await append(tx, Draft(event.room, new_id("evt"), kind, ENCODER.encode(change), now(), actor))
            return fold(event, changes._replace(reactions=tuple(after)))

        return await act.transact(work, Message)

    def _who(self, caller: Caller, stored: StoredMessage, as_agent: str) -> str:
        actor = Actor("agent", as_agent) if as_agent else None
        sender = self._authority.sender(caller, actor, self._network)
        decision = self._authority.may_write(caller, sender, stored.room)
        self._authority.enforce(caller, decision, ObjectKind.ROOM, stored.room)
        return member_of(sender, self._network.id)


def with_reaction(reactions: list[Reaction], reaction: str, by: str) -> list[Reaction]:
    """Return the reactions with this one put.

    Raises:
        InstarError: `conflict` for more than `REACTIONS_PER_MESSAGE_MAX` distinct ones.
    """
    if all(each.reaction != reaction for each in reactions):
        if len(reactions) >= REACTIONS_PER_MESSAGE_MAX:
            raise InstarError(
                "conflict",
                f"a message takes {REACTIONS_PER_MESSAGE_MAX} distinct reactions",
                hint="Use one that is there already.",
            )
        return [*reactions, Reaction(reaction, [by])]
    return [
        Reaction(reaction, [*each.by, by]) if each.reaction == reaction and by not in each.by else each
        for each in reactions
    ]


def without_reaction(reactions: list[Reaction], reaction: str, by: str) -> list[Reaction]:
    """Return the reactions with this one taken; a reaction that nobody has any more is gone."""
    taken = [
        Reaction(reaction, [other for other in each.by if other != by]) if each.reaction == reaction else each
        for each in reactions
    ]
    return [each for each in taken if each.by]


async def _store(tx: Transaction, stored: StoredMessage, reactions: list[Reaction]) -> None:
    await tx.execute(
        "INSERT INTO message_changes (org, message_id, seq, reactions) VALUES (?1, ?2, ?3, ?4)"
        " ON CONFLICT (org, message_id) DO UPDATE SET reactions = excluded.reactions",
        HOME,
        stored.message.id,
        stored.event.seq,
        msgspec.json.encode(reactions).decode(),
    )
