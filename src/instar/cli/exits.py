"""Exit codes: what a script learns without reading the output."""

OK = 0
FAILED = 1
USAGE = 2
NOT_FOUND = 3
DENIED = 4
CONFLICT = 5
UNREACHABLE = 6
TIMEOUT = 7
DEGRADED = 8
"""`doctor` found something that needs mending."""
INTERRUPTED = 130

_OF_CODE = {
    "usage": USAGE,
    "bad_request": USAGE,
    "unprocessable_entity": USAGE,
    "not_found": NOT_FOUND,
    "unauthorized": DENIED,
    "forbidden": DENIED,
    "origin_refused": DENIED,
    "not_paired": DENIED,
    "device_revoked": DENIED,
    "key_mismatch": DENIED,
    "host_only": DENIED,
    "hub_untrusted": DENIED,
    "hub_changed": DENIED,
    "conflict": CONFLICT,
    "id_reused": CONFLICT,
    "unknown_cursor": CONFLICT,
    "lease_lost": CONFLICT,
    "storage_locked": CONFLICT,
    "unreachable": UNREACHABLE,
    "timeout": TIMEOUT,
    "interrupted": INTERRUPTED,
}


def exit_code(code: str) -> int:
    """Return the exit code of an error code; what is not in the list above is 1."""
    return _OF_CODE.get(code, FAILED)
