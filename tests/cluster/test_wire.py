"""The decoder: what is well formed comes back, everything else is a ProtocolError and nothing worse."""

from __future__ import annotations

import struct
from typing import Any

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.wire import FRAME_BYTES_MAX, SCHEMA, FrameReader, Hello, ProtocolError, decode, encode

APPEND = {
    "type": "append_entries",
    "term": 3,
    "commit_index": 6,
    "prevLogIdx": 6,
    "prevLogTerm": 2,
    "entries": [[b"\0a", 7, 2], [b"\0b", 8, 3]],
    "behind": False,
}
HELLO = Hello("c", "a", "u", 1, 1, "z", "h:1", "http://h", 5, False)


def frame(value: Any) -> bytes:
    body: bytes = msgpack.packb(value)
    return struct.pack(">I", len(body)) + body


def test_messages_come_back_in_any_slices() -> None:
    stream = encode(APPEND) + encode(HELLO.message()) + encode({"type": "response_vote", "term": 3})
    for size in (1, 3, 7, len(stream)):
        reader = FrameReader()
        found = [m for at in range(0, len(stream), size) for m in reader.feed(stream[at : at + size])]
        assert [m["type"] for m in found] == ["append_entries", "hello", "response_vote"]
        assert found[0] == APPEND
        assert Hello.read(found[1]) == HELLO


@pytest.mark.parametrize(
    "change",
    [
        {"term": -1},
        {"term": True},
        {"term": 1 << 63},
        {"term": "3"},
        {"entries": [[b"\0a", 8, 2]]},
        {"entries": [[b"\0a", 7, 2], [b"\0b", 9, 3]]},
        {"entries": [[b"\0a", 7, 3], [b"\0b", 8, 2]]},
        {"entries": [[b"\0a", 7, 4]]},
        {"entries": [[b"", 7, 3]]},
        {"entries": [["a", 7, 3]]},
        {"entries": [[b"a", 7]]},
        {"entries": None},
        {"behind": 0},
        {"surplus": 1},
        {"transmission": "finish", "data": b"\x80\x02}q\x00."},  # which pysyncobj would unpickle
        {"serialized": b"\x80\x02}q\x00."},
        {"type": "apply_command"},
        {"type": 5},
        {"type": None},
    ],
)
def test_malformed_appends_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ProtocolError):
        decode(msgpack.packb({**APPEND, **change}))


def test_missing_field_is_refused_by_name() -> None:
    with pytest.raises(ProtocolError, match="append_entries: field"):
        decode(msgpack.packb({**{k: v for k, v in APPEND.items() if k != "term"}, "x": 1}))


def test_frame_over_the_limit_is_refused_before_it_is_read() -> None:
    with pytest.raises(ProtocolError, match="bytes"):
        list(FrameReader().feed(struct.pack(">I", FRAME_BYTES_MAX + 1)))
    with pytest.raises(ValueError, match="frame"):
        encode({"type": "propose", "proposals": [b"x" * FRAME_BYTES_MAX], "can_wait": False})


@pytest.mark.parametrize("magic", ["", "http", "dkron"])
def test_hello_of_another_protocol_is_refused(magic: str) -> None:
    with pytest.raises(ProtocolError, match="not a cronclave node"):
        Hello.read({**HELLO.message(), "magic": magic})
    with pytest.raises(ProtocolError, match="protocol 99"):
        Hello.read({**HELLO.message(), "protocol": 99})


def test_pickle_and_extension_types_are_refused() -> None:
    with pytest.raises(ProtocolError):
        decode(b"\x80\x02}q\x00.")
    with pytest.raises(ProtocolError):
        decode(msgpack.packb({"type": "refuse", "code": msgpack.ExtType(5, b"x"), "reason": ""}))


@settings(max_examples=400, deadline=None)
@given(st.binary(max_size=200))
def test_random_bytes_never_crash_the_decoder(data: bytes) -> None:
    try:
        message = decode(data)
    except ProtocolError:
        return
    assert message["type"] in SCHEMA


_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(1 << 63), (1 << 64) - 1)
    | st.binary(max_size=8)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(sorted(SCHEMA)), st.data())
def test_well_named_fields_with_random_values_never_crash(kind: str, data: st.DataObject) -> None:
    message: dict[str, Any] = {"type": kind}
    for field in SCHEMA[kind]:
        message[field] = data.draw(_values)
    try:
        decoded = decode(msgpack.packb(message))
    except ProtocolError:
        return
    assert all(check(decoded[field]) for field, check in SCHEMA[kind].items())


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 255))
def test_flipped_byte_in_a_stream_is_refused_or_understood(at: int, value: int) -> None:
    stream = bytearray(encode(APPEND) * 3)
    stream[at % len(stream)] = value
    reader = FrameReader()
    try:
        found = list(reader.feed(bytes(stream)))
    except ProtocolError:
        return
    assert all(m["type"] in SCHEMA for m in found)
