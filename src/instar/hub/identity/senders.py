"""Who a message is from: the rules of Moltnet http.v1 §5.3, with its holes closed.

Nobody speaks under a name that is not its own: an agent's id belongs to the credential that registered it or names
it, a person's to the principal. Who administers and may write speaks as anybody; mode `none` trusts this machine.
"""

from functools import lru_cache

import msgspec

from instar.base.errors import InstarError
from instar.wire.identity import PrincipalKind, Scope
from instar.wire.messages import Actor
from instar.wire.names import Network, fqid, parse_member

from .principals import Caller, is_reserved
from .rights import HUMAN, Rights

AGENT = "agent"
SCHEDULE = "schedule"
"""The type of a sender that is a schedule: the hub itself speaks for it."""
KNOWN_NAMES_MAX = 4_096


class Senders:
    """Settles senders from what callers are."""

    def __init__(self, rights: Rights) -> None:
        self._rights = rights

    def settle(self, caller: Caller, actor: Actor | None, network: Network, origin: str = "") -> Actor:
        """Return the sender of a message, complete with network and FQID.

        Args:
            caller: Who sends.
            actor: The sender that the message names; None, or one without an id, is the caller itself.
            network: This network.
            origin: The network that the message comes from, where it says so.

        Raises:
            InstarError: `unprocessable_entity` for a name that is none, `conflict` for names that contradict each
                other or an agent of another credential, `unauthorized` or `forbidden` when it is not the caller's.
        """
        named = actor if actor is not None and actor.id else self._own(caller, actor)
        sender = _named(named, network)
        if sender.type == SCHEDULE and sender.network_id == network.id:
            raise InstarError("forbidden", "only the hub's own schedules speak as schedules", hint="Send as yourself.")
        if origin and origin != sender.network_id:
            raise InstarError("conflict", f"origin {origin} is not the network of sender {sender.fqid}")
        if sender.type == HUMAN and not self._rights.policy.human_ingress:
            raise InstarError("forbidden", "messages of people are switched off", hint="Set `auth.human_ingress`.")
        if self._rights.is_free(caller):
            return sender
        if sender.network_id == network.id:
            self._check_local(caller, sender)
            return _under_own_name(caller, sender)
        if not caller.has(Scope.PAIR):
            raise _refused(caller, "scope pair to speak for another network")
        return sender

    def _own(self, caller: Caller, actor: Actor | None) -> Actor:
        """Return the caller as a sender."""
        name = actor.name if actor else ""
        kind = actor.type if actor else ""
        agents = caller.grant.agents or ()
        if len(agents) == 1 and kind != HUMAN:
            return Actor(kind or AGENT, next(iter(agents)), name)
        if caller.grant.kind != "agent" and kind in ("", HUMAN) and not agents:
            return Actor(HUMAN, caller.principal.id, name or caller.principal.name)
        raise InstarError(
            "unprocessable_entity", "the message does not say who speaks", hint="Name the agent in `from.id`."
        )

    def _check_local(self, caller: Caller, sender: Actor) -> None:
        if not caller.has(Scope.WRITE):
            raise _refused(caller, "scope write")
        if sender.type == HUMAN:
            self._check_person(caller, sender)
        else:
            self._check_agent(caller, sender)

    def _check_person(self, caller: Caller, sender: Actor) -> None:
        if caller.grant.kind == "agent" or caller.is_anonymous:
            raise _refused(caller, "a person's key or session, not an agent token")
        if sender.id == caller.principal.id:
            return
        if self._rights.speakers.owner(sender.id) is not None:
            raise InstarError("conflict", f"`{sender.id}` is an agent, not a person")
        if caller.has(Scope.ADMIN) or self._rights.speaks_as(caller, sender.id):
            return
        raise _unnamed(sender.id)

    def _check_agent(self, caller: Caller, sender: Actor) -> None:
        if is_reserved(sender.id):
            raise InstarError("forbidden", f"no agent may be called `{sender.id}`", hint="Choose another agent id.")
        if caller.has(Scope.ADMIN) or self._rights.speaks_as(caller, sender.id):
            return
        owner = self._rights.speakers.owner(sender.id)
        if owner or caller.grant.kind == "agent":
            raise InstarError(
                "conflict",
                f"agent `{sender.id}` belongs to another credential",
                hint=f"Send with that credential, or create a key with `--agent {sender.id}`.",
            )
        if owner is None and self._rights.policy.mode == "open":
            raise InstarError("unauthorized", f"agent `{sender.id}` is not registered", hint="Register it first.")
        raise _unnamed(sender.id)


def _under_own_name(caller: Caller, sender: Actor) -> Actor:
    """Return the sender; who signs in as a person is called what the hub calls that person, and nothing else."""
    person = caller.principal
    is_oneself = person.kind is PrincipalKind.PERSON and sender.id == person.id
    return msgspec.structs.replace(sender, name=person.name) if is_oneself else sender


def _unnamed(sender_id: str) -> InstarError:
    """Return the refusal of a name that the grant does not hold."""
    return InstarError(
        "forbidden",
        f"the credential does not speak for `{sender_id}`",
        hint=f"Create a key with `--agent {sender_id}`.",
    )


def _refused(caller: Caller, missing: str) -> InstarError:
    """Return the refusal of a caller: 401 asks for a credential, 403 for another one."""
    return InstarError("unauthorized" if caller.is_anonymous else "forbidden", f"needs {missing}")


@lru_cache(maxsize=KNOWN_NAMES_MAX)
def _named(actor: Actor, network: Network) -> Actor:
    """Return the actor with its names agreed upon. It depends on nothing else, so what was agreed is remembered."""
    text = actor.id.strip()
    member = parse_member(text)
    if member is None:
        raise InstarError("unprocessable_entity", f"`from.id` is no member name: {text!r}")
    networks = {name for name in (member.network_id, actor.network_id) if name}
    if actor.fqid:
        full = parse_member(actor.fqid)
        if full is None or full.id != member.id:
            raise InstarError("conflict", f"`from.fqid` {actor.fqid!r} and `from.id` {text!r} differ")
        networks.add(full.network_id)
    if len(networks) > 1:
        raise InstarError("conflict", f"`from` names several networks: {', '.join(sorted(networks))}")
    home = networks.pop() if networks else network.id
    return Actor(actor.type or AGENT, member.id, actor.name, home, fqid(home, "agents", member.id))
