"""Tables of words, written as running text."""


def words_of(text: str) -> frozenset[str]:
    """Return the words of a text that blanks part."""
    return frozenset(text.split())
