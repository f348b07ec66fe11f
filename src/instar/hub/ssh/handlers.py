"""Handlers of `ssh.*` that change what there is; `reaching` has those that dial out."""

import asyncio
from collections.abc import Callable

import msgspec

from instar.base.clock import now, to_rfc3339
from instar.base.errors import InstarError
from instar.base.ids import new_id
from instar.hub.act import Act, Bindings, bind
from instar.hub.identity.missing import missing
from instar.hub.identity.principals import Caller
from instar.hub.secrets import Secrets
from instar.store.seam import Transaction
from instar.wire import ssh as wire
from instar.wire.limits import SSH_KEYS_MAX, SSH_TARGETS_MAX
from instar.wire.operation import Nothing
from instar.wire.ssh import SshKey, SshMode, SshTarget

from . import records
from .destinations import Destination, check_mode, parse_destination
from .host_keys import joined, parse_lines
from .inventory import Inventory, Located
from .records import TargetRecord

RESERVED = frozenset({"local", "ssh", "none"})
"""Labels that would read as another choice of a target."""


class Handlers:
    """What callers may do to keys and targets."""

    def __init__(self, inventory: Inventory, secrets: Secrets) -> None:
        self._inventory = inventory
        self._secrets = secrets

    def bindings(self) -> Bindings:
        """Return the operations with their handlers."""
        return (
            bind(wire.KEYS, self.keys),
            bind(wire.GENERATE, self.generate),
            bind(wire.IMPORT, self.import_),
            bind(wire.REMOVE_KEY, self.remove_key, self.locate_key),
            bind(wire.TARGETS, self.targets),
            bind(wire.ADD, self.add),
            bind(wire.UPDATE, self.update, self.locate),
            bind(wire.REMOVE, self.remove, self.locate),
            bind(wire.UNPIN, self.unpin, self.locate),
        )

    def locate(
        self,
        caller: Caller,  # noqa: ARG002 - the shape of Locate
        params: wire.TargetRef | wire.UpdateTarget | wire.PinHost,
    ) -> Located:
        """Find a target by its id or label.

        Raises:
            InstarError: `not_found`.
        """
        return self._inventory.target(params.ssh_target_id)

    def locate_key(self, caller: Caller, params: wire.SshKeyRef) -> SshKey:  # noqa: ARG002 - the shape of Locate
        """Find a key by its id or name.

        Raises:
            InstarError: `not_found`.
        """
        return self._inventory.key(params.ssh_key_id)

    async def keys(self, act: Act[Nothing, None]) -> wire.SshKeyList:  # noqa: ARG002 - the shape of Handler
        """List managed keys, by name."""
        return wire.SshKeyList(self._inventory.keys())

    async def targets(self, act: Act[Nothing, None]) -> wire.TargetList:  # noqa: ARG002 - the shape of Handler
        """List SSH targets, the default first."""
        return wire.TargetList([self._inventory.view(each.record) for each in self._inventory.targets()])

    async def generate(self, act: Act[wire.GenerateKey, None]) -> SshKey:
        """Make an Ed25519 key; its private half never leaves the hub.

        Raises:
            InstarError: `conflict`: the name is taken, or there are too many keys.
        """
        from .private_keys import generate  # noqa: PLC0415 - starting a hub needs none of it

        pair = await asyncio.to_thread(generate, _comment(act.params.name))
        return await self._keep(act, act.params.name, pair.private, pair.public_key, pair.fingerprint)

    async def import_(self, act: Act[wire.ImportKey, None]) -> SshKey:
        """Take a private key; its passphrase is used once and not kept.

        Raises:
            InstarError: `unprocessable_entity` as `private_keys.read_key`; `conflict` as `generate`.
        """
        from .private_keys import read_key  # noqa: PLC0415 - starting a hub needs none of it

        body = act.params
        pair = await asyncio.to_thread(read_key, body.private_key, body.passphrase, _comment(body.name))
        return await self._keep(act, body.name, pair.private, pair.public_key, pair.fingerprint)

    async def remove_key(self, act: Act[wire.SshKeyRef, SshKey]) -> SshKey:
        """Remove a managed key.

        Raises:
            InstarError: `conflict` while targets use it.
        """
        key, actor = act.object, act.caller.principal.id
        act.audit_subject = key.id

        async def work(tx: Transaction) -> SshKey:
            users = [each.label for each in await records.targets(tx) if each.key_id == key.id]
            if users:
                raise InstarError(
                    "conflict", f"the key {key.name!r} is used by {', '.join(sorted(users))}",
                    hint="Give these targets another key first, or remove them.",
                )  # fmt: skip
            if await records.find_key(tx, key.id) is None:
                raise missing("SSH key", key.id)
            await self._secrets.forget(tx, records.secret_of(key.id))
            await records.remove_key(tx, key, actor)
            return key

        return await act.transact(work, SshKey)

    async def add(self, act: Act[wire.AddTarget, None]) -> SshTarget:
        """Name a machine. The first one becomes the default, which counts for the choice `ssh` alone.

        Raises:
            InstarError: `unprocessable_entity` (address, known_hosts lines, key and mode), `not_found` (key),
                `conflict` (the label is taken, or there are too many).
        """
        body, at = act.params, to_rfc3339(now())
        destination = parse_destination(body.address, body.port)
        check_mode(destination, body.mode)
        pins = pin_lines(body.known_host, destination, body.mode) if body.known_host else ""
        made = TargetRecord(
            new_id("sst"), body.label, destination.address, body.mode, at, destination.port,
            self._key_id(body.mode, body.key), known_host=pins, is_default=body.is_default, updated_at=at,
        )  # fmt: skip
        act.audit_subject = made.id

        async def work(tx: Transaction) -> SshTarget:
            known = await records.targets(tx)
            if len(known) >= SSH_TARGETS_MAX:
                raise InstarError("conflict", f"there are {SSH_TARGETS_MAX} SSH targets", hint="Remove one first.")
            target = msgspec.structs.replace(made, is_default=made.is_default or not known)
            await self._put(tx, target, act.caller)
            return self._inventory.view(target)

        return await act.transact(work, SshTarget)

    async def update(self, act: Act[wire.UpdateTarget, Located]) -> SshTarget:
        """Change parts of a target. Its pin stays: an address that leads to another machine is blocked by it.

        Raises:
            InstarError: As `add`.
        """
        body = act.params

        def change(stored: TargetRecord) -> TargetRecord:
            port = stored.port if body.port is None else body.port
            mode = stored.mode if body.mode is None else body.mode
            # A new address brings its own port, or none; the old one was the old machine's.
            destination = parse_destination(stored.address, port) if body.address is None else parse_destination(
                body.address, body.port
            )  # fmt: skip
            check_mode(destination, mode)
            return msgspec.structs.replace(
                stored,
                label=stored.label if body.label is None else body.label,
                address=destination.address, port=destination.port, mode=mode,
                key_id=self._key_id(mode, stored.key_id if body.key is None else body.key),
                is_default=stored.is_default if body.is_default is None else body.is_default,
            )  # fmt: skip

        return await self.change(act, change)

    async def remove(self, act: Act[wire.TargetRef, Located]) -> SshTarget:
        """Forget a target. The default falls to the one that was changed last."""
        target_id, actor = act.object.record.id, act.caller.principal.id
        act.audit_subject = target_id

        async def work(tx: Transaction) -> SshTarget:
            stored = await stored_target(tx, target_id)
            await records.remove(tx, stored, actor)
            if stored.is_default and (left := await records.targets(tx)):
                await records.put(tx, msgspec.structs.replace(left[0], is_default=True), actor)
            return self._inventory.view(stored)

        return await act.transact(work, SshTarget)

    async def unpin(self, act: Act[wire.TargetRef, Located]) -> SshTarget:
        """Clear a target's pinned host key; a block goes with it."""
        return await self.change(act, lambda stored: repinned(stored, ""))

    async def change(
        self,
        act: Act[wire.UpdateTarget, Located] | Act[wire.TargetRef, Located] | Act[wire.PinHost, Located],
        change: Callable[[TargetRecord], TargetRecord],
    ) -> SshTarget:
        """Write what `change` makes of the stored target."""
        target_id = act.object.record.id
        act.audit_subject = target_id

        async def work(tx: Transaction) -> SshTarget:
            stored = await stored_target(tx, target_id)
            target = msgspec.structs.replace(change(stored), updated_at=to_rfc3339(now()))
            await self._put(tx, target, act.caller)
            return self._inventory.view(target)

        return await act.transact(work, SshTarget)

    async def _put(self, tx: Transaction, target: TargetRecord, caller: Caller) -> None:
        if target.label.lower() in RESERVED:
            raise InstarError(
                "unprocessable_entity", f"{target.label!r} means something else where targets are chosen",
                hint="Choose another label.",
            )  # fmt: skip
        for other in await records.targets(tx):
            if other.id != target.id and other.label.lower() == target.label.lower():
                raise InstarError("conflict", f"there is a target {other.label!r}", hint="Choose another label.")
        if target.key_id and await records.find_key(tx, target.key_id) is None:
            raise missing("SSH key", target.key_id)
        await records.put(tx, target, caller.principal.id)

    async def _keep(
        self,
        act: Act[wire.GenerateKey, None] | Act[wire.ImportKey, None],
        name: str,
        private: bytes,
        public_key: str,
        fingerprint: str,
    ) -> SshKey:
        key = SshKey(new_id("ssk"), name, public_key, fingerprint, to_rfc3339(now()))
        act.audit_subject = key.id

        async def work(tx: Transaction) -> SshKey:
            if await records.find_key(tx, name) is not None:
                raise InstarError("conflict", f"there is a key {name!r}", hint="Choose another name.")
            if len(await records.keys(tx)) >= SSH_KEYS_MAX:
                raise InstarError("conflict", f"there are {SSH_KEYS_MAX} managed keys", hint="Remove one first.")
            await self._secrets.keep(tx, records.secret_of(key.id), private)
            await records.add_key(tx, key, act.caller.principal.id)
            return key

        return await act.transact(work, SshKey)

    def _key_id(self, mode: SshMode, named: str) -> str:
        """Return the id of the key that a target of this mode uses: none in system mode."""
        if mode is SshMode.SYSTEM:
            return ""
        if not named:
            raise InstarError(
                "unprocessable_entity", "a managed target needs a managed key",
                hint="Make one with `instar ssh keys generate NAME`, then name it.",
            )  # fmt: skip
        return self._inventory.key(named).id


async def stored_target(tx: Transaction, target_id: str) -> TargetRecord:
    """Return the target as the transaction sees it.

    Raises:
        InstarError: `not_found`: it was removed meanwhile.
    """
    stored = await records.find_target(tx, target_id)
    if stored is None:
        raise missing("SSH target", target_id)
    return stored


def repinned(stored: TargetRecord, known_host: str) -> TargetRecord:
    """Return the target with these lines as its pin, and no block."""
    return msgspec.structs.replace(stored, known_host=known_host, is_blocked=False, blocked_fingerprint="")


def pin_lines(text: str, destination: Destination, mode: SshMode) -> str:
    """Return known_hosts lines as they are stored.

    Raises:
        InstarError: `unprocessable_entity`: they cannot be read, or are about another host. In system mode the address
            may be an alias, so any host's line is taken.
    """
    lines = parse_lines(text)
    strangers = [each.hosts for each in lines if not each.names(destination)]
    if mode is SshMode.MANAGED and strangers:
        raise InstarError(
            "unprocessable_entity", f"the line is about {strangers[0][:80]!r}, not {destination.known_as!r}",
            hint=f"Use the host's own line: `ssh-keyscan` for {destination.known_as}, or `instar ssh scan`.",
        )  # fmt: skip
    return joined(lines)


def _comment(name: str) -> str:
    return f"instar:{name}"
