"""Every error code as data: its HTTP status, whether a retry can help, and the next step.

A caller meets a code in the body of an HTTP error, in a native-link error frame and in the CLI's JSON error.
"""

from typing import NamedTuple


class Code(NamedTuple):
    """One row of the error table."""

    status: int
    """HTTP status."""
    retryable: bool
    """Whether the same request may succeed later without a change."""
    meaning: str
    """What it says."""
    hint: str
    """The next step when the error names no better one."""


CODES: dict[str, Code] = {
    "bad_request": Code(400, False, "The request cannot be read.", "Send one JSON object that fits the reference."),
    "unauthorized": Code(
        401,
        False,
        "No valid credential came with the request.",
        "Send `Authorization: Bearer TOKEN`; make one with `instar keys create`.",
    ),
    "forbidden": Code(
        403,
        False,
        "The credential lacks the right that this needs.",
        "Ask an operator for a key with the scope that the message names.",
    ),
    "origin_refused": Code(
        403,
        False,
        "The Origin or Host of the request is not one of this hub's.",
        "Open the console at the hub's own address, or add it to `server.allowed_origins`.",
    ),
    "proxy_attribution_required": Code(
        403,
        False,
        "The request came through a proxy that does not say whom it is from, or that this hub does not trust.",
        "Name the proxy in `server.trusted_proxies`, and let it write X-Forwarded-For; see docs/security.md.",
    ),
    "not_paired": Code(
        403,
        False,
        "The device is not let in for what it wants to use.",
        "Approve it with `instar devices approve ID`; `instar pairing enable` lets an unknown one ask.",
    ),
    "device_revoked": Code(
        403,
        False,
        "The device's key was revoked.",
        "Remove the device with `instar devices remove ID`, then pair it again, or give it a new key.",
    ),
    "key_mismatch": Code(
        403,
        False,
        "The device's name is pinned to another key.",
        "Revoke the old device with `instar devices revoke ID`, then pair the new key.",
    ),
    "denied": Code(
        403,
        False,
        "The call was not allowed to run.",
        "Read the reason; ask for something else, or ask an operator for a rule.",
    ),
    "command_refused": Code(
        403,
        False,
        "The node may not be asked this.",
        "Permit it with `instar node allow NODE COMMAND`; the node's own list is `instar node allow --here`.",
    ),
    "outside_roots": Code(
        403,
        False,
        "The path leads out of the folders that the node grants.",
        "Use a path below one of its roots, or grant the folder on the node with `instar node allow --here --root`.",
    ),
    "plan_changed": Code(
        409,
        False,
        "What would run is not what was shown.",
        "Ask for the call again; the new state is shown for approval.",
    ),
    "no_target": Code(
        409,
        False,
        "No machine is chosen for this call.",
        "Name one with `--node`, or choose one with `instar route set`; `instar exec --explain` shows why.",
    ),
    "node_away": Code(
        503,
        True,
        "The node is not connected, or went away.",
        "Start it with `instar node run`, or ask with `if_away: queue`.",
    ),
    "host_key_changed": Code(
        424,
        False,
        "The SSH host showed another key than the pinned one.",
        "If the change was meant, compare fingerprints and run `instar ssh pin TARGET`.",
    ),
    "ssh_failed": Code(
        424, True, "The SSH target could not be used.", "Try `instar ssh test TARGET`; it says what is wrong."
    ),
    "secret_unreadable": Code(
        500,
        False,
        "A stored secret cannot be decrypted.",
        "Restore `secrets-key` from where it was kept, or store the secret again.",
    ),
    "sandbox_unavailable": Code(
        409,
        False,
        "The machine has no sandbox of this kind.",
        "Install bubblewrap on it, or ask for `sandbox: none`, which needs an approval for agents.",
    ),
    "output_gone": Code(
        410, False, "The output is no longer kept.", "Only its digest and size are left; run the call again."
    ),
    "expired": Code(410, False, "Its time was over before it could run.", "Ask for it again."),
    "cancelled": Code(409, False, "It was cancelled.", "Ask for it again if it is still wanted."),
    "host_only": Code(
        403,
        False,
        "This setting can be changed on the hub's own machine only.",
        "Run `instar config set KEY VALUE` there, or edit the settings file.",
    ),
    "not_available": Code(
        501,
        False,
        "This hub does not have what the request needs.",
        "See docs/doors/gateway.md for what each method means here.",
    ),
    "not_found": Code(
        404,
        False,
        "There is no such object, or it is not yours to see.",
        "List what there is with `instar rooms list` or `instar agents list`.",
    ),
    "method_not_allowed": Code(
        405,
        False,
        "The path exists, but not with this method.",
        "Use a method that the `Allow` header names.",
    ),
    "request_timeout": Code(
        408,
        True,
        "The request did not arrive in its time.",
        "Send the whole request at once; check the connection.",
    ),
    "conflict": Code(
        409,
        False,
        "The request contradicts what is stored.",
        "Read the object again and send a request that fits it.",
    ),
    "id_reused": Code(409, False, "This id was used before with other content.", "Send new content under a new id."),
    "unknown_cursor": Code(
        409,
        False,
        "The cursor is not one that this hub gave.",
        "Read from the start, or from a `seq` that the gap names.",
    ),
    "lease_lost": Code(
        409,
        False,
        "The lease ended or belongs to another holder.",
        "Lease the item again before you acknowledge it.",
    ),
    "storage_locked": Code(
        409,
        False,
        "Another hub runs on the same data.",
        "Stop that hub, or choose another data directory with INSTAR_DATA_DIR.",
    ),
    "too_large": Code(
        413,
        False,
        "The body or one of its parts is larger than the limit.",
        "Send less at once; upload files in the background and link them.",
    ),
    "unsupported_media_type": Code(
        415,
        False,
        "This media type is not accepted here.",
        "Send a media type that `uploads.media_types` allows.",
    ),
    "unprocessable_entity": Code(
        422,
        False,
        "The request can be read, but a field does not fit.",
        "Correct the field that the message names.",
    ),
    "rate_limited": Code(
        429,
        True,
        "Too many requests in too short a time.",
        "Wait for the time in `Retry-After`, then send again.",
    ),
    "loop_stopped": Code(
        429,
        True,
        "Agents answered each other too often; the room cools down.",
        "Let a person speak in the room, or wait for the time in `Retry-After`.",
    ),
    "paused": Code(
        423,
        True,
        "The agent, or all agents, are paused.",
        "Resume with `instar agents resume ID` (or `--all`).",
    ),
    "head_too_large": Code(
        431,
        False,
        "The request head is larger than the limit, or has too many headers.",
        "Send fewer or shorter headers; put data into the body.",
    ),
    "internal_error": Code(
        500,
        False,
        "The hub met a fault of its own.",
        "Report it with the request id; `instar doctor` may name the cause.",
    ),
    "data_corrupt": Code(
        500,
        False,
        "Stored data does not match its checksum.",
        "Run `instar doctor`, then restore the room from a backup.",
    ),
    "schema_too_new": Code(
        500,
        False,
        "The data was written by a newer Instar.",
        "Install that version, or restore the backup that the upgrade made.",
    ),
    "bad_gateway": Code(
        502, True, "A remote system gave no usable answer.", "Check the remote system, then try again."
    ),
    "service_unavailable": Code(
        503, True, "The hub cannot serve this now.", "Try again in a moment; `instar status` says why."
    ),
    "storage_full": Code(
        503,
        True,
        "The disk that holds the data is full.",
        "Free space; writing resumes by itself within seconds.",
    ),
    "overloaded": Code(
        503,
        True,
        "More work waits than the hub accepts.",
        "Wait for the time in `Retry-After`, then send again.",
    ),
    "too_many_streams": Code(
        503, True, "The limit of live streams is reached.", "Close a stream, or raise `limits.streams`."
    ),
    "address_unusable": Code(
        500,
        False,
        "The hub cannot listen on this address.",
        "Choose another address with `listen.address` (INSTAR_LISTEN).",
    ),
    "certificate_unusable": Code(
        500,
        False,
        "The hub's TLS certificate or its key cannot be used.",
        "Correct `tls.certificate` and `tls.key`, or remove both: the hub then makes its own.",
    ),
    "hub_untrusted": Code(
        502,
        False,
        "Nobody vouches for the hub at this address yet.",
        "Compare the fingerprint with `instar tls fingerprint` on the hub, then run `instar pair URL`.",
    ),
    "hub_changed": Code(
        502,
        False,
        "The hub at this address is not the one that was paired.",
        "Ask its operator; if the change was meant, run `instar pair URL --again`.",
    ),
    "lagging": Code(
        503, True, "The reader of a stream took nothing for too long.", "Resume with the cursor that came with the end."
    ),
    "timeout": Code(504, True, "The work did not end in its time.", "Try again; for long work use a longer `wait`."),
    "usage": Code(
        400, False, "The command line cannot be understood.", "Read the command's `--help`; it begins with an example."
    ),
    "unreachable": Code(
        503, True, "No hub answers at the address.", "Start one with `instar start`, or set INSTAR_URL to its address."
    ),
    "interrupted": Code(503, True, "The person at the terminal stopped it.", "Run it again."),
}


def status_of(code: str) -> int:
    """Return the HTTP status of `code`; an unknown code is an internal error."""
    return CODES[code].status if code in CODES else CODES["internal_error"].status
