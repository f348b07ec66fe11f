"""Which commands a platform may offer, and under which names the hub asks for them."""

import pytest

from instar.wire.gateway.commands import DANGEROUS, TOOLS, commands_of, in_dialect, offered, tools_of

SYSTEM = ["system.run", "system.run.prepare", "system.which", "fs.listDir"]
APP = ["canvas.present", "canvas.a2ui.push", "camera.list", "camera.snap", "screen.record", "location.get"]


@pytest.mark.parametrize(
    ("platform", "family", "kept"),
    [
        ("linux", "Linux", SYSTEM),
        ("Linux 6.1", "", SYSTEM),
        ("windows", "", [*SYSTEM, "camera.list", "location.get"]),
        ("ios", "iPhone", APP),
        ("iOS 26.1.0", "iPhone", APP),
        ("android", "", [*APP, "sms.send"]),
        ("macos", "Mac", [*SYSTEM, *APP]),
        ("", "iOS", APP),
        ("plan9", "", [*SYSTEM, *APP, "sms.send"]),
    ],
)
def test_what_a_platform_may_offer(platform: str, family: str, kept: list[str]) -> None:
    declared = [*SYSTEM, *APP, "sms.send"]
    assert offered([*declared, *declared], platform, family) == kept


def test_the_hubs_own_names() -> None:
    assert tools_of(["system.run", "system.run.prepare", "system.providers", "camera.snap", "system.run"]) == [
        "exec", "shell", "camera.snap",
    ]  # fmt: skip
    assert commands_of(["shell", "exec", "which", "read_file"]) == ["system.run", "system.which", "read_file"]
    assert in_dialect("exec") == "system.run"
    for command, tools in TOOLS.items():
        assert commands_of(tools_of([command])) == [command]
        assert tools


def test_what_reaches_into_privacy_is_none_of_our_own_tools() -> None:
    assert not DANGEROUS & {tool for tools in TOOLS.values() for tool in tools}
