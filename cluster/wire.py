"""Bytes between nodes: frames of a 4-byte length and one msgpack map, checked field by field.

Rules:
1. A frame is at most `FRAME_BYTES_MAX`, before the hello `HELLO_BYTES_MAX`; a longer one is refused before a
   byte of it is kept.
2. A message has exactly the fields of `SCHEMA` for its type. Everything else is a `ProtocolError`, which
   closes the connection; nothing that a peer sends can raise anything else.
3. No pickle, no extension types, no timestamps. Map keys are strings.
4. The first frame in each direction is a `hello` or a `refuse`; `PROTOCOL` differs between incompatible
   versions. Without certificates a question and an answer (cluster.callers) go before the second hello.

The Raft messages keep the field names of pysyncobj, whose dicts they are.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import msgpack

Message = dict[str, Any]

MAGIC = "cronclave-raft"
PROTOCOL = 1
FRAME_BYTES_MAX = 16 << 20
HELLO_BYTES_MAX = 16 << 10  #: of the first frame: nothing larger is kept of who has not said who it is
TEXT_CHARS_MAX = 4096
HELLO_CHARS_MAX = 1024  #: of each text of a hello; they reach logs and status pages
_LENGTH = struct.Struct(">I")
_INTEGER_MAX = (1 << 63) - 1


class ProtocolError(Exception):
    """A peer sent what this protocol does not have; the connection must be closed."""


@dataclass(frozen=True, slots=True)
class Hello:
    """Who is at the other end. Both sides send one, both sides check it."""

    cluster: str
    name: str
    uid: str
    format_min: int
    format_max: int
    zone: str
    address: str
    url: str
    sent_ms: int  #: wall clock of the sender
    joining: bool
    restores: int = 0  #: how often the state was restored from a backup or recovered
    call: str = ""  #: the number of this call, for whoever asks back (cluster.callers)
    life: int = 0  #: how often the sender was started with its journal
    spark: str = ""  #: drawn by its process

    def message(self) -> Message:
        return {
            "type": "hello",
            "magic": MAGIC,
            "protocol": PROTOCOL,
            "cluster": self.cluster,
            "name": self.name,
            "uid": self.uid,
            "format_min": self.format_min,
            "format_max": self.format_max,
            "zone": self.zone,
            "address": self.address,
            "url": self.url,
            "sent_ms": self.sent_ms,
            "joining": self.joining,
            "restores": self.restores,
            "call": self.call,
            "life": self.life,
            "spark": self.spark,
        }

    @classmethod
    def read(cls, message: Message) -> Hello:
        if message["magic"] != MAGIC:
            raise ProtocolError("this is not a cronclave node")
        if message["protocol"] != PROTOCOL:
            raise ProtocolError(f"protocol {message['protocol']} of the peer, {PROTOCOL} here")
        if not message["name"] or not message["uid"] or not message["cluster"]:
            raise ProtocolError("a hello without cluster, name or uid")
        for field in ("cluster", "name", "uid", "zone", "address", "url", "call", "spark"):
            if len(message[field]) > HELLO_CHARS_MAX or not message[field].isprintable():
                raise ProtocolError(f"a hello whose {field} is too long or not printable")
        return cls(**{k: v for k, v in message.items() if k not in ("type", "magic", "protocol")})

    def unfit(self, format: int) -> Refusal | None:
        """Why the sender cannot follow a state of this format; None: it can, or there is no format (0)."""
        if not format or self.format_min <= format <= self.format_max:
            return None
        supported = f"formats {self.format_min} to {self.format_max}"
        if self.format_min == self.format_max:
            supported = f"format {self.format_max}"
        return Refusal(
            "format",
            f"{self.name} supports {supported}, and the cluster is at format {format}, which has no way back:"
            f" start {self.name} with the version that the other nodes run",
        )

    def of_an_earlier_time(self, met: int) -> Refusal:
        """The sender was here in a later life, or as another process of this one."""
        return Refusal(
            "older",
            f"{self.name} comes with the data of an earlier time (life {self.life}, and it was met in {met}):"
            " a copy of its data directory was put back, or runs twice. What it has promised since is not in"
            " it. Remove it from the cluster and let it join again under a new name with an empty data"
            " directory",
        )

    def of_another_restore(self, restores: int) -> Refusal | None:
        """Why the sender's state is another than one that was restored so often: a restore makes one node the
        whole cluster, and whoever else has its uid has founded an empty one beside it."""
        if self.joining or self.restores == restores:
            return None
        if self.restores > restores:
            return Refusal("newer", f"{self.name} has restored the cluster since: it goes on there")
        return Refusal(
            "restored",
            f"cluster {self.cluster} was restored (number {restores}), and {self.name} is of number"
            f" {self.restores}: it would go on beside it as another cluster under the same uid. Move its data"
            " directory away and let it join (cronclave cluster join)",
        )


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a handshake failed. `code`: cluster, uid, removed, unknown, self, format, restored,
    newer, older, certificate, protocol."""

    code: str
    reason: str  #: for a person, with what to do

    def message(self) -> Message:
        return {"type": "refuse", "code": self.code, "reason": self.reason[:TEXT_CHARS_MAX]}

    @property
    def final(self) -> bool:
        """The refused node can never be accepted as it is, under this name or with this version: its process
        has to end."""
        return self.code in ("uid", "removed", "format", "restored", "older")


class Verdict(StrEnum):
    """What becomes of a person's wish (cluster.questions)."""

    UNDER_WAY = "under_way"
    REFUSED = "refused"  #: and it will be, until somebody changes something
    NOT_NOW = "not_now"  #: what stands in its way passes by itself
    NO_LEADER = "no_leader"  #: nobody was there to decide


def _integer(value: object) -> bool:
    return type(value) is int and 0 <= value <= _INTEGER_MAX


def _number(value: object) -> bool:
    return type(value) is int and -_INTEGER_MAX <= value <= _INTEGER_MAX


def _text(value: object) -> bool:
    return type(value) is str and len(value) <= TEXT_CHARS_MAX


def _flag(value: object) -> bool:
    return type(value) is bool


def _verdict(value: object) -> bool:
    return type(value) is str and value in list(Verdict)


def _blob(value: object) -> bool:
    return type(value) is bytes


def _blobs(value: object) -> bool:
    return type(value) is list and all(type(item) is bytes for item in value)


def _record(value: object) -> bool:
    return type(value) is dict and all(type(key) is str for key in value)


def _entries(value: object) -> bool:
    """[bytes, index, term] with consecutive indices and terms that never fall."""
    if type(value) is not list:
        return False
    index = term = -1
    for entry in value:
        if type(entry) is not list or len(entry) != 3:
            return False
        data, entry_index, entry_term = entry
        if type(data) is not bytes or not data or not _integer(entry_index) or not _integer(entry_term):
            return False
        if (index >= 0 and entry_index != index + 1) or entry_term < term:
            return False
        index, term = entry_index, entry_term
    return True


_Check = Callable[[object], bool]

SCHEMA: dict[str, dict[str, _Check]] = {
    "hello": {
        "magic": _text,
        "protocol": _integer,
        "cluster": _text,
        "name": _text,
        "uid": _text,
        "format_min": _integer,
        "format_max": _integer,
        "zone": _text,
        "address": _text,
        "url": _text,
        "sent_ms": _number,
        "joining": _flag,
        "restores": _integer,
        "call": _text,
        "life": _integer,
        "spark": _text,
    },
    "did_you_call": {"call": _text},  #: on a dialled connection: is this number one of your calls to me?
    "called": {"call": _text, "is_mine": _flag},
    "who": {"cluster": _text, "name": _text},  #: of a member, in place of a hello: who answers here?
    "i_am": {"cluster": _text, "name": _text, "uid": _text, "joining": _flag},
    "refuse": {"code": _text, "reason": _text},
    "request_vote": {"term": _integer, "last_log_index": _integer, "last_log_term": _integer},
    "response_vote": {"term": _integer},
    "append_entries": {
        "term": _integer,
        "commit_index": _integer,
        "prevLogIdx": _integer,
        "prevLogTerm": _integer,
        "entries": _entries,
        "behind": _flag,  #: the receiver lies below the sender's log: compare, else pull a copy
    },
    "next_node_idx": {"term": _integer, "next_node_idx": _integer, "reset": _flag, "success": _flag},
    "timeout_now": {"term": _integer},
    "higher_term": {"term": _integer},
    "prevote": {"term": _integer, "last_log_index": _integer, "last_log_term": _integer, "round": _integer},
    "prevoted": {"round": _integer, "granted": _flag},
    "propose": {"proposals": _blobs, "can_wait": _flag},
    "change": {"number": _integer, "change": _blob},
    "transfer": {"number": _integer, "target": _text},
    "verdict": {"number": _integer, "verdict": _verdict, "reason": _text},  #: of the leader on one of the two
    "index_ask": {"number": _integer},  #: a follower: what is committed? (cluster.read_index)
    "index_told": {"number": _integer, "index": _integer},  #: 0: the leader cannot vouch for it
    "index_check": {"number": _integer, "term": _integer},  #: the leader: is this still your term?
    "index_checked": {"number": _integer, "term": _integer},
    "status": {"sent_ms": _number, "echo_ms": _number, "hold_ms": _number, "status": _record},
    "copy_ask": {"needed": _integer},
    "copy_wait": {},
    "copy_offer": {"copy": _text, "size": _integer, "sha256": _blob, "applied": _blob},
    "copy_pull": {"copy": _text, "offset": _integer},
    "copy_chunk": {"copy": _text, "offset": _integer, "data": _blob, "crc": _integer},
    "copy_done": {"copy": _text},
    "copy_gone": {"copy": _text, "reason": _text},
}


def encode(message: Message) -> bytes:
    """One frame. A message of ours that is too long or malformed is our own mistake: ValueError."""
    body: bytes = msgpack.packb(message, use_bin_type=True)
    if len(body) > FRAME_BYTES_MAX:
        raise ValueError(f"frame of {len(body)} bytes, {message.get('type')}")
    return _LENGTH.pack(len(body)) + body


def decode(body: bytes) -> Message:
    """One message, complete and well typed. Raises ProtocolError."""
    try:
        message = msgpack.unpackb(body, raw=False, strict_map_key=True, ext_hook=_no_extension, timestamp=0)
    except ProtocolError:
        raise
    except Exception as e:  # msgpack raises many types for malformed bytes, RecursionError-like ones too
        raise ProtocolError(f"no msgpack: {type(e).__name__}") from e
    if type(message) is not dict:
        raise ProtocolError("a frame that is no map")
    kind = message.get("type")
    schema = SCHEMA.get(kind) if type(kind) is str else None
    if schema is None:
        raise ProtocolError(f"unknown message {str(kind)[:40]!r}")
    if len(message) != len(schema) + 1:
        raise ProtocolError(f"{kind}: fields {sorted(str(k) for k in message)[:20]}")
    for field, check in schema.items():
        if field not in message or not check(message[field]):
            raise ProtocolError(f"{kind}: field {field} is missing or malformed")
    if kind == "append_entries":
        _check_append(message)
    return message


def _check_append(message: Message) -> None:
    entries = message["entries"]
    if not entries:
        return
    if entries[0][1] != message["prevLogIdx"] + 1 or entries[0][2] < message["prevLogTerm"]:
        raise ProtocolError("append_entries: entries do not follow prevLogIdx")
    if entries[-1][2] > message["term"]:
        raise ProtocolError("append_entries: an entry of a later term than its sender's")


def _no_extension(code: int, data: bytes) -> object:
    raise ProtocolError(f"extension type {code}")


class FrameReader:
    """Cuts a stream of bytes into messages."""

    def __init__(self, frame_bytes_max: int = FRAME_BYTES_MAX) -> None:
        self._buffer = bytearray()
        self.frame_bytes_max = frame_bytes_max

    def feed(self, data: bytes) -> Iterator[Message]:
        """Every message that is complete by now. Raises ProtocolError; the reader is useless afterwards."""
        buffer = self._buffer
        buffer += data
        start = 0
        try:
            while len(buffer) - start >= 4:
                (length,) = _LENGTH.unpack_from(buffer, start)
                if length > self.frame_bytes_max:
                    raise ProtocolError(f"a frame of {length} bytes, {self.frame_bytes_max} at most")
                if len(buffer) - start - 4 < length:
                    break
                body = bytes(memoryview(buffer)[start + 4 : start + 4 + length])
                start += 4 + length
                yield decode(body)
        finally:
            if start:
                del buffer[:start]
