"""The one WebSocket frame that the hub writes by hand: an unmasked, final text frame (RFC 6455 §5.2)."""


def text_frame(payload: bytes) -> bytes:
    """Return `payload` as a final text frame from a server; build it once, write it to every subscriber."""
    size = len(payload)
    if size < 126:
        return b"\x81" + size.to_bytes(1, "big") + payload
    if size < 65_536:
        return b"\x81\x7e" + size.to_bytes(2, "big") + payload
    return b"\x81\x7f" + size.to_bytes(8, "big") + payload
