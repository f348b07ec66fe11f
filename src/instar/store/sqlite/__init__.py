"""The embedded engine: SQLite through APSW, one writer thread with group commit, a small pool of readers."""

from .engine import DATABASE, SqliteStore, open_store

__all__ = ["DATABASE", "SqliteStore", "open_store"]
