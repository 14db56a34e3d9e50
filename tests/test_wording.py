"""Messages are for people: nothing is decided by their words, which anybody may put better one day.

What the program has to know stands beside the text: a code, a kind, a type of error.
"""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Iterator, Mapping

import pytest

from tests.parsed import tree
from tests.test_architecture import place, sources

pytestmark = pytest.mark.house

#: Names of what holds a message, or a word for the program. Whoever looks for a piece of it reads a message;
#: whoever compares the whole reads one where there are blanks in it.
MESSAGES = {"reason", "reasons", "detail", "error", "message", "why", "hint", "fault", "refusal", "denial"}
#: Names of what may hold a message, or a line of a file.
PERHAPS = {"text", "said", "told", "words", "answer", "refused"}
TESTS = {"startswith", "endswith", "find", "index", "count", "partition", "removeprefix", "removesuffix"}

#: Words of others who give no code with them.
OTHERS = {
    "scheduler/store/connection.py": "SQLite has one code for these and for errors of ours",
}

REQUEST = re.compile(r"\b(GET|PUT|POST|DELETE) /v1")
#: Who reads these sends requests: they name no command.
OF_REQUESTS = {
    "api/problems.py": "the CSRF token is of sessions, which no command has",
    "api/rights.py": "a table of docs/reference/api.md",
}

Constants = Mapping[str, tuple[str, ...]]


def test_nothing_is_decided_by_the_words_of_a_message() -> None:
    trees = {place(path): tree(path) for path in sources()}
    constants = {name: value for parsed in trees.values() for name, value in constants_of(parsed)}

    guilty = {
        f"{where}:{line}" for where, parsed in trees.items() for line in decisions(parsed, constants)
    }

    assert not {where for where in guilty if where.partition(":")[0] not in OTHERS}, "give it a kind"
    assert {where.partition(":")[0] for where in guilty} == set(OTHERS)


@pytest.mark.parametrize(
    "source",
    [
        'if text.startswith("no leader"): pass',
        'if reason.endswith("again"): pass',
        'if "certificate" in refused.reason: pass',
        'if "interrupted" in str(error): pass',
        'if str(error).startswith(WORDS): pass',
        'if reason != BUSY: pass',
        'if told == "no leader is known": pass',
        'if any("certificate" in reason for reason in found): pass',
        'if reason in ("no leader is known", ""): pass',
        'if re.search("no leader", text): pass',
        'match reason:\n    case "no leader is known": pass',
    ],
)
def test_a_decision_by_words_is_seen(source: str) -> None:
    constants = {"WORDS": ("a b", "c"), "BUSY": ("at work; try again",)}
    assert list(decisions(ast.parse(source), constants))


@pytest.mark.parametrize(
    "source",
    [
        'if text.startswith("#"): pass',
        'if reason == "": pass',
        'if reason == "exit": pass',
        'if reason in ("exit", "signal"): pass',
        'if error["type"] == "a kind": pass',
        'if error.code == "no-leader": pass',
        'if kind in ("no leader", "a leader"): pass',
        'if error is None: pass',
        'detail = f"no leader: {error}"',
    ],
)
def test_other_texts_are_no_messages(source: str) -> None:
    assert not list(decisions(ast.parse(source), {}))


def test_a_hint_that_names_a_request_names_the_command_beside_it() -> None:
    """One text is read by whoever sends requests, types commands or sits before the cockpit."""
    guilty = {
        f"{where}:{line}"
        for where, parsed in ((place(path), tree(path)) for path in sources())
        for line, text in said(parsed)
        if REQUEST.search(text) and "cronclave " not in text
    }
    assert {where.partition(":")[0] for where in guilty} == set(OF_REQUESTS), guilty


def said(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """The texts of a module, whatever is filled into them; not its docstrings."""
    parts: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            parts |= set(node.values)
            yield node.lineno, "".join(str(getattr(part, "value", "")) for part in node.values)
        elif isinstance(node, ast.Expr):
            parts.add(node.value)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in parts:
            yield node.lineno, node.value


def constants_of(tree: ast.Module) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The texts that a module gives a name in capitals."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            texts = texts_of(node.value, {})
            if texts and node.targets[0].id.isupper():
                yield node.targets[0].id, texts


def decisions(tree: ast.AST, constants: Constants) -> Iterator[int]:
    """Lines that compare a message with words."""
    for node in ast.walk(tree):
        pairs: list[tuple[ast.expr, ast.expr]] = []
        is_part = False
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            pairs = [pair for a, b in itertools.pairwise(sides) for pair in ((a, b), (b, a))]
            is_part = isinstance(node.ops[0], ast.In | ast.NotIn) and isinstance(node.left, ast.Constant)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
            is_part = True
            is_regex = isinstance(node.func.value, ast.Name) and node.func.value.id == "re"
            if is_regex and len(node.args) > 1:
                pairs = [(node.args[1], node.args[0])]
            elif node.func.attr in TESTS:
                pairs = [(node.func.value, node.args[0])]
        elif isinstance(node, ast.Match):
            cases = [part for case in node.cases for part in ast.walk(case.pattern)]
            pairs = [(node.subject, part.value) for part in cases if isinstance(part, ast.MatchValue)]
        for subject, compared in pairs:
            if any(is_decided(subject, text, is_part) for text in texts_of(compared, constants)):
                yield int(vars(node)["lineno"])
                break


def is_decided(subject: ast.expr, text: str, is_part: bool) -> bool:
    """Whether `text` is compared with this message, or looked for in it."""
    if isinstance(subject, ast.Call) and isinstance(subject.func, ast.Name) and subject.func.id == "str":
        return bool(subject.args) and name_of(subject.args[0]) in {*MESSAGES, "e", "exception"}
    name = name_of(subject)
    if name in MESSAGES and is_part:
        return any(letter.isalpha() for letter in text)
    return name in MESSAGES | PERHAPS and " " in text.strip()


def name_of(node: ast.expr) -> str:
    """The last name of `a.b`, `a`, `a or ""`, `a[0]`, `a.lower()`; of `b["a"]` its key."""
    match node:
        case ast.Attribute(attr=name) | ast.Name(id=name):
            return name
        case ast.Subscript(slice=ast.Constant(value=str(key))):
            return key
        case ast.Subscript(value=inner) | ast.BoolOp(values=[inner, *_]):
            return name_of(inner)
        case ast.Call(func=ast.Attribute(value=inner)):
            return name_of(inner)
    return ""


def texts_of(node: ast.expr, constants: Constants) -> tuple[str, ...]:
    match node:
        case ast.Constant(value=str(text)):
            return (text,)
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return constants.get(name, ())
        case ast.Tuple(elts=parts) | ast.List(elts=parts) | ast.Set(elts=parts):
            return tuple(text for part in parts for text in texts_of(part, constants))
    return ()
