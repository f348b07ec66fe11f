"""What is sealed opens under the same key and context only, and shows nothing."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from instar.base.errors import InstarError
from instar.hub.secrets.sealing import seal, unseal

KEY = bytes(range(32))


@settings(deadline=None)
@given(st.text(max_size=40), st.binary(max_size=200))
def test_it_opens_again(context, content):
    sealed = seal(KEY, context, content)
    assert unseal(KEY, context, sealed) == content
    assert sealed != seal(KEY, context, content)


@settings(deadline=None)
@given(st.integers(min_value=0), st.integers(min_value=1, max_value=255))
def test_no_change_goes_unseen(at, flip):
    sealed = bytearray(seal(KEY, "ssh-key:one", b"hush, hush"))
    sealed[at % len(sealed)] ^= flip
    with pytest.raises(InstarError) as caught:
        unseal(KEY, "ssh-key:one", bytes(sealed))
    assert caught.value.code == "secret_unreadable"


@pytest.mark.parametrize(
    ("key", "context", "cut"), [(bytes(32), "ssh-key:one", 0), (KEY, "ssh-key:two", 0), (KEY, "ssh-key:one", 30)]
)
def test_another_key_context_or_length_is_refused(key, context, cut):
    sealed = seal(KEY, "ssh-key:one", b"hush, hush")
    with pytest.raises(InstarError, match="secret"):
        unseal(key, context, sealed[: len(sealed) - cut])
