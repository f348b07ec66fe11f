"""What the tools of a node answer (`Outcome.result`); bytes travel beside it as the call's output."""

import enum

from msgspec import Struct


class FileText(Struct, frozen=True, omit_defaults=True):
    """Of `read_file`: text, or what kind of media the output holds."""

    path: str
    size_bytes: int
    text: str = ""
    """The lines asked for, as far as they fit; when they do not, the output holds all of them."""
    media_type: str = ""
    """Of media: its bytes are the output."""
    total_lines: int = 0
    first_line: int = 0
    last_line: int = 0
    """The last that `text` holds; 0: none."""
    is_truncated: bool = False
    next_line: int = 0
    """Where to read on; 0: nothing was left out behind it."""


class FileWritten(Struct, frozen=True, omit_defaults=True):
    """Of `write_file`, and of `put_file` once it is whole."""

    path: str
    size_bytes: int
    sha256: str
    is_new: bool = False


class FileEdited(Struct, frozen=True, omit_defaults=True):
    """Of `edit_file`."""

    path: str
    replaced: int
    size_bytes: int
    sha256: str


class EntryKind(enum.StrEnum):
    """What a folder's entry is."""

    FILE = "file"
    FOLDER = "folder"
    LINK = "link"
    OTHER = "other"
    """A device, a FIFO, a socket."""


class Entry(Struct, frozen=True, omit_defaults=True):
    """One entry of a folder."""

    name: str
    kind: EntryKind
    size_bytes: int = 0
    modified_at: str = ""
    mode: str = ""
    """As `ls -l` writes it."""
    target: str = ""
    """Of a link."""


class Folder(Struct, frozen=True, omit_defaults=True):
    """Of `list`: folders first, then by name."""

    path: str
    entries: list[Entry]
    total: int
    is_truncated: bool = False


class FilesFound(Struct, frozen=True, omit_defaults=True):
    """Of `glob`: paths from the folder that was searched, newest first."""

    path: str
    files: list[str]
    is_truncated: bool = False
    """More were found than are shown; these are the newest."""
    is_partial: bool = False
    """The time was over before everything was looked at."""


class Match(Struct, frozen=True, omit_defaults=True):
    """One line that fits."""

    file: str
    line: int
    text: str


class LinesFound(Struct, frozen=True, omit_defaults=True):
    """Of `grep`: newest file first, then by line."""

    path: str
    matches: list[Match]
    is_truncated: bool = False
    is_partial: bool = False
    withheld: int = 0
    """Files that were not searched, because a rule does not let them be read without asking."""


class PatchedFile(Struct, frozen=True, omit_defaults=True):
    """What became of one file."""

    path: str
    change: str
    """`added`, `changed`, `deleted` or `renamed`."""
    from_path: str = ""
    added_lines: int = 0
    removed_lines: int = 0


class Patched(Struct, frozen=True):
    """Of `apply_patch`."""

    files: list[PatchedFile]


class Job(Struct, frozen=True, omit_defaults=True):
    """One background job."""

    call_id: str
    command: str
    is_running: bool
    started_at: str = ""
    exit_status: int | None = None
    signal: str = ""
    size_bytes: int = 0
    """What it wrote so far."""


class JobList(Struct, frozen=True):
    """Of `process` `list`: newest first."""

    jobs: list[Job]


class JobOutput(Struct, frozen=True, omit_defaults=True):
    """Of `process` `output`: what a job wrote from `offset` on, stdout and stderr as they came."""

    call_id: str
    offset: int
    text: str
    next_offset: int
    is_running: bool
    total_bytes: int = 0


class JobKilled(Struct, frozen=True):
    """Of `process` `kill`."""

    job: Job


class FilePut(Struct, frozen=True, omit_defaults=True):
    """Of `put_file`."""

    path: str
    size_bytes: int
    """How much of it is on the node now: an interrupted transfer goes on there."""
    is_complete: bool
    """Its digest was right, and it stands under its name."""


class FileSent(Struct, frozen=True, omit_defaults=True):
    """Of `get_file`: the bytes from `offset` on are the output."""

    path: str
    offset: int
    size_bytes: int
    """Of the whole file."""
    sha256: str
    mode: int = 0o644


class Page(Struct, frozen=True, omit_defaults=True):
    """Of `fetch`: the body is the output, and its beginning `text` if it is text."""

    url: str
    """Where the redirects ended."""
    status: int
    media_type: str = ""
    size_bytes: int = 0
    text: str = ""
    is_truncated: bool = False
    """`text` is not all of it."""
    is_cut: bool = False
    """The body was longer than was asked for; the output holds its beginning."""


class Programs(Struct, frozen=True):
    """Of `which`: name → path; empty: it is not there."""

    paths: dict[str, str]


class Pong(Struct, frozen=True):
    """Of `ping`."""
