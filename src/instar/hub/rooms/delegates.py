"""Answers that carry, beside their fields, what only a door may use: it is never a part of the JSON."""

from collections.abc import AsyncIterator
from pathlib import Path

from instar.wire.messages import BlobContent
from instar.wire.rooms import ExportEnd


class BlobFile(BlobContent, frozen=True, dict=True):
    """A stored file's facts; the door serves the bytes from `path`."""

    @classmethod
    def at(cls, path: Path, content: BlobContent) -> "BlobFile":
        """Return the answer for a file that lies at `path`."""
        file = cls(content.blob, content.size_bytes, content.media_type, content.filename)
        vars(file)["path"] = path
        return file

    @property
    def path(self) -> Path:
        """Where the bytes are."""
        return vars(self)["path"]


class RoomExport(ExportEnd, frozen=True, dict=True):
    """How far an export will reach; the door streams `lines`, of which the last is the true `ExportEnd`."""

    @classmethod
    def streaming(cls, lines: AsyncIterator[bytes], last_seq: int, chain: str) -> "RoomExport":
        """Return the answer for an export up to `last_seq`; its events are counted while they are read."""
        export = cls(0, last_seq, chain)
        vars(export)["lines"] = lines
        return export

    @property
    def lines(self) -> AsyncIterator[bytes]:
        """NDJSON, one event a line; to be read once."""
        return vars(self)["lines"]
