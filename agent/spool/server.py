"""The spooler: one small detached process per agent that owns the processes of its attempts.

1. It outlives its agent: an agent that comes back is told what runs and what ended, until it says forget.
2. What will start, what did and how it ended are in the journal (`journal`). A spooler that starts finds
   there what has no exit: it kills what is left of that, by session and by the marks in its environment, and
   records it as gone. What attempts left behind that have ended is not touched. After a reboot there is
   nothing to kill.
3. It holds the lease: attempts with kill_on_lease_end end when the agent has not renewed it in time.
4. It hears one agent at a time (`link`).
5. Descriptors never run out: of what the host allows, each attempt has its own and some are kept back. One
   more than that is not started, with words; an agent that comes back is always let in.
6. One thread, no asyncio, few imports: `python -m agent.spool --data DIR …` is up in some 30 ms.

Durations are CLOCK_BOOTTIME; a wait is at most a second while any runs: epoll's clock stands still in sleep.
"""

from __future__ import annotations

import os
import resource
import select
import signal
import socket
from collections import OrderedDict
from functools import partial
from pathlib import Path
from typing import Any

from agent.clock import HostClock
from agent.exits import SPOOLER_DIED, UNSTARTED, Exit
from agent.spool import outputs, script_files, secret_files
from agent.spool.child import Spooled
from agent.spool.groups import Groups, name_of
from agent.spool.journal import SpoolJournal, exit_row
from agent.spool.link import Link
from agent.spool.starting import StartFailed, Surroundings
from agent.spool.survivors import FENCE, kill_once, kill_survivors, survivors
from agent.spool.wire import Command

IDLE_MS = 30_000  #: without an agent and without work it ends; the next agent starts another
PARENT_GONE_GRACE_MS = 1_000
LEASE_GRACE_MS = 5_000  #: scheduler.protocol.KILL_GRACE_MS: the leader waits no longer than this
LOOK_MS = 20  #: between looks at a group that outlives its leader
STRAYS_MS = 1_000  #: for one that the kernel lets not die yet: it runs nothing of its own any more
REMEMBERED = 20_000
FILES_WANTED = 1 << 16
FILES_KEPT_BACK = 32  #: for the agent's connection, the journal, what a start needs for a moment
FILES_PER_ATTEMPT = 3  #: its pipe, one more where stderr is looked at, and its output once there is some
_UNKNOWN = "the agent is newer than its spooler, which knows not all of it: let that end first"
_DETAILS = {
    "timeout": "the timeout passed",
    "cancelled": "",
    "gone": "killed: the lease ended or the spooler was stopped",
}


class Spooler:
    def __init__(
        self,
        data: Path,
        boot_id: str,
        installation: str,
        listener: socket.socket,
        *,
        job_umask: int,
        idle_ms: float = IDLE_MS,
        clock: HostClock | None = None,
    ) -> None:
        self._clock = clock or HostClock()
        self._idle_ms = idle_ms
        self._files, job_files = _more_files()
        self._null = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
        self._surroundings = Surroundings(self._null, job_umask, job_files)
        self._write_ends = 0  #: of pipes, that are kept for what follows
        self._output = data / "output"
        self._boot_id = boot_id
        self._installation = installation
        self._journal = SpoolJournal(data / "spool.journal", boot_id)
        self._groups = Groups(name_of(installation, data))
        self._running: dict[int, Spooled] = {}
        self._by_pid: dict[int, Spooled] = {}
        self._leaving: list[Spooled] = []  #: of the running, those whose first process has ended
        self._by_pipe: dict[int, Spooled] = {}
        self._exits: dict[int, Exit] = {}
        self._seen: OrderedDict[int, None] = OrderedDict()
        self._untold: list[Exit] = []
        self._lease_until = 0.0
        self._stopping = False
        self._doomed: set[str] | None = set()  #: whose processes end with the spooler; None: everybody's
        self._end_by: float | None = None
        self._idle_since = self._clock.boot_ms()
        self._poll = select.epoll()
        self._link = Link(listener, self._poll)
        self._wake, wake_end = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._poll.register(self._wake, select.EPOLLIN)
        signal.set_wakeup_fd(wake_end, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, self._told_to_stop)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        self._parent = -1
        self._recover()

    # -- what the last spooler left

    def _recover(self) -> None:
        left = self._journal.left
        self._exits = left.exits
        starts = left.starts.values()
        sessions = {each.pid: each.begun_boot_ms for each in starts if each.boot_id == self._boot_id}
        self._groups.end(set(left.fences.values()))
        if left.starts or left.fences:
            kill_survivors(sessions, self._installation, set(left.fences.values()))
        secret_files.sweep(self._installation)
        script_files.sweep(self._installation)
        outputs.sweep(self._installation)
        at_ms = self._clock.wall_ms()
        for attempt in dict.fromkeys((*left.starts, *left.fences)):
            start = left.starts.get(attempt)  # where none is noted there may have been one all the same
            is_of_this_boot = start.boot_id == self._boot_id if start else bool(left.name)
            why = SPOOLER_DIED if is_of_this_boot else "the host was started again"
            gone = Exit(attempt, start and start.started_ms, at_ms, None, None, "gone", why, b"", None)
            self._exits[attempt] = left.known.get(attempt, gone)
        self._compact()

    def _compact(self) -> None:
        rows = [exit_row(end) for end in self._exits.values()]
        for spooled in self._running.values():
            rows += [_about(spooled.command), self._start_row(spooled), *_known(spooled)]
        self._journal.compact(rows)

    def _start_row(self, spooled: Spooled) -> list[Any]:
        return [
            "start", spooled.attempt, spooled.pid, spooled.started_ms, spooled.begun_boot_ms, self._boot_id,
        ]  # fmt: skip

    # -- the loop

    def watch_parent(self, pid: int) -> None:
        """Development: end with this process."""
        try:
            self._parent = os.pidfd_open(pid)
        except ProcessLookupError:
            self._parent_gone()
            return
        self._poll.register(self._parent, select.EPOLLIN)

    def _told_to_stop(self, *_: Any) -> None:
        self._stop_all(LEASE_GRACE_MS)

    def _parent_gone(self) -> None:
        self._stop_all(PARENT_GONE_GRACE_MS)
        self._doomed = None

    def _stop_all(self, grace_ms: float) -> None:
        self._stopping = True
        if self._doomed is not None:
            self._doomed |= {s.command.environment.get(FENCE, "") for s in self._running.values()}
        self._end_by = self._clock.boot_ms() + grace_ms
        for spooled in self._running.values():
            spooled.stop("gone", grace_ms)

    def run(self) -> None:
        while not (self._stopping and not self._running):
            if self._is_idle() and self._clock.boot_ms() - self._idle_since > self._idle_ms:
                break
            told = self._poll.poll(self._timeout_s())
            if not self._is_idle():
                self._idle_since = self._clock.boot_ms()  # at the earliest
            for handle, events in told:
                self._handle(handle, events)
            self._reap()
            self._deadlines()
            self._commit()
            self._link.send()
        if self._doomed is None or self._doomed:
            self._groups.end(self._doomed)
            kill_survivors({}, self._installation, self._doomed)
        self._groups.close()

    def _is_idle(self) -> bool:
        return not self._running and not self._link.is_open

    def _timeout_s(self) -> float | None:
        if self._journal.waits:
            return 0.5  # the disk was full: try again
        if self._running:
            now = self._clock.boot_ms()
            nearest = min(
                min(
                    s.kill_at or now + 1e9, s.timeout_at or now + 1e9, _quiet_of(s, now),
                    self._lease_of(s, now),
                )
                for s in self._running.values()
            )
            if self._leaving:  # nothing tells when a group of others' children ends
                nearest = min(nearest, now + LOOK_MS)
            return max(0.0, min(1.0, (nearest - now) / 1000 + 0.001))
        return None if self._link.is_open else self._idle_ms / 1000 + 0.001

    def _lease_of(self, spooled: Spooled, now: float) -> float:
        """When its lease ends it; far away where none does, or it has done so."""
        ends = spooled.command.kill_on_lease_end and not spooled.given_up
        return self._lease_until if ends else now + 1e9

    def _handle(self, handle: int, events: int) -> None:
        spooled = self._by_pipe.get(handle)
        if spooled is not None:
            if not spooled.read(handle):
                self._forget_pipe(spooled, handle)
        elif handle == self._wake:
            os.read(self._wake, 4096)
        elif self._link.calls(handle):
            self._accept()
        elif handle == self._parent:
            self._poll.unregister(self._parent)
            self._parent_gone()
        elif self._link.speaks(handle, events):
            for message in self._link.receive():
                self._obey(message)

    def _forget_pipe(self, spooled: Spooled, handle: int) -> None:
        del self._by_pipe[handle]
        self._poll.unregister(handle)
        spooled.close_pipe(handle)

    # -- the agent

    def _accept(self) -> None:
        if not self._link.accept():
            return
        self._reap()
        self._commit()
        running = [[s.attempt, s.started_ms] for s in self._running.values()]
        exits = [e.row() for e in self._exits.values()]
        self._link.begin(["state", self._boot_id, running, exits, self._journal.name])
        for spooled in self._running.values():
            spooled.is_quiet = None  # this agent was told nothing of it

    def _obey(self, message: list[Any]) -> None:
        kind = message[0]
        if kind == "start":
            self._start(message[1:])
        elif kind == "cancel":
            self._reap()  # a real exit that came first stands
            spooled = self._running.get(message[1])
            if spooled is not None:
                at_once = len(message) > 2 and message[2]
                spooled.stop("cancelled", 0 if at_once else spooled.command.grace_ms)
        elif kind == "ping":
            self._link.tell(["pong"])
        elif kind == "lease":
            # After a sleep: what the old lease has ended is not revived by a new one, since the leader counts
            # from the old one.
            self._deadlines()
            self._lease_until = max(self._lease_until, message[1])
        elif kind == "forget":
            for attempt in message[1]:
                self._exits.pop(attempt, None)
            self._journal.note(["forget", message[1]])
        elif kind == "end":
            self._stop_all(0)

    def _start(self, row: list[Any]) -> None:
        attempt = row[0]
        if attempt in self._seen or attempt in self._exits or self._stopping:
            return
        self._seen[attempt] = None
        if len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)
        try:
            command = Command.of_row(row)
        except (TypeError, ValueError):  # a newer agent asks for it: that ends nobody else's work
            self._unstarted(attempt, "start_failed", _UNKNOWN)
            return
        if self._clock.boot_ms() > command.valid_until_boot_ms:
            self._unstarted(attempt, UNSTARTED, "the grant was void before the start")
            return
        if len(self._running) + self._write_ends // FILES_PER_ATTEMPT >= attempts_max(self._files):
            why = f"{len(self._running)} attempts run, {self._files} open files (ulimit -n) allow no more"
            self._unstarted(attempt, "start_failed", f"the agent's host: {why}")
            return
        self._journal.note(_about(command))
        if not self._journal.write():
            self._unstarted(attempt, UNSTARTED, "the agent's disk is full: its start could not be noted")
            return
        try:
            spooled = Spooled(
                command, self._output, self._surroundings, self._clock, self._installation, self._groups
            )
        except StartFailed as error:
            self._unstarted(attempt, "start_failed", str(error))
            return
        except Exception as error:
            # No descriptors, no memory, or work that nobody thought of: it must not end the others.
            self._unstarted(attempt, "start_failed", f"the agent's host: {error}")
            return
        self._running[attempt] = spooled
        for handle in spooled.pipes:
            self._by_pipe[handle] = spooled
            self._poll.register(handle, select.EPOLLIN)
        self._write_ends += spooled.is_surrounded
        self._note_start(spooled)
        self._link.tell(["started", attempt, spooled.started_ms])

    def _note_start(self, spooled: Spooled) -> None:
        """Before the next spawn: a kill of the spooler must find this one."""
        self._by_pid[spooled.pid] = spooled
        self._journal.note(self._start_row(spooled))
        self._journal.write()

    def _note_known(self, spooled: Spooled) -> None:
        self._journal.note(*_known(spooled))
        self._journal.write()

    # -- ends

    def _reap(self) -> None:
        while self._by_pid:
            try:
                child = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG)
            except ChildProcessError:
                break
            if child is None:
                break
            spooled = self._by_pid.pop(child.si_pid, None)
            if spooled is not None:
                spooled.exited(child.si_status, by_signal=child.si_code != os.CLD_EXITED)
                self._leaving.append(spooled)
        if self._leaving:
            self._let_leave()

    def _let_leave(self) -> None:
        """Attempts whose first process has ended end with their group, unless something follows."""
        now = self._clock.boot_ms()
        left = [spooled for spooled in self._leaving if spooled.left(now)]
        for spooled in self._without_strays(left, now):
            self._leaving.remove(spooled)
            if spooled.goes_on(partial(self._note_known, spooled)):
                self._note_start(spooled)
                continue
            for handle in spooled.pipes:
                del self._by_pipe[handle]
                self._poll.unregister(handle)
            self._write_ends -= spooled.is_surrounded
            self._ended(spooled.over(_DETAILS))
            del self._running[spooled.attempt]

    def _without_strays(self, left: list[Spooled], now: float) -> list[Spooled]:
        """Of what was ended by force, all of its tree ends with it, also what has left its group and session:
        by its control group, and found as a dead spooler's work is. Those that nothing is left of."""
        forced = [spooled for spooled in left if spooled.cause]
        if not forced:
            return left
        sessions = {spooled.pid: spooled.begun_boot_ms for spooled in forced}
        fences = {spooled.command.environment.get(FENCE, "") for spooled in forced}
        alive = [spooled for spooled in forced if not self._groups.kill(spooled.group)]
        if not kill_once(survivors(sessions, self._installation, fences)) and not alive:
            return left
        return [s for s in left if not s.cause or now >= (s.leave_until or 0.0) + STRAYS_MS]

    def _unstarted(self, attempt: int, reason: str, detail: str) -> None:
        self._ended(Exit.unstarted(attempt, reason, detail, at_ms=self._clock.wall_ms()))

    def _ended(self, ended: Exit) -> None:
        self._exits[ended.attempt] = ended
        self._journal.note_exit(ended)
        self._untold.append(ended)

    def _deadlines(self) -> None:
        now = self._clock.boot_ms()
        for spooled in self._running.values():
            if spooled.timeout_at is not None and now >= spooled.timeout_at:
                spooled.stop("timeout", spooled.command.grace_ms)
            if now >= self._lease_of(spooled, now):
                spooled.stop("gone", min(spooled.command.grace_ms, LEASE_GRACE_MS))
            if spooled.kill_at is not None and now >= spooled.kill_at:
                spooled.kill()
            if spooled.turns_quiet(now):
                self._link.tell(["silent", spooled.attempt, spooled.quiet_since_ms, spooled.is_quiet])

    def _commit(self) -> None:
        """One sync for all the exits of this turn, then tell the agent.

        On a full disk the agent is told all the same: that the end is known here alone, in memory, is no
        reason to hold it back, and the agent's own journal decides when it may go on.
        """
        written = self._journal.commit()
        for ended in self._untold:
            self._link.tell(exit_row(ended))
        self._untold.clear()
        if written and self._journal.is_long:
            self._compact()


def _more_files() -> tuple[int, tuple[int, int]]:
    """How many files this process may open from now on, and the limits that it was started with, for jobs."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES_WANTED if hard == resource.RLIM_INFINITY else min(FILES_WANTED, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        except (OSError, ValueError):
            wanted = soft
    elif soft != resource.RLIM_INFINITY:
        wanted = soft
    return wanted, (soft, hard)


def attempts_max(files: int) -> int:
    """How many attempts run side by side where so many files may be open."""
    return max(1, (files - FILES_KEPT_BACK) // FILES_PER_ATTEMPT)


def _quiet_of(spooled: Spooled, now: float) -> float:
    """When it is quiet for too long; far away where that is told, or nobody asks."""
    return now + 1e9 if spooled.quiet_at is None or spooled.is_quiet else spooled.quiet_at


def _about(command: Command) -> list[Any]:
    """Before the start: by this what was started is found, should the spooler die before it can say so."""
    return ["about", command.attempt, command.environment.get(FENCE, "")]


def _known(spooled: Spooled) -> list[list[Any]]:
    end = spooled.known_end(_DETAILS)
    return [] if end is None else [["known", *end.row()]]
