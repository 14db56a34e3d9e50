"""Bridge frames survive any cutting of the stream."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node import bridge

MESSAGES: list[list[Any]] = [
    ["beat"],
    ["propose", 7, b"\x00" * 5000, False],
    ["commit", 1, 2, [[3, b"x"]], []],
]


@given(st.lists(st.integers(1, 4000), min_size=1, max_size=20))
def test_messages_come_out_whole_however_the_stream_is_cut(sizes: list[int]) -> None:
    stream = b"".join(bridge.encode(m) for m in MESSAGES)
    decoder = bridge.Decoder()
    received: list[list[Any]] = []
    position = 0
    for size in [*sizes, len(stream)]:
        received += decoder.feed(stream[position : position + size])
        position += size
    assert received == MESSAGES


def test_a_frame_beyond_the_limit_is_an_error() -> None:
    with pytest.raises(ValueError, match="bridge frame of"):
        list(bridge.Decoder().feed(b"\xff\xff\xff\xff"))


def test_a_deep_directory_still_has_a_socket_path(tmp_path: Path) -> None:
    deep = tmp_path.joinpath(*["a" * 40] * 4)
    deep.mkdir(parents=True)
    assert len(bridge.socket_path(deep)) < 108
    assert bridge.socket_path(Path("/x")) == "/x/bridge.sock"
