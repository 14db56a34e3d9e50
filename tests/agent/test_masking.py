"""Masks: every form of a secret goes, wherever the output is cut, and nothing else does."""

from __future__ import annotations

import base64
import json
from itertools import pairwise
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.spool.masking import MASK, Mask

VALUE = 'p4ss/w"örd +7'
PEM = "-----BEGIN KEY-----\n  c2VjcmV0IG9mIG9uZQ==\nab\n-----END KEY-----\n"


def masked(values: list[str], *chunks: bytes) -> bytes:
    mask = Mask(values)
    return b"".join(map(mask.masked, chunks)) + mask.rest()


def union(values: list[str], text: bytes) -> bytes:
    """The same of the whole, byte by byte."""
    covered = [False] * len(text)
    for form in Mask(values)._forms:
        for at in range(len(text) - len(form) + 1):
            if text.startswith(form, at):
                covered[at : at + len(form)] = [True] * len(form)
    shown = bytearray()
    for at, byte in enumerate(text):
        if not covered[at]:
            shown.append(byte)
        elif at == 0 or not covered[at - 1]:
            shown += MASK
    return bytes(shown)


@pytest.mark.parametrize(
    "text",
    [VALUE, json.dumps(VALUE)[1:-1], json.dumps(VALUE, ensure_ascii=False)[1:-1], quote(VALUE, safe="")],
)
def test_a_value_goes_in_every_form(text: str) -> None:
    assert masked([VALUE], f"a{text}b".encode()) == b"a***b"


def test_base64_of_the_value_alone_goes_to_its_last_letter() -> None:
    for value in (VALUE, VALUE + "1", VALUE + "12"):
        assert masked([value], b"<" + base64.b64encode(value.encode()) + b">") == b"<***>"


@pytest.mark.parametrize("before", ["", "u", "us", "user:"])
def test_base64_goes_wherever_the_value_begins_in_it(before: str) -> None:
    shown = masked([VALUE], base64.b64encode(f"{before}{VALUE}\n".encode()))
    letters = len(shown.replace(MASK, b""))  # of what is around it
    assert MASK in shown
    assert letters <= len(before) * 4 // 3 + 6


def test_each_line_of_a_value_goes_by_itself_and_short_ones_stay() -> None:
    indented = PEM.replace("\n", "\n    ").encode()
    assert masked([PEM], indented) == b"***\n      ***\n    ab\n    ***\n    "


def test_nothing_is_held_back_but_what_may_be_a_secret() -> None:
    mask = Mask(["hunter2"])
    assert mask.masked(b"progress 10%\nhun") == b"progress 10%\n"
    assert mask.masked(b"gry\n") == b"hungry\n"
    assert mask.masked(b"hunter") == b""
    assert mask.rest() == b"hunter"


@given(
    values=st.lists(st.text("ab", min_size=4, max_size=7), min_size=1, max_size=3),
    chunks=st.lists(st.text("ababc", max_size=9).map(str.encode), max_size=8),
)
def test_cut_in_any_way_it_is_as_of_the_whole(values: list[str], chunks: list[bytes]) -> None:
    assert masked(values, *chunks) == union(values, b"".join(chunks))


@given(value=st.text(min_size=4, max_size=30), cuts=st.lists(st.integers(0, 60), max_size=4))
def test_no_value_of_any_letters_comes_through(value: str, cuts: list[int]) -> None:
    text = f"[{value}]".encode("utf-8", "surrogateescape") if value.isprintable() else b""
    ends = [0, *sorted(cuts), len(text)]
    shown = masked([value], *[text[a:b] for a, b in pairwise(ends)])
    assert len(value.strip()) < 4 or value.strip().encode() not in shown
