"""Leaving a raw terminal: after a line's end, `~.` ends the call and `~&` leaves it running."""

import enum


class Leave(enum.Enum):
    """How somebody leaves."""

    END = "."
    DETACH = "&"


class Escapes:
    """Finds the escapes in what is typed; everything else passes."""

    def __init__(self) -> None:
        self._is_line_start = True
        self._has_tilde = False

    def feed(self, typed: bytes) -> tuple[bytes, Leave | None]:
        """Return what is input, and how the person leaves, if they do; what they type after that is dropped."""
        passed = bytearray()
        for letter in (typed[at : at + 1] for at in range(len(typed))):
            if self._has_tilde:
                self._has_tilde = False
                if letter in (b".", b"&"):
                    return bytes(passed), Leave(letter.decode())
                # Two tildes are one.
                passed += letter if letter == b"~" else b"~" + letter
            elif letter == b"~" and self._is_line_start:
                self._has_tilde = True
                continue
            else:
                passed += letter
            self._is_line_start = letter in (b"\r", b"\n")
        return bytes(passed), None
