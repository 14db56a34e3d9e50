"""One attempt in the spooler: its process group, its output, its end.

1. The first process leads a session and a process group of its own; signals go to the group.
2. The attempt ends when its first process ends. What is left of the group gets LEAVING_MS to leave it, as
   `setsid daemon &` and what forks and calls setsid do; what is still in it then is killed. At cancel,
   timeout and the lease's end nothing is waited for, and what has left the group ends too: all of its
   control group (groups), or what the server finds. The
   group outlives its leader under the leader's number, which the kernel gives to nobody while a member is
   left (and to others only after a whole round of numbers).
3. Output passes through a pipe, so that its limit holds: what exceeds it is read and thrown away, with a mark
   in the file and a word in the exit's detail; the work itself goes on. A full disk costs output, never the
   work: a mark stands for what was lost, once there is room again. No output, no file.
   Where the work is judged by it, its stderr has a pipe of its own, so that the end can tell whether
   something was written there: the two streams are then kept as they are read, not in the order of the
   writes.
   Places in the output are those of the file, marks counted, and beyond its end those of what was thrown
   away. The tail is the end of exactly that, kept or not: it begins at `output_bytes` less its length.
4. Secrets are taken out of the output before anything else is done with it (masking); those that come as
   files are in memory (secret_files), and go with the attempt.
5. What its namespace runs before and after the work (around) is part of the attempt: processes one after the
   other, each with a session and a group of its own, of which 1 and 2 hold, and one output.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from agent import looking, program
from agent.clock import HostClock
from agent.exits import LINK_DIED, Exit
from agent.output import open_for_output
from agent.spool import outputs, script_files, secret_files
from agent.spool.around import (
    AFTER,
    AFTER_MS,
    AGAIN,
    BEFORE,
    LOOK,
    UNMET,
    WORK,
    Ended,
    said,
    said_of_look,
    said_of_second_look,
    told_after,
)
from agent.spool.groups import Groups
from agent.spool.masking import Mask
from agent.spool.starting import StartFailed, Surroundings, give_streams, spawn
from agent.spool.survivors import FENCE
from agent.spool.wire import Command

TAIL_SUCCESS_BYTES = 2 << 10  #: as scheduler.protocol has them; not imported here: start-up
TAIL_FAILURE_BYTES = 16 << 10
_READ_BYTES = 64 << 10
_READS_A_TURN = 16
_CPU_OVER = (signal.SIGXCPU, 128 + signal.SIGXCPU)  #: as its process ends, and as a shell tells of one
REACH_MS = 20_000  #: for a process that is to end work elsewhere, which may have to connect again
LEAVING_MS = 1_000  #: for a starved machine; a daemon needs some milliseconds


class Spooled:
    """A running attempt."""

    __slots__ = (
        "_after", "_clock", "_cut", "_discarded", "_end", "_ended", "_errors", "_errors_end", "_files",
        "_given", "_group_is_over", "_groups", "_host", "_lost", "_lost_all", "_lost_why", "_output",
        "_phase", "_root", "_scripts", "_size", "_tail", "_to_start", "_truncated", "_unbegun", "_unmet",
        "_values_mask", "_write_end", "_written", "_wrote_stderr", "attempt", "begun_boot_ms", "cause",
        "command", "given_up", "group", "is_quiet", "kill_at", "leave_until", "pid", "pipes", "quiet_at",
        "quiet_since_ms", "started_boot_ms", "started_ms", "timeout_at",
    )  # fmt: skip

    def __init__(
        self, command: Command, root: Path, host: Surroundings, clock: HostClock, installation: str,
        groups: Groups,
    ) -> None:  # fmt: skip
        """Start it; raises StartFailed."""
        self._clock = clock
        self._host = host
        self.attempt = command.attempt
        kept = replace(command, secrets=(), files=()) if command.secrets or command.files else command
        self.command = kept
        self.cause = ""  #: why it is being ended: timeout | cancelled | gone
        self.given_up = False  #: its lease or its spooler ends: nothing more is started for it
        self._root = root
        self._groups = groups
        self.group = groups.made(command.environment.get(FENCE, ""))
        self._output = -1
        self._size = 0  #: of the file
        self._discarded = 0  #: beyond the limit
        self._lost = self._lost_all = 0  #: not taken by the disk, since the file's last byte and in all
        self._lost_why = ""
        self._truncated = False
        self._tail = bytearray()
        self._wrote_stderr = False if command.looks_at_stderr else None
        self._files = ""  #: the folder of its secrets that come as files; empty: none do
        self._scripts = ""  #: the folder of a script that came with its job; empty: none did
        self._written = ""  #: the file that it writes its outputs to; empty: it has none
        self._given: tuple[bytes, str] | None = None  #: what it wrote there, and what is wrong with that
        self._phase = LOOK if command.skip_if_exists else BEFORE if command.before else WORK
        self._unmet = ""  #: why what it was to make is not there; empty: it is, or nobody asks
        self._unbegun = ("", "")  #: why there was no work: for an Exit's reason, and in words
        self._after = ""  #: what went wrong with what runs after it
        self._cut = False  #: what runs after it is being ended
        self._end: Ended | None = None  #: of the work; None: it has none yet
        output, self._write_end = os.pipe2(os.O_CLOEXEC)
        self._errors = self._errors_end = -1  #: where the work's stderr comes out, and goes in
        if command.looks_at_stderr:
            self._errors, self._errors_end = os.pipe2(os.O_CLOEXEC)
        #: What it writes to, and what takes secrets out of that.
        self.pipes: dict[int, Mask | None] = {
            handle: Mask(secret.value for secret in command.secrets) if command.secrets else None
            for handle in (output, self._errors)
            if handle >= 0
        }
        self._values_mask = self.pipes[output] if command.outputs else None
        self.started_ms = self._clock.wall_ms()
        self.started_boot_ms = self.begun_boot_ms = self._clock.boot_ms()
        self.is_quiet: bool | None = False  #: as the agent was told; None: it is new, and has to be
        self._wrote()
        self._to_start: Command | None = command  #: with what nobody else is told; None: nothing follows
        try:
            if command.run_as:  # files are made for that user before it is started
                give_streams(command, [each for each in (self._write_end, self._errors_end) if each >= 0])
            if command.secrets:
                self._files, given = secret_files.given(command, installation)
                self._to_start = replace(command, environment=command.environment | given, secrets=())
            if command.files:
                self._scripts, self._to_start = script_files.placed(self._to_start, installation)
            if command.outputs:
                self._written = outputs.made(command, installation)
                environment = self._to_start.environment | {outputs.VARIABLE: self._written}
                self._to_start = replace(self._to_start, environment=environment)
            self.pid = self._start()
        except BaseException:
            for handle in self.pipes:
                os.close(handle)
            self._close_write_end()
            self._remove_files()
            raise
        if not self.is_surrounded:
            self._close_write_end()
        for handle in self.pipes:
            os.set_blocking(handle, False)
        timeout = command.timeout_ms
        self.timeout_at = self.started_boot_ms + timeout if timeout is not None else None
        self.kill_at: float | None = None
        self.leave_until: float | None = None  #: the first process has ended, the group not yet
        self._group_is_over = False  #: its number may be another's now
        self._ended = Ended(0, False, 0)

    @property
    def is_surrounded(self) -> bool:
        return bool(self.command.before or self.command.after or self.command.skip_if_exists)

    def _start(self) -> int:
        """The process of this phase. Raises StartFailed."""
        command = self._to_start
        assert command is not None
        self._groups.enter(self.group)
        if self._phase == WORK:
            errors = None if self._errors_end < 0 else self._errors_end
            try:
                return spawn(command, command.argv, self._host, self._write_end, command.stdin, errors)
            finally:
                self._close_errors_end()
        if self._phase in (LOOK, AGAIN):
            name = command.skip_if_exists
            asks_with = looking.stdin(name, os.environ, command.run_as)
            return spawn(command, looking.argv(name), self._host, self._write_end, asks_with)
        line = command.before
        if self._phase == AFTER:
            line, told = command.after, told_after(self.cause, self._end, unmet=bool(self._unmet))
            command = replace(command, environment=command.environment | told)
        return spawn(command, ["/bin/sh", "-c", line], self._host, self._write_end, None)

    def _close_write_end(self) -> None:
        self._to_start = None
        os.close(self._write_end)
        self._close_errors_end()

    def _close_errors_end(self) -> None:
        if self._errors_end >= 0:
            os.close(self._errors_end)
            self._errors_end = -1

    def goes_on(self, note: Callable[[], None]) -> bool:
        """After `left`: whether something follows, which is started. `note`: called once `known_end` stands,
        before anything more is started."""
        if self._to_start is None:
            return False
        self._note_end()
        while self._next():
            if self._phase == AFTER:
                note()
            try:
                self.begun_boot_ms = self._clock.boot_ms()
                self.pid = self._start()
            except StartFailed as error:
                self._note_unstarted(str(error))
                continue
            except Exception as error:  # as of a first start: it must not end the others
                self._note_unstarted(f"the agent's host: {error}")
                continue
            self.leave_until = self.kill_at = None
            self._group_is_over = False
            timeout = self.command.timeout_ms
            if self._phase in (AGAIN, AFTER):
                self.timeout_at = self.begun_boot_ms + AFTER_MS
            else:
                self.timeout_at = None if timeout is None else self.started_boot_ms + timeout
            return True
        self._close_write_end()
        return False

    def _note_end(self) -> None:
        if self._phase == WORK:
            self._end = self._ended
            if self._written:
                self._outputs()  # before anything else can write there
        elif self._phase == LOOK:
            if not self.command.argv:
                self._end = self._ended  # to look is all of the work
            elif not self.cause and (found := said_of_look(self.command.skip_if_exists, self._ended)):
                self._unbegun = found
        elif self._phase == AGAIN:
            if not self._ended.is_good:
                seen = said_of_second_look(self.command.skip_if_exists, self._ended, cut=self._cut)
                self._unmet = f"{self.command.skip_if_exists}: {seen}"
            self._cut = False
        elif not self._ended.is_good or self._cut:
            words = said(self._phase, self._ended, cut=self._cut or self.cause == "timeout")
            if self._phase == BEFORE:
                self._unbegun = ("before_failed", words)
            else:
                self._after = words

    def _note_unstarted(self, why: str) -> None:
        if self._phase == AGAIN:
            self._unmet = f"{self.command.skip_if_exists}: {why}"
        elif self._phase == AFTER:
            self._after = f"after: {why}"
        else:
            self._unbegun = ("start_failed", why)

    def _next(self) -> bool:
        """To the next phase; False: there is none."""
        if self._phase == LOOK:
            self._phase = BEFORE if self.command.before else WORK
            return bool(self.command.argv) and not self._unbegun[0] and not self.cause
        if self._phase == WORK and self.command.skip_if_exists and self._end is not None and not self.cause:
            self._phase = AGAIN
            return True
        if self._phase == BEFORE and not self._unbegun[0] and not self.cause:
            self._phase = WORK
            return True
        if self._phase == AFTER or not self.command.after or self.given_up:
            return False
        self._phase = AFTER
        return True

    def read(self, handle: int) -> bool:
        """Take what the pipe holds, within a turn's share; False at its end."""
        mask = self.pipes[handle]
        for _ in range(_READS_A_TURN):
            try:
                data = os.read(handle, _READ_BYTES)
            except BlockingIOError:
                return True
            if not data:
                return False
            if handle == self._errors:
                self._wrote_stderr = True
            if self.command.quiet_ms:
                self._wrote()
            self._keep(data if mask is None else mask.masked(data))
            if len(data) < _READ_BYTES:
                return True
        return True

    def _wrote(self) -> None:
        """Something, just now; or it has just been started."""
        self.quiet_since_ms = self._clock.wall_ms()
        quiet_ms = self.command.quiet_ms
        self.quiet_at: float | None = self._clock.boot_ms() + quiet_ms if quiet_ms else None

    def turns_quiet(self, now_boot_ms: float) -> bool:
        """Whether it is quiet or not otherwise than the agent was told, which is noted."""
        if self.quiet_at is None:
            return False
        quiet = now_boot_ms >= self.quiet_at
        told, self.is_quiet = self.is_quiet, quiet
        return told is not quiet

    def _keep(self, data: bytes) -> None:
        limit = self.command.output_bytes_max
        room = 0 if self._truncated else max(0, limit - self._size)  # the mark itself goes beyond it
        kept = data[:room] if room < len(data) else data
        if kept:
            self._lost_all += len(kept) - self._write(kept)
        if len(kept) == len(data):
            return
        if not self._truncated:
            self._truncated = True
            self._write(f"\n[output limit of {limit} bytes: the rest is discarded]\n".encode())
        self._discarded += len(data) - len(kept)
        self._remember(data[len(kept) :])

    def _remember(self, data: bytes) -> None:
        self._tail += data[-TAIL_FAILURE_BYTES:]
        if len(self._tail) > 2 * TAIL_FAILURE_BYTES:
            del self._tail[:-TAIL_FAILURE_BYTES]

    def _write(self, data: bytes) -> int:
        """Into the tail, and into the file as far as the disk takes it: so many bytes."""
        written = 0
        try:
            if self._output < 0:
                self._output = open_for_output(self._root, self.attempt)
            if self._lost:
                self._mark_lost()
            written = os.write(self._output, data)
        except OSError as error:
            self._lost_why = error.strerror or str(error)
        self._remember(data)
        self._size += written
        self._lost += len(data) - written
        return written

    def _mark_lost(self) -> None:
        """The disk takes bytes again: a mark stands in for those it did not. Raises OSError: it does not."""
        why = self._lost_why or "the disk is full"
        mark = f"\n[{self._lost} bytes of output lost: {why}]\n".encode()
        written = os.write(self._output, mark)
        del self._tail[max(0, len(self._tail) - self._lost) :]
        self._remember(mark[:written])
        self._size += written
        self._lost = 0

    def close_pipe(self, handle: int) -> None:
        """Nothing more will come of it."""
        mask = self.pipes.pop(handle)
        if mask is not None:
            self._keep(mask.rest())
        os.close(handle)

    def signal_group(self, number: int) -> None:
        try:
            os.killpg(self.pid, number)
        except (ProcessLookupError, PermissionError):
            return

    def stop(self, cause: str, grace_ms: float) -> None:
        """SIGTERM to the group now, SIGKILL after the grace, at once without any; the first cause stands, but
        `gone` waits for no longer grace than its own."""
        self.given_up = self.given_up or cause == "gone"
        if self.leave_until is not None:
            self.leave_until = 0.0  # a real end that came first stands; what is left of it goes now
            if self._phase in (LOOK, BEFORE) and not self.cause:
                self.cause = cause
            return
        kill_at = self._clock.boot_ms() + grace_ms
        is_after = self._phase in (AGAIN, AFTER)
        if self._cut if is_after else self.cause:
            if cause == "gone" and self.kill_at is not None:
                self.kill_at = min(self.kill_at, kill_at)
            return
        if is_after:
            self._cut = True  # of an attempt whose end is known
        else:
            self.cause = cause
        self.timeout_at = None
        if self.command.elsewhere and self._phase == WORK:
            # The leader waits no longer for what a lease has ended, which is lost as it is.
            self.kill_at = kill_at if cause == "gone" else kill_at + REACH_MS
            self.signal_group(signal.SIGTERM if grace_ms and cause != "gone" else signal.SIGQUIT)
            return
        if not grace_ms:
            self.kill()
            return
        self.kill_at = kill_at
        self.signal_group(signal.SIGTERM)

    def kill(self) -> None:
        self.kill_at = None
        self.signal_group(signal.SIGKILL)

    def exited(self, status: int, *, by_signal: bool) -> None:
        """The first process is gone and reaped: the attempt's end, once the group has ended too."""
        self._ended = Ended(status, by_signal, self._clock.wall_ms())
        self.timeout_at = self.kill_at = None
        self.leave_until = self._clock.boot_ms() + (0 if self.cause else LEAVING_MS)

    def left(self, now_boot_ms: float) -> bool:
        """After `exited`: whether the group has ended, which is seen to once its time is over."""
        assert self.leave_until is not None
        if not self._group_is_over and now_boot_ms >= self.leave_until:
            self.signal_group(signal.SIGKILL)
            self._group_is_over = True
        if not self._group_is_over:
            try:
                os.killpg(self.pid, 0)
            except ProcessLookupError:
                self._group_is_over = True
            except PermissionError:
                return False
        return self._group_is_over

    def over(self, details: Mapping[str, str]) -> Exit:
        """After `goes_on`: take the last output, close everything."""
        for handle in list(self.pipes):
            self.read(handle)
            self.close_pipe(handle)
        if self._output >= 0:
            os.close(self._output)
        end = self._exit(details)
        self._remove_files()
        return end

    def _remove_files(self) -> None:
        secret_files.remove(self._files)
        secret_files.remove(self._scripts)
        outputs.remove(self._written)
        self._groups.remove(self.group)

    def known_end(self, details: Mapping[str, str]) -> Exit | None:
        """What stands, whatever becomes of what runs after the work; None: that does not run."""
        return self._exit(details) if self._phase == AFTER else None

    def _exit(self, details: Mapping[str, str]) -> Exit:
        end = self._ended if self._end is None else self._end
        worked = self._end is not None or not self.is_surrounded
        good = not self.cause and not self._unmet and worked and end.is_good
        given, wrong = self._outputs() if self._written and worked and not self.cause else (b"", "")
        unseen = self.command.elsewhere and worked and end.by_signal
        return Exit(
            attempt=self.attempt,
            started_ms=self.started_ms,
            finished_ms=self._ended.at_ms,
            exit_code=end.code if worked else None,
            signal=end.signal if worked and not unseen else None,
            reason="gone" if unseen else self.cause or self._unbegun[0] or (UNMET if self._unmet else "exit"),
            detail="; ".join(filter(None, self._words(details, end, worked=worked, unseen=unseen))),
            tail=bytes(self._tail[-(TAIL_SUCCESS_BYTES if good else TAIL_FAILURE_BYTES) :]),
            output_bytes=self._size + self._lost + self._discarded,
            wrote_stderr=self._wrote_stderr,
            outputs=given,
            outputs_wrong=wrong,
        )

    def _outputs(self) -> tuple[bytes, str]:
        """What it gives to the tasks after it, and what is wrong with that: read once."""
        if self._given is None:
            names, bytes_max = self.command.outputs, self.command.outputs_bytes_max
            try:
                self._given = outputs.read(self._written, names, bytes_max, self._values_mask), ""
            except outputs.Unreadable as error:
                self._given = b"", str(error)
            except Exception as error:  # what nobody thought of: it must not end the others
                self._given = b"", f"it cannot be read: {type(error).__name__}"
        return self._given

    def _words(
        self, details: Mapping[str, str], end: Ended, *, worked: bool, unseen: bool
    ) -> Iterator[str]:
        """What people are told beside exit code and signal."""
        command = self.command
        yield LINK_DIED if unseen else ""
        yield details.get(self.cause, "")
        yield self._unbegun[1]
        yield self._unmet
        if not self.cause and worked and end.code and command.argv:
            yield program.doubt(command.argv, command.environment, command.cwd or "/", end.code)
        if worked and command.cpu_s and end.status in _CPU_OVER:
            yield f"limits: a process of it has used its cpu_time of {command.cpu_s} s"
        yield self._after
        if self._discarded:
            yield f"{self._discarded} bytes of output discarded (limit {command.output_bytes_max})"
        if self._lost_all:
            yield f"{self._lost_all} bytes of output lost ({self._lost_why or 'the disk is full'})"
