"""The language of conditions, against a reference that shares nothing with it, and what it refuses."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.model.expressions import (
    ANY,
    BOOLEAN,
    DEPTH_MAX,
    LETTERS_MAX,
    NUMBER,
    TEXT,
    ExpressionError,
    Type,
    Value,
    checked,
    holds,
    judge,
    names_of,
    parse,
    walk,
)
from scheduler.model.expressions import (
    truth as truth_of,
)
from scheduler.model.problems import Refused
from tests.scheduler.model.expressions.reference import (
    BOOLEANS,
    NUMBERS,
    TEXTS,
    Tree,
    known,
    trees,
    truth,
    written,
)


class Names:
    def type_of(self, name: str) -> Type:
        for names, kind in ((BOOLEANS, BOOLEAN), (NUMBERS, NUMBER), (TEXTS, TEXT)):
            if name in names:
                return kind
        raise Refused(f"no {name}", "did you mean a.ok?")


@given(trees, known)
def test_every_condition_is_worth_what_the_reference_says(tree: Tree, values: dict[str, Any]) -> None:
    node = checked(written(tree), Names())
    expected = {0: False, 0.5: None, 1: True}[truth(tree, values)]
    assert judge(node, values.get).value is expected
    assert holds(node, values.get) is (expected is True)


@given(trees, known)
def test_what_is_known_more_never_changes_what_was_known_already(tree: Tree, values: dict[str, Any]) -> None:
    node = checked(written(tree), Names())
    whole = judge(node, values.get).value
    for left_out in values:
        part = {name: value for name, value in values.items() if name != left_out}
        assert judge(node, part.get).value in (whole, None)


@given(trees)
def test_each_part_stands_where_it_says(tree: Tree) -> None:
    text = written(tree)
    for _, part in walk(judge(checked(text, Names()), lambda _: None)):
        piece = text[part.node.start : part.node.end]
        assert judge(parse(piece), lambda _: None).value == part.value
        for name in names_of(part.node):
            assert text[name.start : name.end] == name.path


@given(st.text("ab.() []<>=!'\"andortif-019,/", max_size=60))
def test_any_text_is_a_condition_or_is_refused_with_a_place_in_it(text: str) -> None:
    try:
        checked(text, Names())
    except ExpressionError as error:
        place = error.start
    else:
        place = 0
    assert 0 <= place <= len(text)


def test_and_binds_more_than_or_and_not_more_than_and() -> None:
    values = {"a.ok": True, "team-b/b.ok": False, "2nd.x.ok": False}
    assert holds(checked("a.ok or team-b/b.ok and 2nd.x.ok", Names()), values.get)
    assert not holds(checked("(a.ok or team-b/b.ok) and 2nd.x.ok", Names()), values.get)
    assert holds(checked("not team-b/b.ok and a.ok", Names()), values.get)
    assert not holds(checked("not (team-b/b.ok or a.ok)", Names()), values.get)


@pytest.mark.parametrize(
    ("text", "place", "detail", "hint"),
    [
        ("", 1, "a name or a value is missing before the end", ""),
        ("a.ok and", 9, "a name or a value is missing before the end", ""),
        ("a.ok team-b/b.ok", 6, "team-b/b.ok follows what is complete", "join conditions by and, or"),
        ("a.ok)", 5, ") follows what is complete", "remove it"),
        ("(a.ok", 1, "the parenthesis that begins here has no end", "close it"),
        ("a.ok && b", 6, "&& is no word of conditions", "write and"),
        ("!a.ok", 1, "! is no word of conditions", "write not"),
        ("a.code = 0", 8, "= is no word of conditions", "write =="),
        ("a.word == 'x", 11, "the text that begins here has no end", "close it with '"),
        ("a.code == 0 == 1", 13, "== after a comparison", "join two comparisons by and"),
        ("a.code in 0", 11, "a list follows `in`, not 0", "such as [0, 75]"),
        ("a.code not 0", 8, "not stands between two values", "write `not in`, or and"),
        ("a.code in [0 1]", 14, "1 in a list", "write , or ]"),
        ("a.code in [0, 'x']", 15, "each value of the list must be a number, not a text", ""),
        ("a.code", 1, "the whole must be true or false, not a number", "compare it with something"),
        ("a.ok and a.code", 10, "what `and` joins must be true or false, not a number",
         "compare it with something"),
        ("a.code == 'x'", 11, "what == compares with a number must be a number, not a text", ""),
        ("a.ok < true", 1, "< puts numbers, texts or times in order, not true or false", ""),
        ("a.ok and b.ok", 10, "no b.ok", "did you mean a.ok?"),
        ("a.ok + 1", 6, "'+' means nothing here", ""),
        ("a.code == 1234567890123456", 11, "a number has 15 digits at most", ""),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_its_place_and_a_way_out(
    text: str, place: int, detail: str, hint: str
) -> None:
    with pytest.raises(ExpressionError) as caught:
        checked(text, Names())
    assert (caught.value.start + 1, caught.value.detail, caught.value.hint) == (place, detail, hint)


class Untyped:
    """What nobody declared."""

    def type_of(self, name: str) -> Type:
        return ANY


@pytest.mark.parametrize(
    ("text", "value", "expected"),
    [
        ("v.x > 5", "42", True),
        ("v.x > 5", 4, False),
        ("v.x == 1.5", "1.50", True),
        ("v.x > 5", "4e1", True),
        ("v.x > 5", "many", None),
        ("v.x > 5", "1" * 400, None),
        ("v.x == '1.10'", "1.1", False),
        ("v.x == '1.10'", "1.10", True),
        ("v.x == '5'", 5, True),
        ("v.x in [1, 2]", "2", True),
        ("v.x not in ['a', 'b']", "c", True),
        ("v.x == true", "true", True),
        ("v.x == 1", True, None),
        ("v.x", "true", True),
        ("not v.x", "false", True),
        ("not v.x", "maybe", None),
        ("v.x and true", 1, None),
        ("v.x or true", "?", True),
        ("v.x == v.y", "a", None),
    ],
)
def test_what_has_no_type_is_read_as_what_it_is_compared_with(
    text: str, value: Value, expected: bool | None
) -> None:
    judged = judge(checked(text, Untyped()), {"v.x": value}.get)
    assert truth_of(judged.value) is expected


def test_neither_long_nor_deep_conditions_are_read() -> None:
    with pytest.raises(ExpressionError, match="letters long"):
        parse("a" * (LETTERS_MAX + 1))
    deepest = "(" * DEPTH_MAX + "a.ok" + ")" * DEPTH_MAX
    assert holds(checked(deepest, Names()), lambda _: True)
    for opening, closing in (("(", ")"), ("not ", "")):
        with pytest.raises(ExpressionError, match="nested deeper"):
            parse(opening * (DEPTH_MAX + 1) + "a.ok" + closing * (DEPTH_MAX + 1))
