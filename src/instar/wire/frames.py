"""The WebSocket frames that the hub writes by hand: unmasked, final, text or binary (RFC 6455 §5.2)."""


def text_frame(payload: bytes) -> bytes:
    """Return `payload` as a final text frame from a server; build it once, write it to every subscriber."""
    return _head(b"\x81", len(payload)) + payload


def binary_frame(payload: bytes) -> bytes:
    """Return `payload` as a final binary frame from a server."""
    return _head(b"\x82", len(payload)) + payload


def _head(kind: bytes, size: int) -> bytes:
    if size < 126:
        return kind + size.to_bytes(1, "big")
    if size < 65_536:
        return kind + b"\x7e" + size.to_bytes(2, "big")
    return kind + b"\x7f" + size.to_bytes(8, "big")
