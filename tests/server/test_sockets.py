import socket

import pytest

from instar.base.errors import InstarError
from instar.server.sockets import bind, raise_file_limit


def test_a_taken_port_is_named_and_nothing_stays_bound() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            free = probe.getsockname()[1]
        with pytest.raises(InstarError) as caught:
            bind([f"127.0.0.1:{free}", f"127.0.0.1:{port}"])
        assert caught.value.code == "address_unusable"
        assert str(port) in caught.value.message
        assert "another Instar" in caught.value.message
        assert caught.value.hint
        bind([f"127.0.0.1:{free}"]).close()


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("8787", "bad_request"),
        ("no.such.host.invalid:1", "address_unusable"),
        ("203.0.113.1:8787", "address_unusable"),
        ("a..b:1", "address_unusable"),
    ],
)
def test_an_address_that_is_none_or_not_this_machines(text: str, code: str) -> None:
    with pytest.raises(InstarError) as caught:
        bind([text])
    assert caught.value.code == code


def test_an_empty_host_is_every_address() -> None:
    bound = bind([":0"])
    assert bound.listening[0].host == "0.0.0.0"
    bound.close()


def test_the_limit_of_files_is_raised() -> None:
    assert raise_file_limit() >= 0
