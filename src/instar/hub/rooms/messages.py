"""Sending: who speaks, where, what; then one append. The answer comes when the message is on disk."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from instar.base.errors import InstarError
from instar.hub.act import Act
from instar.hub.identity.authority import Authority
from instar.hub.identity.principals import Caller
from instar.store.seam import Appended, AppendResult, Draft, Guard, Store, Transaction
from instar.wire.events import Event, RoomKey
from instar.wire.limits import GUARD_RETRIES
from instar.wire.messages import (
    Actor,
    BatchAccepted,
    BatchOutcome,
    MessageAccepted,
    Part,
    PartKind,
    SendBatch,
    SendMessage,
    TargetKind,
)
from instar.wire.names import Network, fqid
from instar.wire.operation import ObjectKind
from instar.wire.rooms import RoomKind
from instar.wire.sessions import from_direct

from .admission import Admission, Admitted
from .attachments import EVERY_FILE, Reach, check_blobs, reach_of, store_artifacts
from .compose import Words, message_draft, message_id_for
from .content import check_message_id, check_parts, check_target
from .directory import Directory
from .mentions import MemberNames, resolve
from .openings import DecideAnewError, Openings, open_dm, open_thread, settled
from .participants import member_of
from .replies import check_reply
from .speaking import say, speak
from .state import RoomState, Rules

HUMAN = "human"


@dataclass(slots=True)
class Intent:
    """A message that passed every check, on its way to the store."""

    room: RoomState
    is_new: bool
    """Whether the conversation is yet to be opened."""
    words: Words
    is_plain: bool
    admitted: Admitted
    actor: str
    guards: tuple[Guard, ...]
    """The rules that it was judged by, as they were then."""
    reach: Reach
    """The files that it may name."""

    def draft(self) -> Draft:
        """Return its event."""
        return message_draft(self.room, self.words, self.admitted, self.actor, self.guards)


class Messages:
    """The send path.

    Args:
        store: Where messages go.
        directory: The rooms.
        authority: Who may send where, as whom.
        network: The local network.
        admission: The loop guard and the rate limits.
    """

    def __init__(
        self, store: Store, directory: Directory, authority: Authority, network: Network, admission: Admission
    ) -> None:
        self._store = store
        self._directory = directory
        self._authority = authority
        self._network = network
        self._admission = admission
        self._openings = Openings(directory, network)
        self._names: dict[RoomKey, tuple[Rules, MemberNames]] = {}

    async def send(self, act: Act[SendMessage, None]) -> MessageAccepted:
        """Store one message.

        Raises:
            InstarError: See `deliver`.
        """
        return await self.deliver(act.caller, act.params, act.idempotency_key)

    async def send_batch(self, act: Act[SendBatch, None]) -> BatchAccepted:
        """Store several messages in the order given; each is judged and answered by itself."""
        key = act.idempotency_key
        outcomes = (
            self._outcome(act.caller, message, f"{key}/{index}" if key else "")
            for index, message in enumerate(act.params.messages)
        )
        return BatchAccepted(await asyncio.gather(*outcomes))

    async def _outcome(self, caller: Caller, message: SendMessage, idempotency_key: str) -> BatchOutcome:
        try:
            return BatchOutcome(accepted=await self.deliver(caller, message, idempotency_key))
        except InstarError as error:
            return BatchOutcome(code=error.code, error=error.message)

    async def deliver(self, caller: Caller, message: SendMessage, idempotency_key: str = "") -> MessageAccepted:
        """Judge and store a message; a repeat of one that is stored answers the first result and stores nothing.

        Raises:
            InstarError: `forbidden` (direct messages or people switched off, the sender, the write policy),
                `unauthorized`, `not_found`, `unprocessable_entity` (naming the field), `id_reused` (the id has other
                content), `rate_limited`, `loop_stopped`, `paused`, or `conflict` when the room keeps changing.
        """
        if (target := from_direct(message.target)) is not message.target:
            message = msgspec.structs.replace(message, target=target)
        message_id = (
            check_message_id(message.id) if message.id else message_id_for(caller.principal.id, idempotency_key)
        )
        admitted: Admitted | None = None
        for _ in range(GUARD_RETRIES + 1):
            intent = self._judge(caller, message, message_id, admitted)
            admitted = intent.admitted
            try:
                return await self._keep(intent, message)
            except DecideAnewError:
                continue
        raise InstarError(
            "conflict",
            f"the {message.target.kind} kept changing while the message was on its way",
            hint="Send it again.",
        )

    def _judge(self, caller: Caller, message: SendMessage, message_id: str, admitted: Admitted | None) -> Intent:
        """Check a message in the order of Moltnet http.v1 §2.4."""
        self._check_switches(message)
        origin = message.origin.network_id if message.origin else ""
        sender = self._authority.sender(caller, message.from_, self._network, origin)
        self._check_people(sender.type)
        check_target(message.target)
        is_plain = check_parts(message.parts)
        room, is_new = self._place(caller, message, sender)
        words = Words(
            message_id,
            sender,
            message.parts,
            message.mentions,
            self._mentions(room, message.mentions, message.parts),
            message.reply_to,
            "",
            message.origin if origin not in {"", self._network.id} else None,
        )
        if admitted is None:
            admitted = self._admission.admit(sender, sender.type != HUMAN, room, message.cause)
        # A direct conversation that is yet to be opened has no row to guard.
        guards = () if is_new and room.kind is RoomKind.DM else (room.guard,)
        names_files = not is_plain and any(part.blob for part in message.parts)
        reach = reach_of(caller, self._directory) if names_files else EVERY_FILE
        return Intent(room, is_new, words, is_plain, admitted, caller.principal.id, guards, reach)

    def _check_switches(self, message: SendMessage) -> None:
        if message.target.kind is TargetKind.DM and not self._authority.policy.direct_messages:
            raise InstarError("forbidden", "direct messages are switched off", hint="Send into a room instead.")
        if message.from_ is not None:
            self._check_people(message.from_.type)

    def _check_people(self, sender_type: str) -> None:
        if sender_type == HUMAN and not self._authority.policy.human_ingress:
            raise InstarError(
                "forbidden", "people may not send here", hint="Set `auth.human_ingress`, or send as an agent."
            )

    def _place(self, caller: Caller, message: SendMessage, sender: Actor) -> tuple[RoomState, bool]:
        room, is_new = self._openings.find(message.target, sender)
        decision = self._authority.may_write(caller, sender, room)
        self._authority.enforce(caller, decision, ObjectKind.ROOM, room.parent_room or room)
        if room.kind is RoomKind.DM and not room.has_member(member_of(sender, self._network.id)):
            raise InstarError(
                "forbidden",
                f"{sender.id!r} takes no part in direct conversation {room.id!r}",
                hint="Participants are fixed; open another conversation.",
            )
        if room.kind is not RoomKind.ROOM:
            self._openings.check_place(room, message.target)
            self._openings.check_participants(room, message.target)
        return room, is_new

    def _mentions(self, room: RoomState, explicit: Sequence[str], parts: Sequence[Part]) -> list[str]:
        if not explicit and not any("@" in part.text for part in parts):
            return []
        rules = room.rules
        known = self._names.get(room.key)
        if known is None or known[0] is not rules:
            known = self._names[room.key] = (rules, MemberNames(rules.members, self._network))
        return resolve(explicit, parts, known[1])

    async def _keep(self, intent: Intent, message: SendMessage) -> MessageAccepted:
        if intent.is_plain and not intent.is_new and not intent.words.reply_to:
            (result,) = await self._store.append((intent.draft(),))
            return _answer(result, intent.words.message_id)
        return await self._store.transact(lambda tx: self._keep_within(tx, intent, message))

    async def _keep_within(self, tx: Transaction, intent: Intent, message: SendMessage) -> MessageAccepted:
        room, words = intent.room, intent.words
        await check_blobs(tx, words.parts, intent.reach)
        if words.reply_to:
            await check_reply(tx, room, words.reply_to)
        opened = False
        if intent.is_new and room.kind is RoomKind.THREAD:
            opened = await open_thread(tx, room, message.target, intent.actor, intent.guards)
        elif intent.is_new:
            opened = await open_dm(tx, room, intent.actor)
        draft = intent.draft()
        result = await tx.append(draft)
        answer = _answer(result, words.message_id, room.kind if opened else None)
        if not intent.is_plain and isinstance(result, Appended) and not result.is_duplicate:
            await store_artifacts(tx, room, answer.seq, words.message_id, words.parts, draft.created_at)
        return answer

    async def append_as(
        self,
        tx: Transaction,
        agent_id: str,
        room_key: RoomKey,
        parts: Sequence[Part],
        *,
        message_id: str,
        cause: str = "",
        reply_to: str = "",
        run: str = "",
        name: str = "",
    ) -> Event:
        """Append an agent's message within the caller's own transaction, and return its event.

        It is judged by the tables as the transaction sees them: the agent must be a member, or the room open to
        registered agents. Its hops are one more than those of the message that `cause` names. Admission is not asked.

        Raises:
            InstarError: `not_found` (no such room), `forbidden` (not a member), `unprocessable_entity`, `id_reused`.
        """
        words = Words(message_id, self._actor(agent_id, name), parts, reply_to=reply_to, run=run)
        return await speak(tx, self._network, room_key, words, cause)

    async def append_by(
        self,
        tx: Transaction,
        room: RoomState,
        sender: Actor,
        text: str,
        *,
        message_id: str,
        mentions: Sequence[str],
        by: str,
    ) -> Event:
        """Append what a part of the hub itself says, by somebody's right, within that part's own transaction.

        Who calls has asked whether `room` admits it, just before; it answers nothing, so it is the first of a chain.
        Admission is not asked.

        Args:
            tx: The caller's transaction.
            room: Where to.
            sender: Who speaks, complete.
            text: What.
            message_id: A fresh id.
            mentions: Members that it names besides those in the text.
            by: The principal whose right it is.

        Raises:
            DecideAnewError: The room's rules have changed since.
            InstarError: `unprocessable_entity`: more members are named than one message may.
        """
        words = Words(message_id, sender, [Part(PartKind.TEXT, text)], mentions)
        return await say(tx, self._network, room, words, Admitted(0, ""), by, (room.guard,))

    def _actor(self, agent_id: str, name: str) -> Actor:
        return Actor("agent", agent_id, name, self._network.id, fqid(self._network.id, "agents", agent_id))


def _answer(result: AppendResult, message_id: str, opened: RoomKind | None = None) -> MessageAccepted:
    event = settled(result)
    return MessageAccepted(message_id, event.id, True, opened is RoomKind.THREAD, opened is RoomKind.DM, event.seq)
