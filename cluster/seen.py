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
4. A vote is noted in place (cluster.slots). Where the newest is damaged, the one in the journal is right; and
   where the journal's is damaged, the note is ahead of it, and it is refused.
5. Nothing is noted of single entries, which would cost a sync more for each batch: what an older journal
   lacks of them shows by the state, which is beyond its end (cluster.restore).

    seen  = crc u32, msgpack [version, life, {uid: [life, spark]}]
    votes = slots of msgpack [term, vote]
"""

from __future__ import annotations

import struct
import zlib

import msgpack

from cluster.disk import Disk
from cluster.slots import Slots, SlotsError

FILE = "seen"
VOTES = "votes"
PEERS_MAX = 100  #: noted; the one met longest ago goes first
_CRC = struct.Struct("<I")
_VERSION = 2


class SeenError(Exception):
    """The note is damaged."""


class Seen:
    """Raises SeenError for a file that is none, and OSError."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        self._votes = Slots(disk, VOTES)
        self.life, self.term = 0, 0
        self.vote: str | None = None
        self._peers: dict[str, tuple[int, str]] = {}
        names = disk.names()
        if FILE in names:
            self._load(disk.read(FILE))
        self._has_votes = VOTES in names
        if self._has_votes:
            self._load_vote()

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
        if (term, vote) != (self.term, self.vote):
            self.term, self.vote = term, vote
            self._store_vote()
        if life != self.life:
            self.life = life
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
        self.life, peers = rest
        self._peers = {uid: (life, spark) for uid, (life, spark) in peers.items()}

    def _load_vote(self) -> None:
        try:
            self.term, self.vote = msgpack.unpackb(self._votes.load())
        except SlotsError as error:
            raise SeenError(f"{VOTES}: {error}") from error

    def _store_vote(self) -> None:
        packed: bytes = msgpack.packb([self.term, self.vote])
        if self._has_votes:
            self._votes.store(packed)
        else:
            self._votes.create(packed)
            self._has_votes = True

    def _store(self) -> None:
        peers = {uid: list(met) for uid, met in self._peers.items()}
        body: bytes = msgpack.packb([_VERSION, self.life, peers])
        self._disk.replace(FILE, _CRC.pack(zlib.crc32(body)) + body)
