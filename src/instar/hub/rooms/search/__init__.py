"""Full-text search: a follower of the log with a file of its own, derived and rebuilt at need."""

from .index import SearchIndex

__all__ = ["SearchIndex"]
