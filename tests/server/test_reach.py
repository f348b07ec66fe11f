"""What the hub says of how other machines reach it."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from instar.hub.settings.binding import Address
from instar.hub.settings.tree import ServerSettings, Settings, TlsSettings
from instar.server.reach import reach_of
from instar.server.tls import Certificate
from instar.wire.devices import Reach

MADE = Certificate(Path("c"), Path("k"), "SHA256:made", datetime.now(UTC), is_own=False)
OWN = MADE._replace(is_own=True)
LOCAL, FAR = Address("127.0.0.1", 1), Address("192.0.2.7", 2)


@pytest.mark.parametrize(
    ("settings", "listening", "certificate", "expected"),
    [
        (Settings(), [LOCAL], None, Reach()),
        (Settings(tls=TlsSettings(mode="on")), [LOCAL], MADE, Reach()),
        (Settings(), [LOCAL, FAR], MADE, Reach("https://192.0.2.7:2", "SHA256:made")),
        (Settings(), [FAR], OWN, Reach("https://192.0.2.7:2")),
        (Settings(server=ServerSettings(trusted_proxies=["192.0.2.9"])), [FAR], None, Reach("http://192.0.2.7:2")),
        (
            Settings(server=ServerSettings(public_url="https://hub.example/x")), [FAR], MADE,
            Reach("https://hub.example", "SHA256:made"),
        ),
        (
            Settings(server=ServerSettings(public_url="https://hub.example", trusted_proxies=["127.0.0.1"])), [LOCAL],
            None, Reach("https://hub.example"),
        ),
        (Settings(server=ServerSettings(public_url="http://localhost:9")), [LOCAL], None, Reach()),
    ],
)  # fmt: skip
def test_where_other_machines_dial(
    settings: Settings, listening: list[Address], certificate: Certificate | None, expected: Reach
) -> None:
    assert reach_of(settings, listening, certificate) == expected


def test_every_interface_is_told_as_one_that_can_be_dialled() -> None:
    said = reach_of(Settings(), [Address("", 3)], MADE)
    assert said.url.startswith("https://")
    assert said.url.endswith(":3")
    assert "0.0.0.0" not in said.url
