"""From the text of a condition to its tree.

    or      = and { "or" and }
    and     = not { "and" not }
    not     = "not" not | compare
    compare = part [ ("==" | "!=" | "<" | "<=" | ">" | ">=") part | ["not"] "in" (list | name) ]
    part    = name | number | text | "true" | "false" | "(" or ")"
    list    = "[" [ value { "," value } ] "]"            values: names, numbers, texts, true, false

Rules of this file:

1. A name is taken whole, dots, slashes and hyphens too: what it means is the context's. Nothing is
   calculated, so a hyphen is never a minus but before a number.
2. So many letters, so deep: parsing and judging recurse, and neither may exhaust a stack.
3. An error says where: the place of its first letter in the text, from 1, as editors count.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

LETTERS_MAX = 2_000
DEPTH_MAX = 40

Scalar = bool | int | float | str


class ExpressionError(ValueError):
    """A text that is no condition. `start`: of what is wrong, from 0."""

    def __init__(self, detail: str, start: int, hint: str = "") -> None:
        super().__init__(f"at {start + 1}: {detail}")
        self.detail = detail
        self.start = start
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Literal:
    value: Scalar
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Name:
    path: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Listed:
    items: tuple[Node, ...]
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Not:
    part: Node
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Join:
    word: str  #: and | or
    parts: tuple[Node, ...]  #: two or more
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Compare:
    sign: str  #: == != < <= > >= in, or `not in`
    left: Node
    right: Node
    start: int
    end: int


Node = Literal | Name | Listed | Not | Join | Compare

_TOKEN = re.compile(
    r"(?P<blank>[ \t\r\n]+)"
    r"|(?P<number>-?[0-9]+(?:\.[0-9]+)?(?![A-Za-z0-9._/-]))"
    r"|(?P<name>[A-Za-z0-9_](?:[A-Za-z0-9._/-]*[A-Za-z0-9_])?)"
    r"|(?P<text>'[^']*'|\"[^\"]*\")"
    r"|(?P<sign>==|!=|<=|>=|<|>)"
    r"|(?P<mark>[()\[\],])"
)
_WORDS = frozenset({"and", "or", "not", "in", "true", "false"})
_MEANT = {"=": "==", "&&": "and", "||": "or", "!": "not", "&": "and", "|": "or"}
_LONG_NUMBER = 15  #: digits: no float loses one of these


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str  #: number | name | word | text | sign | mark | end
    text: str
    start: int

    @property
    def end(self) -> int:
        return self.start + len(self.text)


def parse(text: str) -> Node:
    """The tree of this condition. Raises ExpressionError."""
    if len(text) > LETTERS_MAX:
        raise ExpressionError(f"it is {len(text)} letters long, at most {LETTERS_MAX} are allowed", 0)
    parser = _Parser(list(_tokens(text)))
    tree = parser.either(0)
    parser.expect_end()
    return tree


def names_of(node: Node) -> Iterator[Name]:
    """Every name in it, in the order of the text, as often as it stands there."""
    match node:
        case Name():
            yield node
        case Listed(items=parts) | Join(parts=parts):
            for part in parts:
                yield from names_of(part)
        case Not(part=part):
            yield from names_of(part)
        case Compare(left=left, right=right):
            yield from names_of(left)
            yield from names_of(right)


def _tokens(text: str) -> Iterator[_Token]:
    place = 0
    while place < len(text):
        found = _TOKEN.match(text, place)
        if found is None:
            raise _unreadable(text, place)
        kind, word = str(found.lastgroup), found.group()
        if kind == "name" and word in _WORDS:
            kind = "word"
        if kind != "blank":
            yield _Token(kind, word, place)
        place = found.end()
    yield _Token("end", "", len(text))


def _unreadable(text: str, place: int) -> ExpressionError:
    if text[place] in "'\"":
        return ExpressionError("the text that begins here has no end", place, f"close it with {text[place]}")
    for written, meant in _MEANT.items():
        if text.startswith(written, place) and (len(written) > 1 or written in "=!"):
            return ExpressionError(f"{written} is no word of conditions", place, f"write {meant}")
    meant = _MEANT.get(text[place], "")
    hint = f"write {meant}" if meant else ""
    return ExpressionError(f"{text[place]!r} means nothing here", place, hint)


class _Parser:
    def __init__(self, tokens: list[_Token]) -> None:
        self._tokens = tokens
        self._at = 0

    @property
    def _next(self) -> _Token:
        return self._tokens[self._at]

    @property
    def _end(self) -> int:
        """Of what was read last, with its parentheses."""
        return self._tokens[self._at - 1].end

    def _take(self) -> _Token:
        token = self._tokens[self._at]
        self._at += 1
        return token

    def _is(self, kind: str, *texts: str) -> bool:
        return self._next.kind == kind and self._next.text in texts

    def expect_end(self) -> None:
        token = self._next
        if token.kind != "end":
            hint = "remove it" if token.text == ")" else "join conditions by and, or"
            raise ExpressionError(f"{token.text} follows what is complete", token.start, hint)

    def either(self, depth: int) -> Node:
        return self._joined("or", depth)

    def _joined(self, word: str, depth: int) -> Node:
        start = self._next.start
        parts = [self._part_of(word, depth)]
        while self._is("word", word):
            self._take()
            parts.append(self._part_of(word, depth))
        if len(parts) == 1:
            return parts[0]
        return Join(word, tuple(parts), start, self._end)

    def _part_of(self, word: str, depth: int) -> Node:
        return self._joined("and", depth) if word == "or" else self._negated(depth)

    def _negated(self, depth: int) -> Node:
        if not self._is("word", "not"):
            return self._compared(depth)
        token = self._take()
        part = self._negated(self._deeper(depth, token))
        return Not(part, token.start, self._end)

    def _compared(self, depth: int) -> Node:
        start = self._next.start
        left = self._part(depth)
        if self._next.kind == "sign":
            sign = self._take()
            right = self._part(depth)
            if self._next.kind == "sign":
                raise ExpressionError(
                    f"{self._next.text} after a comparison", self._next.start, "join two comparisons by and"
                )
            return Compare(sign.text, left, right, start, self._end)
        negated = self._is("word", "not")
        if negated:
            token = self._take()
            if not self._is("word", "in"):
                raise ExpressionError("not stands between two values", token.start, "write `not in`, or and")
        if self._is("word", "in"):
            self._take()
            among = self._part(depth) if self._next.kind == "name" else self._listed(depth)
            return Compare("not in" if negated else "in", left, among, start, self._end)
        return left

    def _listed(self, depth: int) -> Listed:
        opening = self._take()
        if opening.text != "[" or opening.kind != "mark":
            raise ExpressionError(
                f"a list follows `in`, not {_told(opening)}", opening.start, "such as [0, 75]"
            )
        items: list[Node] = []
        while not self._is("mark", "]"):
            if items:
                if not self._is("mark", ","):
                    raise ExpressionError(f"{_told(self._next)} in a list", self._next.start, "write , or ]")
                self._take()
            if self._is("mark", "("):
                raise ExpressionError("a list holds values", self._next.start, "such as [0, 75]")
            items.append(self._part(depth))
        closing = self._take()
        return Listed(tuple(items), opening.start, closing.end)

    def _part(self, depth: int) -> Node:
        token = self._take()
        match token.kind:
            case "name":
                return Name(token.text, token.start, token.end)
            case "text":
                return Literal(token.text[1:-1], token.start, token.end)
            case "number":
                return Literal(_number(token), token.start, token.end)
            case "word" if token.text in ("true", "false"):
                return Literal(token.text == "true", token.start, token.end)
            case "mark" if token.text == "(":
                inner = self.either(self._deeper(depth, token))
                if not self._is("mark", ")"):
                    raise ExpressionError(
                        "the parenthesis that begins here has no end", token.start, "close it"
                    )
                self._take()
                return inner
            case _:
                raise ExpressionError(f"a name or a value is missing before {_told(token)}", token.start)

    def _deeper(self, depth: int, token: _Token) -> int:
        if depth >= DEPTH_MAX:
            raise ExpressionError(f"it is nested deeper than {DEPTH_MAX}", token.start)
        return depth + 1


def _number(token: _Token) -> int | float:
    if len(token.text) > _LONG_NUMBER:
        raise ExpressionError(f"a number has {_LONG_NUMBER} digits at most", token.start)
    return float(token.text) if "." in token.text else int(token.text)


def _told(token: _Token) -> str:
    return token.text or "the end"
