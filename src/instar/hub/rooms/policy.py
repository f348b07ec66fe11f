"""The settings that the rooms part obeys."""

from msgspec import Struct

from instar.wire.limits import UPLOAD_MAX_BYTES


class RoomPolicy(Struct, frozen=True):
    """Which uploads are accepted (settings `uploads.*`)."""

    max_bytes: int = UPLOAD_MAX_BYTES
    """Largest upload."""
    media_types: tuple[str, ...] = ()
    """Accepted media types, `image/*` patterns included; empty: all."""
