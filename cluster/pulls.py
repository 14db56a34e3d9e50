"""Whole states for peers that the log cannot serve: what this node takes. `copies` is the other end.

Rules:
1. The receiver drives: it asks, pulls chunk after chunk, and asks again where it stopped, after a broken
   connection, a restart of the sender or of this process. A peer that is silent or has no copy is replaced by
   the next one; that one's copy is another, so it begins anew.
2. A begun copy is worth waiting for its sender for `PATIENCE_S`, since any other peer would begin anew.
3. Only a whole and right copy is installed (incoming.py, rule 3).
"""

from __future__ import annotations

import logging
import zlib
from collections import deque
from collections.abc import Callable
from pathlib import Path

from cluster.copies import CHUNK_BYTES, KEEP_S, Spawn, on_thread, unpack_applied
from cluster.incoming import Incoming, Offer, remove_left_over
from cluster.machine import Applied
from cluster.wire import Message

WINDOW_CHUNKS_MIN, WINDOW_CHUNKS_MAX = 4, 16  #: requested ahead
WINDOW_S = 0.1  #: more is requested ahead as long as a chunk comes within this of its request
STALL_S = 2.0  #: without progress, ask again
RECONNECT_STALL_S = 0.3  #: the same while a broken connection to or from the sender comes back
RECONNECT_S = 3.0  #: so long
STALLS_MAX = 3  #: then another peer
PATIENCE_S = 10.0  #: for the sender of a begun copy to come back

_log = logging.getLogger(__name__)

Send = Callable[[str, Message], bool]


class CopyTarget:
    """Pulls a copy for this node. `candidates()` are the peers to ask, the best first; `install` says
    whether the copy could be used; a copy below log index `needed()` cannot."""

    def __init__(
        self,
        directory: Path,
        send: Send,
        clock: Callable[[], float],
        candidates: Callable[[], list[str]],
        install: Callable[[Path, Applied], bool],
        needed: Callable[[], int] = lambda: 0,
        spawn: Spawn = on_thread,
    ) -> None:
        self._directory, self._send, self._clock = directory, send, clock
        self._candidates, self._install, self._needed = candidates, install, needed
        self._spawn = spawn
        self.is_active = False
        self._asked = 0  #: how often a peer was given up
        self._chosen = 0  #: the value of `_asked` at which the peer was chosen
        self._stalls = 0
        self._peer = ""
        self._incoming: Incoming | None = None
        self._window = WINDOW_CHUNKS_MIN
        self._is_held = False  #: nothing is requested until the disk has caught up
        self._requested_s: deque[float] = deque()  #: when each chunk on its way was requested
        self._progress = self._patient_until = clock()
        self._asked_s = self._hurried_until = float("-inf")
        self._tidy_s: float | None = clock() + KEEP_S  #: then a begun copy that nobody went on with goes

    @property
    def index(self) -> int | None:
        """The log index of the copy on its way: from there on the peers have to keep their logs."""
        return unpack_applied(self._incoming.offer.applied).position.index if self._incoming else None

    def start(self) -> None:
        if self.is_active:
            return
        self.is_active, self._tidy_s = True, None
        self._asked = 0
        self._incoming = Incoming.left_over(self._directory, self._spawn)
        if self._incoming is not None and (self.index or 0) < self._needed():
            self._forget()
        if self._incoming is not None:
            self._incoming.begun_s = self._clock()
        self._patient_until = self._clock() + PATIENCE_S
        self._ask()

    def poll(self) -> None:
        if not self.is_active:
            if self._tidy_s is not None and self._clock() > self._tidy_s:
                self._tidy_s = None
                self._spawn(lambda: remove_left_over(self._directory))
            return
        self._settle()
        if not self.is_active:
            return
        if not self._peer:
            self._ask()
        elif self._waits_for_disk():
            return
        elif self._clock() - self._progress > STALL_S:
            self._stalls += 1
            if self._stalls >= STALLS_MAX and self._clock() > self._patient_until:
                self._asked += 1
                self._forget()
            self._ask()
        elif (
            self._clock() < self._hurried_until
            and self._clock() - max(self._asked_s, self._progress) > RECONNECT_STALL_S
        ):
            self._ask(again=True)

    def connected(self, peer: str) -> None:
        """A connection came: if to the sender of a begun copy, go on at once. Its own connection to here may
        still be on its way, and with it the answer."""
        if not self.is_active or (self._peer and peer != self._peer):
            return
        self._hurried_until = self._clock() + RECONNECT_S
        if not self._waits_for_disk():
            self._ask()

    def link_lost(self, peer: str) -> None:
        """A connection to or from this peer broke: what was on its way is lost."""
        if peer == self._peer:
            self._hurried_until = self._clock() + RECONNECT_S

    def wait(self, peer: str) -> None:
        """The peer is making a copy."""
        if self.is_active and peer == self._peer:
            self._progress = self._clock()
            self._stalls = 0

    def offer(self, peer: str, message: Message) -> None:
        if not self.is_active or peer != self._peer:
            return
        offer = Offer(message["copy"], message["size"], message["sha256"], message["applied"], peer)
        try:
            unpack_applied(offer.applied)
        except ValueError as e:
            self._fail(str(e))
            return
        incoming = self._incoming
        if incoming is None or offer != incoming.offer:
            self._forget()
            incoming = self._incoming = Incoming(self._directory, offer, self._spawn)
            incoming.begun_s = self._clock()
        elif incoming.received:
            _log.info("going on with a copy of %s at %d of %d bytes", peer, incoming.received, offer.size)
        self._note_progress()
        incoming.requested = incoming.received
        self._window = WINDOW_CHUNKS_MIN
        self._requested_s.clear()
        self._request(incoming)

    def chunk(self, peer: str, message: Message) -> None:
        incoming = self._incoming
        if not self.is_active or incoming is None or peer != self._peer:
            return
        data = message["data"]
        if message["copy"] != incoming.offer.name or message["offset"] != incoming.received or not data:
            return
        if zlib.crc32(data) != message["crc"] or incoming.received + len(data) > incoming.offer.size:
            self._fail("a damaged chunk")
            return
        incoming.append(data)
        self._note_progress()
        self._widen()
        self._request(incoming)
        self._settle()

    def gone(self, peer: str, message: Message) -> None:
        if self.is_active and peer == self._peer:
            self._fail(message["reason"])

    def close(self) -> None:
        """What came stays for the next life of the process."""
        if self._incoming is not None:
            self._incoming.leave(keep=True)
            self._incoming = None

    def _widen(self) -> None:
        """What is on its way hides the turns of both loops; on a slow link it would only stand in the way of
        all else."""
        if self._requested_s and self._clock() - self._requested_s.popleft() <= WINDOW_S:
            self._window = min(self._window + 1, WINDOW_CHUNKS_MAX)
        else:
            self._window = max(self._window // 2, WINDOW_CHUNKS_MIN)

    def _request(self, incoming: Incoming) -> None:
        self._is_held = incoming.is_full
        if self._is_held:
            return
        wanted = min(incoming.offer.size, incoming.received + self._window * CHUNK_BYTES)
        while incoming.requested < wanted:
            message = {"type": "copy_pull", "copy": incoming.offer.name, "offset": incoming.requested}
            self._send(self._peer, message)
            self._requested_s.append(self._clock())
            incoming.requested += CHUNK_BYTES

    def _waits_for_disk(self) -> bool:
        """All of it came, or as much as may wait, and the helper thread is at it."""
        incoming = self._incoming
        return incoming is not None and (incoming.received == incoming.offer.size or incoming.is_full)

    def _settle(self) -> None:
        """Take over what the helper thread found."""
        incoming = self._incoming
        if incoming is None:
            return
        incoming.work()
        if incoming.error:
            self._fail(incoming.error)
        elif not incoming.is_whole:
            if self._is_held:
                self._request(incoming)
        else:
            self._send(self._peer, {"type": "copy_done", "copy": incoming.offer.name})
            took_s = self._clock() - incoming.begun_s
            mib = incoming.received / (1 << 20)
            _log.info("a copy of %.1f MiB came from %s in %.1f s", mib, self._peer, took_s)
            self._forget()
            if self._install(incoming.path, unpack_applied(incoming.offer.applied)):
                self.is_active = False
            else:
                self._fail("it is older than this node's own state or log")

    def _ask(self, *, again: bool = False) -> None:
        """`again`: the same question, which leaves the stall time as it is."""
        self._asked_s = self._clock()
        if not again:
            self._progress = self._asked_s
        candidates = self._candidates()
        begun_with = self._incoming.offer.peer if self._incoming is not None else ""
        if begun_with and (begun_with in candidates or self._clock() <= self._patient_until):
            self._peer = begun_with
        elif self._peer not in candidates or self._chosen != self._asked:
            # Not on any other occasion: who is asked makes a copy, and the candidates' order changes.
            self._chosen = self._asked
            self._peer = candidates[self._asked % len(candidates)] if candidates else ""
        if self._peer:
            self._send(self._peer, {"type": "copy_ask", "needed": self._needed()})

    def _note_progress(self) -> None:
        self._progress = self._clock()
        self._patient_until = self._progress + PATIENCE_S
        self._stalls = 0

    def _fail(self, reason: str) -> None:
        """The next peer is asked after the stall time."""
        _log.warning("pulling a copy from %s: %s", self._peer, reason)
        self._asked += 1
        self._forget()
        self._progress = self._clock()

    def _forget(self) -> None:
        if self._incoming is not None:
            self._incoming.leave(keep=False)
            self._incoming = None
        self._stalls, self._is_held = 0, False
