"""`instar node list|describe|label|history`: the nodes of a hub."""

from collections.abc import Sequence
from typing import Any

import click

from instar.cli.command import command
from instar.cli.completions import nodes
from instar.cli.outputs import Answer
from instar.cli.session import Session
from instar.cli.texts import nearest, relative, size, table, visible
from instar.client.errors import HubError

from .joining import LABEL

_SHORT = 12
_NODE = click.argument("node", shell_complete=nodes)


@command("instar node list", "instar node list --select gpu=yes --json", name="list")
@click.option("--connected", is_flag=True, help="Only those that are connected.")
@click.option("--select", default="", metavar="LABELS", help="Only those that fit, as in gpu=yes,os=linux.")
def list_(session: Session, *, connected: bool, select: str) -> Answer:
    """List nodes, the hub's own machine and SSH targets."""
    found = session.invoke("nodes.list", connected=connected or None, select=select)
    heads = ("NODE", "NAME", "KIND", "STATE", "PLATFORM", "MAY BE ASKED", "CPU", "MEMORY FREE", "SEEN")
    empty = "No node fits." if connected or select else "There is no node. See: instar node join --help"
    return Answer(found, table(heads, map(_row, found["nodes"]), empty=empty), rows=found["nodes"])


@command("instar node describe local", "instar node describe local --json")
@_NODE
def describe(session: Session, node: str) -> Answer:
    """Show one node: what it offers, what it may be asked, and how it is.

    NODE is an id or its beginning, an alias, or a name.
    """
    found = node_of(session, node)
    return Answer(found, table(("NODE", found["id"]), [*_facts(found), *_measures(found.get("telemetry") or {})]))


@command("instar node label local tier=hub")
@_NODE
@click.argument("labels", nargs=-1, type=LABEL, metavar="K=V…")
@click.option("--remove", "gone", multiple=True, metavar="KEY", help="Take a label that was given; may be repeated.")
def label(session: Session, node: str, labels: tuple[tuple[str, str], ...], gone: tuple[str, ...]) -> Answer:
    """Give a node labels; they win over its own.

    An empty value (`gpu=`) hides a label that the node declares; --remove shows it again.
    """
    known = node_of(session, node)
    given = {**known.get("given_labels", {}), **dict(labels)}
    wanted = {key: value for key, value in given.items() if key not in gone}
    done = session.invoke("nodes.label", node_id=known["id"], labels=wanted)
    return Answer(done, [f"{_name(done)}: {_labels(done) or 'no labels'}."])


@command("instar node history local", "instar node history local --limit 10 --json")
@_NODE
@click.option("--limit", type=click.IntRange(1, 500), default=20, show_default=True, help="So many reports.")
def history(session: Session, node: str, *, limit: int) -> Answer:
    """Show how a node was, newest first."""
    found = session.invoke("nodes.history", node_id=node_of(session, node)["id"], limit=limit)
    heads = ("TAKEN", "CPU", "MEMORY FREE", "LOAD", "CALLS")
    rows = [
        (
            relative(each.get("taken_at", "")), _percent(each), _free(each),
            " ".join(f"{load:.2f}" for load in each.get("load", ())) or "-", each.get("calls_running", 0),
        )
        for each in found["reports"]
    ]  # fmt: skip
    return Answer(found, table(heads, rows, empty="It has reported nothing yet."), rows=found["reports"])


def node_of(session: Session, named: str) -> dict[str, Any]:
    """Return the node that a person named: by id or its beginning, alias, or name.

    Raises:
        HubError: `not_found` with a near name; `conflict` when the name stands for several.
    """
    try:
        return session.invoke("nodes.get", node_id=named)
    except HubError as error:
        if error.code != "not_found":
            raise
    known: list[dict[str, Any]] = session.invoke("nodes.list")["nodes"]
    begun = [each for each in known if each["id"].startswith(named)]
    if len(begun) == 1:
        return begun[0]
    if begun:
        raise HubError("conflict", f"{len(begun)} nodes begin with {named!r}", hint="Give more of the id.")
    near = nearest(named, {_name(each) for each in known})
    hint = f"Did you mean {' or '.join(near)}?" if near else "See: instar node list"
    raise HubError("not_found", f"there is no node {named!r}", hint=hint)


def _row(node: dict[str, Any]) -> Sequence[object]:
    telemetry: dict[str, Any] = node.get("telemetry") or {}
    return (
        node["id"][:_SHORT], _name(node), node["kind"], _state(node),
        node.get("platform", "") or "-", commands_of(node), _percent(telemetry), _free(telemetry),
        relative(node["last_seen_at"]) if node.get("last_seen_at") else "-",
    )  # fmt: skip


def _state(node: dict[str, Any]) -> str:
    if node["kind"] == "ssh":
        # Nothing is known of it until it is dialled.
        return "-" if node.get("is_connected") else "unusable"
    return "connected" if node.get("is_connected") else "away"


def _facts(node: dict[str, Any]) -> list[tuple[str, object]]:
    return [
        ("name", _name(node)),
        ("kind", f"{node['kind']} {node.get('dialect', '')}".strip()),
        ("state", _state(node)),
        ("platform", f"{node.get('platform', '')} {node.get('version', '')}".strip() or "-"),
        ("fingerprint", node.get("fingerprint", "") or "-"),
        ("labels", _labels(node) or "-"),
        ("offers", ", ".join(node.get("declared", ())) or "-"),
        ("may be asked", commands_of(node)),
        ("works in", node.get("working_dir", "") or "-"),
        ("reaches", ", ".join(node.get("roots", ())) or "-"),
        ("sandboxes", ", ".join(node.get("sandboxes", ())) or "-"),
        ("calls", f"{node.get('calls_running', 0)} of {node.get('calls_max', 0)}"),
    ]


def _measures(telemetry: dict[str, Any]) -> list[tuple[str, object]]:
    if not telemetry:
        return [("reported", "nothing yet")]
    disks = [f"{each['mount']} {size(each['available_bytes'])} free" for each in telemetry.get("disks", ())]
    return [
        ("reported", relative(telemetry.get("taken_at", ""))),
        ("cpu", f"{_percent(telemetry)} of {telemetry.get('cpu_count', 0)}"),
        ("memory", f"{_free(telemetry)} free of {size(telemetry.get('memory_total_bytes', 0))}"),
        ("disks", "; ".join(disks) or "-"),
        ("load", " ".join(f"{load:.2f}" for load in telemetry.get("load", ())) or "-"),
        ("up", f"{telemetry.get('uptime_s', 0) / 3_600:.1f} h"),
        ("runtimes", _programs(telemetry.get("runtimes", ()))),
        ("agents", _programs(telemetry.get("agents", ()))),
        ("models", "; ".join(map(_provider, telemetry.get("providers", ()))) or "-"),
    ]


def _provider(provider: dict[str, Any]) -> str:
    models = ", ".join(provider.get("models", ()))
    return f"{provider['name']}: {models}" if models else str(provider["name"])


def _programs(programs: Sequence[dict[str, Any]]) -> str:
    return ", ".join(f"{each['name']} {each.get('version', '')}".strip() for each in programs) or "-"


def commands_of(node: dict[str, Any]) -> str:
    """Return in words what a node may be asked."""
    granted, offered = node.get("commands", []), node.get("declared", [])
    if not granted:
        return "nothing" if not node.get("permit", {}).get("commands") else "nothing that it offers"
    return "all" if len(granted) == len(offered) else ", ".join(granted)


def _labels(node: dict[str, Any]) -> str:
    return ", ".join(f"{key}={value}" for key, value in sorted(node.get("labels", {}).items()))


def _name(node: dict[str, Any]) -> str:
    return visible(str(node.get("name") or node["id"][:_SHORT]))


def _percent(telemetry: dict[str, Any]) -> str:
    return f"{telemetry.get('cpu_percent', 0):.0f}%" if telemetry else "-"


def _free(telemetry: dict[str, Any]) -> str:
    return size(telemetry.get("memory_available_bytes", 0)) if telemetry else "-"
