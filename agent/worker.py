"""What happens to an attempt on this agent, from Assign to Ack. In the loop, synchronous, no sockets.

1. Assign: the claim goes to the journal, then to the node (again every CLAIM_AGAIN_MS until answered, with
   the same claim id). An attempt that is held or has ended here is not taken a second time.
2. Grant: waits for its due instant by the node's clock, then goes to its executor, once. A grant that is
   void by then ends as gone. While it waits long, the claim is sent again, which the cluster answers with the
   same grant or a refusal.
3. The end goes to the journal, then to the node (and on every connection) until the Ack; only when it is on
   disk the spooler may forget its own record.
4. A new session takes over what runs in the spooler and reports the ends that it finds there. Claims of the
   old session that never reached the spooler are gone: no process was made for them, and none will be.
5. An agent that is told to end claims nothing more, and goes when what it claimed has surely started: what it
   was granted and does not start is lost (rule 4).
6. A spooler that died took its attempts with it (its successor kills the rest): what the successor neither
   runs nor has an end of is gone.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from agent.attempt import Held, Phase
from agent.clock import NodeClock, boot_ms, wall_ms
from agent.due import DueQueue
from agent.environment import task_environment
from agent.executors import Start, executors
from agent.journal import Journal
from agent.output import read_output
from agent.spool.client import SpoolerClient, SpoolerState
from agent.spool.wire import Command, Exit
from scheduler.protocol import (
    RUNNING_AFTER_MS,
    TAIL_FAILURE_BYTES,
    TAIL_SUCCESS_BYTES,
    Ack,
    Assign,
    Cancel,
    Claim,
    Finished,
    Grant,
    Message,
    Pong,
    Refuse,
    Running,
    TailChunk,
    TailRequest,
)

log = logging.getLogger("agent.worker")
CLAIM_AGAIN_MS = 1_000
GRANT_AGAIN_MS = 4_000  #: while a granted attempt waits for its due instant
FINISHED_AGAIN_MS = 5_000
_DETAIL_MAX = 1_000
_NOTED_MAX = 200
REMEMBERED = 20_000  #: ended attempts that are known as such


class Worker:
    def __init__(
        self,
        *,
        name: str,
        zone: str,
        installation: str,
        session: str,
        slots: int,
        output: Path,
        output_bytes_max: int,
        journal: Journal,
        clock: NodeClock,
        send: Callable[[Message], None],
    ) -> None:
        """`send` may drop what it gets while no node listens; everything is sent again when one does."""
        self._name, self._zone, self._installation = name, zone, installation
        self._session = session
        self._slots = slots
        self._output = output
        self._output_bytes_max = output_bytes_max
        self._journal = journal
        self._send = send
        self._due = DueQueue(clock, self._start)
        self._held: dict[int, Held] = {}
        self._gone: set[int] = set()  #: claims of an earlier session that never started
        self._unacknowledged: OrderedDict[int, tuple[int, float]] = OrderedDict()  #: event → attempt, sent
        self._ended: OrderedDict[int, None] = OrderedDict()
        self._started: deque[tuple[float, Held]] = deque()
        self._forget: list[int] = []
        self._claims = 0
        self._leaving = False
        self._asked_ms = 0.0  #: sending of the Ping whose Pong was read last from this node
        self._executors = executors(self)
        self.spooler: SpoolerClient | None = None  #: set by the runtime, before anything else is called
        for end in sorted(journal.book.finished.values(), key=lambda end: end.event):
            self._unacknowledged[end.event] = (end.attempt, 0.0)
            self._remember(end.attempt)

    # -- towards the node

    def held(self) -> tuple[tuple[int, str], ...]:
        """Every attempt that is not acknowledged, for Hello."""
        rows = [(attempt, "running") for attempt in self._held]
        rows += [(attempt, "exited") for attempt in self._journal.book.finished]
        rows += [(attempt, "gone") for attempt in self._gone]
        return tuple(rows)

    def slots(self) -> int:
        """How many attempts it may be given at all: none on a full disk or with a spooler that is stopped."""
        able = not self._journal.full and self.spooler is not None and not self.spooler.silent
        return self._slots if able else 0

    def free_slots(self) -> int:
        return 0 if self._leaving else max(0, self.slots() - len(self._held))

    def waiting(self) -> bool:
        """Whether a claim or a report waits for the node's answer."""
        return bool(self._unacknowledged) or any(h.phase is Phase.CLAIMED for h in self._held.values())

    def running(self) -> set[int]:
        return set(self._held)

    def leave(self) -> None:
        """It ends soon: what is assigned from now on is left to others, who get it when this one has gone."""
        self._leaving = True

    def unsettled(self) -> bool:
        """Whether its end would lose work now: what waits for its grant or its instant, what the spooler has
        not confirmed, and what runs in this process."""
        return any(not held.spooled or held.started_ms is None for held in self._held.values())

    def welcomed(self) -> None:
        """A node has committed our Hello: say again all that it may not know."""
        self._journal.drop(sorted(self._gone))
        self._gone.clear()
        self._asked_ms = 0.0
        for held in self._held.values():
            if held.phase is not Phase.STARTED:
                held.first_sent_ms = None
                self._claim(held)
            elif held.running_event is not None and not held.running_acknowledged:
                self._report_running(held)
        for event in list(self._unacknowledged):
            self._report(event)

    def tick(self) -> None:
        """Every second while a node listens: what was not answered is said again."""
        now_ms = boot_ms()
        for held in self._held.values():
            again = CLAIM_AGAIN_MS if held.phase is Phase.CLAIMED else GRANT_AGAIN_MS
            if held.phase is not Phase.STARTED and now_ms - held.latest_sent_ms >= again:
                self._claim(held)
        for event, (_, sent_ms) in list(self._unacknowledged.items()):
            if now_ms - sent_ms < FINISHED_AGAIN_MS:
                break
            self._report(event)

    def receive(self, message: Message) -> None:
        if isinstance(message, Assign):
            self._assign(message)
        elif isinstance(message, Grant):
            self._grant(message)
        elif isinstance(message, Ack):
            self._acknowledged(message)
        elif isinstance(message, Refuse):
            self._refuse(message)
        elif isinstance(message, Cancel):
            self._cancel(message.attempt)
        elif isinstance(message, Pong):
            self._asked_ms = message.sent_ms
            self._journal.seen(message.index)
        elif isinstance(message, TailRequest):
            self._tail(message)

    # -- claim and grant

    def _assign(self, assign: Assign) -> None:
        attempt = assign.attempt
        held = self._held.get(attempt)
        if held is not None:
            if held.phase is Phase.CLAIMED:
                self._claim(held)
            return
        if attempt in self._ended or self._leaving or (self.spooler is not None and self.spooler.silent):
            return  # unclaimed, it is given to another agent, or pushed again when this one registers anew
        self._claims += 1
        held = Held(attempt, assign, f"{self._session[:16]}-{self._claims}", Phase.CLAIMED)
        self._held[attempt] = held
        self._journal.claim(attempt, held.claim, lambda: self._claim_safe(held), work_of(assign))

    def _claim_safe(self, held: Held) -> None:
        held.safe = True
        self._claim(held)

    def _claim(self, held: Held) -> None:
        if held.safe:
            held.sent(boot_ms())
            self._send(Claim(held.attempt, held.claim))

    def _grant(self, grant: Grant) -> None:
        self._journal.seen(grant.index)
        held = self._held.get(grant.attempt)
        if held is None or held.claim != grant.claim or held.assign is None:
            return
        if held.phase is not Phase.STARTED:
            held.granted(self._asked_ms)
        if held.phase is Phase.CLAIMED:
            held.phase = Phase.GRANTED
            held.fence = grant.fence
            if held.cancelled:
                self.finished(_unstarted(held.attempt, "cancelled", ""))
            elif not self._void(held):
                self._due.add(held.attempt, held.assign.due_ms)

    def _void(self, held: Held) -> bool:
        if boot_ms() <= held.valid_until_ms:
            return False
        self.finished(_unstarted(held.attempt, "gone", "the grant was void before the start"))
        return True

    def _refuse(self, refuse: Refuse) -> None:
        held = self._held.get(refuse.attempt)
        # Without a claim: taken back before the node saw one.
        if held is not None and refuse.claim in ("", held.claim) and held.phase is not Phase.STARTED:
            del self._held[refuse.attempt]
            self._journal.drop([refuse.attempt])

    def _cancel(self, attempt: int) -> None:
        held = self._held.get(attempt)
        if held is None:
            return
        held.cancelled = True
        if held.phase is Phase.GRANTED:
            self.finished(_unstarted(attempt, "cancelled", ""))
        elif held.phase is Phase.STARTED:
            if held.assign is None:
                self.cancel_spooled(attempt)
            else:
                self._executors[held.assign.work["kind"]].cancel(attempt)

    # -- start

    def _start(self, attempts: list[int]) -> None:
        batches: dict[str, list[Start]] = {}
        for attempt in attempts:
            held = self._held.get(attempt)
            if held is None or held.phase is not Phase.GRANTED or held.assign is None or self._void(held):
                continue
            held.phase = Phase.STARTED
            try:
                kind = str(held.assign.work.get("kind"))
                if kind not in self._executors:
                    raise ValueError(f"this agent has no executor for work of kind {kind!r}")
                batches.setdefault(kind, []).append(self._start_of(held, held.assign))
            except (AttributeError, TypeError, ValueError) as error:
                # Work of another shape than the protocol has: its own fault, not this agent's end.
                self.finished(_unstarted(attempt, "start_failed", str(error)))
        for kind, starts in batches.items():
            self._executors[kind].start(starts)

    def _start_of(self, held: Held, assign: Assign) -> Start:
        environment = task_environment(
            assign, fence=held.fence, agent=self._name, zone=self._zone, installation=self._installation
        )
        output_bytes_max = min(assign.output_bytes_max, self._output_bytes_max)
        return Start(assign, environment, held.valid_until_ms, output_bytes_max)

    # -- what executors ask and say

    def spool(self, commands: Sequence[Command]) -> None:
        assert self.spooler is not None
        for command in commands:
            held = self._held.get(command.attempt)
            if held is not None:
                held.spooled = True
        self.spooler.start(commands)

    def cancel_spooled(self, attempt: int) -> None:
        assert self.spooler is not None
        self.spooler.cancel(attempt)

    def started(self, attempt: int, started_ms: int) -> None:
        held = self._held.get(attempt)
        if held is None or held.started_ms is not None:
            return
        held.started_ms = started_ms
        self._started.append((boot_ms() + RUNNING_AFTER_MS, held))
        if len(self._started) == 1:
            asyncio.get_running_loop().call_later(RUNNING_AFTER_MS / 1000, self._look_for_running)

    def _look_for_running(self) -> None:
        now_ms = boot_ms()
        while self._started and self._started[0][0] <= now_ms + 1:
            held = self._started.popleft()[1]
            if self._held.get(held.attempt) is held:
                held.running_event = self._journal.event()
                self._report_running(held)
        if self._started:
            wait_s = max(0.001, (self._started[0][0] - now_ms) / 1000)
            asyncio.get_running_loop().call_later(wait_s, self._look_for_running)

    def _report_running(self, held: Held) -> None:
        if held.running_event is not None and held.started_ms is not None:
            self._send(Running(held.running_event, held.attempt, held.started_ms))

    def finished(self, end: Exit) -> None:
        held = self._held.pop(end.attempt, None)
        if held is None:
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
        )
        self._note(report)
        self._journal.finish(report, lambda: self._finish_safe(report, held.spooled))

    def _note(self, end: Finished) -> None:
        """For a restore: what was started here and has ended."""
        work = self._journal.book.works.get(end.attempt)
        if work is not None and (end.started_ms is not None or end.reason == "start_failed"):
            ended = [True, end.started_ms, end.finished_ms, end.exit_code, end.reason, end.signal]
            self._journal.history.add([end.attempt, *work, *ended, end.detail[:_NOTED_MAX]])

    def leave_cluster(self) -> None:
        """The cluster was restored: what the old one assigned or granted and has not started never starts."""
        dropped = [a for a, held in self._held.items() if held.phase is not Phase.STARTED]
        dropped += sorted(self._gone)
        for attempt in dropped:
            self._held.pop(attempt, None)
        self._gone.clear()
        self._journal.drop(dropped)

    def open_work(self) -> tuple[list[list[Any]], list[int]]:
        """Rows of what has not ended, or whose end is not acknowledged, and the attempts of all such."""
        book = self._journal.book
        started = {attempt: held.started_ms for attempt, held in self._held.items()}
        started |= {attempt: end.started_ms for attempt, end in book.finished.items()}
        rows = [
            [attempt, *book.works[attempt], False, started_ms, 0, None, "", None, ""]
            for attempt, started_ms in started.items()
            if attempt in book.works
        ]
        return rows, sorted(started)

    def _finish_safe(self, report: Finished, spooled: bool) -> None:
        self._unacknowledged[report.event] = (report.attempt, boot_ms())
        self._send(report)
        if spooled:
            self._forget_soon(report.attempt)

    def _forget_soon(self, attempt: int) -> None:
        self._forget.append(attempt)
        if len(self._forget) == 1:
            asyncio.get_running_loop().call_soon(self._forget_now)

    def _forget_now(self) -> None:
        assert self.spooler is not None
        self.spooler.forget(self._forget)
        self._forget = []

    def _report(self, event: int) -> None:
        attempt = self._unacknowledged[event][0]
        self._unacknowledged[event] = (attempt, boot_ms())
        self._unacknowledged.move_to_end(event)
        self._send(self._journal.book.finished[attempt])

    def _acknowledged(self, ack: Ack) -> None:
        self._journal.seen(ack.index)
        attempts = []
        for event in ack.events:
            known = self._unacknowledged.pop(event, None)
            if known is not None:
                attempts.append(known[0])
        self._journal.drop(attempts)
        if len(attempts) < len(ack.events):
            for held in self._held.values():
                if held.running_event in ack.events:
                    held.running_acknowledged = True

    def _remember(self, attempt: int) -> None:
        self._ended[attempt] = None
        if len(self._ended) > REMEMBERED:
            self._ended.popitem(last=False)

    # -- the spooler

    def spooler_state(self, state: SpoolerState) -> None:
        """What a spooler, the old one or a new one, runs and has ends of."""
        for attempt, started_ms in state.running.items():
            if attempt not in self._held and attempt not in self._ended:
                claim = self._journal.book.claims.get(attempt, "")
                self._held[attempt] = Held(attempt, None, claim, Phase.STARTED, safe=True, spooled=True)
            self.started(attempt, started_ms)
        exited = {end.attempt for end in state.exits}
        for attempt in self._journal.book.claims:
            if attempt not in self._held and attempt in exited:
                self._held[attempt] = Held(attempt, None, "", Phase.STARTED, safe=True, spooled=True)
            elif attempt not in self._held:
                self._gone.add(attempt)
        for end in state.exits:
            self.spooled_exit(end)
        for held in list(self._held.values()):
            if held.phase is not Phase.STARTED or not held.spooled:
                continue
            if held.attempt not in state.running:
                self.finished(_unstarted(held.attempt, "gone", "its spooler died"))
            elif held.cancelled:
                self.cancel_spooled(held.attempt)

    def spooled_exit(self, end: Exit) -> None:
        if end.attempt in self._held:
            self.finished(end)
        elif end.attempt not in self._journal.book.finished or self._on_disk(end.attempt):
            self._forget_soon(end.attempt)

    def _on_disk(self, attempt: int) -> bool:
        return self._journal.book.finished[attempt].event in self._unacknowledged

    # -- output

    def _tail(self, request: TailRequest) -> None:
        running = request.attempt in self._held
        found = read_output(self._output, request.attempt, request.offset, request.limit)
        data, size = found if found is not None else (b"", 0)
        self._send(
            TailChunk(
                request=request.request,
                offset=request.offset,
                data=data,
                ended=not running and request.offset + len(data) >= size,
                size=size,
                missing=found is None and not running and request.attempt not in self._ended,
            )
        )


def work_of(assign: Assign) -> list[Any]:
    """What an attempt is: run, namespace, job, task, number, tick and due instant."""
    tick = assign.environment.get("CRONCLAVE_TICK")
    tick_ms = round(datetime.fromisoformat(tick).timestamp() * 1000) if tick else None
    return [assign.run, assign.namespace, assign.job, assign.task, assign.number, tick_ms, assign.due_ms]


def _unstarted(attempt: int, reason: str, detail: str) -> Exit:
    return Exit(attempt, None, wall_ms(), None, None, reason, detail, b"", 0)
