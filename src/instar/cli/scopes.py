"""The scopes of grants, without the types of the wire: help and completion must stay light."""

SCOPES = ("observe", "write", "attach", "admin", "pair", "keys", "operate", "devices", "approve", "execute", "node")
"""A test compares them with `wire.identity.Scope`."""
