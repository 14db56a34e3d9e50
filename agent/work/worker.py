"""The work of an agent: claims, starting, reports and recovery over one table of what is claimed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from agent.clock import HostClock, NodeClock
from agent.exits import Exit
from agent.history import RanRow
from agent.journal import Journal
from agent.output import read_output
from agent.spool.client import SpoolerClient, SpoolerState
from agent.work.claimed import Claimed
from agent.work.claims import Claims
from agent.work.recovery import Recovery
from agent.work.reports import Reports
from agent.work.reserved import Reservations
from agent.work.starting import Place, Starting
from scheduler.protocol import (
    RESERVES,
    Ack,
    AllReserved,
    AskBack,
    Assign,
    Cancel,
    Grant,
    Message,
    Pong,
    Refuse,
    Reserved,
    TailChunk,
    TailRequest,
)


class Worker:
    """What the connection and the spooler's client tell, and what is asked of it."""

    def __init__(
        self,
        *,
        place: Place,
        session: str,
        slots: int,
        output: Path,
        journal: Journal,
        spooler: SpoolerClient,
        clock: NodeClock,
        send: Callable[[Message], None],
        host_clock: HostClock | None = None,
        boot_id: str = "",
    ) -> None:
        """`send` may drop what it gets while no node listens; everything is sent again when one does."""
        own = host_clock or HostClock()
        self._slots = slots
        self._output = output
        self._journal = journal
        self._spooler = spooler
        self._send = send
        self._held: dict[int, Claimed] = {}
        self._reports = Reports(self._held, journal, spooler, own, send)
        self._starting = Starting(self._held, self._reports, spooler, place, own, clock)
        self._claims = Claims(
            self._held, self._reports, self._starting, journal, spooler, own, session, send
        )
        self.reserved = Reservations(
            self._held, self._reports, self._starting, journal, spooler, own, clock, send,
            boot_id=boot_id,
        )  # fmt: skip
        self._claims.reserved = self.reserved.of
        self._recovery = Recovery(self._held, self._reports, self._starting, journal)

    # -- towards the node

    def held(self) -> tuple[tuple[int, str], ...]:
        """Every attempt that is not acknowledged, for Hello."""
        rows = [(attempt, "running") for attempt in self._held]
        rows += [(attempt, "exited") for attempt in self._journal.book.finished]
        return (*rows, *self._recovery.gone.items())

    @property
    def kinds(self) -> tuple[str, ...]:
        """Of work, that it can run; and that it keeps ticks in advance."""
        return tuple(sorted((*self._starting.kinds, RESERVES)))

    def slots(self) -> int:
        """How many attempts it may be given at all: none on a full disk or with a spooler that is stopped."""
        return 0 if self._journal.full or self._spooler.silent else self._slots

    def waiting(self) -> bool:
        """Whether a claim or a report waits for the node's answer."""
        return self._reports.waiting() or self._claims.waiting()

    def running(self) -> set[int]:
        return set(self._held)

    def leave(self) -> None:
        """It ends soon: what is assigned from now on is left to others, who get it when this one has gone."""
        self._claims.leaving = self.reserved.leaving = True

    def unsettled(self) -> bool:
        """Whether its end would lose work now: what waits for its grant or its instant, what has not surely
        started, and what runs in this process."""
        return any(map(self._starting.would_lose, self._held.values()))

    def welcomed(self) -> None:
        """A node has committed our Hello: say again all that it may not know."""
        self._recovery.forget_gone()
        self._claims.say_all_again()
        self._reports.say_again(all_of_them=True)
        self.reserved.say_again(all_of_them=True)

    def tick(self) -> None:
        """Every second while a node listens: what was not answered is said again."""
        self._claims.say_again()
        self._reports.say_again(all_of_them=False)
        self.reserved.say_again(all_of_them=False)

    def receive(self, message: Message) -> None:
        if isinstance(message, Assign):
            self._claims.assign(message)
        elif isinstance(message, Grant):
            self._claims.grant(message)
        elif isinstance(message, Ack):
            self._reports.acknowledged(message)
            self.reserved.acknowledged(message)
        elif isinstance(message, Refuse):
            self._claims.refuse(message)
        elif isinstance(message, Cancel):
            if self.reserved.of(message.attempt) is not None:  # fired, and stopped before it came here
                self.reserved.give_back([message.attempt])
            self._claims.cancel(message.attempt, at_once=message.at_once)
        elif isinstance(message, Reserved):
            self.reserved.reserve(message)
        elif isinstance(message, AllReserved):
            self.reserved.all_are(message)
        elif isinstance(message, AskBack):
            self.reserved.ask_back(message)
        elif isinstance(message, Pong):
            self._claims.pong(message)
        elif isinstance(message, TailRequest):
            self._tail(message)

    def contact(self, asked_ms: float) -> None:
        """As `Reservations.contact`."""
        self.reserved.contact(asked_ms)

    # -- a restore

    def leave_cluster(self) -> None:
        """The cluster was restored: what the old one assigned or granted and has not started never starts."""
        dropped = self._claims.drop_unstarted()
        self.reserved.leave_cluster()
        self._journal.drop(dropped)
        self._recovery.forget_gone()

    def open_work(self) -> tuple[list[RanRow], list[int]]:
        """As `Reports.open_work`."""
        return self._reports.open_work()

    # -- the spooler's client

    def spooler_state(self, state: SpoolerState) -> None:
        self._recovery.spooler_state(state)
        self.reserved.wake()

    def spooler_started(self, attempt: int, started_ms: int) -> None:
        self._reports.started(attempt, started_ms)

    def spooler_silent(self, attempt: int, since_ms: int, silent: bool) -> None:
        self._reports.silent(attempt, since_ms, silent=silent)

    def spooler_exit(self, end: Exit) -> None:
        self._recovery.spooled_exit(end)

    # -- output

    def _tail(self, request: TailRequest) -> None:
        running = request.attempt in self._held
        found = read_output(self._output, request.attempt, request.offset, request.limit)
        data, size = found if found is not None else (b"", 0)
        self._send(
            TailChunk(
                request=request.request,
                data=data,
                ended=not running and request.offset + len(data) >= size,
                size=size,
                missing=found is None and not running and not self._reports.has_ended(request.attempt),
            )
        )
