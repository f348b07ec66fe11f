"""`instar ssh …`: machines that the hub reaches by itself."""

from collections.abc import Sequence
from typing import Any

import click

from instar.cli import exits
from instar.cli.command import Group, command
from instar.cli.outputs import Answer
from instar.cli.session import Session
from instar.cli.texts import nearest, relative, table, visible
from instar.client.errors import HubError
from instar.client.http import JsonObject

from .ssh_keys import KEYS

MODES = ("system", "managed")
_TARGET = click.argument("target")
_PORT = click.option("--port", type=click.IntRange(1, 65_535), help="Port; else the client's own choice.")
_KNOWN = click.option("--known-host", type=click.File(), metavar="FILE", help="File of known_hosts lines (- is stdin).")


@command("instar ssh targets", "instar ssh targets --json")
def targets(session: Session) -> Answer:
    """List SSH targets."""
    return _listed(session)


@command("instar ssh list", name="list")
def list_(session: Session) -> Answer:
    """List SSH targets; the same as `instar ssh targets`."""
    return _listed(session)


@command("instar ssh show box")
@_TARGET
def show(session: Session, target: str) -> Answer:
    """Show one target: how it is reached, what is pinned, and what the last test found."""
    found = _target(session, target)
    return Answer(found, table(("TARGET", found["id"]), _facts(found)))


@command("instar ssh add web deploy@web.example.org", "instar ssh add db admin@10.0.0.5:2222 --ssh-key deploy --json")
@click.argument("label")
@click.argument("address")
@_PORT
@click.option("--ssh-key", "key", default="", metavar="NAME", help="Managed key; the hub itself then speaks SSH.")
@click.option("--mode", type=click.Choice(MODES), help="Who speaks SSH; managed if a key is named, else system.")
@_KNOWN
@click.option("--default", "is_default", is_flag=True, help="What the choice `ssh` means.")
def add(
    session: Session,
    label: str,
    address: str,
    *,
    port: int | None,
    key: str,
    mode: str | None,
    known_host: Any,  # noqa: ANN401 - an open text file
    is_default: bool,
) -> Answer:
    """Name a machine that is reached by SSH.

    ADDRESS is user@host, host:port, or an alias of the ssh configuration. The machine is not dialled yet: look at its
    key with `instar ssh scan`, pin it with `instar ssh pin`, then try it with `instar ssh test`.
    """
    made = session.invoke(
        "ssh.add_target",
        label=label,
        address=address,
        port=port,
        mode=mode or ("managed" if key else "system"),
        key=key,
        known_host=known_host.read() if known_host else "",
        is_default=is_default,
    )
    if session.output.form == "text" and not made.get("known_host"):
        session.output.note(f"No host key is pinned yet. Compare and pin it: instar ssh pin {label}")
    return Answer(made, [f"{label} is {made['address']} in {made['mode']} mode."])


@command("instar ssh update box --address ops@127.0.0.1", "instar ssh update box --label cellar --json")
@_TARGET
@click.option("--label", help="Call it something else.")
@click.option("--address", help="Where it is; its pin stays, so another machine is refused.")
@_PORT
@click.option("--ssh-key", "key", metavar="NAME", help="Managed key.")
@click.option("--mode", type=click.Choice(MODES), help="Who speaks SSH.")
def update(
    session: Session,
    target: str,
    *,
    label: str | None,
    address: str | None,
    port: int | None,
    key: str | None,
    mode: str | None,
) -> Answer:
    """Change parts of a target."""
    changed = session.invoke(
        "ssh.update_target",
        ssh_target_id=_target(session, target)["id"],
        label=label,
        address=address,
        port=port,
        key=key,
        mode=mode,
    )
    return Answer(changed, [f"{changed['label']} is {changed['address']} in {changed['mode']} mode."])


@command("instar ssh default box")
@_TARGET
def default(session: Session, target: str) -> Answer:
    """Say which target the choice `ssh` means.

    Nothing runs there unless a call, a room, an agent or the hub chooses `ssh` or names the target.
    """
    changed = session.invoke("ssh.update_target", ssh_target_id=_target(session, target)["id"], is_default=True)
    return Answer(changed, [f"`ssh` means {changed['label']} now."])


@command("instar ssh remove box --yes")
@_TARGET
@click.option("--yes", is_flag=True, help="Do not ask.")
def remove(session: Session, target: str, *, yes: bool) -> Answer:
    """Forget a target; its pin is forgotten with it."""
    found = _target(session, target)
    session.confirm(f"Forget {found['label']} ({found['address']})?", yes=yes)
    return Answer(session.invoke("ssh.remove_target", ssh_target_id=found["id"]), [f"Forgot {found['label']}."])


@command("instar ssh test box")
@_TARGET
def test(session: Session, target: str) -> Answer:
    """Try to reach a target.

    Exit code 8 means that it could not be reached; what is wrong and what to do is said.
    """
    found = _target(session, target)
    outcome = session.invoke("ssh.test", ssh_target_id=found["id"])
    if outcome["ok"]:
        note = outcome["message"].partition("; ")[2]
        said = f"{found['label']} answered in {outcome['duration_s']:.1f} s{'; ' if note else ''}{note}."
        return Answer(outcome, [said])
    lines = [f"{found['label']}: {outcome['message']} ({outcome['failure_code']}).", f"  {outcome['hint']}"]
    return Answer(outcome, lines, code=exits.DEGRADED)


@command("instar ssh scan box", "instar ssh scan box --json")
@click.argument("host")
@_PORT
def scan(session: Session, host: str, *, port: int | None) -> Answer:
    """Ask a host for its keys.

    HOST is a target, or an address. What the network says proves nothing: compare the fingerprints with what the
    host's own console shows (`ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub`).
    """
    found = _scanned(session, host, port)
    rows = [(each["kind"], each["fingerprint"]) for each in found["keys"]]
    return Answer(found, table(("KIND", "FINGERPRINT"), rows), rows=found["keys"])


@command("instar ssh pin box --known-host known_hosts")
@_TARGET
@click.option("--fingerprint", default="", metavar="SHA256:…", help="The fingerprint that you compared.")
@_KNOWN
def pin(session: Session, target: str, *, fingerprint: str, known_host: Any) -> Answer:  # noqa: ANN401 - as above
    """Pin a target's host key, or refresh the pin.

    From then on no other key is believed: a host that shows another one is refused until it is pinned anew.
    At a terminal the keys that the host shows now are shown for you to compare.
    """
    found = _target(session, target)
    lines = known_host.read() if known_host else ""
    if not fingerprint and not lines:
        fingerprint = _compared(session, found)
    pinned = session.invoke("ssh.pin", ssh_target_id=found["id"], fingerprint=fingerprint, known_host=lines)
    return Answer(pinned, [f"Pinned {found['label']} to {', '.join(pinned['host_fingerprints'])}."])


@command("instar ssh unpin box --yes")
@_TARGET
@click.option("--yes", is_flag=True, help="Do not ask.")
def unpin(session: Session, target: str, *, yes: bool) -> Answer:
    """Clear a target's pinned host key.

    In managed mode nothing runs there until another one is pinned; in system mode your known_hosts decide.
    """
    found = _target(session, target)
    session.confirm(f"Believe another host key of {found['label']}?", yes=yes)
    return Answer(session.invoke("ssh.unpin", ssh_target_id=found["id"]), [f"{found['label']} is pinned no more."])


def _compared(session: Session, target: JsonObject) -> str:
    """Return the fingerprint that a person confirms, of the keys that the host shows now."""
    if not session.may_ask:
        raise HubError(
            "usage",
            "nobody is there to compare the host's fingerprint",
            hint="Add --fingerprint SHA256:… or --known-host FILE, with what you know from another source.",
        )
    keys = _scanned(session, target["label"], None)["keys"]
    rows = [(each["kind"], each["fingerprint"]) for each in keys]
    session.output.note("\n".join(table(("KIND", "FINGERPRINT"), rows)))
    session.confirm(f"Does the console of {target['label']} itself show {keys[0]['fingerprint']}?", yes=False)
    return str(keys[0]["fingerprint"])


def _scanned(session: Session, host: str, port: int | None) -> JsonObject:
    known = {each["label"].lower(): each for each in session.invoke("ssh.targets")["targets"]}
    if (target := known.get(host.lower())) is not None and port is None:
        return session.invoke("ssh.scan", address=target["address"], port=target.get("port"))
    return session.invoke("ssh.scan", address=host, port=port)


def _target(session: Session, named: str) -> JsonObject:
    """Return the target with this id or label.

    Raises:
        HubError: `not_found` with a near label.
    """
    known: list[JsonObject] = session.invoke("ssh.targets")["targets"]
    for each in known:
        if named.lower() in (each["id"], f"ssh:{each['id']}", each["label"].lower(), f"ssh:{each['label']}".lower()):
            return each
    near = nearest(named, [str(each["label"]) for each in known])
    hint = f"Did you mean {' or '.join(near)}?" if near else "See: instar ssh targets"
    raise HubError("not_found", f"there is no SSH target {named!r}", hint=hint)


def _listed(session: Session) -> Answer:
    found = session.invoke("ssh.targets")
    heads = ("LABEL", "ADDRESS", "MODE", "KEY", "HOST KEY", "LAST TEST")
    empty = "There is no SSH target. Name one: instar ssh add LABEL user@host"
    return Answer(found, table(heads, map(_row, found["targets"]), empty=empty), rows=found["targets"])


def _row(target: JsonObject) -> Sequence[object]:
    label = visible(target["label"]) + (" (default)" if target.get("is_default") else "")
    return label, _address(target), target["mode"], target.get("key_name") or "-", _pinned(target), _tested(target)


def _address(target: JsonObject) -> str:
    port = target.get("port")
    return target["address"] + (f":{port}" if port else "")


def _pinned(target: JsonObject) -> str:
    if target.get("is_blocked"):
        return "CHANGED: blocked"
    return "pinned" if target.get("known_host") else "not pinned"


def _tested(target: JsonObject) -> str:
    outcome = target.get("last_test")
    if not outcome:
        return "-"
    return f"{'ok' if outcome['ok'] else outcome['failure_code']}, {relative(outcome['tested_at'])}"


def _facts(target: JsonObject) -> list[tuple[str, object]]:
    outcome: JsonObject = target.get("last_test") or {}
    facts: list[tuple[str, object]] = [
        ("label", target["label"]),
        ("address", _address(target)),
        ("mode", target["mode"]),
        ("key", target.get("key_name") or "-"),
        ("default", "yes" if target.get("is_default") else "no"),
        ("host key", _pinned(target)),
        *(("pinned", fingerprint) for fingerprint in target.get("host_fingerprints", ())),
        ("last test", _tested(target)),
    ]
    if target.get("is_blocked"):
        facts.append(("it showed", target["blocked_fingerprint"]))
    if outcome.get("hint"):
        facts.append(("next step", outcome["hint"]))
    return facts


COMMAND = Group(
    "ssh",
    "SSH targets: machines that the hub reaches by itself.",
    examples=("instar ssh targets",),
    default="targets",
    commands=[KEYS, targets, list_, show, add, update, default, remove, test, scan, pin, unpin],
)
