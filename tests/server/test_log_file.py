import json
import stat
import threading
from pathlib import Path

import pytest

from instar.server.log_file import LogFile, Tail, path_in, read_tail


def wide(path: Path, cursor: int | None = None, limit: int = 100, max_bytes: int = 10_000) -> Tail:
    return read_tail(path, cursor, limit=limit, max_bytes=max_bytes)


def test_lines_are_kept_for_the_owner_alone(tmp_path: Path) -> None:
    path = path_in(tmp_path)
    file = LogFile(path)
    file.write('{"n": 1}')
    file.write("two\nlines \ud800")
    file.close()
    file.write("three")
    file.close()
    assert path.read_text() == '{"n": 1}\ntwo lines ?\nthree\n'
    assert [stat.S_IMODE(one.stat().st_mode) for one in (path, path.parent)] == [0o600, 0o700]


def test_a_full_file_is_put_aside(tmp_path: Path) -> None:
    path = tmp_path / "instar.log"
    file = LogFile(path, max_bytes=10, keep=2)
    for number in range(9):
        file.write(f"l{number}xx")
    file.close()
    found = {one.name: one.read_text().split() for one in tmp_path.iterdir()}
    assert found == {"instar.log": ["l8xx"], "instar.log.1": ["l6xx", "l7xx"], "instar.log.2": ["l4xx", "l5xx"]}


def test_a_disk_that_refuses_costs_lines_only(tmp_path: Path) -> None:
    (tmp_path / "logs").write_text("no folder")
    file = LogFile(tmp_path / "logs" / "instar.log")
    file.write("lost")
    assert file.lost == 1


def test_threads_do_not_mix_their_lines(tmp_path: Path) -> None:
    file = LogFile(tmp_path / "instar.log", max_bytes=20_000, keep=9)
    line = json.dumps({"text": "x" * 200})
    threads = [threading.Thread(target=lambda: [file.write(line) for _ in range(100)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    file.close()
    lines = [one for part in tmp_path.iterdir() for one in part.read_text().splitlines()]
    assert lines == [line] * 400


def test_reading_on_from_a_cursor(tmp_path: Path) -> None:
    path = tmp_path / "instar.log"
    assert wide(path) == Tail(0, 0, [], False, False)
    assert wide(path, 5) == Tail(0, 0, [], False, True)
    path.write_text("a\nbb\nhalf")
    assert wide(path) == Tail(5, 9, ["a", "bb"], False, False)
    assert wide(path, 2) == Tail(5, 9, ["bb"], False, False)
    assert wide(path, 5) == Tail(5, 9, [], False, False)
    path.write_text("a\nbb\nhalf a line\n")
    assert wide(path, 5) == Tail(17, 17, ["half a line"], False, False)
    assert wide(path, 17) == Tail(17, 17, [], False, False)


def test_a_cursor_inside_of_a_line_begins_with_the_next(tmp_path: Path) -> None:
    path = tmp_path / "instar.log"
    path.write_text("first\nsecond\nthird\n")
    assert wide(path, 3).lines == ["second", "third"]
    assert wide(path, 6).lines == ["second", "third"]
    assert wide(path, 14) == Tail(19, 19, [], False, False)


def test_only_so_many_lines_and_bytes(tmp_path: Path) -> None:
    path = tmp_path / "instar.log"
    path.write_text("first\nsecond\nthird\n")
    assert wide(path, limit=1) == Tail(19, 19, ["third"], True, False)
    assert wide(path, 0, limit=2) == Tail(19, 19, ["second", "third"], True, False)
    assert wide(path, max_bytes=8) == Tail(19, 19, ["third"], True, False)
    assert wide(path, 0, max_bytes=13) == Tail(19, 19, ["second", "third"], True, True)
    assert wide(path, 13, max_bytes=6) == Tail(19, 19, ["third"], False, False)
    assert wide(path, max_bytes=2) == Tail(19, 19, [], True, False)


def test_a_file_begun_anew_is_read_from_its_beginning(tmp_path: Path) -> None:
    path = tmp_path / "instar.log"
    path.write_text("new\n")
    assert wide(path, 400) == Tail(4, 4, ["new"], False, True)


def test_nothing_is_lost_where_the_file_is_begun_anew(tmp_path: Path) -> None:
    path = tmp_path / "instar.log"
    path.write_text("1\n2\n3\n4\n")
    cursor = wide(path, 0, limit=9).cursor - 4
    path.rename(tmp_path / "instar.log.1")
    path.write_text("5\n")
    assert wide(path, cursor) == Tail(2, 2, ["3", "4", "5"], False, True)
    assert wide(path, cursor, limit=2) == Tail(2, 2, ["4", "5"], True, True)
    assert wide(path, 9) == Tail(2, 2, ["5"], False, True), "no such place in the one before"
    assert wide(path, cursor, max_bytes=3) == Tail(2, 2, ["5"], True, True), "too much to give"


@pytest.mark.parametrize("begin", range(20))
def test_each_line_comes_once_however_the_file_grows(tmp_path: Path, begin: int) -> None:
    path = tmp_path / "instar.log"
    whole = "first\nsecond\nthird\n"
    path.write_text(whole[:begin])
    head = wide(path, 0)
    path.write_text(whole)
    assert head.lines + wide(path, head.cursor).lines == ["first", "second", "third"]
