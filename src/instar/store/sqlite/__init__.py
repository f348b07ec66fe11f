"""The embedded engine: SQLite through APSW, one writer thread with group commit, a small pool of readers."""

from .engine import SqliteStore, open_store
from .names import DATABASE

__all__ = ["DATABASE", "SqliteStore", "open_store"]
