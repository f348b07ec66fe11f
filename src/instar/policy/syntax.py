"""The tree of a shell line (tree-sitter-bash), walked: what is not known to be plain is unclear."""

import re
import time
from collections.abc import Callable, Sequence
from functools import cache
from typing import NamedTuple

import tree_sitter_bash
from tree_sitter import Language, Node, Parser, Tree

from instar.wire.limits import SHELL_READ_S

from .dangerous import floor_of_pipeline
from .shell import Findings
from .words import words_of

_DEPTH_MAX = 100
"""How deep a tree is walked."""
_PLAIN = words_of(
    "program list pipeline subshell if_statement elif_clause else_clause while_statement do_group "
    "negated_command redirected_statement variable_assignments"
)
"""What only holds other things together."""
_SIGNS = words_of("; & && || | |& ( ) { } ! if then elif else fi while until do done for in") | {"\n"}
_EXPANDED = words_of(
    "simple_expansion expansion arithmetic_expansion brace_expression command_substitution process_substitution"
)
_SUBSTITUTIONS = frozenset(("command_substitution", "process_substitution"))
_BLANK = re.compile(r"(?:[ \t\n]|\\\n)*")
_APART = re.compile(r"(?:\\\n)*[ \t](?:[ \t]|\\\n)*")
_SPECIAL = re.compile(r"[*?\[\]{}~^!]|=~|[@+]\(")
_TEST_SIGNS = frozenset(("[", "]", "!", "=", "==", "!="))
_TEST_NODES = frozenset(
    ("unary_expression", "binary_expression", "test_operator", "word", "number", "string", "raw_string")
)
_DELIMITER = re.compile(r"'?[A-Za-z0-9_]+'?|\"[A-Za-z0-9_]+\"")


class Word(NamedTuple):
    """One word of a command."""

    text: str
    """As the program gets it, if that can be said."""
    raw: str
    unclear: str = ""


@cache
def _parser() -> Parser:
    return Parser(Language(tree_sitter_bash.language()))


def read_into(line: str, found: Findings) -> None:
    """Note all that a line holds."""
    source = line.encode()
    tree = _parsed(source)
    if tree is None:
        found.unclear("it takes too long to read")
        return
    if tree.root_node.has_error:
        found.unclear("it cannot be read as a shell line")
    _Reader(source, found).visit(tree.root_node, 0)


def _parsed(source: bytes) -> Tree | None:
    """Return the tree of a line; None: its reading took longer than it may, as some that are none do."""
    parser, until = _parser(), time.monotonic() + SHELL_READ_S

    def chunk(at: int, _: object) -> bytes:
        return source[at:]

    def is_over(*_: object) -> bool:
        return time.monotonic() > until

    try:
        return parser.parse(chunk, progress_callback=is_over)
    except ValueError:
        parser.reset()
        return None


class _Reader:
    """Walks one tree."""

    def __init__(self, source: bytes, found: Findings) -> None:
        self._source = source
        self._found = found
        self._visits: dict[str, Callable[[Node, int], None]] = {
            "command": self._command,
            "file_redirect": self._redirect,
            "heredoc_redirect": self._heredoc,
            "herestring_redirect": self._herestring,
            "variable_assignment": self._assignment,
            "declaration_command": self._declaration,
            "function_definition": self._function,
            "test_command": self._test,
            "comment": self._comment,
            "compound_statement": self._compound,
            "for_statement": self._for,
            "unset_command": self._unset,
            "pipeline": self._pipeline,
        }

    def visit(self, node: Node, depth: int) -> None:
        """Note what a node and those below it hold."""
        if depth > _DEPTH_MAX:
            self._found.unclear("it is nested too deep")
            return
        if not node.is_named:
            if self._text(node) not in _SIGNS:
                self._found.unclear(f"`{self._text(node)[:20]}` is not read")
            return
        if read := self._visits.get(node.type):
            read(node, depth)
            return
        if node.type not in _PLAIN:
            self._found.unclear(f"it has {_named(node.type)}, which the shell works out")
        self._children(node, depth)

    def _children(self, node: Node, depth: int) -> None:
        self._check_gaps(node)
        for child in node.children:
            self.visit(child, depth + 1)

    def _check_gaps(self, node: Node) -> None:
        """Between what was read there is nothing but blanks."""
        for before, after in zip(node.children, node.children[1:], strict=False):
            if _BLANK.fullmatch(self._between(before.end_byte, after.start_byte)) is None:
                self._found.unclear("a part of it is not read")

    def _command(self, node: Node, depth: int) -> None:
        words: list[Word] = []
        tokens: list[str] = []
        self._check_apart(node)
        for child in node.children:
            if child.type == "command_name":
                words.append(self._name(child, depth))
                tokens.append(words[-1].raw)
            elif child.type in self._visits and child.type not in _SUBSTITUTIONS:
                self.visit(child, depth + 1)
            else:
                words.append(self._word(child, depth))
                if child.type not in _SUBSTITUTIONS:
                    tokens.append(_token(words[-1]))
        if not words:
            return
        parent = node.parent
        whole = parent if parent is not None and parent.type == "redirected_statement" else node
        unclear = next((word.unclear for word in words if word.unclear), "")
        self._found.command(
            self._text(whole), [word.raw for word in words], [word.text for word in words], unclear, tokens
        )

    def _check_apart(self, node: Node) -> None:
        """Words of a command stand apart: two that touch may be one to another shell."""
        for before, after in zip(node.children, node.children[1:], strict=False):
            if after.type in ("file_redirect", "herestring_redirect", "heredoc_redirect"):
                continue
            if _APART.fullmatch(self._between(before.end_byte, after.start_byte)) is None:
                self._found.unclear("two of its words touch")

    def _name(self, node: Node, depth: int) -> Word:
        if len(node.children) == 1 and node.children[0].type == "word":
            return self._word(node.children[0], depth)
        parts = [self._word(child, depth) for child in node.children]
        text = "".join(part.text for part in parts)
        return Word(text, self._text(node), "its program is no plain word")

    def _word(self, node: Node, depth: int) -> Word:
        raw = self._text(node)
        if depth > _DEPTH_MAX:
            return Word(raw, raw, "it is nested too deep")
        if node.type in ("word", "number"):
            return _plain(raw)
        if node.type == "raw_string":
            return Word(raw[1:-1], raw)
        if node.type == "string":
            return self._string(node, depth)
        if node.type == "concatenation":
            return self._joined(node, depth)
        self._nested(node, depth)
        kind = _named(node.type)
        return Word(raw, raw, f"it has {kind}, which the shell works out")

    def _string(self, node: Node, depth: int) -> Word:
        raw = self._text(node)
        if any(child.type in _EXPANDED for child in node.children) or "$" in raw or "`" in raw:
            self._nested(node, depth)
            if not (raw.count("$") == raw.count("\\$") and raw.count("`") == raw.count("\\`")):
                return Word(raw[1:-1], raw, "it has an expansion, which the shell works out")
        if not (len(raw) >= 2 and raw[0] == raw[-1] == '"'):
            return Word(raw, raw, "a quote is not read")
        return Word(re.sub(r'\\([$`"\\])', r"\1", raw[1:-1].replace("\\\n", "")), raw)

    def _joined(self, node: Node, depth: int) -> Word:
        raw = self._text(node)
        parts = [self._word(child, depth + 1) for child in node.children]
        is_whole = "".join(part.raw for part in parts) == raw
        unclear = next((part.unclear for part in parts if part.unclear), "" if is_whole else "a word is not read")
        return Word("".join(part.text for part in parts), raw, unclear)

    def _nested(self, node: Node, depth: int) -> None:
        """Note the commands that an expansion runs."""
        for child in node.children:
            if child.type in _SUBSTITUTIONS:
                self._substitution(child, depth + 1)
            elif child.is_named:
                self._nested(child, depth + 1) if depth < _DEPTH_MAX else self._found.unclear("it is nested too deep")
        if node.type in _SUBSTITUTIONS:
            self._substitution(node, depth)

    def _substitution(self, node: Node, depth: int) -> None:
        self._found.unclear(f"it has {_named(node.type)}, which the shell works out")
        for child in node.named_children:
            self.visit(child, depth + 1)

    def _redirect(self, node: Node, depth: int) -> None:
        sign = next((child for child in node.children if not child.is_named), None)
        targets = [child for child in node.named_children if child.type != "file_descriptor"]
        operator = self._text(sign) if sign is not None else ""
        if operator in (">&-", "<&-") and not targets:
            return
        if len(targets) != 1 or operator not in (">", ">>", ">|", "&>", "&>>", ">&", "<", "<&"):
            self._found.unclear("a redirection is not read")
        for target in targets:
            word = self._word(target, depth + 1)
            is_copy = operator in (">&", "<&") and re.fullmatch(r"[12]|-", word.raw) is not None
            if not is_copy:
                unclear = word.unclear or ("" if operator != "<&" else "a redirection is not read")
                self._found.redirection(self._text(node), word.text, not operator.startswith("<"), unclear)

    def _herestring(self, node: Node, depth: int) -> None:
        for child in node.named_children:
            word = self._word(child, depth + 1)
            if word.unclear:
                self._found.unclear(word.unclear)

    def _heredoc(self, node: Node, depth: int) -> None:
        parts = {child.type: child for child in node.children}
        start, body, end = (parts.get(f"heredoc_{each}") for each in ("start", "body", "end"))
        if not (start and body and end and self._is_sound(node, start, body, end)):
            self._found.unclear("a here-document is not read")
        for child in node.children:
            if child.type == "heredoc_body":
                self._nested(child, depth + 1)
            elif child.type in ("file_descriptor", "heredoc_start", "heredoc_end", "<<", "<<-"):
                continue
            else:
                self._found.unclear("something follows a here-document's beginning")
                self.visit(child, depth + 1)

    def _is_sound(self, node: Node, start: Node, body: Node, end: Node) -> bool:
        """Whether every shell sees this here-document end here, and expands nothing in it."""
        delimiter = self._text(start)
        word = delimiter.strip("'\"")
        text = self._text(body)
        lines = [line.lstrip("\t") for line in text.split("\n")]
        after = self._source[end.end_byte : end.end_byte + 1]
        return (
            _DELIMITER.fullmatch(delimiter) is not None
            and self._text(end) == word
            and after in (b"", b"\n")
            and self._source[end.start_byte - 1 : end.start_byte] in (b"\n", b"\t")
            and word not in lines
            and self._source.count(b"<<", node.start_byte, body.start_byte) == 1
            and self._source[body.start_byte - 1 : body.start_byte] == b"\n"
            and (delimiter != word or not re.search(r"[$`\\]", text))
        )

    def _assignment(self, node: Node, depth: int) -> None:
        text = self._text(node)
        name, is_set, _ = text.partition("=")
        unclear = (
            "" if is_set and re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) else "a variable is set in a way not read"
        )
        for child in node.named_children:
            if child.type in ("variable_name", "subscript"):
                self._nested(child, depth + 1)
            else:
                unclear = self._word(child, depth + 1).unclear or unclear
        self._found.assignment(text, name.rstrip("+").partition("[")[0], unclear)

    def _declaration(self, node: Node, depth: int) -> None:
        self._check_apart(node)
        keyword = self._text(node.children[0]) if node.children else ""
        if keyword not in ("export", "readonly"):
            self._found.unclear(f"`{keyword}` is not read")
        for child in node.children[1:]:
            if child.type == "variable_assignment":
                self._assignment(child, depth)
            elif child.type == "variable_name":
                self._found.assignment(self._text(node), self._text(child))
            else:
                self._found.unclear(f"`{keyword}` is not read")
                self._word(child, depth + 1)

    def _unset(self, node: Node, depth: int) -> None:
        for child in node.children[1:]:
            if child.type == "variable_name":
                self._found.assignment(self._text(node), self._text(child))
            else:
                self._found.unclear("`unset` is not read")
                self._word(child, depth + 1)

    def _function(self, node: Node, depth: int) -> None:
        name = next((self._text(child) for child in node.named_children), "")
        body = self._text(node)
        is_bomb = re.search(rf"{re.escape(name)}\s*\|\s*{re.escape(name)}", body.partition("{")[2] or body) is not None
        self._found.command(
            body, [body], [body], "it defines a function", floor="it starts itself without end" if is_bomb else ""
        ) if is_bomb else self._found.unclear("it defines a function")
        for child in node.named_children[1:]:
            self.visit(child, depth + 1)

    def _test(self, node: Node, depth: int) -> None:
        """`[ … ]` of plain words looks at files and texts; `[[` and `((` work out what their words hold."""
        if self._text(node)[:2] == "[[" or not self._is_plain_test(node):
            self._found.unclear("a test works out what its words hold")
        self._nested(node, depth)

    def _is_plain_test(self, node: Node) -> bool:
        for child in node.children:
            if child.is_named:
                is_leaf = not child.named_children or child.type == "string"
                if child.type not in _TEST_NODES or (not is_leaf and not self._is_plain_test(child)):
                    return False
                if is_leaf and child.type != "test_operator" and self._word(child, 0).unclear:
                    return False
            elif self._text(child) not in _TEST_SIGNS:
                return False
        return True

    def _comment(self, node: Node, depth: int) -> None:  # noqa: ARG002 - the shape of a visit
        before = self._source[max(node.start_byte - 2, 0) : node.start_byte]
        if before and (before[-1:] not in (b"\n", b" ", b"\t") or before[:1] == b"\\"):
            self._found.unclear("a comment is not read")

    def _compound(self, node: Node, depth: int) -> None:
        if self._text(node)[:2] == "((":
            self._found.unclear("it has arithmetic, which the shell works out")
            self._nested(node, depth)
        else:
            self._children(node, depth)

    def _for(self, node: Node, depth: int) -> None:
        if node.children and node.children[0].type != "for":
            self._found.unclear("`select` is not read")
        for child in node.children:
            if child.type == "do_group":
                self.visit(child, depth + 1)
            elif child.is_named and child.type != "variable_name":
                if unclear := self._word(child, depth + 1).unclear:
                    self._found.unclear(unclear)
            elif child.type == "variable_name":
                self._found.assignment(self._text(child), self._text(child))

    def _pipeline(self, node: Node, depth: int) -> None:
        is_whole = node.parent is None or node.parent.type != "pipeline"
        programs = [name for child in node.named_children for name in self._programs(child)] if is_whole else []
        if reason := floor_of_pipeline(programs):
            self._found.command(self._text(node), [self._text(node)], programs, "it runs what it reads", floor=reason)
        self._children(node, depth)

    def _programs(self, node: Node) -> Sequence[str]:
        """Return the words of the commands in a part of a pipeline: wrappers, and the programs that they name."""
        words = [child for child in node.named_children if child.type in ("command_name", "word")]
        deeper = [child for child in node.named_children if child.type in ("command", *_PLAIN, "compound_statement")]
        found = [self._text(word) for word in words] if node.type == "command" else []
        return found + [name for child in deeper for name in self._programs(child)]

    def _text(self, node: Node) -> str:
        return self._between(node.start_byte, node.end_byte)

    def _between(self, start: int, end: int) -> str:
        return self._source[start:end].decode() if end > start else ""


def _plain(raw: str) -> Word:
    """Return an unquoted word as the shell takes it."""
    if not raw.isascii():
        return Word(raw, raw, "it has unquoted letters beyond ASCII")
    if "\\" in raw:
        return Word(re.sub(r"\\(.)", r"\1", raw.replace("\\\n", "")), raw, "it has escapes outside of quotes")
    if _SPECIAL.search(raw):
        return Word(raw, raw, "it has a pattern, which the shell works out")
    return Word(raw, raw)


def _token(word: Word) -> str:
    return word.raw[1:-1] if word.raw[:1] in ("'", '"') and len(word.raw) > 1 else word.raw


def _named(kind: str) -> str:
    """Return the name of a kind of node in words."""
    if kind in ("simple_expansion", "expansion"):
        return "a variable"
    words = kind.replace("_", " ")
    return f"{'an' if words[0] in 'aeiou' else 'a'} {words}"
