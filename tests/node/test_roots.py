"""No path leads out of a granted folder: 500 hostile ones, and links that are swapped while they are walked."""

import itertools
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from instar.base.errors import InstarError
from instar.node.roots import Roots
from instar.node.tools.context import ToolContext
from instar.node.tools.registry import TOOLS, resolve
from instar.wire.tools import PutFile, ReadFile, WriteFile

SECRET = "the secret outside"


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root with links of every kind, and a secret beside it."""
    base = tmp_path_factory.mktemp("scene")
    root = base / "root"
    (root / "a" / "b").mkdir(parents=True)
    (root / "a" / "inside.txt").write_text("inside")
    (base / "root-evil").mkdir()
    for outside in (base, base / "root-evil"):
        (outside / "secret.txt").write_text(SECRET)
    links = {
        "up": "..", "upper": "../..", "absolute": str(base), "file": str(base / "secret.txt"),
        "relative": "../secret.txt", "etc": "/etc", "proc": "/proc/self/root", "cwd": "/proc/self/cwd",
        "fd": "/proc/self/fd", "dev": "/dev", "evil": "../root-evil", "chain": "chain2", "chain2": "up", "loop": "loop",
        "slash": "/", "dangling": "../made-outside.txt", "dangling-absolute": str(base / "made-outside.txt"),
        "in": "a", "in-absolute": str(root / "a"), "in-file": "a/inside.txt", "deep": "a/b/../../..",
    }  # fmt: skip
    for name, target in links.items():
        (root / name).symlink_to(target)
    os.mkfifo(root / "fifo")
    handle = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"/proc/self/fd/{handle}/socket")
    os.close(handle)
    return base


def hostile(base: Path) -> list[str]:
    """Return paths that try to leave `base/root`, or to name what is no file."""
    root = base / "root"
    tails = ["secret.txt", "etc/passwd", "root-evil/secret.txt", "made-outside.txt", ""]
    ups = ["../" * count for count in range(1, 8)]
    heads = [
        *ups, *(f"a/{up}../" for up in ups), *(f"./{up}" for up in ups), *(f"a/b/../../{up}" for up in ups),
        *(f".//{up}/" for up in ups), *(f"{root}/{up}" for up in ups), *(f"{root}/a/../{up}" for up in ups),
        "up/", "upper/", "absolute/", "evil/", "chain/", "slash/", "deep/", "proc/", "cwd/", "fd/3/", "dev/", "etc/../",
        "in/../up/", "in-absolute/../../", "a/b/../../up/../", "/", "//", "/proc/self/root/", "/proc/self/cwd/../",
        "/proc/1/root/", "/dev/fd/0/", f"{root}/../", f"{root}-evil/", f"{root}/../root-evil/", f"//{base}/",
        f"/.{base}/", "nothing/../../", "a/inside.txt/../../../",
    ]  # fmt: skip
    alone = [
        "file", "relative", "loop", "fifo", "socket", "dangling", "dangling-absolute", "etc", "dev/null", "dev/zero",
        "/dev/null", "/dev/zero", "/dev/stdin", "/dev/tty", "/proc/self/environ", "/proc/self/mem", "/proc/version",
        "/sys/kernel/notes", "/etc/shadow", "/etc/passwd", "~/.ssh/id_rsa", "~root/.profile", "a\0b", "\0", "..", "../",
        "../root-evil", "a" * 5_000, "x/" * 2_000, "..\\..\\secret.txt", "..%2fsecret.txt", "%2e%2e/secret.txt",
        "\N{FULLWIDTH FULL STOP}\N{FULLWIDTH FULL STOP}/secret.txt", "\N{ONE DOT LEADER}\N{ONE DOT LEADER}/secret.txt",
        "..;/secret.txt", "...//secret.txt", "....//secret.txt", ".../secret.txt", "..\r/secret.txt", "..\n/secret.txt",
        f"{str(root).upper()}/../secret.txt", "A/../../secret.txt", "file/", "file/.", "relative/..", "./file",
        "a/../file",
    ]  # fmt: skip
    made = [head + tail for head, tail in itertools.product(heads, tails)]
    made += [f"{head}{tail}{end}" for head, tail, end in itertools.product(heads[:40], tails[:2], ("/", "/."))]
    return list(dict.fromkeys(made + alone))


@pytest.fixture(scope="module")
def roots(scene: Path) -> Iterator[Roots]:
    opened = Roots([scene / "root"])
    yield opened
    opened.close()


def lies_within(descriptor: int, root: Path) -> bool:
    real = str(Path(f"/proc/self/fd/{descriptor}").readlink())
    return real == str(root) or real.startswith(f"{root}/")


def test_500_hostile_paths_stay_inside(scene: Path, roots: Roots):
    paths = hostile(scene)
    assert len(paths) >= 500
    root = scene / "root"
    before = sorted(each.name for each in scene.iterdir())
    opened = 0
    for path in paths:
        try:
            with roots.file(path, str(root)) as found:
                assert lies_within(found.descriptor, root), path
                assert os.read(found.descriptor, 100) != SECRET.encode()
                opened += 1
        except InstarError:
            pass
        try:
            with roots.place(path, str(root)) as place:
                assert lies_within(place.folder, root), path
                assert place.path == str(root) or place.path.startswith(f"{root}/")
        except InstarError:
            pass
    assert opened < 10
    assert sorted(each.name for each in scene.iterdir()) == before


def contents_of(scene: Path) -> tuple[str, bool]:
    return (scene / "secret.txt").read_text(), (scene / "made-outside.txt").exists()


async def test_no_hostile_path_is_read_or_written_by_a_tool(scene: Path, roots: Roots):
    context = ToolContext(roots, str(scene / "root"))
    for path in hostile(scene)[::7]:
        if not path:
            continue
        for name, params in (
            ("read_file", ReadFile(path)),
            ("write_file", WriteFile(path, "x", create_directories=False)),
            ("put_file", PutFile(path, 1, "0" * 64)),
        ):
            try:
                answer = await TOOLS[name](context, params)
                assert SECRET not in str(answer.result)
                await resolve(context, params)
            except InstarError:
                pass
    assert contents_of(scene) == (SECRET, False)


@pytest.mark.parametrize(
    "path", ["in/inside.txt", "in-absolute/inside.txt", "in-file", "a/b/../inside.txt", "./a//inside.txt"]
)
def test_links_that_stay_inside_work(scene: Path, roots: Roots, path: str):
    with roots.file(path) as found:
        assert found.path == str(scene / "root" / "a" / "inside.txt")
        assert os.read(found.descriptor, 100) == b"inside"


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("nothing.txt", "not_found"),
        ("nothing/deeper.txt", "not_found"),
        ("a", "unprocessable_entity"),
        ("fifo", "unprocessable_entity"),
        ("socket", "unprocessable_entity"),
        ("loop", "unprocessable_entity"),
        ("up/secret.txt", "outside_roots"),
        ("a\0b", "unprocessable_entity"),
        ("a" * 300, "unprocessable_entity"),
        ("a/inside.txt/deeper", "not_found"),
    ],
)
def test_refusals_say_why(roots: Roots, path: str, code: str):
    with pytest.raises(InstarError) as refused, roots.file(path):
        pass
    assert refused.value.code == code


def test_the_nodes_own_folder_is_never_entered(tmp_path: Path):
    own = tmp_path / ".config" / "node"
    own.mkdir(parents=True)
    (own / "node-key").write_text("seed")
    (tmp_path / "link").symlink_to(".config/node")
    roots = Roots([tmp_path], hidden=[own])
    for path in (".config/node/node-key", "link/node-key", str(own / "node-key"), ".config/node/node-allow.json"):
        with pytest.raises(InstarError, match="own keys"), roots.place(path):
            pass
    roots.close()


def test_the_kernels_file_systems_are_refused_in_a_root_of_everything():
    roots = Roots([Path("/")])
    for path in ("/proc/self/environ", "/proc/self/root/etc/passwd", "/proc/self/fd/0", "/sys/kernel"):
        with pytest.raises(InstarError) as refused, roots.file(path):
            pass
        assert refused.value.code == "outside_roots"
    with pytest.raises(InstarError, match="a device"), roots.file("/dev/zero"):
        pass
    with roots.file("/etc/passwd"):
        pass
    roots.close()


def test_several_roots_and_links_between_them(tmp_path: Path):
    one, other = tmp_path / "one", tmp_path / "other"
    one.mkdir()
    other.mkdir()
    (other / "file").write_text("there")
    (one / "across").symlink_to(other)
    roots = Roots([one, other])
    with roots.file("across/file") as found:
        assert found.path == str(other / "file")
    assert roots.paths == [str(one), str(other)]
    roots.close()
    with pytest.raises(InstarError, match="no folder"), Roots([]).place("x"):
        pass
    with pytest.raises(InstarError, match="cannot be opened"):
        Roots([tmp_path / "missing"])


def test_folders_are_made_on_the_way_and_named_before(tmp_path: Path):
    roots = Roots([tmp_path])
    assert roots.would_be("x/y/z.txt") == str(tmp_path / "x" / "y" / "z.txt")
    assert not (tmp_path / "x").exists()
    with pytest.raises(InstarError, match="leads out"):
        roots.would_be("x/../../z.txt")
    with roots.place("x/y/z.txt", make_folders=True) as place:
        assert place.state is None
    assert (tmp_path / "x" / "y").is_dir()
    roots.close()


SWAPPER = """
import os, sys
folder, outside, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
os.chdir(folder)
for number in range(count // 2):
    os.rename("way", "kept"); os.symlink(outside, "way")
    os.remove("way"); os.rename("kept", "way")
"""


def test_ten_thousand_swaps_lead_nowhere(tmp_path: Path):
    root, outside = tmp_path / "root", tmp_path / "outside"
    for folder in (root / "way", outside):
        folder.mkdir(parents=True)
        (folder / "name.txt").write_text("inside" if folder != outside else SECRET)
    roots = Roots([root])
    swapper = subprocess.Popen([sys.executable, "-I", "-S", "-c", SWAPPER, str(root), str(outside), "10000"])
    reads, codes = 0, set[str]()
    while swapper.poll() is None:
        try:
            with roots.file("way/name.txt") as found:
                assert os.read(found.descriptor, 100) == b"inside"
                reads += 1
            with roots.place("way/new.txt") as place:
                assert lies_within(place.folder, root)
        except InstarError as error:
            codes.add(error.code)
    roots.close()
    assert codes <= {"outside_roots", "not_found", "unprocessable_entity"}
    assert swapper.returncode == 0
    assert reads > 10
    assert sorted(each.name for each in outside.iterdir()) == ["name.txt"]
