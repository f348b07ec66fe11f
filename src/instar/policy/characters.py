"""Characters that make a text look like another one: control, direction and invisible ones. Shown, never hidden."""

import unicodedata

_HIDDEN = frozenset(("Cc", "Cf", "Co", "Cs", "Cn", "Zl", "Zp"))
_INVISIBLE = frozenset("\u115f\u1160\u3164\uffa0\u034f\u17b4\u17b5\u2800")
"""Letters by their class, and blank on every screen."""


def is_hidden(char: str) -> bool:
    """Whether a reader cannot see this character, or sees another order of text because of it. A space is no such."""
    if char == " " or "!" <= char <= "~":
        return False
    kind = unicodedata.category(char)
    return kind in _HIDDEN or kind == "Zs" or char in _INVISIBLE


def visible(text: str, keep: str = "\n\t") -> str:
    """Return the text with every hidden character written out as `\\xHH`, `\\uHHHH` or `\\UHHHHHHHH`."""
    return "".join(_written(char) if char not in keep and is_hidden(char) else char for char in text)


def hidden_in(text: str, allowed: str = "\n\t") -> str:
    """Return the first hidden character of a text, written out; empty: there is none but the allowed ones."""
    return next((_written(char) for char in text if char not in allowed and is_hidden(char)), "")


def _written(char: str) -> str:
    code = ord(char)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
