"""Opening a direct conversation before its first message."""

from instar.base.errors import InstarError
from instar.hub.act import Act
from instar.hub.identity.authority import Authority
from instar.store.seam import Transaction
from instar.wire.messages import Actor
from instar.wire.names import Network
from instar.wire.operation import ObjectKind
from instar.wire.rooms import DirectConversation, OpenDm

from .directory import Directory
from .openings import Openings, open_dm
from .participants import canonical_dm_id, canonical_members, member_of
from .views import dm_view


class Directs:
    """The handler that opens direct conversations."""

    def __init__(self, directory: Directory, authority: Authority, network: Network) -> None:
        self._authority = authority
        self._network = network
        self._openings = Openings(directory, network)

    async def open(self, act: Act[OpenDm, None]) -> DirectConversation:
        """Open, or find, the conversation between the caller (or its agent) and these participants.

        Raises:
            InstarError: `forbidden` (switched off, or not the caller's agent), `unprocessable_entity` (participants).
        """
        if not self._authority.policy.direct_messages:
            raise InstarError("forbidden", "direct messages are switched off", hint="Use rooms instead.")
        actor = Actor("agent", act.params.as_) if act.params.as_ else None
        sender = self._authority.sender(act.caller, actor, self._network)
        me = member_of(sender, self._network.id)
        members = canonical_members([*act.params.participant_ids, me], self._network.id)
        dm = self._openings.draft_dm(canonical_dm_id(members), members)
        self._authority.enforce(act.caller, self._authority.may_write(act.caller, sender, dm), ObjectKind.ROOM, dm)

        async def work(tx: Transaction) -> DirectConversation:
            await open_dm(tx, dm, act.caller.principal.id)
            return dm_view(dm)

        return await act.transact(work, DirectConversation)
