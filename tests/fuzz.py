"""A fuzzer for every decoder that reads what another process sent.

    python -m tests.fuzz --seconds 60 --seed 1

Valid messages are changed in their values (other types, huge numbers, deep nesting, missing and surplus
fields) and in their bytes (flips, cuts, splices, repetitions, lengths), and given to the decoders of nodes,
agents and the log. A decoder may give a message or its one refusal. Anything else is printed with the bytes
that show it again; the exit code is 1.
"""

from __future__ import annotations

import argparse
import contextlib
import random
import signal
import struct
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import msgpack

from api.agents.bounds import why_unsound
from api.agents.hello import unsound_hello
from cluster import wire
from cluster.copies import unpack_applied
from cluster.membership import Membership, apply_change, well_formed
from node import bridge
from scheduler import protocol
from scheduler.words import codec, commands
from scheduler.words.outcomes import Code, Outcome

FRAME_BYTES_MAX = 64 << 10  #: the limit of the reader under test
MEMORY_BYTES_MAX = 16 << 20  #: that decoding one input may take
HANG_S = 30
_HELLO = wire.Hello("c", "a", "u", 1, 1, "z", "h:1", "http://h", 5, False).message()
_NODES: list[Any] = [
    _HELLO,
    {"type": "append_entries", "term": 3, "commit_index": 6, "prevLogIdx": 6, "prevLogTerm": 2,
     "entries": [[b"\0a", 7, 2], [b"\0b", 8, 3]], "behind": False},
    {"type": "next_node_idx", "term": 3, "next_node_idx": 9, "reset": False, "success": True},
    {"type": "propose", "proposals": [b"one", b"two"], "can_wait": True},
    {"type": "status", "sent_ms": 5, "echo_ms": 0, "hold_ms": 0, "status": {"applied": 3, "owner": {}}},
    {"type": "copy_offer", "copy": "x", "size": 9, "sha256": b"s" * 32, "applied": b"a"},
    {"type": "copy_chunk", "copy": "x", "offset": 0, "data": b"d" * 100, "crc": 1},
]  # fmt: skip
_APPLIED: list[Any] = [[7, 2, 6, 2, b"members"]]
_CHANGES: list[Any] = [["add", "n", "h:1", "z", "", None], ["remove", "n"]]
_MEMBERSHIPS: list[Any] = [[1, [["n", "h:1", "z", "", None, True]], ["gone"]]]


def _rows(encoded: list[bytes]) -> list[Any]:
    return [msgpack.unpackb(packed, strict_map_key=False) for packed in encoded]


_AGENTS = _rows([protocol.encode([protocol.Ping(5, 6), protocol.Claim(1, "claim")])])
_FRONTS: list[Any] = [
    ["hello", "front"], ["propose", 1, b"frame", False], ["abandon", 1], ["beat"],
    ["ask", 1, "transfer", [None]],
    ["ask", 2, "add_member", ["n", "h:1", "z", "http://h"]],
]  # fmt: skip
_COMMANDS = _rows(
    [
        codec.encode_command(commands.PutToken("name", b"s" * 32, "viewer")),
        codec.encode_command(commands.Lead("node", "zone", 3, "2025b")),
    ]
)
_FRAMES = _rows([codec.encode_frame(codec.Frame("front", 1, 1, (b"command",)))])
_OUTCOMES = _rows([codec.encode_outcomes([Outcome(Code.OK, "", None)])])
_EVENTS: list[Any] = [[[7, 0, [tag, 1, "a", "b", 2, True]] for tag in range(4)]]


@dataclass(frozen=True, slots=True)
class Target:
    """A decoder, what it may raise, and valid values for it to be changed."""

    name: str
    decode: Callable[[bytes], object]
    refusal: type[Exception]
    seeds: list[Any]
    framed: bool = False  #: a stream of length-prefixed frames


def _stream(data: bytes) -> None:
    reader = wire.FrameReader(FRAME_BYTES_MAX)
    for start in range(0, len(data), 97):
        for message in reader.feed(data[start : start + 97]):
            if message["type"] == "hello":
                wire.Hello.read(message)
        assert len(reader._buffer) <= FRAME_BYTES_MAX + 4 + 97


def _node(data: bytes) -> None:
    again = wire.encode(wire.decode(data))
    assert wire.encode(wire.decode(again[4:])) == again


def _agent(data: bytes) -> None:
    messages = protocol.decode(data)
    for message in messages:
        if isinstance(message, protocol.Hello):
            unsound_hello(message)
        else:
            why_unsound(message)
    protocol.encode(messages)


def _front(data: bytes) -> None:
    for message in bridge.Decoder().feed(struct.pack("<I", len(data)) + data):
        bridge.check_front(message)


def _command(data: bytes) -> None:
    with contextlib.suppress(codec.MisshapenError):
        codec.decode_command(data)


def _change(data: bytes) -> None:
    change = wire.decode(msgpack.packb({"type": "change", "number": 1, "change": data}))["change"]
    try:
        value = msgpack.unpackb(change)
    except Exception as error:  # as cluster.changes does
        raise ValueError from error
    if well_formed(value):
        apply_change(Membership(), value)


TARGETS = [
    Target("a stream between nodes", _stream, wire.ProtocolError, _NODES, framed=True),
    Target("a message between nodes", _node, wire.ProtocolError, _NODES),
    Target("a place of the state", unpack_applied, ValueError, _APPLIED),
    Target("a change of the membership", _change, ValueError, _CHANGES),
    Target("a membership", Membership.decode, ValueError, _MEMBERSHIPS),
    Target("messages of an agent", _agent, protocol.ProtocolError, _AGENTS),
    Target("what a front says", _front, bridge.BridgeError, _FRONTS),
    Target("a command", _command, codec.UnknownRecordError, _COMMANDS),
    Target("a frame of commands", codec.decode_frame, codec.UnknownRecordError, _FRAMES),
    Target("outcomes", codec.decode_outcomes, codec.UnknownRecordError, _OUTCOMES),
    Target("events", codec.decode_events, codec.UnknownRecordError, _EVENTS),
]


class Mutator:
    def __init__(self, rng: random.Random) -> None:
        self._rng = rng

    def inputs(self, target: Target) -> bytes:
        """One input: usually well formed and wrong inside, sometimes no msgpack at all."""
        rng = self._rng
        bodies = [self._body(rng.choice(target.seeds)) for _ in range(rng.choice((1, 1, 1, 3)))]
        if not target.framed:
            return bodies[0]
        frames = [struct.pack(">I", self._length(len(body))) + body for body in bodies]
        data = b"".join(frames)
        return self._bytes(data) if rng.random() < 0.2 else data

    def _length(self, true: int) -> int:
        rng = self._rng
        if rng.random() < 0.8:
            return true
        return rng.choice((0, max(0, true - 1), true + 1, FRAME_BYTES_MAX, FRAME_BYTES_MAX + 1, 0xFFFFFFFF))

    def _body(self, seed: Any) -> bytes:
        value = seed
        for _ in range(self._rng.randrange(4)):
            value = self._value(value)
        try:
            body: bytes = msgpack.packb(value, use_bin_type=True)
        except (ValueError, OverflowError, TypeError, RecursionError):
            body = msgpack.packb(seed, use_bin_type=True)
        return self._bytes(body) if self._rng.random() < 0.4 else body

    def _value(self, value: Any) -> Any:
        rng = self._rng
        if isinstance(value, dict) and value and rng.random() < 0.85:
            key = rng.choice(list(value))
            changed = dict(value)
            act = rng.random()
            if act < 0.15:
                del changed[key]
            elif act < 0.25:
                changed[rng.choice(("surplus", 7, b"bytes", None))] = self._strange()
            else:
                changed[key] = self._value(value[key])
            return changed
        if isinstance(value, list) and value and rng.random() < 0.85:
            changed_list = list(value)
            at = rng.randrange(len(value))
            act = rng.random()
            if act < 0.15:
                del changed_list[at]
            elif act < 0.3:
                changed_list.insert(at, rng.choice((self._strange(), value[at])))
            else:
                changed_list[at] = self._value(value[at])
            return changed_list
        return self._strange()

    def _strange(self) -> Any:
        rng = self._rng
        deep: Any = []
        for _ in range(rng.choice((2, 50, 600))):
            deep = [deep] if rng.random() < 0.9 else {"k": deep}
        return rng.choice(
            (
                None, True, False, 0, -1, 1, 255, 1 << 31, 1 << 62, (1 << 63) - 1, 1 << 63, (1 << 64) - 1,
                -(1 << 63), 0.5, float("nan"), float("inf"), "", "x" * rng.choice((1, 5000)), b"",
                bytes(rng.choice((1, 5000))), [], {}, [None], {"a": 1}, {1: 2}, deep,
                msgpack.ExtType(rng.randrange(128), b"ext"), msgpack.Timestamp(1, 2),
            )
        )  # fmt: skip

    def _bytes(self, data: bytes) -> bytes:
        rng, changed = self._rng, bytearray(data)
        for _ in range(rng.randrange(1, 5)):
            at = rng.randrange(len(changed) + 1)
            act = rng.randrange(6)
            if act == 0 and at < len(changed):
                changed[at] ^= 1 << rng.randrange(8)
            elif act == 1:
                del changed[at:]
            elif act == 2:
                changed[at:at] = rng.randbytes(rng.randrange(1, 20))
            elif act == 3:
                changed[at:at] = changed[: rng.randrange(len(changed) + 1)]
            elif act == 4:
                # arrays, maps, strings and binaries that claim to be enormous
                changed[at:at] = rng.choice((b"\xdd", b"\xdf", b"\xdb", b"\xc6")) + b"\xff\xff\xff\xff"
            elif at < len(changed):
                changed[at] = rng.randrange(256)
        return bytes(changed[: 2 * FRAME_BYTES_MAX])


@dataclass(frozen=True, slots=True)
class Finding:
    target: str
    data: bytes
    what: str

    def __str__(self) -> str:
        return f"{self.target}: {self.what}\n  bytes.fromhex({self.data.hex()!r})"


def try_one(target: Target, data: bytes) -> Finding | None:
    try:
        target.decode(data)
    except target.refusal:
        pass
    except Exception as error:  # what a decoder must never let out
        return Finding(target.name, data, f"{type(error).__name__}: {str(error)[:200]}")
    return None


def fuzz(seed: int) -> Iterator[Finding | None]:
    """One input after the other, without end; the same for the same seed."""
    rng = random.Random(seed)
    mutator = Mutator(rng)
    while True:
        target = rng.choice(TARGETS)
        yield try_one(target, mutator.inputs(target))


def memory_of(target: Target, data: bytes) -> int:
    """Bytes that decoding takes at its peak."""
    tracemalloc.start()
    try:
        try_one(target, data)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    until_s = time.monotonic() + arguments.seconds
    tried, found = 0, dict[tuple[str, str], Finding]()
    signal.alarm(HANG_S)  # kills the process when one input takes so long
    for finding in fuzz(arguments.seed):
        tried += 1
        if finding is not None:
            found.setdefault((finding.target, finding.what.partition(":")[0]), finding)
        if tried % 1000 == 0:
            signal.alarm(HANG_S)
            if time.monotonic() > until_s:
                break
    for finding in found.values():
        print(finding)
    print(f"seed {arguments.seed} inputs {tried} findings {len(found)}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
