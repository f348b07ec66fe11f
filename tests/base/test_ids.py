"""Identifiers: shapes, vectors, and the derived UUID against the standard library's."""

import hashlib
import uuid

from hypothesis import given
from hypothesis import strategies as st

from instar.base.ids import derived_uuid, new_id, new_secret, secret_hash


def test_an_id_is_its_prefix_and_a_random_uuid() -> None:
    prefix, _, rest = new_id("msg").partition("_")
    assert prefix == "msg"
    assert uuid.UUID(rest).version == 4


def test_a_secret_has_32_random_bytes_and_is_kept_as_its_hash() -> None:
    secret = new_secret("ik")
    assert len(secret) == len("ik_") + 43
    assert secret_hash(secret) == hashlib.sha256(secret.encode()).hexdigest()
    assert new_secret("ik") != secret


@given(st.text())
def test_a_derived_uuid_is_what_the_standard_library_makes_of_the_digest(text: str) -> None:
    assert derived_uuid(text) == str(uuid.UUID(bytes=hashlib.sha256(text.encode()).digest()[:16], version=4))
