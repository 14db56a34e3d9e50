"""What the node is told of attempts that run and that have ended, until it has acknowledged it.

Rules: an end is on disk before it is told, and told again until its Ack; the spooler forgets its record only
when the agent's own is on disk. What has ended here is remembered, so that it never starts a second time.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable

from agent.clock import HostClock
from agent.exits import Exit
from agent.history import RanRow
from agent.journal import Journal
from agent.spool.client import SpoolerClient
from agent.work.claimed import Claimed
from scheduler.protocol import (
    RUNNING_AFTER_MS,
    TAIL_FAILURE_BYTES,
    TAIL_SUCCESS_BYTES,
    Ack,
    Finished,
    Message,
    Running,
    Silent,
)

FINISHED_AGAIN_MS = 5_000
_DETAIL_MAX = 1_000
_NOTED_MAX = 200
REMEMBERED = 20_000  #: ended attempts that are known as such


class Reports:
    """`held`: what is claimed and has not ended; what ends leaves it here."""

    def __init__(
        self,
        held: dict[int, Claimed],
        journal: Journal,
        spooler: SpoolerClient,
        clock: HostClock,
        send: Callable[[Message], None],
    ) -> None:
        self._held = held
        self._journal = journal
        self._spooler = spooler
        self._clock = clock
        self._send = send
        self._unacknowledged: OrderedDict[int, tuple[int, float]] = OrderedDict()  #: event → attempt, sent
        self._ended: OrderedDict[int, None] = OrderedDict()
        self._started: deque[tuple[float, Claimed]] = deque()
        self._forget: list[int] = []
        for end in sorted(journal.book.finished.values(), key=lambda end: end.event):
            self._unacknowledged[end.event] = (end.attempt, 0.0)
            self._remember(end.attempt)

    def has_ended(self, attempt: int) -> bool:
        return attempt in self._ended

    def waiting(self) -> bool:
        """Whether an end waits for its acknowledgement."""
        return bool(self._unacknowledged)

    # -- what runs

    def started(self, attempt: int, started_ms: int) -> None:
        claimed = self._held.get(attempt)
        if claimed is None or claimed.started_ms is not None:
            return
        claimed.started_ms = started_ms
        self._started.append((self._clock.boot_ms() + RUNNING_AFTER_MS, claimed))
        if len(self._started) == 1:
            asyncio.get_running_loop().call_later(RUNNING_AFTER_MS / 1000, self._look_for_running)

    def _look_for_running(self) -> None:
        now_ms = self._clock.boot_ms()
        while self._started and self._started[0][0] <= now_ms + 1:
            claimed = self._started.popleft()[1]
            if self._held.get(claimed.attempt) is claimed:
                claimed.running_event = self._journal.event()
                self.running(claimed)
        if self._started:
            wait_s = max(0.001, (self._started[0][0] - now_ms) / 1000)
            asyncio.get_running_loop().call_later(wait_s, self._look_for_running)

    def running(self, claimed: Claimed) -> None:
        """Tell that it runs, unless that is known, or its time has not come."""
        event, started_ms = claimed.running_event, claimed.started_ms
        if event is not None and started_ms is not None and not claimed.running_acknowledged:
            self._send(Running(event, claimed.attempt, started_ms))

    def silent(self, attempt: int, since_ms: int, *, silent: bool) -> None:
        """It has written nothing for too long, or writes again."""
        claimed = self._held.get(attempt)
        if claimed is not None:
            claimed.silence = Silent(self._journal.event(), attempt, since_ms, silent)
            self.silence(claimed)

    def silence(self, claimed: Claimed) -> None:
        """Tell it, unless that is known."""
        if claimed.silence is not None:
            claimed.silence_sent_ms = self._clock.boot_ms()
            self._send(claimed.silence)

    # -- what has ended

    def unstarted(self, attempt: int, reason: str, detail: str = "") -> None:
        self.finished(Exit.unstarted(attempt, reason, detail, at_ms=self._clock.wall_ms()))

    def unseen(self, attempt: int, detail: str) -> None:
        self.finished(Exit.unseen(attempt, "gone", detail, at_ms=self._clock.wall_ms()))

    def finished(self, end: Exit) -> None:
        claimed = self._held.pop(end.attempt, None)
        if claimed is None:
            return
        self._remember(end.attempt)
        limit = TAIL_SUCCESS_BYTES if end.reason == "exit" and end.exit_code == 0 else TAIL_FAILURE_BYTES
        report = Finished(
            event=self._journal.event(),
            attempt=end.attempt,
            started_ms=end.started_ms,
            finished_ms=end.finished_ms,
            exit_code=end.exit_code,
            reason=end.reason,
            signal=end.signal,
            # Whatever bytes a path or an argument held: the frame must be text that every node can read.
            detail=end.detail[:_DETAIL_MAX].encode("utf-8", "replace").decode(),
            tail=end.tail[-limit:],
            output_bytes=end.output_bytes,
            wrote_stderr=end.wrote_stderr,
            outputs=end.outputs,
            outputs_wrong=end.outputs_wrong[:_DETAIL_MAX].encode("utf-8", "replace").decode(),
        )
        self._note(report)
        self._journal.finish(report, lambda: self._safe(report, claimed.spooled))

    def _note(self, end: Finished) -> None:
        """For a restore: what was started here and has ended."""
        work = self._journal.book.works.get(end.attempt)
        if work is not None and (end.started_ms is not None or end.reason == "start_failed"):
            row = RanRow(
                end.attempt, *work, True, end.started_ms, end.finished_ms, end.exit_code, end.reason,
                end.signal, end.detail[:_NOTED_MAX], end.wrote_stderr,
            )  # fmt: skip
            self._journal.history.add(row)

    def _safe(self, report: Finished, spooled: bool) -> None:
        self._unacknowledged[report.event] = (report.attempt, self._clock.boot_ms())
        self._send(report)
        if spooled:
            self.forget_soon(report.attempt)

    def say_again(self, *, all_of_them: bool) -> None:
        """Ends without an Ack: all of them to a node that may know none, else those told long ago."""
        now_ms = self._clock.boot_ms()
        for event, (_, sent_ms) in list(self._unacknowledged.items()):
            if not all_of_them and now_ms - sent_ms < FINISHED_AGAIN_MS:
                break
            self._report(event)
        for claimed in self._held.values():
            if claimed.silence and (
                all_of_them or now_ms - claimed.silence_sent_ms >= FINISHED_AGAIN_MS
            ):
                self.silence(claimed)

    def _report(self, event: int) -> None:
        attempt = self._unacknowledged[event][0]
        self._unacknowledged[event] = (attempt, self._clock.boot_ms())
        self._unacknowledged.move_to_end(event)
        self._send(self._journal.book.finished[attempt])

    def acknowledged(self, ack: Ack) -> None:
        self._journal.seen(ack.index)
        attempts = []
        for event in ack.events:
            known = self._unacknowledged.pop(event, None)
            if known is not None:
                attempts.append(known[0])
        self._journal.drop(attempts)
        if len(attempts) < len(ack.events):
            for claimed in self._held.values():
                if claimed.running_event in ack.events:
                    claimed.running_acknowledged = True
                if claimed.silence is not None and claimed.silence.event in ack.events:
                    claimed.silence = None

    def _remember(self, attempt: int) -> None:
        self._ended[attempt] = None
        if len(self._ended) > REMEMBERED:
            self._ended.popitem(last=False)

    # -- the spooler's records

    def told_before(self, attempt: int) -> None:
        """The spooler told again of an end that is no longer held: it forgets it, if it is safe here."""
        end = self._journal.book.finished.get(attempt)
        if end is None or end.event in self._unacknowledged:
            self.forget_soon(attempt)

    def forget_soon(self, attempt: int) -> None:
        self._forget.append(attempt)
        if len(self._forget) == 1:
            asyncio.get_running_loop().call_soon(self._forget_now)

    def _forget_now(self) -> None:
        self._spooler.forget(self._forget)
        self._forget = []

    # -- a restore

    def open_work(self) -> tuple[list[RanRow], list[int]]:
        """What has not ended, or whose end is not acknowledged, and the attempts of all such."""
        book = self._journal.book
        started = {attempt: claimed.started_ms for attempt, claimed in self._held.items()}
        started |= {attempt: end.started_ms for attempt, end in book.finished.items()}
        rows = [
            RanRow.running(attempt, book.works[attempt], started_ms)
            for attempt, started_ms in started.items()
            if attempt in book.works
        ]
        return rows, sorted(started)
