"""A reference for the language of conditions: trees are nested tuples, unknown is a half, and nothing of it
is shared with scheduler/model/expressions."""

from __future__ import annotations

import operator
from typing import Any

from hypothesis import strategies as st

Tree = tuple[Any, ...]
SIGNS = {"==": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt,
         ">=": operator.ge}  # fmt: skip
BOOLEANS = ("a.ok", "team-b/b.ok", "2nd.x.ok")
NUMBERS = ("a.code", "b.code")
TEXTS = ("a.word",)


def written(tree: Tree) -> str:
    """As text, with no parenthesis left out."""
    match tree:
        case ("value", bool() as value):
            return str(value).lower()
        case ("value", str() as value):
            return f"'{value}'"
        case ("value", value) | ("name", value):
            return str(value)
        case ("not", part):
            return f"not ({written(part)})"
        case ("and" | "or" as word, *parts):
            return f" {word} ".join(f"({written(part)})" for part in parts)
        case ("in" | "not in" as sign, left, *items):
            return f"{written(left)} {sign} [{', '.join(map(written, items))}]"
        case (sign, left, right):
            return f"{written(left)} {sign} {written(right)}"
    raise AssertionError(tree)


def truth(tree: Tree, values: dict[str, Any]) -> float:
    """0 false, 1 true, a half unknown."""
    if tree[0] in ("value", "name"):
        value = _value(tree, values)
        return 0.5 if value is None else float(value)
    if tree[0] == "not":
        return 1 - truth(tree[1], values)
    if tree[0] in ("and", "or"):
        return (min if tree[0] == "and" else max)(truth(part, values) for part in tree[1:])
    left = _value(tree[1], values)
    if tree[0] in ("in", "not in"):
        items = [_value(item, values) for item in tree[2:]]
        same = [0.5 if None in (left, item) else float(left == item) for item in items]
        found = 0.5 if left is None else max(same, default=0.0)
        return found if tree[0] == "in" else 1 - found
    right = _value(tree[2], values)
    return 0.5 if None in (left, right) else float(SIGNS[tree[0]](left, right))


def _value(tree: Tree, values: dict[str, Any]) -> Any:
    return tree[1] if tree[0] == "value" else values.get(tree[1])


def _operand(names: tuple[str, ...], values: st.SearchStrategy[Any]) -> st.SearchStrategy[Tree]:
    return st.one_of(
        st.sampled_from(names).map(lambda name: ("name", name)), values.map(lambda value: ("value", value))
    )


_number = _operand(NUMBERS, st.integers(-3, 3))
_text = _operand(TEXTS, st.sampled_from(["x", "and", "(a.ok", ""]))
_boolean = _operand(BOOLEANS, st.booleans())
_leaf = st.one_of(
    _boolean,
    *(st.tuples(st.sampled_from([*SIGNS]), each, each) for each in (_number, _text)),
    *(
        st.tuples(st.sampled_from(["in", "not in"]), each, *[each] * count)
        for each in (_number, _text) for count in range(3)
    ),
)  # fmt: skip
trees = st.recursive(
    _leaf,
    lambda part: st.one_of(
        st.tuples(st.just("not"), part),
        st.lists(part, min_size=2, max_size=4).flatmap(
            lambda parts: st.sampled_from(["and", "or"]).map(lambda word: (word, *parts))
        ),
    ),
    max_leaves=12,
)
known = st.fixed_dictionaries(
    {},
    optional={
        **{name: st.booleans() for name in BOOLEANS},
        **{name: st.integers(-3, 3) for name in NUMBERS},
        **{name: st.sampled_from(["x", "and", ""]) for name in TEXTS},
    },
)
