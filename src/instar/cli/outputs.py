"""What a command gives back, and how it reaches standard output: output there, everything else on standard error."""

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import click

from instar.base.errors import InstarError
from instar.wire.codes import CODES

from . import exits
from .texts import visible

FORMATS = ("text", "json", "jsonl", "none")
"""json: exactly one document. jsonl: one document a line; streams are always so."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The result of a command.

    Args:
        document: What `--json` prints.
        lines: What people read.
        rows: The items of a listing, one a line in jsonl; None: the document is one item.
        code: Exit code.
    """

    document: dict[str, Any]
    lines: Iterable[str] = ()
    rows: list[dict[str, Any]] | None = field(default=None)
    code: int = exits.OK


@dataclass(frozen=True, slots=True)
class Stream:
    """A result without an end in sight: documents as they come, and how people read one (None: not at all)."""

    documents: Iterator[dict[str, Any]]
    line: Callable[[dict[str, Any]], str | None]


class Output:
    """Standard output in the chosen format.

    Args:
        form: One of `FORMATS`.
        color: Whether text may carry colour; None asks the terminal and NO_COLOR.
    """

    def __init__(self, form: str, *, color: bool) -> None:
        self.form = form
        self.color = color

    @property
    def is_json(self) -> bool:
        """Whether a program reads along."""
        return self.form in ("json", "jsonl")

    def show(self, result: Answer | Stream | int) -> int:
        """Print a result and return the exit code; a bare exit code prints nothing."""
        if isinstance(result, int):
            return result
        if isinstance(result, Stream):
            return self._stream(result)
        if self.form == "json":
            self.document(result.document)
        elif self.form == "jsonl":
            for row in [result.document] if result.rows is None else result.rows:
                self.document(row)
        elif self.form == "text":
            for line in result.lines:
                click.echo(line, color=self.color)
        return result.code

    def _stream(self, stream: Stream) -> int:
        for document in stream.documents:
            if self.is_json:
                self.document(document)
            elif self.form == "text" and (line := stream.line(document)) is not None:
                click.echo(line, color=self.color)
        return exits.OK

    def document(self, document: dict[str, Any]) -> None:
        """Print one JSON document on a line, and flush it."""
        click.echo(json.dumps(document, ensure_ascii=False))

    def note(self, text: str) -> None:
        """Say something to the person, beside the output."""
        click.echo(text, err=True, color=self.color)

    def fail(self, error: InstarError, purpose: str) -> int:
        """Say what failed, why, what to do and the code; return the exit code."""
        row = CODES.get(error.code)
        hint = error.hint or (row.hint if row else "")
        if self.is_json:
            retryable = getattr(error, "retryable", bool(row and row.retryable))
            body = {"code": error.code, "message": error.message, "hint": hint, "retryable": retryable}
            self.document({"ok": False, "error": body})
        else:
            head = click.style("Error", fg="red", bold=True)
            said = visible(f"could not {purpose}: {error.message}.\n  {hint}")
            self.note(f"{head}: {said}\n  Code: {error.code}")
        return exits.exit_code(error.code)


def wants_color(choice: str, no_color: str) -> bool:
    """Whether to colour: `always`, `never`, or `auto` by the terminal and the value of NO_COLOR."""
    return choice == "always" or (choice == "auto" and not no_color and sys.stdout.isatty() and sys.stderr.isatty())
