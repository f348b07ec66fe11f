"""Every check of `doctor`, in the order in which they run."""

from . import configuration, encryption, identity, machine, running, storage
from .check import Check, Severity
from .security import exposure, files, grants

_INFO, _WARNING, _ERROR = Severity.INFO, Severity.WARNING, Severity.ERROR
_FIX = "Run: instar doctor --fix"

CHECKS = (
    Check("machine.python", _ERROR, "Python is new enough", "Install Python 3.11 or newer.", machine.python_version),
    Check("machine.sqlite", _ERROR, "SQLite is sound", "Run: pip install --upgrade apsw", machine.sqlite_version),
    Check("machine.clock", _WARNING, "The clock is right", "Set the clock, best by NTP.", machine.clock),
    Check("machine.files", _WARNING, "Many connections fit", "Raise it: ulimit -Hn.", machine.file_limit),
    Check("machine.memory", _WARNING, "There is memory left", "Stop something, or add memory.", machine.memory),
    Check("machine.loop", _INFO, "The fast event loop is there", "Run: pip install uvloop.", machine.fast_loop),
    Check("machine.parser", _INFO, "The fast parser is there", "Run: pip install httptools.", machine.fast_parser),
    Check("disk.full", _ERROR, "The disk is not full", "Free space: the hub refuses to write soon.", machine.disk_full),
    Check("disk.space", _WARNING, "The disk has room", "Free at least 1 GiB.", machine.disk_space),
    Check("disk.inodes", _WARNING, "The disk takes more files", "Remove small files.", machine.inodes),
    Check("data.owner", _ERROR, "The data belongs to this user", "Run as its owner, or chown it.", storage.owner),
    Check("data.synced", _WARNING, "The data stays on this machine", "Move it: INSTAR_DATA_DIR.", files.synced),
    Check("data.keys", _ERROR, "Keys are private", _FIX, files.keys, files.close_keys),
    Check(
        "data.private", _ERROR, "The data directory is private", _FIX,
        storage.data_dir_private, storage.make_private,
    ),
    Check("data.writable", _ERROR, "The data directory is writable", "Run chmod u+rwx on it.",
        storage.data_dir_writable),
    Check(
        "grant.private", _ERROR, "The local grant is private", _FIX,
        storage.grant_private, storage.make_grant_private,
    ),
    Check(
        "grant.filled", _ERROR, "The local grant holds a token", "Remove the file and start the hub again.",
        storage.grant_filled,
    ),
    Check(
        "identity.hub_key", _ERROR, "The hub's key is whole", "Put your copy of it back, or pair all devices anew.",
        identity.hub_key, identity.close_hub_key,
    ),
    Check(
        "identity.device_key", _ERROR, "This machine's key is whole", _FIX,
        identity.device_key, identity.close_device_key,
    ),
    Check(
        "identity.memory", _ERROR, "What is known of hubs is private", _FIX,
        identity.remembered, identity.close_memory,
    ),
    Check("identity.hub", _ERROR, "The hub is the one that was paired", "See: instar pair --help.",
        identity.pinned_hub),
    Check("tls.certificate", _ERROR, "The certificate is usable", "See: instar tls --help.", encryption.usable),
    Check("tls.key", _ERROR, "Its key is private", _FIX, encryption.key_private, encryption.close_key),
    Check("tls.expiry", _WARNING, "It holds for a while", "See: instar tls renew --help.",
        exposure.certificate_expiring),
    Check("tls.served", _WARNING, "It is the one that is shown", "Restart the hub.", encryption.served),
    Check("tls.own_way", _WARNING, "The way to the hub is encrypted", "Use an https:// address.", encryption.own_way),
    Check("settings.valid", _ERROR, "The settings are valid", "Correct it; see: instar config show.",
        configuration.settings_valid),
    Check("settings.bind", _ERROR, "The hub would listen there", "See: instar config show.", configuration.bind_safe),
    Check("settings.pending", _INFO, "No change waits", "Restart the hub.", configuration.settings_pending),
    Check("log.writable", _WARNING, "The log can be written", "Run chown or chmod on it.", configuration.log_writable),
    Check("backup.age", _WARNING, "There is a fresh backup", "Run: instar backup.", configuration.backup_age),
    Check("store.lock", _ERROR, "Who holds the data answers", "Stop that process, then start again.", storage.lock),
    Check("store.wal", _WARNING, "The database is folded", "Restart the hub.", storage.wal),
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
    Check("hub.locked", _WARNING, "This address is not locked out", "Wait, and correct the credential.",
        running.locked),
    Check("hub.clock", _WARNING, "Hub and machine agree on the time", "Set the clocks, best by NTP.",
        running.clock_skew),
    Check("hub.audit", _ERROR, "The audit log is whole", "See: instar audit verify --help.", grants.audit_chain),
    Check("gateway.health", _ERROR, "The gateway answers", "See: instar gateway probe.", running.gateway_health),
    Check("listen.compat", _WARNING, "Further addresses answer", "See: instar config show.",
        configuration.compat_served),
    Check("pairing.window", _INFO, "Unknown devices may not ask", "Run: instar pairing disable.",
        grants.window_open),
    Check("pairing.waiting", _INFO, "No device waits", "Run: instar devices requests.", grants.devices_waiting),
    Check("devices.seen", _INFO, "Devices are used", "Run: instar devices revoke NAME.", grants.devices_stale),
    Check("schedules.missed", _WARNING, "Schedules speak when they should", "See: instar schedules list.",
        running.schedules_missed),
    Check("console.built", _WARNING, "The console is there", "Run: make console", machine.console_built),
)  # fmt: skip
"""The table; ids are stable."""
