"""Names that somebody permits stand for something."""

import pytest

from instar.base.errors import InstarError
from instar.policy.naming import check_named


@pytest.mark.parametrize(("globs", "also", "has_others", "unknown"), [
    (["*", "exec", "read*", "?ist", "apply_patch"], (), False, []),
    (["Exec"], (), False, ["Exec"]), (["", "e"], (), False, ["", "e"]), (["reed*"], (), False, ["reed*"]),
    (["camera.snap"], (), False, ["camera.snap"]), (["camera.snap", "my.own*"], (), True, []),
    (["camera"], (), True, ["camera"]), (["camera.snap", "canvas.*"], ("camera.snap", "canvas.hide"), False, []),
    (["of-old", "exce", "exce"], ("of-old",), False, ["exce"]),
])  # fmt: skip
def test_a_name_that_stands_for_nothing_is_refused(
    globs: list[str], also: tuple[str, ...], has_others: bool, unknown: list[str]
) -> None:
    if not unknown:
        check_named(globs, also, has_others=has_others)
        return
    with pytest.raises(InstarError) as raised:
        check_named(globs, also, has_others=has_others)
    assert (raised.value.code, raised.value.detail["unknown"]) == ("unprocessable_entity", unknown)


def test_the_refusal_names_what_is_near_and_what_there_is() -> None:
    with pytest.raises(InstarError) as raised:
        check_named(["read-file", "exce", "zzz"])
    assert raised.value.message == "there is no tool 'read-file', 'exce', 'zzz'"
    assert raised.value.hint.startswith("Did you mean read_file or ")
    assert {"read_file", "exec"} <= set(raised.value.detail["near"])
    assert "apply_patch" in raised.value.hint
