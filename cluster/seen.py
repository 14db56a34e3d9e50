"""What a node has come to, noted outside of its journal: an older journal, put back, is told by it.

Rules:
1. Each start of a node is a new life, one more than the last, noted in the journal and then here. A journal
   that tells of an earlier life, or of an earlier term or another vote than noted here, is an older one:
   votes and entries that others count on are not in it. It is refused.
2. Whatever is noted here was durable in the journal before, and is durable here before anybody hears of it:
   a crash in between leaves a note that is older than the journal, which is right.
3. Peers are noted with the life in which they were met, by uid. One that comes in an earlier life, or once
   more in the same one as another process, has all of its data from an earlier time: only its peers can
   tell.
4. Nothing is noted of single entries, which would cost a sync more for each batch: what an older journal
   lacks of them shows by the state, which is beyond its end (cluster.restore).

    file = crc u32, msgpack [version, life, term, vote, {uid: [life, spark]}]
"""

from __future__ import annotations

import struct
import zlib

import msgpack

from cluster.disk import Disk

FILE = "seen"
PEERS_MAX = 100  #: noted; the one met longest ago goes first
_CRC = struct.Struct("<I")
_VERSION = 1


class SeenError(Exception):
    """The note is damaged."""


class Seen:
    """Raises SeenError for a file that is none, and OSError."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        self.life, self.term = 0, 0
        self.vote: str | None = None
        self._peers: dict[str, tuple[int, str]] = {}
        if FILE in disk.names():
            self._load(disk.read(FILE))

    @property
    def where(self) -> str:
        return self._disk.where(FILE)

    def older(self, life: int, term: int, vote: str | None) -> str | None:
        """Why a journal that tells this is an older one; None: it is not."""
        if life < self.life:
            return f"it was last used in life {life} of this node, which has had {self.life}"
        if term < self.term:
            return f"it is at term {term}, and this node was at {self.term}"
        if term == self.term and self.vote is not None and vote != self.vote:
            return f"it lacks the vote for {self.vote} in term {term}"
        return None

    def note(self, life: int, term: int, vote: str | None) -> None:
        if (life, term, vote) != (self.life, self.term, self.vote):
            self.life, self.term, self.vote = life, term, vote
            self._store()

    def met(self, uid: str, life: int, spark: str) -> None:
        """A peer is connected. What it says was judged by `comes_back` before."""
        if self._peers.get(uid) == (life, spark):
            return
        self._peers.pop(uid, None)
        self._peers[uid] = (life, spark)
        while len(self._peers) > PEERS_MAX:
            del self._peers[next(iter(self._peers))]
        self._store()

    def comes_back(self, uid: str, life: int, spark: str) -> int | None:
        """The life in which a peer was met that comes from an earlier time; None: it does not."""
        known = self._peers.get(uid)
        if known is None or life > known[0] or (life, spark) == known:
            return None
        return known[0]

    def _load(self, raw: bytes) -> None:
        if len(raw) < 4 or _CRC.pack(zlib.crc32(raw[4:])) != raw[:4]:
            raise SeenError("its checksum is wrong")
        version, *rest = msgpack.unpackb(raw[4:])
        if version != _VERSION:
            raise SeenError(f"version {version} is not known to this release")
        self.life, self.term, self.vote, peers = rest
        self._peers = {uid: (life, spark) for uid, (life, spark) in peers.items()}

    def _store(self) -> None:
        peers = {uid: list(met) for uid, met in self._peers.items()}
        body: bytes = msgpack.packb([_VERSION, self.life, self.term, self.vote, peers])
        self._disk.replace(FILE, _CRC.pack(zlib.crc32(body)) + body)
