"""Every check of `instar security audit`, in the order in which they run."""

from instar.cli.checks.check import Check, Severity

from . import exposure, files, grants

_INFO, _WARNING, _ERROR = Severity.INFO, Severity.WARNING, Severity.ERROR
_FIX = "Run: instar security audit --fix"

CHECKS = (
    Check("fs.data_dir.perms", _ERROR, "Only the owner gets at the data", _FIX, files.data_dir, files.close_data_dir),
    Check("fs.config.perms", _ERROR, "Nobody else changes the settings", _FIX, files.config, files.close_config),
    Check("fs.key_files.perms", _ERROR, "Only the owner reads keys", _FIX, files.keys, files.close_keys),
    Check("fs.backups.perms", _ERROR, "Only the owner reads backups", _FIX, files.backups, files.close_backups),
    Check("fs.synced_dir", _WARNING, "The data stays on this machine", "Move it: INSTAR_DATA_DIR.", files.synced),
    Check(
        "settings.secret_in_file", _INFO, "No secret stands in the settings file",
        "Set it by the environment (INSTAR_AUTH_TOKEN), from a secret store.", files.secret_in_file,
    ),
    Check(
        "gateway.bind_no_auth", _ERROR, "Other machines need a credential", "Run: instar config set auth.mode bearer",
        exposure.bind_no_auth,
    ),
    Check(
        "gateway.loopback_no_auth", _WARNING, "Programs on this machine need one too",
        "Run: instar config set auth.mode bearer", exposure.loopback_no_auth,
    ),
    Check(
        "gateway.public_read", _WARNING, "Rooms are read with a credential",
        "Run: instar config set auth.public_read false", exposure.public_read,
    ),
    Check(
        "gateway.open_registration", _WARNING, "Agents are registered with a credential",
        "Run: instar config set auth.agent_registration disabled", exposure.open_registration,
    ),
    Check(
        "gateway.token_too_short", _WARNING, "The shared secret cannot be guessed",
        "Set 32 characters or more: instar config set auth.token", exposure.token_too_short,
    ),
    Check(
        "gateway.trusted_proxies_missing", _WARNING, "The proxy is known", "Name it in `server.trusted_proxies`.",
        exposure.trusted_proxies_missing,
    ),
    Check(
        "gateway.trusted_proxies_wide", _WARNING, "Only proxies are believed", "Name their addresses alone.",
        exposure.trusted_proxies_wide,
    ),
    Check(
        "gateway.proxy_header_unused", _INFO, "The proxy's people can come in",
        "Name the proxy in `server.trusted_proxies`, or unset `auth.proxy_header`.", exposure.proxy_header,
    ),
    Check(
        "gateway.allowed_origins_wildcard", _ERROR, "No stranger's page uses the hub",
        "Name https origins in `server.allowed_origins`.", exposure.allowed_origins,
    ),
    Check("tls.off_nonloopback", _WARNING, "Nothing goes in the clear", "Run: instar config set tls.mode auto",
        exposure.tls_off),
    Check("tls.certificate_expiring", _WARNING, "The certificate holds", "Replace it; see: instar tls --help.",
        exposure.certificate_expiring),
    Check("pairing.window_open", _WARNING, "Unknown devices may not ask", "Run: instar pairing disable",
        grants.window_open),
    Check(
        "pairing.auto_approve_loopback", _WARNING, "A person lets devices in",
        "Run: instar config set pairing.auto_approve operator", grants.auto_approve,
    ),
    Check("devices.waiting", _INFO, "No device waits", "Run: instar devices requests", grants.devices_waiting),
    Check("devices.stale", _WARNING, "Devices are used", "Run: instar devices revoke NAME", grants.devices_stale),
    Check("devices.wide_scopes", _INFO, "Devices may do little", "Narrow it: instar devices rotate NAME --scope …",
        grants.devices_wide),
    Check("devices.keyless", _WARNING, "Devices have keys", "Pair it with a key, then revoke it.",
        grants.devices_keyless),
    Check("keys.without_expiry", _INFO, "Keys end", "Make them with: instar keys create --expires 90d",
        grants.keys_without_expiry),
    Check("keys.unused", _WARNING, "Keys are used", "Run: instar keys revoke NAME", grants.keys_unused),
    Check("keys.wide_scopes", _INFO, "Keys may do little", "Make narrower ones: instar keys create --scope …",
        grants.keys_wide),
    Check("people.unused", _INFO, "People come", "Run: instar users disable LOGIN", grants.people_unused),
    Check("people.wide_scopes", _WARNING, "No password opens everything", "Give administrators a device or a key.",
        grants.people_wide),
    Check("audit.chain", _ERROR, "The audit log is whole", "Compare with a backup: instar audit verify --help.",
        grants.audit_chain),
    Check("summary.attack_surface", _INFO, "What can be reached", "Nothing to do; it is told for you to compare.",
        exposure.attack_surface),
)  # fmt: skip
"""The table; ids are stable."""
