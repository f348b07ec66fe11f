"""What SSH adds to the state of remote execution: figures and checks of the Remote Exec Status panel and of doctor."""

from collections.abc import Iterator

import msgspec

from instar.wire.nodes import CheckLevel, ExecCheck, ExecStatus
from instar.wire.ssh import SshKey, SshMode

from .inventory import Inventory, Located
from .reaching import Reach


class Status:
    """Looks at keys, targets and the machine's OpenSSH client; dials nobody.

    Args:
        inventory: What there is.
        reach: Where the client is.
    """

    def __init__(self, inventory: Inventory, reach: Reach) -> None:
        self._inventory = inventory
        self._reach = reach

    async def examine(self, status: ExecStatus) -> ExecStatus:
        """Return the status with what is to be said of SSH."""
        targets, keys = self._inventory.targets(), self._inventory.keys()
        version = await self._reach.client_version()
        client = f"{self._reach.client_path()} ({version})" if version else ""
        routed = self._inventory.get(status.target_id) if status.target_id.startswith("ssh:") else None
        checks = [
            *_binary(client, targets, routed),
            *_route(routed, targets, status, keys, client),
            *_pinning(targets, routed),
            *_vault(keys),
            *_inventory(targets, keys),
        ]
        return msgspec.structs.replace(
            status,
            ssh_targets=len(targets),
            ssh_pinned=sum(bool(each.pins) for each in targets),
            ssh_keys=len(keys),
            ssh_keys_unreadable=sum(not key.is_readable for key in keys),
            ssh_client=client,
            checks=[*status.checks, *checks],
        )


def _binary(client: str, targets: list[Located], routed: Located | None) -> Iterator[ExecCheck]:
    needing = [each.record.label for each in targets if each.record.mode is SshMode.SYSTEM]
    if client:
        yield ExecCheck("ssh-binary", CheckLevel.OK, "OpenSSH client", f"Found {client}.")
    elif needing:
        is_worse = routed is not None and routed.record.label in needing
        level = CheckLevel.ERROR if is_worse else CheckLevel.WARN
        note = f"System mode needs it, and {', '.join(needing)} would use it."
        hint = "Install openssh-client on the hub's machine, or give these targets a managed key."
        yield ExecCheck("ssh-binary", level, "No OpenSSH client", note, hint)


def _route(
    routed: Located | None, targets: list[Located], status: ExecStatus, keys: list[SshKey], client: str
) -> Iterator[ExecCheck]:
    unreadable = {key.id for key in keys if not key.is_readable}
    for located in targets:
        label = located.record.label
        if located.record.is_blocked:
            shown = located.record.blocked_fingerprint
            note = f"{label} showed {shown} instead of a pinned host key; calls are refused."
            hint = f"Find out why; if the change was meant: instar ssh scan {label}, then instar ssh pin {label}"
            yield ExecCheck("ssh-route", CheckLevel.ERROR, "The host key changed", note, hint, label)
        elif located.record.key_id in unreadable:
            note = f"The managed key of {label} cannot be decrypted, so calls to it fail."
            hint = f"Restore secrets-key, or give it another key: instar ssh update {label} --ssh-key NAME"
            yield ExecCheck("ssh-route", CheckLevel.ERROR, "A target without a readable key", note, hint, label)
    if status.backend == "ssh" and routed is not None:
        needs_client = routed.record.mode is SshMode.SYSTEM and not client
        if not (routed.record.is_blocked or routed.record.key_id in unreadable or needs_client):
            note = f"Calls that choose nothing go to {routed.destination.shown} in {routed.record.mode} mode."
            yield ExecCheck("ssh-route", CheckLevel.OK, "The SSH route is active", note, subject=routed.record.label)
    elif status.target_id.startswith("ssh:") and routed is None:
        note, hint = "Calls go to an SSH target that is not there.", "Choose another: instar route set TARGET"
        yield ExecCheck("ssh-route", CheckLevel.ERROR, "No SSH target", note, hint)


def _pinning(targets: list[Located], routed: Located | None) -> Iterator[ExecCheck]:
    for located in targets:
        if located.pins:
            continue
        label = located.record.label
        hint = f"Compare what `instar ssh scan {label}` shows with the host itself, then: instar ssh pin {label}"
        if located.record.mode is SshMode.MANAGED:
            note = f"{label} is reached by a managed key, which needs a pinned host key: calls to it fail."
            yield ExecCheck("ssh-host-pinning", CheckLevel.ERROR, "No pinned host key", note, hint, label)
            continue
        by_default = ", and calls go there by default" if routed is located else ""
        note = f"{label} is believed by the account's own known_hosts policy{by_default}."
        yield ExecCheck("ssh-host-pinning", CheckLevel.WARN, "No pinned host key", note, hint, label)


def _vault(keys: list[SshKey]) -> Iterator[ExecCheck]:
    unreadable = [key.name for key in keys if not key.is_readable]
    if unreadable:
        note = f"{', '.join(unreadable)} cannot be decrypted with this hub's secrets-key."
        hint = "Restore secrets-key from where it was kept, or remove these keys and import them again."
        yield ExecCheck("managed-key-vault", CheckLevel.ERROR, "Managed keys that cannot be decrypted", note, hint)
    elif keys:
        yield ExecCheck("managed-key-vault", CheckLevel.OK, "Managed keys", "All of them can be decrypted.")


def _inventory(targets: list[Located], keys: list[SshKey]) -> Iterator[ExecCheck]:
    if keys and not targets:
        hint = "Name a machine: instar ssh add LABEL user@host --ssh-key NAME"
        note = "There are managed keys and no SSH target that uses one."
        yield ExecCheck("ssh-onboarding", CheckLevel.WARN, "A key without a target", note, hint)
    if not targets:
        return
    pinned = sum(bool(each.pins) for each in targets)
    default = next((each.record.label for each in targets if each.record.is_default), "")
    meant = f" The choice `ssh` means {default}." if default else ""
    note = f"Targets: {len(targets)}, pinned: {pinned}, managed keys: {len(keys)}.{meant}"
    yield ExecCheck("ssh-inventory", CheckLevel.OK, "SSH inventory", note)
