"""Attacks on the way to an SSH host: in addresses, in every part of a call, in pins. None of them runs anything.

Each tries to leave a file behind. Those on calls run on a real daemon, in both modes, as what they are: plain data.
"""

from pathlib import Path

import msgspec
import pytest

from instar.base.errors import InstarError
from instar.hub.ssh.command_line import Files, command_line, known_hosts
from instar.hub.ssh.destinations import parse_destination
from instar.hub.ssh.host_keys import parse_lines
from instar.hub.ssh.script import encoded, killing, new_mark, program, signal
from instar.wire.execution import Terminal
from instar.wire.ssh import AddTarget, SshMode

ADDRESSES = [
    "-oProxyCommand=touch${IFS}PWN", "-oProxyCommand=touch PWN", "-F/tmp/evil", "-E/tmp/x", "--", "-", "-l root host",
    "root@-oProxyCommand=id", "-root@host", "root@-host", "host -oProxyCommand=id", "host\n-oProxyCommand=id",
    "host\tx", "host;id", "host|id", "host&id", "$(id)", "`id`", "root@$(id)", "$(id)@host", "ho'st", 'ho"st', "host>x",
    "host<x", "host*", "host?", "{a,b}", "~root", "host\\x", "host%h", "%h", "root@%r", "ssh://host", "ssh://-oX/host",
    "host/../x", "../host", "host#x", "host!x", "host\0x", "\x1b[31mhost", "h\u043est", "host\u202e", "\uff48ost",
    "host\u00a0", "", "@", "@host", "root@", "a@b@c", "root@host:", "host:0", "host:65536", "host:-1", "host:22:33x",
    "[::1", "::1]", "[::1]x", "[::1%eth0]", "fe80::1%$(id)", "[-oX]", "host..x", ".host", "host.", "ro ot@host",
    "x" * 400, "x" * 64, "ops@" + "x" * 64 + ".example",
]  # fmt: skip
"""Addresses that are none."""

VALUES = [
    "$(touch PWN)", "`touch PWN`", "'; touch PWN; '", '"; touch PWN; "', "a\ntouch PWN\n", "a\rtouch PWN",
    "; touch PWN", "| touch PWN", "&& touch PWN", "& touch PWN &", "\\'; touch PWN; \\'", "\\", "\\\\'; touch PWN #",
    "'\\''; touch PWN", "${IFS}", "$IFS$(touch${IFS}PWN)", "%s%n%b", "\\047; touch PWN; \\047", "\\0047; touch PWN #",
    "\\c", "!touch PWN",
    "~root", "*", "{touch,PWN}", "<(touch PWN)", ">PWN", "2>PWN", "\u2018; touch PWN; \u2019", "\uff07; touch PWN #",
    "ü' ; touch PWN ; 'ü", "\x1b]0;x\x07", "\x03\x04\x1a", "-oProxyCommand=touch PWN", "--", "#x", "=x", "\t", " ",
    "a'b\"c`d$e\\f", "$'\\x27; touch PWN'", "\u202e; touch PWN",
]  # fmt: skip
"""Values that are data wherever they stand."""

LINES = [
    "host ssh-ed25519 KEY\nevil ssh-ed25519 !!!", "@cert-authority * ssh-ed25519 KEY", "@revoked host ssh-ed25519 KEY",
    "host ssh-ed25519 KEY\n-oProxyCommand=id", "host ssh-rsa KEY", "host none KEY", "host ssh-ed25519", "host",
    "host ssh-ed25519 AAAA", "ho\x00st ssh-ed25519 KEY", "h\u043est ssh-ed25519 KEY", "host ssh-dss KEY", "",
    "# only a comment", "host ssh-ed25519-cert-v01@openssh.com KEY", "host ssh-ed25519 KEY\x1b[2J\x1b",
]  # fmt: skip
"""Lines that are no pins."""

KEY = "AAAAC3NzaC1lZDI1NTE5AAAAIAEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB"


def test_there_are_sixty_and_more():
    assert len(ADDRESSES) + len(VALUES) + len(LINES) >= 60
    assert all(len(set(group)) == len(group) for group in (ADDRESSES, VALUES, LINES))


@pytest.mark.parametrize("address", ADDRESSES)
def test_an_address_that_is_none_is_refused(address):
    with pytest.raises((InstarError, msgspec.ValidationError)):
        parse_destination(msgspec.convert({"label": "x", "address": address}, AddTarget).address)


async def test_no_target_is_made_of_it(world):
    for address in ADDRESSES:
        with pytest.raises((InstarError, msgspec.ValidationError)):
            await world.do("add_target", label="box", address=address)
        with pytest.raises((InstarError, msgspec.ValidationError)):
            await world.do("scan", address=address)
    assert not (await world.do("targets")).targets


@pytest.mark.parametrize("text", [line.replace("KEY", KEY) for line in LINES])
def test_lines_that_are_no_pins_are_refused(text):
    with pytest.raises(InstarError) as caught:
        parse_lines(text)
    assert caught.value.code == "unprocessable_entity"


@pytest.mark.parametrize("place", ["argv", "line", "cwd", "env", "terminal"])
async def test_a_value_is_only_a_value(world, target, tmp_path, place):
    """Every value in one call per place: each comes back as it went, and no file is left."""
    home = tmp_path / "home"
    home.mkdir()
    if place == "argv":
        _, sink = await world.run(target, "exec", {"argv": ["printf", "%s\\0", *VALUES]}, cwd=str(home))
        assert sink.out.decode().split("\0")[:-1] == VALUES
    elif place == "line":
        quoted = " ".join("'" + value.replace("'", "'\\''") + "'" for value in VALUES)
        _, sink = await world.shell(target, f"printf '%s\\0' {quoted}", cwd=str(home))
        assert sink.out.decode().split("\0")[:-1] == VALUES
    elif place == "cwd":
        for number, value in enumerate(value for value in VALUES if "/" not in value):
            folder = home / f"{number}{value}"
            folder.mkdir()
            if number % 10 == 0:
                _, sink = await world.run(target, "exec", {"argv": ["pwd"]}, cwd=str(folder))
                assert sink.out.decode() == f"{folder}\n"
        return _nothing_was_left(home.parent)
    elif place == "env":
        env = {f"LC_{'A' * (number + 1)}": value for number, value in enumerate(VALUES)} | {"LANG": "C.UTF-8"}
        _, sink = await world.run(target, "exec", {"argv": ["env"]}, env=env, cwd=str(home))
        assert "LANG=C.UTF-8" in sink.out.decode()
    else:
        quoted = [value for value in VALUES if value.isprintable() and value.isascii()]
        more = {"terminal": Terminal(), "env": {"TERM": "$(touch PWN)"}, "cwd": str(home)}
        _, sink = await world.run(target, "exec", {"argv": ["printf", "%s|", *quoted]}, **more)
        assert sink.out.decode() == "".join(f"{value}|" for value in quoted)
    return _nothing_was_left(home)


async def test_names_of_variables_are_names(world, target):
    bad = ("A;touch PWN", "A$(touch PWN)", "-x", "A=B", "LD_PRELOAD", "BASH_ENV", "ENV", "IFS", "")
    names = dict.fromkeys(bad, "x")
    _, sink = await world.run(target, "exec", {"argv": ["env"]}, env=names)
    told = sink.out.decode().splitlines()
    assert not [line for line in told if line.startswith(("A;", "A$", "LD_", "BASH_ENV", "IFS"))]
    with pytest.raises(InstarError):
        program("call_1", new_mark(), ["true"], "", {"A;touch PWN": "x"})


@pytest.mark.parametrize("value", VALUES)
def test_the_login_shell_sees_none_of_it(value):
    line = encoded(program(value, new_mark(), ["x", value], value, {"LANG": value}))
    assert line.startswith('exec sh -lc \'eval "$(printf %b "')
    assert line.endswith('")"\'')
    inner = line[len('exec sh -lc \'eval "$(printf %b "') : -len('")"\'')]
    assert set(inner) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 ./_=:,@+-\\")


@pytest.mark.parametrize("name", ["TERM; id", "-9", "9", "KILL -1", "$(id)", "", "term"])
def test_only_signals_are_signals(name):
    with pytest.raises(InstarError):
        signal(4_242, name)
    assert "'INSTAR_CALL_ID=x'\"'\"'; id #'" in killing(4_242, "x'; id #")


def test_the_address_stands_behind_the_options():
    files = Files(Path("/private"))
    line = command_line(["ssh"], parse_destination("ops@host:2222"), "instar-1", files, is_pinned=True, terminal=False)
    assert line[-4:] == ["-p", "2222", "--", "ops@host"]
    assert {"StrictHostKeyChecking=yes", "UserKnownHostsFile=/private/known_hosts", "ControlPath=none"} <= set(line)
    pins = [each.key for each in parse_lines(f"*,!x ssh-ed25519 {KEY} a comment")]
    assert known_hosts("instar-1", pins) == f"instar-1 ssh-ed25519 {KEY}\n"


async def test_the_accounts_configuration_is_not_read_in_managed_mode(world, sshd, tmp_path, monkeypatch):
    """A configuration that would run a program, include another, or send the call elsewhere."""
    home = tmp_path / "home"
    (home / ".ssh").mkdir(parents=True)
    trap = f"Include {tmp_path}/more\nHost *\n  ProxyCommand touch {tmp_path}/pwned\n  HostName 192.0.2.1\n"
    (home / ".ssh" / "config").write_text(trap)
    (home / ".ssh" / "known_hosts").write_text("")
    (tmp_path / "more").write_text(f'Match exec "touch {tmp_path}/pwned"\n  User nobody\n')
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("SSH_AUTH_SOCK", str(tmp_path / "agent"))
    target = await world.add(sshd, SshMode.MANAGED)
    outcome, _ = await world.shell(target, "true")
    assert outcome.exit_status == 0
    assert not (tmp_path / "pwned").exists()


def _nothing_was_left(folder: Path) -> None:
    assert not [path for path in folder.rglob("*") if path.name == "PWN"]
    assert not Path("PWN").exists()
    assert not (Path.home() / "PWN").exists()
