"""One attempt in the spooler: its process group, its output, its end.

1. The first process leads a session and a process group of its own; signals go to the group.
2. The attempt ends when its first process ends. What is left of the group gets LEAVING_MS to leave it, as
   `setsid daemon &` and what forks and calls setsid do; what is still in it then is killed. At cancel,
   timeout and the lease's end nothing is waited for. The group outlives its leader under the leader's
   number, which the kernel gives to nobody while a member is left (and to others only after a whole round
   of numbers).
3. Output passes through a pipe, so that its limit holds: what exceeds it is read and thrown away, with a mark
   in the file and a word in the exit's detail; the work itself goes on. A full disk costs output, never the
   work: a mark stands for what was lost, once there is room again. No output, no file.
   Places in the output are those of the file, marks counted, and beyond its end those of what was thrown
   away. The tail is the end of exactly that, kept or not: it begins at `output_bytes` less its length.
4. Secrets are taken out of the output before anything else is done with it (masking); those that come as
   files are in memory (secret_files), and go with the attempt.
5. posix_spawn, no interpreter per attempt. The working directory, the umask and the limit of open files are
   set around the spawn: the spooler has one thread. Where the lease must kill, setpriv (util-linux) adds
   PDEATHSIG: it dies with the spooler.
"""

from __future__ import annotations

import os
import pwd
import resource
import signal
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from agent import program
from agent.clock import HostClock
from agent.exits import Exit
from agent.output import open_for_output
from agent.spool import secret_files
from agent.spool.masking import Mask
from agent.spool.wire import Command

TAIL_SUCCESS_BYTES = 2 << 10  #: as scheduler.protocol has them; not imported here: start-up
TAIL_FAILURE_BYTES = 16 << 10
_READ_BYTES = 64 << 10
_READS_A_TURN = 16


def _tool(name: str) -> str:
    """Empty: the host does not have it."""
    paths = (f"/usr/bin/{name}", f"/bin/{name}")
    return next((path for path in paths if os.access(path, os.X_OK)), "")


_SETPRIV = _tool("setpriv")
_NICE = _tool("nice")
LEAVING_MS = 1_000  #: for a starved machine; a daemon needs some milliseconds
#: The work finds every signal at its default, whatever Python and the spooler ignore for themselves.
_DEFAULTS = sorted(signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP})


class StartFailed(Exception):
    """No process was made; the text says why, for people."""


def wrapped(command: Command) -> list[str]:
    """The argv, behind setpriv where another user or death with the spooler is wanted, and nice. Raises
    StartFailed."""
    options: list[str] = []
    nice = _niceness(command)
    if command.run_as:
        try:
            user = pwd.getpwnam(command.run_as)
        except KeyError:
            raise StartFailed(f"run_as: no user {command.run_as!r} on this host") from None
        if user.pw_uid != os.geteuid():
            if os.geteuid() != 0 or not _SETPRIV:
                lacks = "an agent that runs as root" if os.geteuid() else "setpriv (util-linux) on its host"
                raise StartFailed(f"run_as {command.run_as!r} needs {lacks}")
            options += [f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--init-groups"]
    if command.kill_on_lease_end and _SETPRIV:
        options += ["--pdeathsig", "KILL"]
    argv = [_SETPRIV, *options, "--", *command.argv] if options else command.argv
    return [*nice, *argv] if nice else argv


def _niceness(command: Command) -> list[str]:
    """What sets it and then runs what follows. As root still: another user may not lower his own."""
    own = os.getpriority(os.PRIO_PROCESS, 0)
    if command.nice is None or command.nice == own:
        return []
    if command.nice < own and os.geteuid() != 0:
        raise StartFailed(f"nice {command.nice}, below the agent's {own}, needs an agent that runs as root")
    if not _NICE:
        raise StartFailed("nice needs the program nice (coreutils) on the agent's host")
    return [_NICE, "-n", str(command.nice - own), "--"]


def _spawn(command: Command, stdin: int, output: int, umask: int, files: tuple[int, int]) -> int:
    cwd = command.cwd or "/"
    try:
        os.chdir(cwd)
    except (OSError, ValueError) as error:
        raise StartFailed(f"cwd {cwd!r}: {getattr(error, 'strerror', error)}") from error
    own_umask = os.umask(umask)
    own_files = resource.getrlimit(resource.RLIMIT_NOFILE)
    executable = command.argv[0]
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, files)
        executable = program.find(command.argv[0], command.environment.get("PATH", ""), cwd)
        argv = wrapped(command)
        # Checked before setpriv hides it behind its own exit code.
        if argv is not command.argv and (why := program.why_not(executable, cwd)):
            raise StartFailed(why)
        return os.posix_spawn(
            executable if argv is command.argv else argv[0],
            argv,
            command.environment,
            file_actions=[
                (os.POSIX_SPAWN_DUP2, stdin, 0),
                (os.POSIX_SPAWN_DUP2, output, 1),
                (os.POSIX_SPAWN_DUP2, output, 2),
            ],
            setsid=True,
            setsigmask=[],
            setsigdef=_DEFAULTS,
        )
    except program.Unstartable as error:
        raise StartFailed(str(error)) from error
    except OSError as error:
        why = program.why_not(executable, cwd) or f"{command.argv[0]}: {error.strerror}"
        raise StartFailed(why) from error
    except ValueError as error:  # a NUL in an argument or the environment
        raise StartFailed(f"{command.argv[0]!r}: {error}") from error
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, own_files)
        os.umask(own_umask)
        os.chdir("/")


class Spooled:
    """A running attempt."""

    __slots__ = (
        "_clock", "_discarded", "_ended", "_files", "_lost", "_lost_all", "_lost_why", "_mask", "_output",
        "_root", "_size", "_tail", "_truncated", "attempt", "cause", "command", "kill_at", "leave_until",
        "pid", "pipe", "started_boot_ms", "started_ms", "timeout_at",
    )  # fmt: skip

    def __init__(
        self,
        command: Command,
        root: Path,
        null: int,
        umask: int,
        files: tuple[int, int],
        clock: HostClock,
        installation: str,
    ) -> None:
        """Start it; raises StartFailed. `umask` and `files` (open ones, soft and hard) are the work's own."""
        self._clock = clock
        self.attempt = command.attempt
        self.command = replace(command, secrets=()) if command.secrets else command
        self.cause = ""  #: why it is being ended: timeout | cancelled | gone
        self._root = root
        self._output = -1
        self._size = 0  #: of the file
        self._discarded = 0  #: beyond the limit
        self._lost = self._lost_all = 0  #: not taken by the disk, since the file's last byte and in all
        self._lost_why = ""
        self._truncated = False
        self._tail = bytearray()
        self._mask = Mask(secret.value for secret in command.secrets) if command.secrets else None
        self._files = ""  #: the folder of its secrets that come as files; empty: none do
        stdin = null
        self.pipe, write_end = os.pipe2(os.O_CLOEXEC)
        self.started_ms = self._clock.wall_ms()
        self.started_boot_ms = self._clock.boot_ms()
        try:
            if command.stdin is not None:
                stdin = os.memfd_create("stdin", os.MFD_CLOEXEC)
                with open(stdin, "wb", closefd=False) as file:
                    file.write(command.stdin.encode("utf-8", "surrogateescape"))
                os.lseek(stdin, 0, os.SEEK_SET)
            if command.secrets:
                self._files, given = secret_files.given(command, installation)
                command = replace(command, environment=command.environment | given, secrets=())
            own_umask = umask if command.umask is None else command.umask
            self.pid = _spawn(command, stdin, write_end, own_umask, files)
        except BaseException:
            os.close(self.pipe)
            secret_files.remove(self._files)
            raise
        finally:
            os.close(write_end)
            if stdin != null:
                os.close(stdin)
        os.set_blocking(self.pipe, False)
        timeout = command.timeout_ms
        self.timeout_at = self.started_boot_ms + timeout if timeout is not None else None
        self.kill_at: float | None = None
        self.leave_until: float | None = None  #: the first process has ended, the group not yet
        self._ended = (0, False, 0)

    def read(self) -> bool:
        """Take what the pipe holds, within a turn's share; False at its end."""
        for _ in range(_READS_A_TURN):
            try:
                data = os.read(self.pipe, _READ_BYTES)
            except BlockingIOError:
                return True
            if not data:
                return False
            self._keep(data if self._mask is None else self._mask.masked(data))
            if len(data) < _READ_BYTES:
                return True
        return True

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

    def close_pipe(self) -> None:
        if self.pipe >= 0:
            os.close(self.pipe)
            self.pipe = -1

    def signal_group(self, number: int) -> None:
        try:
            os.killpg(self.pid, number)
        except (ProcessLookupError, PermissionError):
            return

    def stop(self, cause: str, grace_ms: float) -> None:
        """SIGTERM to the group now, SIGKILL after the grace; the first cause stands."""
        if self.leave_until is not None:
            self.leave_until = 0.0  # a real end that came first stands; what is left of it goes now
            return
        if self.cause:
            return
        self.cause = cause
        self.kill_at = self._clock.boot_ms() + grace_ms
        self.timeout_at = None
        self.signal_group(signal.SIGTERM)

    def kill(self) -> None:
        self.kill_at = None
        self.signal_group(signal.SIGKILL)

    def exited(self, status: int, *, by_signal: bool) -> None:
        """The first process is gone and reaped: the attempt's end, once the group has ended too."""
        self._ended = (status, by_signal, self._clock.wall_ms())
        self.timeout_at = self.kill_at = None
        self.leave_until = 0.0 if self.cause else self._clock.boot_ms() + LEAVING_MS

    def left(self, now_boot_ms: float) -> bool:
        """After `exited`: whether the group has ended, which is seen to once its time is over."""
        assert self.leave_until is not None
        if now_boot_ms >= self.leave_until:
            self.signal_group(signal.SIGKILL)
            return True
        try:
            os.killpg(self.pid, 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            return False
        return False

    def over(self, details: Mapping[str, str]) -> Exit:
        """After `left`: take the last output, close everything."""
        status, by_signal, finished_ms = self._ended
        if self.pipe >= 0:
            self.read()
            self.close_pipe()
        if self._mask is not None:
            self._keep(self._mask.rest())
        secret_files.remove(self._files)
        if self._output >= 0:
            os.close(self._output)
        good = not self.cause and not by_signal and status == 0
        limit = TAIL_SUCCESS_BYTES if good else TAIL_FAILURE_BYTES
        detail = details.get(self.cause, "")
        if not self.cause and not by_signal and status:
            detail = program.doubt(
                self.command.argv, self.command.environment, self.command.cwd or "/", status
            )
        words = [detail]
        if self._discarded:
            limit_bytes = self.command.output_bytes_max
            words.append(f"{self._discarded} bytes of output discarded (limit {limit_bytes})")
        if self._lost_all:
            words.append(f"{self._lost_all} bytes of output lost ({self._lost_why or 'the disk is full'})")
        return Exit(
            attempt=self.attempt,
            started_ms=self.started_ms,
            finished_ms=finished_ms,
            exit_code=None if by_signal else status,
            signal=status if by_signal else None,
            reason=self.cause or "exit",
            detail="; ".join(filter(None, words)),
            tail=bytes(self._tail[-limit:]),
            output_bytes=self._size + self._lost + self._discarded,
        )
