"""The one exception that crosses packages: an error is data first, text second.

Tree:
    InstarError
        every failure that a caller can meet; its `code` names a row of `instar.wire.codes`
"""

from typing import Any


class InstarError(Exception):
    """A failure with a stable code, one cause and one next step.

    Args:
        code: The stable code, a key of `instar.wire.codes.CODES`.
        message: What failed and why, in one sentence without a trailing period.
        hint: What to do next, one action; empty means the code's own default.
        retry_after_s: Seconds after which the same request may succeed, where that is known.
        detail: Machine-readable facts (JSON-able), for example the first answer of a conflict.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        hint: str = "",
        retry_after_s: float | None = None,
        detail: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint
        self.retry_after_s = retry_after_s
        self.detail = detail or {}

    def __repr__(self) -> str:
        return f"InstarError({self.code!r}, {self.message!r})"
