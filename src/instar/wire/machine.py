"""What the IO-free machines of all dialects share.

A machine takes what the carrier received and the time, and returns actions for the carrier to carry out, in order.
It never blocks, never reads a clock and never raises for anything that a peer sent: the peer's faults are actions.
"""

import msgspec

UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What decoding a peer's bytes raises: wrong JSON, wrong UTF-8, or JSON nested too deep."""


class MisuseError(RuntimeError):
    """The driver asked a machine for something that its state does not allow: our fault, never the peer's."""
