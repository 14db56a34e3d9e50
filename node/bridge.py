"""The frames between a node's core and its front: one Unix socket, length-prefixed msgpack arrays.

front → core   ["hello", front_uid]
               ["propose", seq, frame, can_wait]   a codec.Frame's bytes; the core sends it on until it is
               applied; `can_wait`: some ms, to share an entry
               ["abandon", seq]               the front waits no longer: do not send it again
               ["beat"]                       every BEAT_S; a core whose front is silent hands leadership over
               ["damaged", what]              a reader cannot read the state: the core looks at it
               ["ask", id, what, arguments]   transfer | check_member | ask_member | add_member |
               remove_member | catch_up
core → front   ["welcome", {"path": …, "index": …, "since": …}, [[index, stamp_ms, [events…]]…]]
               with what happened after the index `since`
               ["commit", index, stamp_ms, [[seq, outcomes]…], [events…]]   as codec.encode_events
               ["refused", seq, reason]       the frame can be in no log: it is dropped
               ["status", {…}]                at once on a change of what matters, else every STATUS_S
               or, while nothing is applied, CALM_STATUS_S
               ["reopen", path, index]        the state was replaced by a copy, or more happened at once than
               a message holds: open this file, what was missed is told by nothing else
               ["answer", id, answer, text]   as Answer
               ["stop"]                       the node ends: send the agents away, end, close this connection

The front sees its own commands' outcomes when they are applied here, never by a reply of the leader:
whatever it is told, its readers can see.

What the front sends is checked before the core acts on it (`FROM_FRONT`): a front with a defect loses its
connection, and never ends the core.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any

import msgpack

BEAT_S = 0.2
FRONT_SILENCE_S = 1.0
STATUS_S = 0.2
CALM_STATUS_S = 0.5  #: while nothing is applied
FRAME_BYTES_MAX = 64 << 20
EVENTS_BYTES_MAX = 32 << 20  #: of one commit
TEXT_LETTERS_MAX = 4_096
_LENGTH = struct.Struct("<I")
_CREDENTIALS = struct.Struct("3i")  #: pid, uid, gid (unix(7), SO_PEERCRED)

FROM_FRONT: dict[str, tuple[type, ...]] = {
    "hello": (str,),
    "propose": (int, bytes, bool),
    "abandon": (int,),
    "beat": (),
    "damaged": (str,),
    "ask": (int, str, list),
}
_QUESTIONS = {
    "transfer": 1,
    "ask_member": 2,
    "add_member": 5,
    "check_member": 1,
    "remove_member": 1,
    "catch_up": 0,
}
"""How many texts each question has. A transfer to anybody has None for it."""


class Answer(StrEnum):
    """What the core has to say to a question."""

    DONE = "done"  #: or begun: the status tells the end
    REFUSED = "refused"  #: with the reason
    NO_LEADER = "no_leader"  #: nobody was there to decide


class BridgeError(ValueError):
    """Bytes that are no message of this bridge."""


def socket_path(data: Path) -> str:
    """A path that fits the kernel's limit of 107 bytes, however deep the data directory lies.

    A directory's descriptor stays open for the life of the process when the short way is needed."""
    path = data / "bridge.sock"
    if len(os.fsencode(path)) < 100:
        return str(path)
    descriptor = os.open(data, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    return f"/proc/self/fd/{descriptor}/bridge.sock"


def is_ours(peer: socket.socket) -> bool:
    """Whether the process at the other end runs as this node's user: a second lock behind the file's mode."""
    credentials = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    return bool(_CREDENTIALS.unpack(credentials)[1] == os.geteuid())


def encode(message: list[Any]) -> bytes:
    body: bytes = msgpack.packb(message, use_bin_type=True)
    return _LENGTH.pack(len(body)) + body


def check_front(message: object) -> None:
    """Raises BridgeError for what no front says."""
    kind = message[0] if isinstance(message, list) and message else None
    shape = FROM_FRONT.get(kind) if isinstance(kind, str) else None
    if shape is None or not isinstance(message, list):
        raise BridgeError(f"unknown message {str(kind)[:40]!r}")
    if tuple(map(type, message[1:])) != shape:
        raise BridgeError(f"{kind}: fields of other types or number")
    if kind == "damaged" and len(message[1]) > TEXT_LETTERS_MAX:
        raise BridgeError(f"damaged: {len(message[1])} letters")
    if kind == "ask":
        what, arguments = message[2], message[3]
        anybody = what == "transfer" and arguments == [None]
        texts = all(type(text) is str and len(text) <= TEXT_LETTERS_MAX for text in arguments)
        if not anybody and (_QUESTIONS.get(what) != len(arguments) or not texts):
            raise BridgeError(f"{what[:40]!r} is no question, or has other arguments")


class Decoder:
    """Cuts a byte stream into messages. Raises BridgeError for what is none; it is useless afterwards."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[list[Any]]:
        self._buffer += data
        start = 0
        while len(self._buffer) - start >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._buffer, start)
            if length > FRAME_BYTES_MAX:
                raise BridgeError(f"bridge frame of {length} bytes")
            end = start + _LENGTH.size + length
            if len(self._buffer) < end:
                break
            body = bytes(self._buffer[start + _LENGTH.size : end])
            start = end
            try:
                message = msgpack.unpackb(body, raw=False, strict_map_key=False)
            except Exception as error:  # msgpack raises many types for malformed bytes
                raise BridgeError(f"no msgpack: {type(error).__name__}") from error
            yield message
        del self._buffer[:start]
