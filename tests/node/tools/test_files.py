"""Files are read, listed, written, edited and patched as the specification says."""

import asyncio
import hashlib
import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct

from instar.base.errors import InstarError
from instar.node.tools import diffs
from instar.node.tools.registry import ToolContext, resolve, unbound
from instar.wire.limits import FOLDER_ENTRIES_MAX, READ_TEXT_MAX_CHARS
from instar.wire.tools import ApplyPatch, EditFile, GetFile, Glob, ListFolder, PutFile, ReadFile, WriteFile

from .conftest import Use


def names_in(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


def texts_in(folder: Path) -> dict[str, str]:
    return {each.name: each.read_text() for each in folder.iterdir() if each.is_file()}


async def refused(use: Use, params: Struct, *blocks: bytes) -> InstarError:
    with pytest.raises(InstarError) as error:
        await use(params, *blocks)
    return error.value


async def test_text_is_read_whole_and_by_lines(use: Use, root: Path):
    (root / "f.txt").write_bytes(b"\xef\xbb\xbfone\r\ntwo\nthree")
    whole = await use(ReadFile("f.txt"))
    assert (whole.result.text, whole.result.total_lines, whole.output) == ("one\r\ntwo\nthree", 3, b"")
    assert (whole.result.first_line, whole.result.last_line, whole.result.next_line) == (1, 3, 0)
    middle = await use(ReadFile("f.txt", 2, 2))
    assert (middle.result.text, middle.result.is_truncated) == ("two\n", False)
    behind = await use(ReadFile("f.txt", 9))
    assert (behind.result.text, behind.result.first_line) == ("", 0)
    assert (await refused(use, ReadFile("f.txt", 3, 2))).code == "unprocessable_entity"
    (root / "empty").touch()
    assert (await use(ReadFile("empty"))).result.total_lines == 0


async def test_what_does_not_fit_is_the_output_all_of_it(use: Use, root: Path):
    content = b"".join(b"line %d\n" % number for number in range(5_000))
    (root / "long.txt").write_bytes(content)
    many = await use(ReadFile("long.txt"))
    assert (many.result.last_line, many.result.next_line, many.result.is_truncated) == (2_000, 2_001, True)
    assert many.output == content
    rest = await use(ReadFile("long.txt", many.result.next_line))
    assert rest.result.text == content.split(b"line 2000\n")[1].join([b"line 2000\n", b""]).decode()
    (root / "wide.txt").write_text("é" * 200_000)
    wide = await use(ReadFile("wide.txt"))
    assert len(wide.result.text.encode()) == 51_200
    assert len(wide.output) == 400_000
    named = await use(ReadFile("wide.txt", 1, 1))
    assert len(named.result.text) == READ_TEXT_MAX_CHARS


async def test_media_is_bytes_and_binary_is_refused(use: Use, root: Path):
    picture = bytes(range(256)) * 2_000
    (root / "p.PNG").write_bytes(picture)
    found = await use(ReadFile("p.PNG"))
    assert (found.result.media_type, found.output) == ("image/png", picture)
    (root / "program").write_bytes(b"\x7fELF\0\0")
    (root / "controls").write_bytes(b"\x01\x02\x03abc")
    (root / "a.zip").write_bytes(b"text")
    for name in ("program", "controls", "a.zip"):
        assert "no text" in (await refused(use, ReadFile(name))).message


async def test_a_folder_is_listed_in_order_and_within_limits(use: Use, root: Path):
    (root / "z").mkdir()
    (root / "a.txt").write_text("four")
    (root / "link").symlink_to("nowhere")
    os.mkfifo(root / "pipe")
    (root / os.fsdecode(b"bad\xff")).touch()
    found = (await use(ListFolder())).result
    assert [(each.name, str(each.kind)) for each in found.entries] == [
        ("z", "folder"), ("a.txt", "file"), ("bad\N{REPLACEMENT CHARACTER}", "file"), ("link", "link"),
        ("pipe", "other"),
    ]  # fmt: skip
    assert (found.entries[1].size_bytes, found.entries[1].mode, found.entries[3].target) == (4, "-rw-r--r--", "nowhere")
    for number in range(FOLDER_ENTRIES_MAX + 1):
        (root / "z" / f"{number}").touch()
    many = (await use(ListFolder("z"))).result
    assert (len(many.entries), many.total, many.is_truncated) == (FOLDER_ENTRIES_MAX, FOLDER_ENTRIES_MAX + 1, True)
    assert (await refused(use, ListFolder("a.txt"))).code == "unprocessable_entity"
    assert (await refused(use, ListFolder("none"))).code == "not_found"


async def test_writing_is_atomic_and_keeps_the_mode(use: Use, root: Path):
    written = (await use(WriteFile("new.txt", "one"))).result
    assert (written.is_new, written.sha256) == (True, hashlib.sha256(b"one").hexdigest())
    (root / "new.txt").chmod(0o750)
    (root / "link").symlink_to("new.txt")
    assert not (await use(WriteFile("link", "two"))).result.is_new
    assert ((root / "new.txt").read_text(), stat.S_IMODE((root / "new.txt").stat().st_mode)) == ("two", 0o750)
    assert (root / "link").is_symlink()
    assert "create_directories" in (await refused(use, WriteFile("x/y", ""))).hint
    await use(WriteFile("x/y", "", create_directories=True))
    for path in (".", "x"):
        assert (await refused(use, WriteFile(path, ""))).code == "unprocessable_entity"
    assert (await refused(use, WriteFile("half", "\ud800"))).code == "unprocessable_entity"
    assert names_in(root) == ["link", "new.txt", "x"]


async def test_edits_are_literal(use: Use, root: Path):
    file = root / "f.txt"
    file.write_bytes(b"a $& b\r\na $& b\xff")
    assert "2 times" in (await refused(use, EditFile("f.txt", "$&", "x"))).message
    edited = (await use(EditFile("f.txt", "$&", r"$1 \1 $&", replace_all=True))).result
    assert (edited.replaced, file.read_bytes()) == (2, rb"a $1 \1 $& b" + b"\r\n" + rb"a $1 \1 $& b" + b"\xff")
    assert (await refused(use, EditFile("f.txt", "a.*b", "x"))).code == "conflict"
    assert (await refused(use, EditFile("f.txt", "a", "a"))).code == "unprocessable_entity"
    assert (await refused(use, EditFile("none", "a", "b"))).code == "not_found"
    with file.open("wb") as big:
        big.truncate(20_000_000)
    assert (await refused(use, EditFile("f.txt", "a", "b"))).code == "too_large"


PATCH = """\
diff --git a/one.txt b/one.txt
--- a/one.txt
+++ b/one.txt
@@ -1,3 +1,3 @@
 a
-b
+B
 c
@@ -5,2 +5,3 @@
 e
 f
+g
--- /dev/null
+++ b/made/new.txt
@@ -0,0 +1,2 @@
+x
+y
\\ No newline at end of file
--- a/old.txt
+++ /dev/null
@@ -1 +0,0 @@
-gone
diff --git a/from.txt b/to.txt
rename from from.txt
rename to to.txt
"""


async def test_a_patch_is_applied_whole(use: Use, root: Path):
    (root / "one.txt").write_text("moved\na\nb\nc\nd\ne\nf\n")
    (root / "one.txt").chmod(0o700)
    (root / "old.txt").write_text("gone\n")
    (root / "from.txt").write_text("kept\n")
    done = (await use(ApplyPatch(PATCH))).result
    assert [each.change for each in done.files] == ["changed", "added", "deleted", "renamed"]
    assert (root / "one.txt").read_text() == "moved\na\nB\nc\nd\ne\nf\ng\n"
    assert stat.S_IMODE((root / "one.txt").stat().st_mode) == 0o700
    assert (root / "made" / "new.txt").read_text() == "x\ny"
    assert (root / "to.txt").read_text() == "kept\n"
    assert not (root / "old.txt").exists()
    assert not (root / "from.txt").exists()


async def test_a_patch_that_does_not_fit_touches_nothing(use: Use, root: Path):
    (root / "one.txt").write_text("a\nb\nc\nd\ne\nother\n")
    (root / "old.txt").write_text("gone\n")
    (root / "from.txt").write_text("kept\n")
    before = texts_in(root)
    assert (await refused(use, ApplyPatch(PATCH))).code == "conflict"
    assert texts_in(root) == before
    (root / "one.txt").write_text("a\nb\nc\nd\ne\nf\n")
    (root / "to.txt").write_text("in the way\n")
    assert "is there already" in (await refused(use, ApplyPatch(PATCH))).message
    assert (root / "old.txt").exists()


@pytest.mark.parametrize(
    "patch",
    [
        "nothing\n",
        "--- a/x\n+++ b/x\n@@ -1,2 +1,2 @@\n a\n",
        "--- a/x\n+++ b/x\n@@ -1 +1 @@\n?a\n",
        "--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n-b\n",
        "--- /dev/null\n+++ /dev/null\n@@ -1 +1 @@\n",
        "GIT binary patch\nliteral 3\n",
        "--- a/x\n+++ b/x\n@@ -0,0 +1 @@\n+a\n--- a/x\n+++ b/x\n@@ -0,0 +1 @@\n+a\n",
    ],
)
async def test_a_patch_that_cannot_be_read_says_where(use: Use, root: Path, patch: str):
    (root / "x").write_text("")
    assert (await refused(use, ApplyPatch(patch))).code == "unprocessable_entity"


def test_quoted_names_and_times_are_understood():
    (found,) = diffs.parse('--- "a/\\303\\244 b.txt"\n+++ "b/\\303\\244 b.txt"\t2026-01-01\n@@ -1 +1 @@\n-a\n+b\n')
    assert (found.old_path, found.new_path) == ("ä b.txt", "ä b.txt")
    (plain,) = diffs.parse("--- x.txt\t2026\n+++ x.txt\t2026\n@@ -1 +1 @@\n-a\n+b\n")
    assert plain.old_path == "x.txt"


@given(st.lists(st.sampled_from("abc"), max_size=30), st.lists(st.sampled_from("abc"), max_size=30))
def test_what_diff_makes_can_be_applied(old: list[str], new: list[str]):
    import difflib

    before, after = ["".join(f"{line}\n" for line in lines) for lines in (old, new)]
    made = "".join(difflib.unified_diff(before.splitlines(True), after.splitlines(True), "a/x", "b/x"))
    if made:
        (found,) = diffs.parse(made)
        assert diffs.apply(before, found) == after


async def test_a_file_is_put_in_pieces_and_appears_whole(use: Use, root: Path):
    content = os.urandom(700_000)
    digest = hashlib.sha256(content).hexdigest()
    put = PutFile("f.bin", len(content), digest, 0o640)
    cut = (await use(put, content[:300_000])).result
    assert (cut.is_complete, cut.size_bytes) == (False, 300_000)
    assert not (root / "f.bin").exists()
    where = (await use(PutFile("f.bin", len(content), digest, 0o640, len(content)))).result
    assert where.size_bytes == 300_000
    done = (await use(PutFile("f.bin", len(content), digest, 0o640, 300_000), content[300_000:])).result
    assert done.is_complete
    assert ((root / "f.bin").read_bytes(), stat.S_IMODE((root / "f.bin").stat().st_mode)) == (content, 0o640)
    assert names_in(root) == ["f.bin"]
    assert (await refused(use, PutFile("g", 3, digest), b"abc")).code == "conflict"
    assert (await refused(use, PutFile("g", 3, digest), b"abcd")).code == "too_large"
    empty = hashlib.sha256(b"").hexdigest()
    assert (await use(PutFile("none", 0, empty))).result.is_complete


async def test_a_file_is_got_from_where_it_was_cut(use: Use, root: Path):
    content = os.urandom(700_000)
    (root / "f.bin").write_bytes(content)
    whole = await use(GetFile("f.bin"))
    assert (whole.output, whole.result.sha256) == (content, hashlib.sha256(content).hexdigest())
    rest = await use(GetFile("f.bin", 650_000, sha256=whole.result.sha256))
    assert rest.output == content[650_000:]
    assert (await use(GetFile("f.bin", 5, limit_bytes=10))).output == content[5:15]
    assert (await refused(use, GetFile("f.bin", sha256="0" * 64))).code == "conflict"
    assert (await refused(use, GetFile("f.bin", 700_001))).code == "conflict"


async def test_what_a_call_binds(context: ToolContext, root: Path):
    (root / "f").write_text("x")
    (root / "link").symlink_to("f")
    (fact,) = await resolve(context, ReadFile("link"))
    assert (fact.path, fact.sha256, fact.role) == (str(root / "f"), hashlib.sha256(b"x").hexdigest(), "operand")
    (absent,) = await resolve(context, WriteFile("a/b/c", "", create_directories=True))
    assert (absent.path, absent.sha256, absent.role) == (str(root / "a" / "b" / "c"), "", "target")
    with pytest.raises(InstarError, match="no folder"):
        await resolve(context, WriteFile("a/b/c", ""))
    folder = await resolve(context, Glob("*"))
    assert (folder[0].path, unbound(folder)) == (str(root), [f"What lies in {root} may change."])
    many = "".join(f"--- /dev/null\n+++ b/{number}\n@@ -0,0 +1 @@\n+x\n" for number in range(65))
    with pytest.raises(InstarError, match="can be bound"):
        await resolve(context, ApplyPatch(many))
    with (root / "huge").open("wb") as huge:
        huge.truncate(300_000_000)
    (large,) = await resolve(context, GetFile("huge"))
    assert (large.sha256, large.size_bytes) == ("", 300_000_000)
    assert "too large" in unbound([large])[0]


async def test_cancelled_work_in_threads_ends(context: ToolContext, root: Path):
    (root / "f").write_bytes(b"x" * 3_000_000)
    gone = ToolContext(context.roots, context.cwd, is_cancelled=lambda: True)
    from instar.node.tools.registry import TOOLS

    for name, params in (("read_file", ReadFile("f")), ("get_file", GetFile("f"))):
        with pytest.raises(InstarError, match="cancelled"):
            await TOOLS[name](gone, params)
    answer = await TOOLS["get_file"](context, GetFile("f"))
    assert answer.stdout is not None
    await asyncio.wait_for(answer.stdout.aclose(), 1)  # type: ignore[attr-defined]
