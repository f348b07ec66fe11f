"""The command tree. Modules are named, not imported: `instar --help` costs nothing but click."""

import click

from .command import Group


def _version(ctx: click.Context, param: click.Parameter, wanted: bool) -> None:  # noqa: ARG001 - click's shape
    if wanted and not ctx.resilient_parsing:
        from instar import __version__  # noqa: PLC0415

        click.echo(__version__)
        ctx.exit()


BARE = "bare"
"""The hidden command behind `instar` alone."""

ROOT = Group(
    "instar",
    "One self-hosted hub for AI agents. Alone, `instar` starts the hub or opens the one that runs.",
    examples=('instar send general "Good morning @guide"',),
    default=BARE,
    hidden=frozenset({BARE}),
    params=[
        click.Option(
            ["--version"], is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Show the version."
        )
    ],
    lazy={
        "start": (".commands.start", "Start the hub in the foreground"),
        "status": (".commands.status", "Show the hub's vital signs"),
        "open": (".commands.open", "Make a link that signs a browser in to the console"),
        "send": (".commands.send", "Send a message"),
        "read": (".commands.read", "Read the last messages of a conversation"),
        "tail": (".commands.tail", "Follow what happens, live"),
        "search": (".commands.search", "Search messages"),
        "dm": (".commands.dm", "Send a direct message to an agent"),
        "rooms": (".commands.rooms", "Rooms: list, show, create, members, remove, export"),
        "agents": (".commands.agents", "Agents: list, show, register, wake, pause, resume"),
        "inbox": (".commands.inbox", "An agent's inbox: list, ack, nack, replay"),
        "runs": (".commands.runs", "Runs: list, show, cancel"),
        "exec": (".commands.exec", "Run a command on a machine"),
        "shell": (".commands.shell", "Open a terminal on a machine"),
        "calls": (".commands.calls", "Calls: list, show, output, cancel, signal"),
        "approvals": (".commands.approvals", "Approvals: list, show, approve, deny, watch, judge, rules"),
        "route": (".commands.route", "Route: show, set, clear"),
        "schedules": (".commands.schedules", "Schedules: list, show, create, update, pause, run, history"),
        "pair": (".commands.pair", "Pair this machine with a hub"),
        "devices": (".commands.devices", "Devices: list, requests, approve, reject, rotate, revoke"),
        "cp": (".commands.cp", "Copy a file to a node or from one"),
        "node": (".commands.node", "Nodes: join, add, run, list, pending, approve, allow, status, logs, doctor"),
        "pairing": (".commands.pairing", "Pairing: enable, disable, status, code"),
        "users": (".commands.users", "Users: list, add, passwd, disable, enable, remove"),
        "ssh": (".commands.ssh", "SSH targets: keys, targets, add, test, scan, pin, remove"),
        "secrets": (".commands.secrets", "Secrets: reset"),
        "keys": (".commands.keys", "Keys: create, list, revoke, rotate"),
        "tls": (".commands.tls", "TLS: fingerprint, renew"),
        "gateway": (".commands.gateway", "Gateway: probe, call, health, status"),
        "audit": (".commands.audit", "Audit: list, verify"),
        "security": (".commands.security", "Security: audit"),
        "apply": (".commands.apply", "Make rooms and agents as a file declares them"),
        "config": (".commands.config", "Settings: show, get, set, unset, history, rollback …"),
        "logs": (".commands.logs", "Show the hub's own log"),
        "backup": (".commands.backup", "Write a verified backup while the hub runs"),
        "restore": (".commands.restore", "Restore a backup into a stopped hub's data"),
        "doctor": (".commands.doctor", "Look for what is wrong, and say how to mend it"),
        "service": (".commands.service", "Run the hub as a service of this user"),
        "completion": (".commands.completion", "Print the shell's completion script"),
        "version": (".commands.version", "Show the version"),
        BARE: (".commands.bare", "Start the hub, or open the one that runs"),
    },
)
"""`instar`."""
