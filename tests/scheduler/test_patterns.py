"""Patterns over labels: as Python's `re` and `fnmatch` have them, else refused, and never slow."""

from __future__ import annotations

import fnmatch
import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from scheduler import patterns
from scheduler.patterns import PatternError, check, fits

REGEXES = st.recursive(
    st.sampled_from(["a", "b", ".", "[ab]", "[^a]", "[a-c0-9]", r"\d", r"\w", r"\.", "x", r"[\d-]"]),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map("".join),
        st.tuples(inner, inner).map(lambda two: f"({two[0]}|{two[1]})"),
        st.tuples(inner, st.sampled_from(["*", "+", "?", "{2}", "{1,}", "{0,2}"])).map(
            lambda two: f"(?:{two[0]}){two[1]}"
        ),
    ),
    max_leaves=8,
)


@given(REGEXES, st.text("ab0.x-c", max_size=8))
def test_a_regular_expression_is_what_it_is_elsewhere(pattern: str, value: str) -> None:
    assume(0 < len(pattern) <= patterns.LETTERS_MAX)
    check(f"regex:{pattern}")
    assert fits(f"regex:{pattern}", value) == (re.fullmatch(pattern, value, re.ASCII) is not None)


@given(st.text("ab*?", min_size=1, max_size=8), st.text("ab", max_size=8))
def test_a_glob_is_what_it_is_elsewhere(pattern: str, value: str) -> None:
    check(pattern)
    assert fits(pattern, value) == fnmatch.fnmatchcase(value, pattern)


@pytest.mark.parametrize(
    "pattern", ["regex:(a*)*b", "regex:(a|a)*b", "regex:(a|aa)+b", "regex:(.*){9}x", "*a*a*a*a*b"]
)
def test_no_pattern_goes_back(pattern: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted, not timed: a step looks at each state once."""
    looked = 0
    takes = patterns._One.takes

    def counted(one: patterns._One, letter: str) -> bool:
        nonlocal looked
        looked += 1
        return takes(one, letter)

    monkeypatch.setattr(patterns._One, "takes", counted)
    check(pattern)
    assert not fits(pattern, "a" * 256)
    states = len(patterns._compiled(pattern.removeprefix("regex:"))[0]) if pattern.startswith("regex:") else 0
    assert looked <= 257 * states


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("", "it is empty"),
        ("regex:", "it is empty"),
        ("x" * 201, "a pattern has 200 letters at most, this one 201"),
        ("regex:(a", "at 1: a ( without its )"),
        ("regex:a)", "at 2: a ) without its ("),
        ("regex:[a", "at 1: a [ without its ]"),
        ("regex:[b-a]", "at 1: b-a is a range without a letter"),
        ("regex:[\\D]", "at 1: \\D, \\W and \\S do not stand in a class"),
        ("regex:*a", "at 1: nothing stands before *"),
        ("regex:a**", "at 3: * follows what says how often already"),
        ("regex:a+?", "at 3: ? follows what says how often already"),
        ("regex:^a$", "at 1: the whole text is compared, so leave ^ out"),
        ("regex:(?=a)b", "at 1: of groups there are (…) and (?:…) alone"),
        ("regex:(a)\\1", "at 4: \\1 means nothing here"),
        ("regex:\\b", "at 1: \\b means nothing here"),
        ("regex:a\\", "at 2: \\ means nothing here"),
        ("regex:a{2", "at 2: it is {2}, {2,} or {2,5}, at most 100 times"),
        ("regex:a{x}", "at 2: it is {2}, {2,} or {2,5}, at most 100 times"),
        ("regex:a{101}", "at 2: it is {2}, {2,} or {2,5}, at most 100 times"),
        ("regex:a{3,2}", "at 2: no more than 2 and no less than 3 times"),
        ("regex:(((((){100}){100}){100}){100}){100}", "it says too much: more than 2000 steps"),
        ("regex:((a{100}){100}){100}", "it says too much: more than 2000 steps"),
        ("regex:" + "(" * 30 + "a" + ")" * 30, "groups are more than 20 deep"),
    ],
)
def test_what_is_no_pattern_is_refused_in_words(pattern: str, why: str) -> None:
    with pytest.raises(PatternError) as told:
        check(pattern)
    assert str(told.value) == why
