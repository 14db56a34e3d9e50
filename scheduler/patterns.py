"""Patterns over labels: globs (`db*`) and regular expressions (`regex:db[0-9]+`), over the whole text.

Rules of this file:

1. Whatever a pattern says, matching takes its length times that of the text at most: a glob by the last star
   alone, a regular expression by all of its states at once (Thompson, Regular Expression Search Algorithm,
   CACM 11:6, 1968). Nothing goes back. Python's `re` does, and one pattern of twenty letters would keep every
   node for hours, inside the machine.
2. Of regular expressions there is what needs no going back: letters, `.`, classes `[a-z0-9]` and `[^…]`,
   `\\d` `\\w` `\\s`, groups, `|`, `*`, `+`, `?`, `{2}`, `{2,}`, `{2,5}`. All else is refused by name.
3. What a pattern means never changes with a version of Python: no letter case, no locale, no Unicode classes.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

REGEX = "regex:"
LETTERS_MAX = 200
STATES_MAX = 2_000
DEPTH_MAX = 20
TIMES_MAX = 100

_CLASSES = {"d": "0-9", "w": "a-zA-Z0-9_", "s": " \t\n\r\f\v"}
_PLAIN = frozenset("\\.[](){}|*+?^$-/ \"'#&~,:;=@!%<>_`")


class PatternError(ValueError):
    """It is no pattern; the text says why, for people."""


class _One(NamedTuple):
    """What one letter may be."""

    spans: tuple[tuple[str, str], ...]
    isnot: bool = False

    def takes(self, letter: str) -> bool:
        return any(first <= letter <= last for first, last in self.spans) != self.isnot


class _State(NamedTuple):
    one: _One | None  #: None: it leads on without a letter
    after: tuple[int, ...]


_ANY = _One((), isnot=True)


class _Row(NamedTuple):
    parts: list[_Node]


class _Either(NamedTuple):
    ways: list[_Node]


class _Times(NamedTuple):
    part: _Node
    least: int
    most: int | None


_Node = _One | _Row | _Either | _Times


class _Reader:
    """From the text to a tree."""

    def __init__(self, text: str) -> None:
        self._text, self._at = text, 0

    def whole(self) -> _Node:
        node = self._either(0)
        if self._at < len(self._text):
            raise PatternError(f"at {self._at + 1}: a ) without its (")
        return node

    def _peek(self) -> str:
        return self._text[self._at] if self._at < len(self._text) else ""

    def _next(self) -> str:
        letter = self._peek()
        self._at += 1
        return letter

    def _either(self, depth: int) -> _Node:
        if depth > DEPTH_MAX:
            raise PatternError(f"groups are more than {DEPTH_MAX} deep")
        ways = [self._row(depth)]
        while self._peek() == "|":
            self._at += 1
            ways.append(self._row(depth))
        return ways[0] if len(ways) == 1 else _Either(ways)

    def _row(self, depth: int) -> _Node:
        parts: list[_Node] = []
        while self._peek() not in ("", "|", ")"):
            parts.append(self._times(self._atom(depth)))
        return _Row(parts)

    def _atom(self, depth: int) -> _Node:
        at, letter = self._at + 1, self._next()
        if letter == "(":
            if self._peek() == "?":
                self._at += 1
                if self._next() != ":":
                    raise PatternError(f"at {at}: of groups there are (…) and (?:…) alone")
            node = self._either(depth + 1)
            if self._next() != ")":
                raise PatternError(f"at {at}: a ( without its )")
            return node
        if letter == "[":
            return self._class(at)
        if letter == ".":
            return _ANY
        if letter == "\\":
            return self._escaped(at)
        if letter in "*+?{":
            raise PatternError(f"at {at}: nothing stands before {letter}")
        if letter in "^$":
            raise PatternError(f"at {at}: the whole text is compared, so leave {letter} out")
        return _One(((letter, letter),))

    def _escaped(self, at: int) -> _One:
        letter = self._next()
        if letter in _CLASSES:
            return _One(_spans(_CLASSES[letter]))
        if letter.lower() in _CLASSES and letter:
            return _One(_spans(_CLASSES[letter.lower()]), isnot=True)
        if letter not in _PLAIN or not letter:
            raise PatternError(f"at {at}: \\{letter} means nothing here")
        return _One(((letter, letter),))

    def _class(self, at: int) -> _One:
        isnot = self._peek() == "^"
        self._at += isnot
        spans: list[tuple[str, str]] = []
        while self._peek() != "]" or not spans:
            letter = self._next()
            if not letter:
                raise PatternError(f"at {at}: a [ without its ]")
            if letter == "\\":
                one = self._escaped(self._at)
                if one.isnot:
                    raise PatternError(f"at {at}: \\D, \\W and \\S do not stand in a class")
                spans += one.spans
                continue
            last = letter
            if self._peek() == "-" and self._text[self._at + 1 : self._at + 2] not in ("]", ""):
                self._at += 1
                last = self._next()
            if last < letter:
                raise PatternError(f"at {at}: {letter}-{last} is a range without a letter")
            spans.append((letter, last))
        self._at += 1
        return _One(tuple(spans), isnot)

    def _times(self, node: _Node) -> _Node:
        at, sign = self._at + 1, self._peek()
        if sign not in ("*", "+", "?", "{"):
            return node
        self._at += 1
        least, most = {"*": (0, None), "+": (1, None), "?": (0, 1)}.get(sign) or self._counts(at)
        if self._peek() in ("*", "+", "?", "{") and self._peek():
            raise PatternError(f"at {self._at + 1}: {self._peek()} follows what says how often already")
        return _Times(node, least, most)

    def _counts(self, at: int) -> tuple[int, int | None]:
        end = self._text.find("}", self._at)
        first, comma, last = self._text[self._at : end if end >= 0 else self._at].partition(",")
        self._at = end + 1
        if end < 0 or not _is_count(first) or (last and not _is_count(last)):
            raise PatternError(f"at {at}: it is {{2}}, {{2,}} or {{2,5}}, at most {TIMES_MAX} times")
        most = (int(last) if last else None) if comma else int(first)
        if most is not None and most < int(first):
            raise PatternError(f"at {at}: no more than {most} and no less than {first} times")
        return int(first), most


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 3 and int(text) <= TIMES_MAX


def _spans(text: str) -> tuple[tuple[str, str], ...]:
    found, at = [], 0
    while at < len(text):
        ranged = text[at + 1 : at + 2] == "-" and at + 2 < len(text)
        found.append((text[at], text[at + 2] if ranged else text[at]))
        at += 3 if ranged else 1
    return tuple(found)


def _build(node: _Node, states: list[_State], after: int) -> int:
    """The state that a part begins with, of which the last one leads to `after`."""
    if len(states) > STATES_MAX:
        raise PatternError(f"it says too much: more than {STATES_MAX} steps")
    if isinstance(node, _One):
        states.append(_State(node, (after,)))
        return len(states) - 1
    if isinstance(node, _Row):
        for part in reversed(node.parts):
            after = _build(part, states, after)
        if node.parts:
            return after
        states.append(_State(None, (after,)))  # nothing, a thousand times, has its cost too
        return len(states) - 1
    if isinstance(node, _Either):
        starts = tuple([_build(way, states, after) for way in node.ways])
        states.append(_State(None, starts))
        return len(states) - 1
    part, least, most = node
    if most is None:
        states.append(_State(None, ()))
        again = len(states) - 1
        states[again] = _State(None, (_build(part, states, again), after))
        after = again
    for _ in range(0 if most is None else most - least):
        states.append(_State(None, (_build(part, states, after), after)))
        after = len(states) - 1
    for _ in range(least):
        after = _build(part, states, after)
    return after


@lru_cache(maxsize=1_024)
def _compiled(text: str) -> tuple[tuple[_State, ...], int]:
    states = [_State(None, ())]  #: the first is the end
    start = _build(_Reader(text).whole(), states, 0)
    return tuple(states), start


def _reached(states: tuple[_State, ...], found: list[int]) -> list[int]:
    """These states, and those that they lead to without a letter."""
    known = [False] * len(states)
    waiting, whole = found, []
    while waiting:
        state = waiting.pop()
        if known[state]:
            continue
        known[state] = True
        whole.append(state)
        if states[state].one is None:
            waiting.extend(states[state].after)
    return whole


def _is_regex(text: str, value: str) -> bool:
    states, start = _compiled(text)
    now = _reached(states, [start])
    for letter in value:
        steps = (states[state] for state in now)
        taken = [step.after[0] for step in steps if step.one is not None and step.one.takes(letter)]
        now = _reached(states, taken)
        if not now:
            return False
    return 0 in now


def _is_glob(glob: str, value: str) -> bool:
    """`*` is any text, `?` any letter. Goes back to the last star alone."""
    at = place = 0
    star, after_star = -1, 0
    while place < len(value):
        if at < len(glob) and glob[at] == "*":
            star, after_star = at, place
            at += 1
        elif at < len(glob) and glob[at] in ("?", value[place]):
            at, place = at + 1, place + 1
        elif star >= 0:
            after_star += 1
            at, place = star + 1, after_star
        else:
            return False
    return not glob[at:].strip("*")


def check(pattern: str) -> None:
    """Raises PatternError."""
    if len(pattern) > LETTERS_MAX:
        raise PatternError(f"a pattern has {LETTERS_MAX} letters at most, this one {len(pattern)}")
    if pattern in ("", REGEX):
        raise PatternError("it is empty")
    if pattern.startswith(REGEX):
        _compiled(pattern.removeprefix(REGEX))


def fits(pattern: str, value: str) -> bool:
    """Whether the whole value is as a checked pattern says."""
    if pattern.startswith(REGEX):
        return _is_regex(pattern.removeprefix(REGEX), value)
    return _is_glob(pattern, value)
