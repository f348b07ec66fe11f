"""The search file: SQLite FTS5, used by one thread. Everything in it can be made again from the log."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, cast

import apsw
import msgspec

SCHEMA_VERSION = 1
SNIPPET_TOKENS = 24

_SCHEMA = """
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS messages (
    seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, room TEXT NOT NULL, sender TEXT NOT NULL
) STRICT;
CREATE VIRTUAL TABLE IF NOT EXISTS words USING fts5(body, tokenize = "unicode61 remove_diacritics 2");
INSERT INTO words (words, rank) VALUES ('secure-delete', 1);
"""
_SEARCH_IN = (
    "SELECT m.seq, m.id, snippet(words, 0, char(1), char(2), '…', ?5)"
    " FROM words JOIN messages m ON m.seq = words.rowid"
    " WHERE words MATCH ?1 AND words.rowid < ?2 AND (?3 = '' OR m.sender = ?3)"
    " AND m.room IN (SELECT value FROM json_each(?4)) ORDER BY words.rowid DESC LIMIT ?6"
)
_SEARCH_BUT = _SEARCH_IN.replace(" IN (", " NOT IN (")
_BROKEN = (apsw.CorruptError, apsw.NotADBError, apsw.FormatError)


class Entry(NamedTuple):
    """A message's text, or with an empty `body` its removal; without an `id`, of every message of the room."""

    seq: int
    """Of the message; 0 when only its id is known."""
    id: str
    room: str
    sender: str
    body: str


class Wanted(NamedTuple):
    """A search as the file answers it."""

    match: str
    rooms: Sequence[str] | None
    """The rooms to search; None: all but `hidden`."""
    hidden: Sequence[str]
    sender: str
    before: int
    limit: int


class Found(NamedTuple):
    """A hit."""

    seq: int
    id: str
    excerpt: str


class BrokenFileError(Exception):
    """The file is damaged: remove it and index the log again."""


class SearchFile:
    """An open search file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._connection = apsw.Connection(str(path))
            self._prepare()
        except _BROKEN as error:
            raise BrokenFileError(str(error)) from error

    def _prepare(self) -> None:
        self._connection.set_busy_timeout(1_000)
        # The log is the truth, so this file may lose its last moments: its own `indexed_seq` tells which.
        self._run("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA secure_delete = ON")
        self._run(_SCHEMA)
        if self.fact("version") not in {0, SCHEMA_VERSION}:
            raise BrokenFileError(f"search file of version {self.fact('version')}")
        self._set("version", SCHEMA_VERSION)

    def _run(self, sql: str, *values: str | int) -> list[tuple[Any, ...]]:
        # APSW's own types are unknown to a checker on Python 3.11.
        return cast("Any", self._connection).execute(sql, values).fetchall()

    def fact(self, name: str) -> int:
        """Return a stored number, 0 when there is none."""
        row = self._run("SELECT value FROM facts WHERE name = ?1", name)
        return row[0][0] if row else 0

    def _set(self, name: str, value: int) -> None:
        self._run(
            "INSERT INTO facts (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            name,
            value,
        )

    def index(self, entries: Sequence[Entry], up_to: int) -> None:
        """Write a batch and how far the index has come, in one transaction.

        Raises:
            BrokenFileError: The file is damaged.
        """
        try:
            with self._connection:
                for entry in entries:
                    self._write(entry)
                self._set("indexed_seq", up_to)
            if any(not entry.body for entry in entries):
                # What was erased must not live on in the write-ahead log.
                self._run("PRAGMA wal_checkpoint(TRUNCATE)")
        except _BROKEN as error:
            raise BrokenFileError(str(error)) from error

    def _write(self, entry: Entry) -> None:
        if not entry.id:
            self._run("DELETE FROM words WHERE rowid IN (SELECT seq FROM messages WHERE room = ?1)", entry.room)
            self._run("DELETE FROM messages WHERE room = ?1", entry.room)
            return
        known = self._run("SELECT seq FROM messages WHERE id = ?1", entry.id)
        seq = known[0][0] if known else entry.seq
        if known:
            self._run("DELETE FROM words WHERE rowid = ?1", seq)
        if not entry.body:
            self._run("DELETE FROM messages WHERE seq = ?1", seq)
        elif seq:
            if not known:
                sql = "INSERT INTO messages (seq, id, room, sender) VALUES (?1, ?2, ?3, ?4)"
                self._run(sql, seq, entry.id, entry.room, entry.sender)
            self._run("INSERT INTO words (rowid, body) VALUES (?1, ?2)", seq, entry.body)

    def search(self, wanted: Wanted) -> list[Found]:
        """Return hits, newest first.

        Raises:
            BrokenFileError: The file is damaged.
        """
        sql = _SEARCH_BUT if wanted.rooms is None else _SEARCH_IN
        rooms = msgspec.json.encode(list(wanted.hidden if wanted.rooms is None else wanted.rooms)).decode()
        values = (wanted.match, wanted.before or 2**62, wanted.sender, rooms, SNIPPET_TOKENS, wanted.limit)
        try:
            return [Found(*row) for row in self._run(sql, *values)]
        except _BROKEN as error:
            raise BrokenFileError(str(error)) from error

    def close(self) -> None:
        """Close the file."""
        self._connection.close()


def remove_file(path: Path) -> None:
    """Remove a search file with its side files."""
    for suffix in ("", "-wal", "-shm", "-journal"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
