"""Leaving a raw terminal."""

import pytest

from instar.cli.execution.escapes import Escapes, Leave


@pytest.mark.parametrize(
    ("typed", "passed", "leave"),
    [
        ([b"ls\r"], b"ls\r", None),
        ([b"~."], b"", Leave.END),
        ([b"ls\r~."], b"ls\r", Leave.END),
        ([b"ls\r", b"~", b"."], b"ls\r", Leave.END),
        ([b"ls\r~&rest"], b"ls\r", Leave.DETACH),
        ([b"cd ~."], b"cd ~.", None),
        ([b"a\r~~."], b"a\r~.", None),
        ([b"\r~x"], b"\r~x", None),
        ([b"~/bin/run\r"], b"~/bin/run\r", None),
        ([b"\x03"], b"\x03", None),
        ([b"\n~."], b"\n", Leave.END),
    ],
)
def test_escapes(typed: list[bytes], passed: bytes, leave: Leave | None):
    escapes = Escapes()
    found = [escapes.feed(piece) for piece in typed]
    assert b"".join(piece for piece, _ in found) == passed
    assert found[-1][1] is leave
