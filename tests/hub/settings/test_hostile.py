"""Whatever a text or a value is: it is read, or refused with a code; never anything else."""

import json
from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from instar.base.errors import InstarError
from instar.hub.settings.document import edited
from instar.hub.settings.keys import KEYS
from instar.hub.settings.masking import masked, unmasked
from instar.hub.settings.sources import fit, from_text

CANARY = "canary-hunter2"
PIECES = [
    "log:", "\n", "  ", "level: debug", "auth:", f"token: {CANARY}", "token: ", f'"{CANARY}"', "{", "}", "[", "]", ",",
    ": ", "- ", "#", " # c", "&a ", "*a", "!!str ", "!!python/object/apply:os.system ", "|\n", ">-\n", "---\n", "...\n",
    "'", '"', "listen", "0x10", ".inf", "null", "~", "<<: *a", "? ", "\t", "\r\n", "\x00", "\ufeff", "\ud800", "é",
    "(set)", "%YAML 1.1\n", "2001-01-01", "1e999", "password: |\n    ", "\\", "loops: {max_hops: 3}", "1_0", "=",
    "@", "`",
]  # fmt: skip
TEXTS = st.lists(st.sampled_from(PIECES) | st.text(max_size=5), max_size=14).map("".join)
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def outcome(act: Callable[[], Any]) -> tuple[Any, InstarError | None]:
    """Return what it made, or how it was refused."""
    try:
        return act(), None
    except InstarError as error:
        return None, error


@settings(max_examples=400)
@given(TEXTS)
def test_a_text_is_read_or_refused_and_no_secret_is_told(text: str) -> None:
    written, refusal = outcome(lambda: from_text(text))
    if refusal is not None:
        assert refusal.code == "bad_request"
        assert CANARY not in refusal.message + refusal.hint or refusal.message.endswith("is no setting")
    shown = masked(text)
    outcome(lambda: unmasked(text, {"auth.token": CANARY}))
    if not written:
        return
    if written.get("auth.token") == CANARY:
        assert CANARY not in shown
    changes = {"log.level": "warning", "auth.password": None}
    fresh, refusal = outcome(lambda: edited(text, changes))
    if refusal is None:
        kept = {key: value for key, value in written.items() if key not in changes}
        assert from_text(fresh) == {**kept, "log.level": "warning"}


@settings(max_examples=400)
@given(st.sampled_from(sorted(KEYS)), JSON, st.sampled_from(["change", "env", "words"]))
def test_a_value_fits_or_is_refused(key: str, value: Any, origin: str) -> None:
    fitted, refusal = outcome(lambda: fit(key, value, origin))
    if refusal is not None:
        assert refusal.code == "bad_request"
        return
    json.dumps(fitted, allow_nan=False)
    fresh, refusal = outcome(lambda: edited("", {key: fitted}))
    assert from_text(fresh) == {key: fitted} if refusal is None else refusal.code == "unprocessable_entity"
