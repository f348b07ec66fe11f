"""Every check of `doctor`, in the order in which they run."""

from . import machine, running, storage
from .check import Check, Severity

_INFO, _WARNING, _ERROR = Severity.INFO, Severity.WARNING, Severity.ERROR

CHECKS = (
    Check("machine.python", _ERROR, "Python is new enough", "Install Python 3.11 or newer.", machine.python_version),
    Check("machine.sqlite", _ERROR, "SQLite is sound", "Run: pip install --upgrade apsw", machine.sqlite_version),
    Check("machine.clock", _WARNING, "The clock is right", "Set the clock, best by NTP.", machine.clock),
    Check("disk.full", _ERROR, "The disk is not full", "Free space: the hub refuses to write soon.", machine.disk_full),
    Check("disk.space", _WARNING, "The disk has room", "Free at least 1 GiB.", machine.disk_space),
    Check(
        "data.private", _ERROR, "The data directory is private", "Run: instar doctor --fix",
        storage.data_dir_private, storage.make_private,
    ),
    Check("data.writable", _ERROR, "The data directory is writable", "Run chmod u+rwx on it.",
        storage.data_dir_writable),
    Check(
        "grant.private", _ERROR, "The local grant is private", "Run: instar doctor --fix",
        storage.grant_private, storage.make_grant_private,
    ),
    Check(
        "grant.filled", _ERROR, "The local grant holds a token", "Remove the file and start the hub again.",
        storage.grant_filled,
    ),
    Check("store.schema", _WARNING, "The schema is this version's", "Run: instar start", storage.schema),
    Check("store.chain", _ERROR, "The last events verify", "Restore a backup: instar restore FILE", storage.chain),
    Check("hub.reachable", _INFO, "A hub runs", "Run: instar start", running.reachable),
    Check(
        "hub.port", _ERROR, "The address is a hub's or free", "Stop what listens there, or use --listen.",
        running.port_free,
    ),
    Check(
        "hub.address", _INFO, "The address file is current", "Run: instar doctor --fix",
        running.stale_address, running.forget_address,
    ),
    Check("hub.credential", _ERROR, "The credential is taken", "Set INSTAR_TOKEN, or INSTAR_DATA_DIR.",
        running.credential),
    Check("hub.ready", _ERROR, "The hub takes work", "See its log.", running.ready),
    Check("hub.version", _WARNING, "Hub and command line agree", "Restart the hub.", running.version),
    Check("hub.agents", _INFO, "Agents may run", "Run: instar agents resume --all", running.stopped),
    Check("hub.search", _WARNING, "Search keeps up", "Wait; if the lag grows, restart the hub.", running.search_lag),
    Check("console.built", _WARNING, "The console is there", "Run: make console", machine.console_built),
)  # fmt: skip
"""The table; ids are stable."""
