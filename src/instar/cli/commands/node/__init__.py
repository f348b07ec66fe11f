"""`instar node …`: this machine as a node of a hub, and the nodes of a hub."""

from instar.cli.command import Group

from .doctor import doctor
from .joining import add, join, rekey
from .permits import allow
from .requests import PAIRING, approve, pending, reject
from .roster import describe, history, label, list_
from .running import fingerprint, logs, remove, run, status

COMMAND = Group(
    "node",
    "Nodes: join, add, run, list, pending, approve, allow, status, logs, doctor.",
    examples=("instar node list",),
    default="list",
    commands=[
        join, add, run, list_, describe, status, logs, fingerprint, remove, rekey, pending, approve, reject, PAIRING,
        allow, label, history, doctor,
    ],
)  # fmt: skip
