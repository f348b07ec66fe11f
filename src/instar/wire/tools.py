"""The tools that a node of ours serves: their parameters and results. One table for node, hub, catalogue and docs.

Limits and truncation follow Molf (spec §4), corrected where it marks a defect. Paths are resolved against the call's
working directory and must end within a root that the node's own allow list grants.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, NamedTuple

from msgspec import Meta, Struct

from .limits import (
    EDIT_TEXT_MAX_CHARS,
    FETCH_MAX_BYTES,
    FETCH_S,
    PATH_MAX_CHARS,
    PATTERN_MAX_CHARS,
    SHELL_LINE_MAX_CHARS,
    TOOL_ARGUMENTS_MAX,
    URL_MAX_CHARS,
)
from .tool_results import (
    FileEdited,
    FilePut,
    FileSent,
    FilesFound,
    FileText,
    FileWritten,
    Folder,
    JobKilled,
    JobList,
    JobOutput,
    LinesFound,
    Page,
    Patched,
    Pong,
    Programs,
)

Path = Annotated[str, Meta(min_length=1, max_length=PATH_MAX_CHARS)]
Line = Annotated[str, Meta(min_length=1, max_length=SHELL_LINE_MAX_CHARS)]


class Exec(Struct, forbid_unknown_fields=True):
    """Run a program with these arguments; no shell reads them."""

    argv: Annotated[list[str], Meta(min_length=1, max_length=TOOL_ARGUMENTS_MAX)]


class Shell(Struct, forbid_unknown_fields=True):
    """Run a line with `sh -c`."""

    command: Line


class ReadFile(Struct, forbid_unknown_fields=True, omit_defaults=True):
    """Read a text file, whole or some of its lines; media comes as bytes on stdout."""

    path: Path
    start_line: Annotated[int, Meta(ge=1)] | None = None
    end_line: Annotated[int, Meta(ge=1)] | None = None
    """Inclusive."""


class WriteFile(Struct, forbid_unknown_fields=True, omit_defaults=True):
    """Write a text file; what it held is replaced."""

    path: Path
    content: Annotated[str, Meta(max_length=EDIT_TEXT_MAX_CHARS)]
    create_directories: bool = False


class EditFile(Struct, forbid_unknown_fields=True, omit_defaults=True):
    """Replace a piece of a text file, literally; it must be there exactly once, unless all are replaced."""

    path: Path
    old_text: Annotated[str, Meta(min_length=1, max_length=EDIT_TEXT_MAX_CHARS)]
    new_text: Annotated[str, Meta(max_length=EDIT_TEXT_MAX_CHARS)]
    replace_all: bool = False


class ListFolder(Struct, forbid_unknown_fields=True, omit_defaults=True):
    """List a folder: names, kinds, sizes, times."""

    path: Path = "."


class Glob(Struct, forbid_unknown_fields=True, omit_defaults=True):
    """Find files by a glob, newest first."""

    pattern: Annotated[str, Meta(min_length=1, max_length=PATTERN_MAX_CHARS)]
    path: Path = "."


class Grep(Struct, forbid_unknown_fields=True, omit_defaults=True):
    """Find lines by a regular expression, in the newest file first."""

    pattern: Annotated[str, Meta(min_length=1, max_length=PATTERN_MAX_CHARS)]
    path: Path = "."
    include: Annotated[str, Meta(max_length=PATTERN_MAX_CHARS)] = ""


class ApplyPatch(Struct, forbid_unknown_fields=True):
    """Apply a unified diff to files, all of it or nothing."""

    patch: Annotated[str, Meta(min_length=1, max_length=EDIT_TEXT_MAX_CHARS)]


class Process(Struct, forbid_unknown_fields=True, omit_defaults=True):
    """Look after background jobs: `list`, read one's `output`, or `kill` it."""

    action: str
    call_id: str = ""
    offset: Annotated[int, Meta(ge=0)] = 0


class PutFile(Struct, forbid_unknown_fields=True, omit_defaults=True):
    """Write a file from the call's input.

    With the offset of an earlier, cut transfer it goes on there. With an offset beyond what is there it only says how
    much that is: so one that was cut asks where to go on.
    """

    path: Path
    size_bytes: Annotated[int, Meta(ge=0)]
    sha256: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$")]
    """Of the whole file: it appears under its name once this holds."""
    mode: Annotated[int, Meta(ge=0, le=0o777)] = 0o644
    offset: Annotated[int, Meta(ge=0)] = 0


class GetFile(Struct, forbid_unknown_fields=True, omit_defaults=True):
    """Send a file, or a piece of it, as the call's stdout."""

    path: Path
    offset: Annotated[int, Meta(ge=0)] = 0
    limit_bytes: Annotated[int, Meta(ge=0)] = 0
    """At most so many; 0: all that is left. The hub keeps `CALL_OUTPUT_MAX_BYTES` of one call."""
    sha256: str = ""
    """Of the whole file as an earlier, cut transfer saw it; another one is refused."""


class Fetch(Struct, forbid_unknown_fields=True, omit_defaults=True):
    """Read a page of the web from the node; addresses of its own and of private networks are refused."""

    url: Annotated[str, Meta(min_length=1, max_length=URL_MAX_CHARS)]
    max_bytes: Annotated[int, Meta(ge=1, le=FETCH_MAX_BYTES)] = FETCH_MAX_BYTES
    timeout_s: Annotated[float, Meta(gt=0, le=FETCH_S)] = FETCH_S


class Which(Struct, forbid_unknown_fields=True):
    """Say where programs are on the node's PATH."""

    names: Annotated[list[str], Meta(min_length=1, max_length=TOOL_ARGUMENTS_MAX)]


class Ping(Struct, forbid_unknown_fields=True):
    """Do nothing, to measure the way there and back."""


class Tool(NamedTuple):
    """One row of the table of tools."""

    params: type[Struct]
    summary: str
    runs_programs: bool = False
    """It starts processes: it has input, output, a terminal, signals."""
    is_bound: bool = True
    """Whether the node resolves operands before it may run; a tool without any skips that."""
    results: tuple[type[Struct], ...] = ()
    """What it answers besides output; which of several follows from the parameters."""


TOOLS: Mapping[str, Tool] = MappingProxyType(
    {
        "exec": Tool(Exec, "Run a program; no shell reads its arguments", runs_programs=True),
        "shell": Tool(Shell, "Run a line in a shell", runs_programs=True),
        "read_file": Tool(ReadFile, "Read a file, or some of its lines", results=(FileText,)),
        "write_file": Tool(WriteFile, "Write a text file", results=(FileWritten,)),
        "edit_file": Tool(EditFile, "Replace a piece of a text file", results=(FileEdited,)),
        "list": Tool(ListFolder, "List a folder", results=(Folder,)),
        "glob": Tool(Glob, "Find files by name, newest first", results=(FilesFound,)),
        "grep": Tool(Grep, "Find lines by a regular expression", results=(LinesFound,)),
        "apply_patch": Tool(ApplyPatch, "Apply a unified diff, whole or not at all", results=(Patched,)),
        "process": Tool(
            Process,
            "List background jobs, read their output, or kill one",
            is_bound=False,
            results=(JobList, JobOutput, JobKilled),
        ),
        "put_file": Tool(PutFile, "Send a file to the node", results=(FilePut,)),
        "get_file": Tool(GetFile, "Fetch a file from the node", results=(FileSent,)),
        "fetch": Tool(Fetch, "Read a page of the web from the node", results=(Page,)),
        "which": Tool(Which, "Say where programs are", is_bound=False, results=(Programs,)),
        "ping": Tool(Ping, "Do nothing", is_bound=False, results=(Pong,)),
    }
)
"""Tool name → row. Nodes of other dialects serve their own commands under their own names."""
