"""The query language of search, as FTS5 understands it. IO-free; no text that a person types is a syntax error."""

import re

from instar.base.errors import InstarError

_TERM = re.compile(r'"([^"]*)"?(\*?)|(\S+)')
_WORD = re.compile(r"\w", re.UNICODE)


def to_fts5(text: str) -> str:
    """Return the FTS5 expression of a query: every word must occur, `"quoted words"` in a row, `word*` as a prefix.

    Raises:
        InstarError: `unprocessable_entity` when the query holds no letter or digit.
    """
    terms = [term for match in _TERM.finditer(text.replace("\0", " ")) if (term := _term(match))]
    if not terms:
        raise InstarError("unprocessable_entity", "the query holds no word", hint="Search for letters or digits.")
    return " AND ".join(terms)


def _term(match: re.Match[str]) -> str:
    if match[3] is None:
        words, is_prefix = match[1], bool(match[2])
    else:
        words, is_prefix = match[3].replace('"', " "), match[3].endswith("*")
    if not _WORD.search(words):
        return ""
    return f'"{words}"' + (" *" if is_prefix else "")
