"""What must be kept and must not be read by whoever gets hold of the database: sealed under a key file beside it."""

from .secrets import Secrets

__all__ = ["Secrets"]
