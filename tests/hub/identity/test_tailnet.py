"""Tailscale, asked: a real program answers, or does not."""

import asyncio
import os
import stat
from pathlib import Path

import pytest

from instar.base.errors import InstarError
from instar.hub.identity.tailnet import Tailnet
from instar.wire.limits import TAILNET_KEEP_S, TAILNET_KNOWN_MAX

ANSWER = '{"Node":{"Name":"laptop"},"UserProfile":{"ID":7,"LoginName":"ada@example.com","DisplayName":"Ada"}}'


def program(folder: Path, *lines: str) -> str:
    """Write an executable that notes its arguments, then does what the lines say."""
    path = folder / "tailscale"
    path.write_text("\n".join(("#!/bin/sh", f'printf "%s\\n" "$#" "$@" >> {folder}/asked', *lines, "")))
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def asked(folder: Path) -> list[str]:
    path = folder / "asked"
    return path.read_text().split("\n")[:-1] if path.exists() else []


async def test_who_has_an_address(tmp_path: Path) -> None:
    tailnet = Tailnet(program(tmp_path, f"echo '{ANSWER}'"))
    assert await tailnet.login_of("100.64.0.7") == "ada@example.com"
    assert asked(tmp_path) == ["3", "whois", "--json", "100.64.0.7"]


async def test_an_answer_is_believed_for_a_moment(tmp_path: Path) -> None:
    at = 0.0
    tailnet = Tailnet(program(tmp_path, f"echo '{ANSWER}'"), lambda: at)
    for at, count in ((0.0, 1), (TAILNET_KEEP_S - 1, 1), (TAILNET_KEEP_S + 1, 2)):  # noqa: B007 - the clock reads `at`
        assert await tailnet.login_of("100.64.0.7") == "ada@example.com"
        assert asked(tmp_path).count("whois") == count
    tailnet._known.update({f"100.64.1.{n}": ("x", 0.0) for n in range(TAILNET_KNOWN_MAX)})
    await tailnet.login_of("100.64.0.8")
    assert len(tailnet._known) <= TAILNET_KNOWN_MAX + 1


async def test_whom_tailscale_does_not_know(tmp_path: Path) -> None:
    assert await Tailnet(program(tmp_path, "echo 'no match' >&2", "exit 1")).login_of("192.0.2.1") == ""
    for answer in ("{}", '{"UserProfile":{}}'):
        assert await Tailnet(program(tmp_path, f"echo '{answer}'")).login_of("192.0.2.1") == ""


@pytest.mark.parametrize("answer", ["echo 'not json'", "exit 0", "yes", "head -c 100000 /dev/zero"])
async def test_nonsense_is_no_answer(answer: str, tmp_path: Path) -> None:
    with pytest.raises(InstarError) as caught:
        await Tailnet(program(tmp_path, answer)).login_of("192.0.2.1")
    assert caught.value.code == "service_unavailable"


async def test_a_command_that_is_not_there(tmp_path: Path) -> None:
    for path in (tmp_path / "missing", tmp_path):
        with pytest.raises(InstarError, match="cannot be started"):
            await Tailnet(str(path)).login_of("192.0.2.1")


async def test_one_that_hangs_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("instar.hub.identity.tailnet.TAILNET_WHOIS_S", 0.2)
    tailnet = Tailnet(program(tmp_path, f"echo $$ > {tmp_path}/pid", "exec sleep 1000"))
    with pytest.raises(InstarError, match="did not answer"):
        await tailnet.login_of("192.0.2.1")
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


async def test_an_asker_that_leaves_ends_it_too(tmp_path: Path) -> None:
    tailnet = Tailnet(program(tmp_path, f"echo $$ > {tmp_path}/pid", "exec sleep 1000"))
    asking = asyncio.ensure_future(tailnet.login_of("192.0.2.1"))
    while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)
